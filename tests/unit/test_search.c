/* Search strategies on landscapes that are computed, not measured. */
#include "base/random.h"
#include "tests/check.h"
#include "tests/unit/fake_ops.h"
#include "tuner/search.h"

#include <math.h>

/* Two variants; the second is smaller and, on some landscapes, better.  The estimate knows part of
 * the truth. */
static const char first_yaml[] =
    "variant: wide_cpu\nop: add\ntarget: cpu\n"
    "tunables:\n"
    "  a: {values: [1, 2, 4, 8, 16]}\n"
    "  b: {values: [1, 2, 4, 8]}\n"
    "  c: {values: [0, 1, 2, 3, 4, 5]}\n"
    "  d: {values: [off, on]}\n"
    "  e: {values: [1, 2, 3, 4]}\n"
    "rules:\n"
    "  - {require: a * b <= 64, class: hardware, reason: registers}\n"
    "  - {require: c < 5 or d == on, class: algorithm, reason: shape}\n"
    "  - {require: a > 1, class: soft, reason: too small}\n"
    "estimate: 1e-6 * (1 + abs(a - 8) / 8 + abs(b - 4) / 8)\n";
static const char second_yaml[] =
    "variant: narrow_cpu\nop: add\ntarget: cpu\n"
    "tunables: {m: {values: [1, 2, 3, 4, 5, 6, 7, 8]}, n: {values: [1, 2, 3]}}\n"
    "estimate: 2e-6 + 1e-8 * m\n";

struct landscape {
    struct arena *arena;
    struct device_facts facts;
    struct bound_space spaces[2];
    struct search_field field;
    struct candidate first[2];
    uint64_t seed;
};

static void landscape_open(struct landscape *landscape, uint64_t seed, int effort)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    *landscape = (struct landscape){.arena = arena_create(0),
                                    .facts = {.target = TARGET_CPU, .class_name = "test"},
                                    .seed = seed};
    CHECK_OK(problem_parse("add(f32[rows,64], f32[rows,64]) -> f32[rows,64] rows<=16", fake_ops,
                           landscape->arena, &problem, &diagnostic));
    const char *const texts[] = {first_yaml, second_yaml};
    for (int s = 0; s < 2; s++) {
        struct yaml *root;
        struct space *space;
        const char *reason;
        CHECK_OK(yaml_parse("test.yaml", texts[s], strlen(texts[s]), landscape->arena, &root,
                            &diagnostic));
        CHECK_OK(space_read(root, fake_ops, landscape->arena, &space, &diagnostic));
        assert_true(space_bind(space, problem, &landscape->facts, landscape->arena,
                               &landscape->spaces[s], &reason));
        landscape->first[s].space = space;
        space_default(&landscape->spaces[s], &landscape->first[s].config);
    }
    landscape->field = (struct search_field){.spaces = landscape->spaces,
                                             .space_count = 2,
                                             .effort = effort,
                                             .seed = seed,
                                             .first = landscape->first,
                                             .first_count = 2};
}

/* The time of a candidate: smooth in each tunable, with a pair that interacts, different for each
 * seed. */
static double seconds_of(const struct landscape *landscape, const struct candidate *candidate)
{
    const struct space *space = candidate->space;
    double seconds =
        space == landscape->spaces[0].space ? 1 : 1 + random_uniform(landscape->seed, 50, 0);
    double position[SPACE_TUNABLES_MAX];
    for (int t = 0; t < space->tunable_count; t++) {
        const struct tunable *tunable = &space->tunables[t];
        position[t] = (double)tunable_index(tunable, candidate->config.values[t]) /
                      (tunable->value_count - 1);
        uint64_t stream = (uint64_t)t + (space == landscape->spaces[0].space ? 0 : 20);
        double best = random_uniform(landscape->seed, stream, 1),
               weight = random_uniform(landscape->seed, stream, 2);
        seconds += 2 * weight * fabs(position[t] - best);
    }
    seconds += fabs(position[0] - position[1]) * random_uniform(landscape->seed, 51, 0);
    return 1e-6 * seconds;
}

struct course_seen {
    int looks, distinct, closer;
    double best; /* true time of the best candidate looked at */
};

enum { LOOKS_MAX = 4096 };

/* Runs a strategy to its end, with noise that closer looks reduce. */
static struct course_seen run_strategy(const char *name, struct landscape *landscape, bool all_fail)
{
    static struct candidate seen[LOOKS_MAX];
    struct diagnostic diagnostic = {0};
    struct course_seen course = {.best = INFINITY};
    const struct hone_strategy *strategy = search_by_name(name);
    struct search *search;
    assert_non_null(strategy);
    CHECK_OK(
        search_open(&landscape->field, strategy, NULL, 0, landscape->arena, &search, &diagnostic));
    struct search_request request;
    while (search_ask(search, &request)) {
        assert_true(course.looks++ < LOOKS_MAX - 1);
        const struct bound_space *bound = search_space(&landscape->field, &request.candidate);
        assert_non_null(bound);
        if (space_check(bound, &request.candidate.config))
            CHECK_FAIL("%s asked for an illegal config", name);
        bool known = false;
        for (int s = 0; s < course.distinct; s++)
            known = known || candidate_equal(&seen[s], &request.candidate);
        if (known != (request.level > 0)) CHECK_FAIL("%s asked for the same candidate again", name);
        if (!known) seen[course.distinct++] = request.candidate;
        if (course.looks <= landscape->field.first_count)
            assert_true(candidate_equal(&request.candidate, &landscape->first[course.looks - 1]));
        course.closer += request.level > 0;
        double seconds = seconds_of(landscape, &request.candidate);
        if (seconds < course.best) course.best = seconds;
        double noise =
            0.03 / (1 + request.level) * random_normal(landscape->seed, 99, (uint64_t)course.looks);
        struct search_result result = {.good = !all_fail && course.looks % 7 != 3,
                                       .seconds = seconds * (1 + noise)};
        search_tell(search, &request, &result);
    }
    search_close(search);
    return course;
}

static double best_of_all(const struct landscape *landscape)
{
    double best = INFINITY;
    for (uint64_t rank = 0; rank < search_count(&landscape->field); rank++) {
        struct candidate candidate;
        assert_true(search_unrank(&landscape->field, rank, &candidate));
        best = fmin(best, seconds_of(landscape, &candidate));
    }
    return best;
}

static void shuffled_numbers_are_a_permutation(void **unused)
{
    (void)unused;
    static char seen[70000];
    static const uint64_t counts[] = {1, 2, 3, 5, 16, 17, 255, 256, 1000, 65536, 65537};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            memset(seen, 0, sizeof seen);
            for (uint64_t i = 0; i < counts[c]; i++) {
                uint64_t at = search_permute(i, counts[c], seed);
                if (at >= counts[c] || seen[at]++)
                    CHECK_FAIL("%d of %d came twice", (int)at, (int)counts[c]);
            }
        }
    uint64_t huge = (uint64_t)1 << 62;
    for (uint64_t i = 0; i < 100; i++) assert_true(search_permute(i, huge - 3, 5) < huge - 3);
}

static void ranking_puts_the_best_estimates_first(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct landscape landscape;
    landscape_open(&landscape, 1, 2);
    struct ranked *ranked;
    int count;
    CHECK_OK(search_rank(&landscape.field, 12, landscape.arena, &ranked, &count, &diagnostic));
    assert_int_equal(count, 12);
    assert_ptr_equal(ranked[0].candidate.space, landscape.spaces[0].space); /* the best of all, */
    assert_ptr_equal(ranked[1].candidate.space,
                     landscape.spaces[1].space); /* then the best of the other variant */
    assert_true(fabs(ranked[0].seconds - 1e-6) < 1e-12);
    for (int r = 3; r < count; r++) assert_true(ranked[r].seconds >= ranked[r - 1].seconds);
    uint64_t all = search_count(&landscape.field);
    CHECK_OK(search_rank(&landscape.field, 2000, landscape.arena, &ranked, &count, &diagnostic));
    assert_int_equal(count, all);
    int soft = 0;
    for (int r = 0; r < count; r++) {
        assert_true(!soft || ranked[r].soft); /* soft ones are last */
        soft += ranked[r].soft;
    }
    assert_in_range(soft, 1, count - 1);
    arena_destroy(landscape.arena);
}

static void efforts_bound_the_number_of_candidates(void **unused)
{
    (void)unused;
    static const int limits[] = {2, 8, 24, 100}; /* at effort 0 what must be measured is */
    for (const struct hone_strategy *const *s = search_table(); *s; s++) {
        for (int effort = 0; effort <= 3; effort++)
            for (uint64_t seed = 0; seed < 5; seed++) {
                struct landscape landscape;
                landscape_open(&landscape, seed, effort);
                struct course_seen seen = run_strategy((*s)->name, &landscape, false);
                assert_int_equal(seen.distinct, limits[effort]);
                assert_true(effort > 1 ? seen.closer >= 8 : seen.closer == 0);
                arena_destroy(landscape.arena);
            }
        struct landscape landscape;
        landscape_open(&landscape, 1, 4);
        uint64_t all = search_count(&landscape.field);
        assert_int_equal(run_strategy((*s)->name, &landscape, false).distinct, all);
        assert_int_equal(run_strategy((*s)->name, &landscape, true).distinct, all);
        arena_destroy(landscape.arena);
    }
}

static void strategies_find_better_ones_than_chance(void **unused)
{
    (void)unused;
    enum { LANDSCAPES = 60 };
    for (const struct hone_strategy *const *s = search_table(); *s; s++) {
        const char *name = (*s)->name;
        bool is_yardstick =
            strcmp(name, "random") == 0 || strcmp(name, "exhaustive") == 0 ||
            strcmp(name, "transfer") == 0; /* only as good as the order it is given */
        double found = 0, chance = 0;
        if (is_yardstick) continue;
        for (uint64_t seed = 0; seed < LANDSCAPES; seed++) {
            struct landscape landscape;
            landscape_open(&landscape, seed, 3);
            double best = best_of_all(&landscape);
            found += run_strategy(name, &landscape, false).best / best / LANDSCAPES;
            chance += run_strategy("random", &landscape, false).best / best / LANDSCAPES;
            arena_destroy(landscape.arena);
        }
        print_message("%s: the best one found takes %.3f times the optimum, by chance %.3f\n", name,
                      found, chance);
        if (found >= chance) CHECK_FAIL("%s is no better than chance", name);
    }
}

static void strategies_have_names(void **unused)
{
    (void)unused;
    int count = 0;
    for (const struct hone_strategy *const *s = search_table(); *s; s++, count++)
        assert_ptr_equal(search_by_name((*s)->name), *s);
    assert_true(count >= 7);
    assert_null(search_by_name("annealing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffled_numbers_are_a_permutation),
        cmocka_unit_test(ranking_puts_the_best_estimates_first),
        cmocka_unit_test(efforts_bound_the_number_of_candidates),
        cmocka_unit_test(strategies_find_better_ones_than_chance),
        cmocka_unit_test(strategies_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
