/* Where threads sit and what they share, on machines that hwloc makes up, and chunks that are claimed once each. */
#include "engine/engine.h"
#include "runtime/work_claims.h"
#include "tests/check.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct cpu_seats read_seats(const char *description, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct cpu_seats seats;
    CHECK_OK(cpu_seats_read(description, arena, &seats, &diagnostic));
    return seats;
}

static void a_core_has_one_seat_and_nodes_stay_together(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct cpu_seats two = read_seats("node:2 core:3 pu:2", arena);
    assert_int_equal(two.count, 6);
    assert_int_equal(two.node_count, 2);
    for (int s = 0; s < two.count; s++) {
        assert_int_equal(two.seats[s].unit, 2 * s); /* the first of two siblings */
        assert_int_equal(two.seats[s].node, s / 3);
        assert_true(two.seats[s].speed == 1);
    }
    struct cpu_seats flat = read_seats("pu:4", arena);
    assert_int_equal(flat.count, 4);
    assert_int_equal(flat.node_count, 1);
    struct cpu_seats here = read_seats(NULL, arena);
    assert_int_equal(here.count, thread_count_default());
    assert_true(here.count >= 1);
    struct diagnostic diagnostic = {0};
    CHECK_REFUSED(cpu_seats_read("nonsense:", arena, &two, &diagnostic), STATUS_USAGE, "nonsense");
    arena_destroy(arena);
}

static struct thread_pool *make_pool(const struct cpu_seats *seats, int threads)
{
    struct diagnostic diagnostic = {0};
    struct thread_pool *pool = NULL;
    CHECK_OK(thread_pool_create_on(seats, threads, &pool, &diagnostic));
    return pool;
}

/* Two fast cores and two of half their speed: a third, a third, a sixth, a sixth. */
static void shares_follow_speeds_and_cover_everything(void **state)
{
    (void)state;
    struct cpu_seat places[] = {{0, 0, 1}, {1, 0, 1}, {900, 1, 0.5}, {901, 1, 0.5}};
    const struct cpu_seats seats = {places, 4, 2};
    struct thread_pool *pool = make_pool(&seats, 4);
    static const int64_t expected[] = {0, 200, 400, 500, 600};
    for (int t = 0; t < 4; t++) {
        int64_t begin, end;
        thread_pool_share(pool, 600, 4, t, &begin, &end);
        assert_in_range(begin + 4, expected[t], expected[t] + 4);
        assert_in_range(end + 4, expected[t + 1], expected[t + 1] + 4);
        assert_int_equal(thread_pool_node(pool, t), t / 2);
    }
    for (int64_t items = 0; items < 50; items++)
        for (int64_t unit = 1, before = 0, begin, end; unit < 7; unit++, before = 0) {
            for (int t = 0; t < 4; t++, before = end) {
                thread_pool_share(pool, items, unit, t, &begin, &end);
                assert_int_equal(begin, before);
                assert_true(begin % unit == 0 || begin == items);
            }
            assert_int_equal(before, items);
        }
    assert_int_equal(thread_pool_nodes(pool), 2);
    thread_pool_destroy(pool);
    pool = make_pool(&seats, 6); /* more threads than cores: all alike */
    assert_int_equal(thread_pool_nodes(pool), 1);
    thread_pool_destroy(pool);
}

/* ---- Claims ---- */

enum { ITEMS_MOST = 200, LAUNCHES = 300 };

struct launches {
    struct thread_pool *pool;
    struct work_claims *claims;
    int64_t items, unit;
    atomic_int done[ITEMS_MOST], wrong;
};

static void walk_launches(void *context, int thread)
{
    struct launches *launches = context;
    for (unsigned generation = 1; generation <= LAUNCHES; generation++) {
        struct work_walk walk = {launches->claims, generation, launches->items,
                                 launches->unit,   thread,     0};
        for (int64_t begin, end; work_next(&walk, &begin, &end);) {
            if (begin % launches->unit || begin >= end) atomic_fetch_add(&launches->wrong, 1);
            for (int64_t i = begin; i < end; i++) atomic_fetch_add(&launches->done[i], 1);
        }
        thread_pool_barrier(launches->pool);
        for (int64_t i = 0; i < launches->items; i++)
            if (atomic_load(&launches->done[i]) != (int)generation)
                atomic_fetch_add(&launches->wrong, 1);
        thread_pool_barrier(launches->pool);
    }
}

static void every_item_is_done_once_whoever_claims_it(void **state)
{
    static const struct {
        int threads, chunks;
        int64_t items, unit;
    } rows[] = {{1, 4, 200, 1}, {2, 1, 199, 8}, {2, 4, 200, 1}, {3, 16, 77, 4}, {3, 4, 2, 1}};
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct arena *arena = arena_create(0);
        struct diagnostic diagnostic = {0};
        struct cpu_seats seats = read_seats(NULL, arena);
        struct launches launches = {.items = rows[r].items, .unit = rows[r].unit};
        launches.pool = make_pool(&seats, rows[r].threads);
        CHECK_OK(work_claims_create(launches.pool, rows[r].chunks, arena, &launches.claims,
                                    &diagnostic));
        thread_pool_run(launches.pool, walk_launches, &launches);
        assert_int_equal(launches.wrong, 0);
        thread_pool_destroy(launches.pool);
        arena_destroy(arena);
    }
}

/* ---- A model on two nodes ---- */

static const char model_path[] =
    HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/llama/llama-f32.gguf";
enum { VOCABULARY = 96, PROMPT = 20 };

static void run_model(int threads, bool compiled, float *logits)
{
    struct diagnostic diagnostic = {0};
    const struct engine_options options = {.devices = "cpu",
                                           .threads = threads,
                                           .context = 64,
                                           .references = !compiled,
                                           .deterministic = compiled,
                                           .state_element = ELEMENT_F32,
                                           .cache_folder = ""};
    struct engine *engine = NULL;
    int sequence;
    int32_t tokens[PROMPT];
    CHECK_OK(engine_open(model_path, &options, &engine, &diagnostic));
    for (int t = 0; t < PROMPT; t++) tokens[t] = t * 7 % VOCABULARY;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = PROMPT};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
    engine_close(engine);
}

/* Weights are then copied, each thread's rows by that thread; results are the same bits. */
static void weights_are_dealt_out_to_nodes(void **state)
{
    (void)state;
    float expected[VOCABULARY], logits[VOCABULARY];
    run_model(1, false, expected);
    run_model(2, false, logits);
    assert_memory_equal(logits, expected, sizeof logits);
    setenv("HWLOC_SYNTHETIC", "node:2 core:2 pu:1", 1);
    struct arena *arena = arena_create(0);
    struct cpu_seats seats = read_seats(NULL, arena);
    assert_int_equal(seats.node_count, 2);
    run_model(4, false, logits);
    unsetenv("HWLOC_SYNTHETIC");
    assert_memory_equal(logits, expected, sizeof logits);
    arena_destroy(arena);
}

/* Chosen by estimates, which look at threads and rates, kernels could differ: attention cuts the context by threads. */
static void deterministic_results_do_not_depend_on_threads(void **state)
{
    (void)state;
    float expected[VOCABULARY], logits[VOCABULARY];
    run_model(1, true, expected);
    for (int threads = 2; threads <= 3; threads++) {
        run_model(threads, true, logits);
        assert_memory_equal(logits, expected, sizeof logits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_core_has_one_seat_and_nodes_stay_together),
        cmocka_unit_test(shares_follow_speeds_and_cover_everything),
        cmocka_unit_test(every_item_is_done_once_whoever_claims_it),
        cmocka_unit_test(weights_are_dealt_out_to_nodes),
        cmocka_unit_test(deterministic_results_do_not_depend_on_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
