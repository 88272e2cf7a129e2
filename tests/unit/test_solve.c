/* The planner's solver: linear programs with known answers, and random small problems against every possible solution. */
#include "base/clock.h"
#include "base/random.h"
#include "planner/simplex.h"
#include "planner/solve.h"
#include "tests/check.h"

#include <math.h>

/* ---- Linear programs ---- */

static void programs_have_their_known_answers(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    /* most 3x + 5y where x <= 4, 2y <= 12, 3x + 2y <= 18: x = 2, y = 6 */
    const double first[] = {1, 0}, second[] = {0, 2}, third[] = {3, 2}, objective[] = {-3, -5};
    struct simplex_row rows[] = {
        {first, SIMPLEX_LESS, 4}, {second, SIMPLEX_LESS, 12}, {third, SIMPLEX_LESS, 18}};
    struct simplex_program program = {3, 2, rows, objective};
    double x[2], value;
    enum simplex_end end;
    CHECK_OK(simplex_solve(&program, arena, x, NULL, &value, &end, &diagnostic));
    assert_int_equal(end, SIMPLEX_SOLVED);
    assert_true(fabs(x[0] - 2) < 1e-9 && fabs(x[1] - 6) < 1e-9 && fabs(value + 36) < 1e-9);
    /* least 3x + 5y where x + 0 = 1, 2y >= 3, and 3x + 2y >= -7 (always) */
    rows[0] = (struct simplex_row){first, SIMPLEX_EQUAL, 1};
    rows[1] = (struct simplex_row){second, SIMPLEX_GREATER, 3};
    rows[2] = (struct simplex_row){third, SIMPLEX_GREATER, -7};
    const double least[] = {3, 5};
    program.objective = least;
    CHECK_OK(simplex_solve(&program, arena, x, NULL, &value, &end, &diagnostic));
    assert_int_equal(end, SIMPLEX_SOLVED);
    assert_true(fabs(value - 10.5) < 1e-9);
    rows[2] = (struct simplex_row){second, SIMPLEX_LESS, 2};
    CHECK_OK(simplex_solve(&program, arena, x, NULL, &value, &end, &diagnostic));
    assert_int_equal(end, SIMPLEX_IMPOSSIBLE);
    program.row_count = 2;
    program.objective = objective;
    CHECK_OK(simplex_solve(&program, arena, x, NULL, &value, &end, &diagnostic));
    assert_int_equal(end, SIMPLEX_GIVEN_UP);
    arena_destroy(arena);
}

/* ---- Random problems ---- */

enum { DEVICES_MAX = 3, CLASSES_MAX = 4 };

struct problem_at_random {
    struct solve_device devices[DEVICES_MAX];
    struct solve_class classes[CLASSES_MAX];
    double seconds[CLASSES_MAX][PLACEMENT_PARTS][PLACEMENT_PHASES][2][DEVICES_MAX];
    struct solve_input input;
};

struct draws {
    uint64_t seed, next;
};

static double between(struct draws *random, double low, double high)
{
    return low * pow(high / low, random_uniform(random->seed, 0, random->next++));
}

static int random_below(struct draws *random, int end)
{
    return (int)(random_bits(random->seed, 0, random->next++) % (uint64_t)end);
}

static void make_devices(struct problem_at_random *made, struct draws *random, int cards, bool disk)
{
    static const char *const names[] = {"first", "second", "third"};
    double links = 0;
    for (int d = 0; d < cards; d++) {
        made->devices[d] = (struct solve_device){
            .name = names[d],
            .memory_bytes = (int64_t)between(random, 2e9, 24e9),
            .link_rate = between(random, 2e9, 50e9),
            .peer_rate = random_below(random, 4) ? 0 : 40e9,
            .link_latency_seconds = between(random, 2e-6, 30e-6),
        };
        links += made->devices[d].link_rate;
    }
    made->devices[cards] = (struct solve_device){
        .name = names[cards],
        .host = true,
        .memory_bytes = (int64_t)between(random, 8e9, 100e9),
        .memory_rate = between(random, 20e9, 200e9),
        .links_rate = links * between(random, 0.6, 1),
        .disk_rate = disk ? between(random, 1e9, 8e9) : 0,
    };
    made->devices[cards].pinned_bytes = made->devices[cards].memory_bytes / 2;
    made->input.devices = made->devices;
    made->input.device_count = cards + 1;
}

static void make_part(struct problem_at_random *made, struct draws *random, int class,
                      enum placement_part number, double bytes)
{
    struct solve_part *part = &made->classes[class].parts[number];
    bool experts = number == PLACEMENT_EXPERTS;
    part->units = experts ? 16 : number == PLACEMENT_EMBED ? 1 : 4 + random_below(random, 12);
    part->used = experts ? 1 + random_below(random, 4) : 0;
    part->unit_bytes = (int64_t)(bytes / (double)part->units);
    part->common_bytes = random_below(random, 1 << 20);
    if (number == PLACEMENT_ATTENTION) part->unit_state_bytes = part->unit_bytes / 3;
    for (int d = 0; d < made->input.device_count; d++) {
        double rate = made->devices[d].host ? made->devices[d].memory_rate : 900e9;
        double speed = made->devices[d].host ? 2e12 : between(random, 20e12, 90e12);
        double share = experts ? (double)part->used / (double)part->units : 1;
        double(*seconds)[2][DEVICES_MAX] = made->seconds[class][number];
        seconds[PLACEMENT_PREFILL][0][d] = seconds[PLACEMENT_DECODE][0][d] = 5e-6;
        seconds[PLACEMENT_DECODE][1][d] = bytes * share / (rate * between(random, 0.4, 1));
        seconds[PLACEMENT_PREFILL][1][d] =
            fmax(bytes / rate, 4 * bytes * share * made->input.rows[PLACEMENT_PREFILL] / speed);
    }
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        part->fixed_seconds[p] = made->seconds[class][number][p][0];
        part->variable_seconds[p] = made->seconds[class][number][p][1];
    }
}

static void make_problem(struct problem_at_random *made, uint64_t seed)
{
    struct draws random = {.seed = seed};
    bool sparse = seed % 5 == 0;
    int cards = sparse || seed % 3 == 0 ? 1 : 2;
    memset(made, 0, sizeof *made);
    made->input.rows[PLACEMENT_PREFILL] = 512;
    made->input.rows[PLACEMENT_DECODE] = 1;
    made->input.steps[PLACEMENT_PREFILL] = 1 + random_below(&random, 8);
    made->input.steps[PLACEMENT_DECODE] = 1 + random_below(&random, 600);
    made->input.row_bytes = 16384;
    made->input.banned_lead = -1;
    made->input.collectives = 1 + random_below(&random, 2);
    make_devices(made, &random, cards, seed % 7 == 0);
    made->classes[0].count = made->classes[1].count = 1;
    make_part(made, &random, 0, PLACEMENT_EMBED, between(&random, 1e8, 1e9));
    make_part(made, &random, 1, PLACEMENT_OUTPUT, between(&random, 1e8, 1e9));
    int kinds = sparse ? 1 : 1 + random_below(&random, 2);
    for (int c = 2; c < 2 + kinds; c++) {
        made->classes[c].count = kinds == 2 ? 1 : sparse ? 1 + random_below(&random, 2) : 2;
        make_part(made, &random, c, PLACEMENT_ATTENTION, between(&random, 2e8, 3e9));
        make_part(made, &random, c, PLACEMENT_DENSE,
                  between(&random, 5e8, 8e9) * (sparse ? 0.02 : 1));
        if (sparse) make_part(made, &random, c, PLACEMENT_EXPERTS, between(&random, 4e9, 30e9));
    }
    made->input.classes = made->classes;
    made->input.class_count = 2 + kinds;
}

/* Every way of giving the layers of class `class` and those behind it options, from `first` on. */
static double try_everything(struct solve_state *state, int class, int left, int first)
{
    if (class == state->input->class_count) {
        const struct solve_times times = solve_state_times(state);
        return solve_rank(&times);
    }
    if (left == 0) {
        int next = class + 1;
        bool more = next < state->input->class_count;
        return try_everything(state, next, more ? state->input->classes[next].count : 0, 0);
    }
    double best = INFINITY;
    for (int o = first; o < state->option_count; o++) {
        if (state->options[o].class != class) continue;
        solve_state_add(state, o, 1);
        best = fmin(best, try_everything(state, class, left - 1, o));
        solve_state_add(state, o, -1);
    }
    return best;
}

static void solutions_are_near_the_best_of_all(void **unused)
{
    (void)unused;
    enum { PROBLEMS = 200 };
    struct diagnostic diagnostic = {0};
    static struct problem_at_random made;
    int solved = 0, exact = 0;
    double worst = 1;
    for (uint64_t seed = 1; solved < PROBLEMS && seed < 2 * PROBLEMS; seed++) {
        struct arena *arena = arena_create(0);
        struct solution solution;
        struct solve_state state;
        make_problem(&made, seed);
        struct diagnostic reason = {0};
        status code = solve_run(&made.input, arena, &solution, &reason);
        struct solve_option *options; /* all, also those that the solver leaves out */
        int option_count;
        CHECK_OK(solve_list_options(&made.input, arena, &options, &option_count, &diagnostic));
        CHECK_OK(
            solve_state_create(&made.input, options, option_count, arena, &state, &diagnostic));
        double best = try_everything(&state, 0, made.input.classes[0].count, 0);
        if (code == STATUS_NO_MEMORY) {
            diagnostic = (struct diagnostic){0};
            assert_true(best > 3e7); /* nothing else fits either */
        } else {
            assert_int_equal(code, STATUS_OK);
            double ratio = solution.times.ranked_seconds / best;
            if (ratio > 1.02)
                print_error("seed %d: %g against %g bound %g, %d programs of %d options%s\n",
                            (int)seed, solution.times.ranked_seconds, best, solution.bound_seconds,
                            solution.programs, solution.option_count,
                            solution.proven ? ", proven" : "");
            worst = fmax(worst, ratio);
            exact += ratio < 1 + 1e-9;
            assert_true(solution.bound_seconds <= best * (1 + 1e-6));
            solved++;
        }
        arena_destroy(arena);
    }
    print_message("%d problems: the worst solution takes %.4f of the best, %d are the best\n",
                  solved, worst, exact);
    assert_int_equal(solved, PROBLEMS);
    assert_true(worst <= 1.02);
}

static void equal_problems_have_equal_solutions(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    static struct problem_at_random made;
    struct arena *arena = arena_create(0);
    struct solution first, second;
    make_problem(&made, 10);
    CHECK_OK(solve_run(&made.input, arena, &first, &diagnostic));
    CHECK_OK(solve_run(&made.input, arena, &second, &diagnostic));
    assert_int_equal(first.option_count, second.option_count);
    assert_memory_equal(first.counts, second.counts,
                        (size_t)first.option_count * sizeof *first.counts);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(programs_have_their_known_answers),
        cmocka_unit_test(solutions_are_near_the_best_of_all),
        cmocka_unit_test(equal_problems_have_equal_solutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
