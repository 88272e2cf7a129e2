/* Open MPI, loaded by name: the few of its functions that are used, and its handles, which are addresses of objects of the
 * library. */
#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "runtime/device_specification.h"
#include "runtime/ranks_internal.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Of Open MPI 4 and 5. */
static const char library_name[] = "libmpi.so.40";

/* Messages are counted by an int. */
enum { PIECE_BYTES = 1 << 30, TAG = 7, THREAD_MULTIPLE = 3 };

struct mpi {
    void *world, *byte; /* MPI_COMM_WORLD, MPI_BYTE */
    int (*MPI_Init_thread)(int *count, char ***words, int required, int *provided);
    int (*MPI_Comm_rank)(void *communicator, int *rank);
    int (*MPI_Comm_size)(void *communicator, int *size);
    int (*MPI_Send)(const void *bytes, int count, void *type, int to, int tag, void *communicator);
    int (*MPI_Recv)(void *bytes, int count, void *type, int from, int tag, void *communicator,
                    void *state);
    int (*MPI_Isend)(const void *bytes, int count, void *type, int to, int tag, void *communicator,
                     void **request);
    int (*MPI_Irecv)(void *bytes, int count, void *type, int from, int tag, void *communicator,
                     void **request);
    int (*MPI_Test)(void **request, int *done, void *state);
    int (*MPI_Finalize)(void);
};

struct ranks {
    struct arena *arena;
    struct mpi mpi;
    int number, count;
    atomic_bool lost; /* some rank was given up: MPI would wait for it at its end */
};

static status find_functions(void *library, struct mpi *mpi, struct diagnostic *diagnostic)
{
    const struct {
        const char *name;
        void *slot;
    } rows[] = {{"MPI_Init_thread", &mpi->MPI_Init_thread},
                {"MPI_Comm_rank", &mpi->MPI_Comm_rank},
                {"MPI_Comm_size", &mpi->MPI_Comm_size},
                {"MPI_Send", &mpi->MPI_Send},
                {"MPI_Recv", &mpi->MPI_Recv},
                {"MPI_Isend", &mpi->MPI_Isend},
                {"MPI_Irecv", &mpi->MPI_Irecv},
                {"MPI_Test", &mpi->MPI_Test},
                {"MPI_Finalize", &mpi->MPI_Finalize},
                {"ompi_mpi_comm_world", &mpi->world},
                {"ompi_mpi_byte", &mpi->byte}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        /* ISO C has no conversion from an object pointer to a function pointer; POSIX guarantees it. */
        void *address = dlsym(library, rows[r].name);
        memcpy(rows[r].slot, &address, sizeof address);
        if (!address)
            return fail(diagnostic, STATUS_DEVICE, "%s has no %s: it is not Open MPI's",
                        library_name, rows[r].name);
    }
    return STATUS_OK;
}

static status check(int code, const char *what, struct diagnostic *diagnostic)
{
    return code == 0 ? STATUS_OK
                     : fail(diagnostic, STATUS_DEVICE, "MPI failed %s (error %d)", what, code);
}

static status start(struct ranks *ranks, struct diagnostic *diagnostic)
{
    /* Its own modules look for its functions among the global ones. */
    void *library = dlopen(library_name, RTLD_NOW | RTLD_GLOBAL);
    int provided = 0;
    if (!library)
        return fail(diagnostic, STATUS_DEVICE,
                    "this process was started by mpirun, but %s cannot be loaded: %s", library_name,
                    dlerror());
    struct mpi *mpi = &ranks->mpi;
    TRY(find_functions(library, mpi, diagnostic));
    TRY(check(mpi->MPI_Init_thread(NULL, NULL, THREAD_MULTIPLE, &provided), "to start",
              diagnostic));
    if (provided < THREAD_MULTIPLE)
        return fail(diagnostic, STATUS_DEVICE,
                    "this Open MPI was built without support for several threads");
    TRY(check(mpi->MPI_Comm_rank(mpi->world, &ranks->number), "to number ranks", diagnostic));
    return check(mpi->MPI_Comm_size(mpi->world, &ranks->count), "to count ranks", diagnostic);
}

status ranks_join(struct ranks **result, struct diagnostic *diagnostic)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE"); /* set by its launcher */
    int64_t count;
    *result = NULL;
    if (!size || !text_to_integer(size, &count) || count < 2) return STATUS_OK;
    struct arena *arena = arena_create(0);
    struct ranks *ranks = arena ? arena_allocate(arena, 1, sizeof *ranks) : NULL;
    if (!ranks) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *ranks);
    }
    *ranks = (struct ranks){.arena = arena};
    status code = start(ranks, diagnostic);
    if (code != STATUS_OK) {
        arena_destroy(arena);
        return code;
    }
    *result = ranks;
    return STATUS_OK;
}

int ranks_number(const struct ranks *ranks)
{
    return ranks->number;
}

int ranks_count(const struct ranks *ranks)
{
    return ranks->count;
}

void ranks_leave(struct ranks *ranks)
{
    struct diagnostic ignored = {0};
    if (!ranks) return;
    const struct rank_head end = {.kind = RANK_END};
    bool lost = atomic_load(&ranks->lost);
    for (int r = 1; !lost && ranks->number == 0 && r < ranks->count; r++)
        if (ranks_send(ranks, r, &end, NULL, NULL, &ignored) != STATUS_OK) break;
    if (lost) return; /* the launcher ends the others when this process ends with a failure */
    ranks->mpi.MPI_Finalize();
    arena_destroy(ranks->arena);
}

status ranks_device_list(const struct ranks *ranks, const char *own, struct arena *arena,
                         const char **list, struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    if (!own || strcmp(own, "cpu") == 0)
        text_print(&text, "virtual:%lld",
                   (long long)sysconf(_SC_PHYS_PAGES) * (long long)sysconf(_SC_PAGESIZE));
    else
        text_append(&text, own);
    for (int r = 1; ranks->number == 0 && r < ranks->count; r++) text_print(&text, ",rank:%d", r);
    *list = text_finish(&text);
    TRY_MEMORY(*list, diagnostic);
    return STATUS_OK;
}

/* ---- Messages ---- */

/* Messages come at once or after a while: it is looked for them without pause only that long. */
static const double eager_seconds = 0.005;

static void pause_a_little(double start_seconds)
{
    const struct timespec pause = {.tv_nsec = 50000};
    if (clock_seconds() - start_seconds < eager_seconds)
        sched_yield();
    else
        nanosleep(&pause, NULL);
}

/* Until the message of `request` is gone or there. */
static status await_message(struct ranks *ranks, void *request, int rank, struct watchdog *watchdog,
                            struct diagnostic *diagnostic)
{
    double start = clock_seconds();
    for (;;) {
        int done = 0;
        TRY(check(ranks->mpi.MPI_Test(&request, &done, NULL), "to move a message", diagnostic));
        if (done) break;
        if (watchdog_expired(watchdog)) {
            atomic_store(&ranks->lost, true);
            return fail(diagnostic, STATUS_TIMEOUT, "rank %d", rank);
        }
        pause_a_little(start);
    }
    watchdog_beat(watchdog);
    return STATUS_OK;
}

static status send_piece(struct ranks *ranks, int rank, const void *bytes, int count,
                         struct watchdog *watchdog, struct diagnostic *diagnostic)
{
    const struct mpi *mpi = &ranks->mpi;
    void *request;
    if (!watchdog)
        return check(mpi->MPI_Send(bytes, count, mpi->byte, rank, TAG, mpi->world), "to send",
                     diagnostic);
    TRY(check(mpi->MPI_Isend(bytes, count, mpi->byte, rank, TAG, mpi->world, &request), "to send",
              diagnostic));
    return await_message(ranks, request, rank, watchdog, diagnostic);
}

static status receive_piece(struct ranks *ranks, int rank, void *bytes, int count,
                            struct watchdog *watchdog, struct diagnostic *diagnostic)
{
    const struct mpi *mpi = &ranks->mpi;
    void *request;
    if (!watchdog)
        return check(mpi->MPI_Recv(bytes, count, mpi->byte, rank, TAG, mpi->world, NULL),
                     "to receive", diagnostic);
    TRY(check(mpi->MPI_Irecv(bytes, count, mpi->byte, rank, TAG, mpi->world, &request),
              "to receive", diagnostic));
    return await_message(ranks, request, rank, watchdog, diagnostic);
}

static int piece_at(int64_t at, int64_t bytes)
{
    return (int)(bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES);
}

status ranks_send(struct ranks *ranks, int rank, const struct rank_head *head, const void *payload,
                  struct watchdog *watchdog, struct diagnostic *diagnostic)
{
    struct rank_head sent = *head;
    if (head->bytes > 0) sent.hash = hash_bytes(payload, (size_t)head->bytes);
    TRY(send_piece(ranks, rank, &sent, sizeof sent, watchdog, diagnostic));
    for (int64_t at = 0; at < head->bytes; at += PIECE_BYTES)
        TRY(send_piece(ranks, rank, (const char *)payload + at, piece_at(at, head->bytes), watchdog,
                       diagnostic));
    return STATUS_OK;
}

/* Beats of a rank that is still at work are heads as well; they have been counted. */
status ranks_receive_head(struct ranks *ranks, int rank, struct rank_head *head,
                          struct watchdog *watchdog, struct diagnostic *diagnostic)
{
    do TRY(receive_piece(ranks, rank, head, sizeof *head, watchdog, diagnostic));
    while (head->kind == RANK_BEAT);
    if (head->bytes >= 0) return STATUS_OK;
    return fail(diagnostic, STATUS_DEVICE, "rank %d sent a message of less than no bytes", rank);
}

status ranks_receive(struct ranks *ranks, int rank, const struct rank_head *head, void *payload,
                     struct watchdog *watchdog, struct diagnostic *diagnostic)
{
    for (int64_t at = 0; at < head->bytes; at += PIECE_BYTES)
        TRY(receive_piece(ranks, rank, (char *)payload + at, piece_at(at, head->bytes), watchdog,
                          diagnostic));
    if (head->bytes > 0 && fault_flip()) ((unsigned char *)payload)[head->bytes / 2] ^= 1;
    if (head->bytes == 0 || hash_equal(hash_bytes(payload, (size_t)head->bytes), head->hash))
        return STATUS_OK;
    return fail(diagnostic, STATUS_DEVICE, "a message of %lld bytes from rank %d arrived damaged",
                (long long)head->bytes, rank);
}
