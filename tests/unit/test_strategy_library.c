/* Strategies from shared objects: the documentation's example runs, others are refused in words. */
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tuner/contest.h"
#include "tuner/search_library.h"

#include <math.h>
#include <stdio.h>

/* A space with a bowl of times. */
static const char *bowl_text(struct arena *arena)
{
    struct text text = {.arena = arena};
    text_append(&text, "a,b,c,seconds\n");
    for (int a = 0; a < 12; a++)
        for (int b = 0; b < 10; b++)
            for (int c = 0; c < 4; c++)
                text_print(&text, "%d,%d,%d,%.6f\n", a, b, c,
                           1 + 0.1 * abs(a - 7) + 0.05 * abs(b - 3) + 0.2 * abs(c - 2));
    return text_finish(&text);
}

static void the_example_finds_its_way(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    const struct hone_strategy *strategy;
    const char *text = bowl_text(arena);
    struct recorded_space *space;
    struct replay *replay;
    struct contest_result result;
    CHECK_OK(search_find(HONE_BUILD_FOLDER "/tests/strategy_lattice.so", &strategy, &diagnostic));
    assert_string_equal(strategy->name, "lattice");
    CHECK_OK(recorded_read_csv("bowl.csv", text, strlen(text), arena, &space, &diagnostic));
    CHECK_OK(replay_create(space, false, arena, &replay, &diagnostic));
    const struct contest_options options = {.repeats = 3, .budget = 80};
    CHECK_OK(contest_run(replay, strategy, &options, &result, &diagnostic));
    print_message("the example reaches %.1f %% of the optimum in 80 of 480 configs\n",
                  100 * result.share);
    assert_true(result.share > 0.999);
    arena_destroy(arena);
}

static void check_refused(const char *name, status code, const char *words)
{
    struct diagnostic diagnostic = {0};
    const struct hone_strategy *strategy;
    status found = search_find(name, &strategy, &diagnostic);
    if (found != code || !strstr(diagnostic.text, words))
        CHECK_FAIL("%s: %s: %s", name, status_name(found), diagnostic.text);
}

static void others_are_refused_in_words(void **unused)
{
    (void)unused;
    check_refused(HONE_BUILD_FOLDER "/tests/strategy_refused.so", STATUS_BAD_INPUT,
                  "compile it again");
    check_refused("/proc/self/exe", STATUS_BAD_INPUT, "");
    check_refused("./no-such-strategy.so", STATUS_BAD_INPUT, "cannot be loaded");
    check_refused("gided", STATUS_USAGE, "did you mean 'guided'?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_finds_its_way),
        cmocka_unit_test(others_are_refused_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
