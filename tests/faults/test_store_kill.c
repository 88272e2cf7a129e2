/* Killing writers of the store at random instants, one alone and one of eight: no acknowledged record
 * is lost, and the store stays sound.  HONE_TEST_KILLS says how often (100). */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/check.h"
#include "tests/faults/kills.h"
#include "tests/scratch_harness.h"
#include "tuner/store.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WRITERS = 8, RECORDS_MAX = 1 << 24 };

/* Shared with the writers: which record each adds; store_add has returned for those below it. */
struct progress_page {
    _Atomic int next[WRITERS];
};

/* Records that were in progress when their writer was killed may be there or not. */
struct crew {
    char folder[SCRATCH_BYTES];
    struct arena *arena;
    struct progress_page *page;
    int writers, kills;
    pid_t pids[WRITERS];
    char *optional; /* by number */
};

static struct record make_record(int n)
{
    static float samples[32];
    for (int i = 0; i < 32; i++) samples[i] = 1e-6f * (float)(i + 1);
    return (struct record){.problem = "add(f32[rows,64], f32[rows,64]) -> f32[rows,64] rows<=64",
                           .problem_key = {7, 7},
                           .candidate = "add_vector_cpu width=1",
                           .device_class = "test",
                           .compiler = "none",
                           .protocol = RECORD_PROTOCOL,
                           .detail = "",
                           .session = n,
                           .median_seconds = 1e-6,
                           .least_seconds = 1e-6,
                           .sample_count = 32,
                           .samples = samples};
}

/* The n-th record of a writer has a number of its own. */
static int number_of(int writer, int n)
{
    return n * WRITERS + writer;
}

static void write_forever(const char *folder, struct progress_page *page, int writer)
{
    struct diagnostic diagnostic = {0};
    struct store *store;
    if (store_open(folder, NULL, &store, &diagnostic) != STATUS_OK || !store_keeps(store)) _exit(1);
    for (;;) {
        struct record record = make_record(number_of(writer, atomic_load(&page->next[writer])));
        if (store_add(store, &record, &diagnostic) != STATUS_OK || !store_keeps(store)) _exit(2);
        atomic_fetch_add(&page->next[writer], 1);
    }
}

static void start_writer(struct crew *crew, int writer)
{
    crew->pids[writer] = fork();
    assert_true(crew->pids[writer] >= 0);
    if (crew->pids[writer] == 0) write_forever(crew->folder, crew->page, writer);
}

/* The next writer must not take the number of the record in progress. */
static void kill_writer(struct crew *crew, int writer)
{
    int state;
    kill(crew->pids[writer], SIGKILL);
    assert_int_equal(waitpid(crew->pids[writer], &state, 0), crew->pids[writer]);
    assert_true(WIFSIGNALED(state)); /* it never gave up by itself */
    int number = number_of(writer, atomic_fetch_add(&crew->page->next[writer], 1));
    assert_true(number < RECORDS_MAX);
    crew->optional[number] = 1;
}

struct seen {
    char *flags;
    int limit;
};

static bool note(void *context, const struct record *record)
{
    struct seen *seen = context;
    if (record->session >= 0 && record->session < seen->limit) seen->flags[record->session] = 1;
    return true;
}

static void kill_often(struct crew *crew)
{
    for (int w = 0; w < crew->writers; w++) start_writer(crew, w);
    for (uint64_t n = 0; n < (uint64_t)crew->kills; n++) {
        int writer = (int)(random_bits(5, 1, n) % (uint64_t)crew->writers);
        long microseconds = 200 + (long)(random_bits(5, 0, n) % 15000);
        nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
        kill_writer(crew, writer);
        start_writer(crew, writer);
    }
    for (int w = 0; w < crew->writers; w++) kill_writer(crew, w);
}

static void check_nothing_lost(struct crew *crew)
{
    struct diagnostic diagnostic = {0};
    struct seen seen = {.flags = arena_allocate(crew->arena, RECORDS_MAX, 1), .limit = RECORDS_MAX};
    struct store *store;
    int records = 0;
    CHECK_OK(store_open(crew->folder, NULL, &store, &diagnostic));
    CHECK_OK(store_each(store, note, &seen, &diagnostic));
    assert_int_equal(store_damaged_count(store), 0);
    for (int w = 0; w < crew->writers; w++)
        for (int n = 0; n < atomic_load(&crew->page->next[w]); n++) {
            int number = number_of(w, n);
            records += seen.flags[number];
            if (!seen.flags[number] && !crew->optional[number])
                CHECK_FAIL("record %d of writer %d was acknowledged and is lost", n, w);
        }
    print_message("%d kills among %d writers, %d records, none lost\n", crew->kills, crew->writers,
                  records);
    assert_true(records > crew->kills / 2);
    store_close(store);
}

static void kill_among(int writers, int kills)
{
    struct diagnostic diagnostic = {0};
    struct crew crew = {.arena = arena_create(0), .writers = writers, .kills = kills};
    void *memory;
    assert_int_equal(scratch_create(crew.folder), 0);
    CHECK_OK(memory_map_shared(sizeof *crew.page, &memory, &diagnostic));
    crew.page = memory;
    crew.optional = arena_allocate(crew.arena, RECORDS_MAX, 1);
    kill_often(&crew);
    check_nothing_lost(&crew);
    memory_unmap(memory, sizeof *crew.page);
    assert_int_equal(scratch_remove(crew.folder), 0);
    arena_destroy(crew.arena);
}

static void a_killed_writer_loses_nothing(void **unused)
{
    (void)unused;
    kill_among(1, kills_wanted());
}

static void a_writer_killed_among_eight_loses_nothing(void **unused)
{
    (void)unused;
    kill_among(WRITERS, kills_wanted());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_writer_loses_nothing),
        cmocka_unit_test(a_writer_killed_among_eight_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
