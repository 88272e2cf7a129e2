/* What was best for near shapes is an order for a new one: which shapes are near, what is taken from the store, and that a search
 * on recorded spaces needs fewer measurements with it than from nothing. */
#include "engine/space_file.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "runtime/cpu_facts.h"
#include "tests/check.h"
#include "tests/unit/store_harness.h"
#include "tuner/decision.h"
#include "tuner/nearest_shape.h"
#include "tuner/replay.h"
#include "tuner/search.h"

#include <math.h>

#define SPACES HONE_SOURCE_FOLDER "/bench/spaces/"
#define LINEAR(m, k, n)                                                                            \
    "linear(f32[rows," #k "], q8_0[" #m "," #k "], _, _) -> f32[rows," #m "] rows<=" #n
#define ROUTED(m, tail)                                                                            \
    "grouped_linear(f32[rows,64], i32[2*rows], i32[9], f32[8," #m ",64]) -> f32[2*rows," #m "] "   \
    "{rows=by_token} rows<=16" tail

static const struct problem *parse(struct arena *arena, const char *text)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(problem_parse(text, op_table(), arena, &problem, &diagnostic));
    return problem;
}

/* Each is nearer to the first than the next one. */
static void distances_have_an_order(void **state)
{
    static const char *const rows[][5] = {
        {LINEAR(512, 256, 16), LINEAR(768, 256, 16), LINEAR(512, 256, 64), LINEAR(512, 256, 1),
         NULL},
        {ROUTED(16, ""), ROUTED(16, " routing=n8~8"), ROUTED(32, ""),
         "grouped_linear(f32[rows,64], i32[2*rows], i32[9], bf16[8,16,64]) -> f32[2*rows,16] "
         "{rows=by_token} rows<=16",
         NULL},
    };
    struct arena *arena = arena_create(0);
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct problem *first = parse(arena, rows[r][0]);
        double before = nearest_shape_distance(first, first);
        assert_true(before == 0);
        for (int c = 1; rows[r][c]; c++) {
            const struct problem *other = parse(arena, rows[r][c]);
            double distance = nearest_shape_distance(first, other);
            assert_true(distance > before && distance == nearest_shape_distance(other, first));
            before = distance;
        }
    }
    arena_destroy(arena);
}

/* ---- From the store ---- */

struct shop {
    struct place place;
    struct store *store;
    struct device_facts facts;
    struct catalogue catalogue;
    struct bound_space *spaces;
    int space_count;
};

static void shop_open(struct shop *shop, const struct problem *problem)
{
    struct diagnostic diagnostic = {0};
    const struct decision_policy policy = {.fast = false};
    CHECK_OK(cpu_facts_read("x86-64-v3", shop->place.arena, &shop->facts, &diagnostic));
    CHECK_OK(catalogue_read(NULL, shop->place.arena, &shop->catalogue, &diagnostic));
    CHECK_OK(decision_bind(&shop->catalogue, problem, &shop->facts, &policy, shop->place.arena,
                           &shop->spaces, &shop->space_count, &diagnostic));
    shop->store = open_store(&shop->place);
}

static const char *add_final(struct shop *shop, const char *problem, uint64_t rank, double seconds,
                             const char *device_class, enum record_stage stage)
{
    struct diagnostic diagnostic = {0};
    struct candidate candidate = {.space = shop->spaces[0].space};
    struct text text = {.arena = shop->place.arena};
    float sample = (float)seconds;
    assert_true(space_unrank(&shop->spaces[0], rank, &candidate.config));
    candidate_print(&candidate, &text);
    struct record record = make_record(0);
    record.problem = problem;
    record.problem_key = problem_text_key(problem);
    record.candidate = text_finish(&text);
    record.device_class = device_class;
    record.stage = stage;
    record.session = (int64_t)rank;
    record.sample_count = 1;
    record.samples = &sample;
    record.median_seconds = record.least_seconds = (double)sample;
    CHECK_OK(store_add(shop->store, &record, &diagnostic));
    return record.candidate;
}

static void near_shapes_give_an_order(void **state)
{
    struct shop shop = {.spaces = NULL};
    struct diagnostic diagnostic = {0};
    struct nearest_order order;
    (void)state;
    place_make(&shop.place);
    const struct problem *problem = parse(shop.place.arena, LINEAR(512, 256, 1));
    shop_open(&shop, problem);
    const char *expected[] = {
        add_final(&shop, LINEAR(768, 256, 1), 1, 1e-5, "here", RECORD_FINAL),
        add_final(&shop, LINEAR(768, 256, 1), 2, 2e-5, "here", RECORD_FINAL),
        add_final(&shop, LINEAR(768, 256, 1), 3, 3e-5, "here", RECORD_FINAL),
        NULL,
        add_final(&shop, LINEAR(4096, 256, 1), 5, 1e-6, "here", RECORD_FINAL),
    };
    add_final(&shop, LINEAR(768, 256, 1), 4, 4e-5, "here",
              RECORD_FINAL); /* the fourth of one shape */
    add_final(&shop, LINEAR(4096, 256, 1), 1, 2e-6, "here", RECORD_FINAL);   /* is there already */
    add_final(&shop, LINEAR(768, 256, 1), 6, 1e-6, "here", RECORD_EXPLORED); /* no final */
    add_final(&shop, LINEAR(768, 256, 1), 7, 1e-6, "there", RECORD_FINAL);
    add_final(&shop, LINEAR(512, 256, 1), 8, 1e-6, "here", RECORD_FINAL); /* the problem itself */
    add_final(&shop, "linear_group of nothing(", 9, 1e-6, "here", RECORD_FINAL);
    expected[3] = expected[4];
    order = (struct nearest_order){.catalogue = &shop.catalogue,
                                   .spaces = shop.spaces,
                                   .space_count = shop.space_count,
                                   .most = NEAREST_MOST};
    order.candidates = arena_allocate(shop.place.arena, NEAREST_MOST, sizeof *order.candidates);
    assert_non_null(order.candidates);
    CHECK_OK(nearest_shape_candidates(shop.store, problem, "here", &order, shop.place.arena,
                                      &diagnostic));
    assert_int_equal(order.count, 4);
    for (int c = 0; c < order.count; c++) {
        struct text text = {.arena = shop.place.arena};
        candidate_print(&order.candidates[c], &text);
        CHECK_TEXT(text_finish(&text), expected[c]);
    }
    store_close(shop.store);
    place_remove(&shop.place);
}

/* ---- On recorded spaces ---- */

enum { SEEDS = 20, BUDGET = 100, TAKEN = 3 };

/* The config of `to` that has the values of config `c` of `from`, where it has those parameters. */
static bool translate(struct replay_run *to, const struct recorded_space *from, int c,
                      uint64_t *point)
{
    const struct recorded_space *space = replay_space(to->replay);
    int32_t indices[RECORDED_PARAMETERS_MAX];
    for (int p = 0; p < space->parameter_count; p++) {
        int own = recorded_parameter_index(from, space->parameters[p].name);
        int value = own < 0 ? -1 : from->configs[c].indices[own];
        indices[p] = -1;
        for (int v = 0; value >= 0 && v < space->parameters[p].value_count; v++)
            if (!strcmp(space->parameters[p].texts[v], from->parameters[own].texts[value]))
                indices[p] = v;
    }
    return to->field.find(to, indices, point);
}

static int list_best(struct replay_run *to, const struct recorded_space *from,
                     uint64_t points[TAKEN])
{
    int count = 0;
    double above = 0;
    while (count < TAKEN) {
        int best = -1;
        for (int c = 0; c < from->config_count; c++)
            if (from->configs[c].status == RECORD_OK && from->configs[c].seconds > above &&
                (best < 0 || from->configs[c].seconds < from->configs[best].seconds))
                best = c;
        if (best < 0) break;
        above = from->configs[best].seconds;
        count += translate(to, from, best, &points[count]);
    }
    return count;
}

static struct recorded_space *read_space(const char *name, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct recorded_space *space;
    CHECK_OK(
        space_file_read(arena_print(arena, SPACES "%s.csv", name), arena, &space, &diagnostic));
    return space;
}

/* Measurements until a config within 2 % of the best is found, in the mean over seeds. */
static double measurements(const char *target, const char *source, bool blind)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    const struct recorded_space *space = read_space(target, arena);
    struct replay *replay;
    double optimum = INFINITY, sum = 0;
    CHECK_OK(replay_create(space, blind, arena, &replay, &diagnostic));
    for (int c = 0; c < space->config_count; c++)
        if (space->configs[c].status == RECORD_OK)
            optimum = fmin(optimum, space->configs[c].seconds);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct replay_run run;
        struct course *course;
        uint64_t best[TAKEN], point;
        int level, count = 0;
        replay_start(replay, seed, BUDGET, arena, &run);
        run.field.transferred = best;
        run.field.transferred_count =
            source ? (uint64_t)list_best(&run, read_space(source, arena), best) : 0;
        CHECK_OK(course_open(&run.field, search_table()[0], NULL, 0, arena, &course, &diagnostic));
        for (double found = INFINITY; found > 1.02 * optimum && count < BUDGET; count++) {
            if (!course_ask(course, &point, &level) || level > 0) {
                count = BUDGET;
                break;
            }
            struct hone_outcome outcome = replay_answer(replay, point);
            if (outcome.good) found = fmin(found, outcome.seconds);
            course_tell(course, point, level, &outcome);
        }
        course_close(course);
        sum += count;
    }
    arena_destroy(arena);
    return sum / SEEDS;
}

static void a_second_shape_needs_fewer_measurements(void **state)
{
    static const char *const pairs[][2] = {
        {"linear_group_decode_q8_0", "linear_decode_q8_0"},
        {"linear_decode_q8_0", "linear_group_decode_q8_0"},
        {"linear_decode_q4_K", "linear_decode_q8_0"},
        {"linear_prefill_q8_0", "linear_prefill_q4_K"},
        {"linear_prefill_q4_K", "linear_prefill_q8_0"},
        {"linear_prefill_f32", "linear_prefill_bf16"},
        {"linear_prefill_bf16", "linear_prefill_f32"},
        {"attention_decode_f16", "attention_decode_shared_f16"},
        {"attention_decode_shared_f16", "attention_decode_f16"},
    };
    (void)state;
    for (int blind = 0; blind < 2; blind++) {
        double alone = 0, with = 0;
        for (size_t p = 0; p < sizeof pairs / sizeof *pairs; p++) {
            double own = measurements(pairs[p][0], NULL, blind);
            double transferred = measurements(pairs[p][0], pairs[p][1], blind);
            print_message("%-28s %5.1f measurements, %5.1f after %s\n", pairs[p][0], own,
                          transferred, pairs[p][1]);
            alone += own;
            with += transferred;
        }
        print_message("%s: %.0f measurements, %.0f after others\n",
                      blind ? "blind" : "with estimates", alone, with);
        assert_true(with < 0.95 * alone);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_have_an_order),
        cmocka_unit_test(near_shapes_give_an_order),
        cmocka_unit_test(a_second_shape_needs_fewer_measurements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
