/* The runtime's parts that need no kernels: threads, shares, pages, device specifications, queues and events. */
#include "base/clock.h"
#include "base/process.h"
#include "base/random.h"
#include "runtime/device.h"
#include "runtime/device_specification.h"
#include "runtime/pages.h"
#include "runtime/threads.h"
#include "tests/check.h"

#include <stdatomic.h>

struct counting {
    struct thread_pool *pool;
    atomic_int visits;
    int phase[8]; /* per thread: how many barriers it has passed */
    atomic_int errors;
};

static void count_visit(void *context, int thread)
{
    struct counting *counting = context;
    for (int round = 0; round < 50; round++) {
        counting->phase[thread] = round;
        thread_pool_barrier(counting->pool);
        for (int other = 0; other < thread_pool_size(counting->pool); other++)
            if (counting->phase[other] != round) atomic_fetch_add(&counting->errors, 1);
        thread_pool_barrier(counting->pool);
    }
    atomic_fetch_add(&counting->visits, 1);
}

/* More threads than cores as well: a barrier must park then, not burn the time slice. */
static void every_thread_runs_and_barriers_hold(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 5; threads += 2) {
        struct diagnostic diagnostic = {0};
        struct counting counting = {0};
        assert_int_equal(thread_pool_create(threads, &counting.pool, &diagnostic), STATUS_OK);
        for (int run = 0; run < 20; run++) thread_pool_run(counting.pool, count_visit, &counting);
        assert_int_equal(counting.visits, 20 * threads);
        assert_int_equal(counting.errors, 0);
        thread_pool_destroy(counting.pool);
    }
}

/* Blocks of every size, as compiling takes them: each class of sizes has a lock of its own in some allocators. */
static status fill_memory(void *context, struct arena *arena, void **result, size_t *result_bytes,
                          struct diagnostic *diagnostic)
{
    (void)context;
    for (size_t bytes = 64; bytes <= 65536; bytes += bytes / 4)
        for (int block = 0; block < 20; block++) {
            struct arena *own = arena_create(0);
            char *room;
            TRY_MEMORY(own, diagnostic);
            TRY_NEW(room, own, bytes, diagnostic);
            arena_destroy(own);
        }
    TRY_NEW(*(char **)result, arena, 100000, diagnostic);
    *result_bytes = 100000;
    return STATUS_OK;
}

/* A pool's threads that were still being made would leave the child with locks that nobody opens. */
static void a_child_forked_after_a_pool_is_made_answers(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct diagnostic diagnostic = {0};
        struct thread_pool *pool = NULL;
        struct arena *arena = arena_create(0);
        void *result = NULL;
        size_t bytes = 0;
        CHECK_OK(thread_pool_create(4, &pool, &diagnostic));
        CHECK_OK(process_call(fill_memory, NULL, (struct process_limits){10, 0}, arena, &result,
                              &bytes, &diagnostic));
        assert_int_equal(bytes, 100000);
        thread_pool_destroy(pool);
        arena_destroy(arena);
    }
}

static void shares_cover_everything_once(void **state)
{
    (void)state;
    for (int64_t items = 0; items < 70; items++)
        for (int64_t unit = 1; unit < 9; unit++)
            for (int threads = 1; threads < 6; threads++) {
                int64_t expected = 0, begin, end;
                for (int t = 0; t < threads; t++) {
                    thread_share(items, unit, t, threads, &begin, &end);
                    assert_int_equal(begin, expected);
                    assert_true(begin % unit == 0 || begin == items);
                    expected = end;
                }
                assert_int_equal(expected, items);
            }
}

static struct page_pool *make_pool(struct arena *arena, int64_t pages)
{
    struct diagnostic diagnostic = {0};
    struct page_pool *pool;
    assert_int_equal(page_pool_create(pages, 4, 3, 5, arena, &pool, &diagnostic), STATUS_OK);
    return pool;
}

static void pages_are_shared_by_forks_and_given_back(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct page_pool *pool = make_pool(arena, 6);
    struct diagnostic diagnostic = {0};
    int first, fork, original, copied;
    assert_int_equal(sequence_open(pool, &first, &diagnostic), STATUS_OK);
    assert_int_equal(sequence_extend(pool, first, 10, &diagnostic), STATUS_OK);
    assert_int_equal(pages_free(pool), 3);
    assert_int_equal(sequence_fork(pool, first, 10, &fork, &original, &copied, &diagnostic),
                     STATUS_OK);
    const int32_t *table = page_table(pool);
    assert_int_equal(table[first * 5], table[fork * 5]);
    assert_int_equal(table[first * 5 + 2], original);
    assert_int_equal(table[fork * 5 + 2], copied);
    assert_int_not_equal(original, copied);
    assert_int_equal(pages_free(pool), 2);
    sequence_close(pool, first);
    assert_int_equal(pages_free(pool), 3); /* only the page that was its own */
    sequence_truncate(pool, fork, 8);
    assert_int_equal(pages_free(pool), 4);
    sequence_close(pool, fork);
    assert_int_equal(pages_free(pool), 6);
    arena_destroy(arena);
}

static void pages_run_out_with_a_message(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct page_pool *pool = make_pool(arena, 4);
    struct diagnostic diagnostic = {0};
    int a, b;
    assert_int_equal(sequence_open(pool, &a, &diagnostic), STATUS_OK);
    assert_int_equal(sequence_open(pool, &b, &diagnostic), STATUS_OK);
    assert_int_equal(sequence_extend(pool, a, 12, &diagnostic), STATUS_OK);
    assert_int_equal(sequence_extend(pool, b, 5, &diagnostic), STATUS_NO_MEMORY);
    assert_non_null(strstr(diagnostic.text, "KV cache is full"));
    assert_int_equal(sequence_length(pool, b), 0);
    diagnostic = (struct diagnostic){0};
    assert_int_equal(sequence_extend(pool, a, 9, &diagnostic), STATUS_NO_MEMORY);
    assert_non_null(strstr(diagnostic.text, "--context"));
    assert_int_equal(sequence_length(pool, a), 12);
    arena_destroy(arena);
}

/* Random opens, extensions, truncations, forks and closes; pages must be neither lost nor given twice. */
static void pages_survive_random_use(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct page_pool *pool = make_pool(arena, 9);
    bool open[3] = {false};
    for (uint64_t i = 0; i < 20000; i++) {
        struct diagnostic diagnostic = {0};
        uint64_t bits = random_bits(7, 0, i);
        int s = (int)(bits % 3), made, original, copied;
        int64_t amount = (int64_t)(bits >> 8) % 7;
        switch ((bits >> 4) % 4) {
        case 0:
            if (!open[s] && sequence_open(pool, &made, &diagnostic) == STATUS_OK) open[made] = true;
            break;
        case 1:
            if (open[s]) (void)!sequence_extend(pool, s, amount, &diagnostic);
            break;
        case 2:
            if (open[s] && amount <= sequence_length(pool, s)) sequence_truncate(pool, s, amount);
            break;
        default:
            if (open[s] && bits & 128) {
                sequence_close(pool, s);
                open[s] = false;
            } else if (open[s] && sequence_fork(pool, s, sequence_length(pool, s), &made, &original,
                                                &copied, &diagnostic) == STATUS_OK) {
                open[made] = true;
            }
        }
    }
    for (int s = 0; s < 3; s++)
        if (open[s]) sequence_close(pool, s);
    assert_int_equal(pages_free(pool), 9);
    arena_destroy(arena);
}

static void specifications_are_read_and_refused(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct device_specification *list;
    int count;
    assert_int_equal(device_list_parse("virtual:2GiB@20GFLOPS,2GB/s,cpu,virtual:256MiB", arena,
                                       &list, &count, &diagnostic),
                     STATUS_OK);
    assert_int_equal(count, 3);
    assert_int_equal(list[0].kind, DEVICE_VIRTUAL);
    assert_int_equal(list[0].memory_bytes, 2LL << 30);
    assert_true(list[0].operations_per_second == 20e9 && list[0].link_bytes_per_second == 2e9);
    assert_int_equal(list[1].kind, DEVICE_CPU);
    assert_int_equal(list[2].memory_bytes, 256LL << 20);
    static const char *const bad[] = {"",
                                      "gpu",
                                      "cpu,",
                                      "virtual:",
                                      "virtual:0",
                                      "virtual:-1GiB",
                                      "virtual:1GiB@",
                                      "virtual:1GiB@5GFLOPS",
                                      "virtual:1GiB@5,2GB/s",
                                      "virtual:1GiB@0GFLOPS,2GB/s",
                                      "cpu,,cpu",
                                      "virtual:1e30GiB",
                                      "cuda",
                                      "cuda:",
                                      "cuda:-1",
                                      "cuda:x",
                                      "emulated:",
                                      "emulated:sm_86",
                                      "emulated:86:1GiB",
                                      "emulated:sm_86:",
                                      "emulated:sm_8:1GiB",
                                      "emulated:sm_86=:1GiB"};
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        diagnostic = (struct diagnostic){0};
        assert_int_equal(device_list_parse(bad[b], arena, &list, &count, &diagnostic),
                         STATUS_USAGE);
        assert_non_null(strstr(diagnostic.text, "--devices"));
    }
    diagnostic = (struct diagnostic){0};
    assert_int_equal(
        device_list_parse("cuda:1,emulated:sm_120:16GiB", arena, &list, &count, &diagnostic),
        STATUS_OK);
    assert_true(list[0].kind == DEVICE_CUDA && list[0].ordinal == 1);
    assert_true(list[1].kind == DEVICE_EMULATED && list[1].memory_bytes == 16LL << 30);
    arena_destroy(arena);
}

static void memory_of_a_virtual_card_is_limited(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 1};
    struct device *device;
    assert_int_equal(device_open("virtual:1MiB", &options, &device, &diagnostic), STATUS_OK);
    void *half, *more;
    assert_int_equal(device_allocate(device, 600 << 10, &half, &diagnostic), STATUS_OK);
    assert_int_equal(device_allocate(device, 600 << 10, &more, &diagnostic), STATUS_NO_MEMORY);
    assert_non_null(strstr(diagnostic.text, "virtual:1MiB"));
    device_free(device, half, 600 << 10);
    assert_int_equal(device_memory_used(device), 0);
    device_close(device);
}

/* The second card waits for the first one's copy; the modelled link bounds the time from below. */
static void queues_wait_for_events_and_links_take_time(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    const struct device_options options = {.threads = 2};
    struct arena *arena = arena_create(0);
    struct device **devices;
    int count;
    assert_int_equal(device_open_list("virtual:8MiB@1GFLOPS,100MB/s,virtual:8MiB", &options, arena,
                                      &devices, &count, &diagnostic),
                     STATUS_OK);
    static char source[1 << 20], middle[1 << 20], target[1 << 20];
    memset(source, 7, sizeof source);
    struct event *event;
    assert_int_equal(event_create(&event, &diagnostic), STATUS_OK);
    for (int round = 0; round < 3; round++) {
        memset(middle, 0, sizeof middle);
        memset(target, 0, sizeof target);
        event_reset(event);
        double start = clock_seconds();
        assert_int_equal(device_wait(devices[1], event, &diagnostic), STATUS_OK);
        assert_int_equal(device_write(devices[1], target, middle, sizeof target, &diagnostic),
                         STATUS_OK);
        assert_int_equal(device_write(devices[0], middle, source, sizeof middle, &diagnostic),
                         STATUS_OK);
        assert_int_equal(device_signal(devices[0], event, &diagnostic), STATUS_OK);
        device_submit(devices[1]);
        device_submit(devices[0]);
        assert_int_equal(device_finish(devices[0], &diagnostic), STATUS_OK);
        assert_int_equal(device_finish(devices[1], &diagnostic), STATUS_OK);
        assert_memory_equal(target, source, sizeof target);
        assert_true(clock_seconds() - start >= (double)sizeof source / 100e6);
    }
    event_destroy(event);
    device_close(devices[0]);
    device_close(devices[1]);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_thread_runs_and_barriers_hold),
        cmocka_unit_test(a_child_forked_after_a_pool_is_made_answers),
        cmocka_unit_test(shares_cover_everything_once),
        cmocka_unit_test(pages_are_shared_by_forks_and_given_back),
        cmocka_unit_test(pages_run_out_with_a_message),
        cmocka_unit_test(pages_survive_random_use),
        cmocka_unit_test(specifications_are_read_and_refused),
        cmocka_unit_test(memory_of_a_virtual_card_is_limited),
        cmocka_unit_test(queues_wait_for_events_and_links_take_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
