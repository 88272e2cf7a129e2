/* Killing a writer of the store at random instants: no acknowledged record is lost, and the store
 * stays sound. */
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tuner/store.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 100 };

/* Shared with the writers. */
struct progress_page {
    _Atomic int next; /* record that is being added; store_add has returned for all below it */
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

static void write_forever(const char *folder, struct progress_page *page)
{
    struct diagnostic diagnostic = {0};
    struct store *store;
    if (store_open(folder, NULL, &store, &diagnostic) != STATUS_OK || !store_keeps(store)) _exit(1);
    for (;;) {
        struct record record = make_record(atomic_load(&page->next));
        if (store_add(store, &record, &diagnostic) != STATUS_OK) _exit(2);
        atomic_fetch_add(&page->next, 1);
    }
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

static void killed_writers_lose_nothing(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    char folder[SCRATCH_BYTES];
    assert_int_equal(scratch_create(folder), 0);
    void *memory;
    CHECK_OK(memory_map_shared(sizeof(struct progress_page), &memory, &diagnostic));
    struct progress_page *page = memory;
    int in_progress[KILLS];
    for (uint64_t kill_number = 0; kill_number < KILLS; kill_number++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) write_forever(folder, page);
        long microseconds = 200 + (long)(random_bits(5, 0, kill_number) % 15000);
        nanosleep(&(struct timespec){.tv_nsec = microseconds * 1000}, NULL);
        kill(pid, SIGKILL);
        int state;
        assert_int_equal(waitpid(pid, &state, 0), pid);
        assert_true(WIFSIGNALED(state)); /* it never gave up by itself */
        /* The record in progress may be there or not; the next writer must not take its number. */
        in_progress[kill_number] = atomic_fetch_add(&page->next, 1);
    }
    int limit = atomic_load(&page->next);
    struct seen seen = {.flags = arena_allocate(arena, (size_t)limit, 1), .limit = limit};
    struct store *store;
    CHECK_OK(store_open(folder, NULL, &store, &diagnostic));
    CHECK_OK(store_each(store, note, &seen, &diagnostic));
    assert_int_equal(store_damaged_count(store), 0);
    int missing = 0;
    for (int k = 0; k < KILLS; k++) {
        missing += !seen.flags[in_progress[k]];
        seen.flags[in_progress[k]] = 1; /* these alone may be absent */
    }
    for (int n = 0; n < limit; n++)
        if (!seen.flags[n]) CHECK_FAIL("record %d was acknowledged and is lost", n);
    print_message("%d kills, %d records, none lost; %d were not yet acknowledged\n", KILLS,
                  limit - missing, missing);
    assert_true(limit > 2 * KILLS);
    store_close(store);
    memory_unmap(memory, sizeof(struct progress_page));
    assert_int_equal(scratch_remove(folder), 0);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_writers_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
