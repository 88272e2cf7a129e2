/* A model's budget on recorded spaces: where the next unit goes, that nothing with something to gain starves, that it stops; and
 * the clock by which it is counted. */
#include "base/work_clock.h"
#include "engine/space_file.h"
#include "tests/check.h"
#include "tuner/gain.h"
#include "tuner/replay.h"
#include "tuner/search.h"

#include <math.h>

#define SPACES HONE_SOURCE_FOLDER "/bench/spaces/"

/* ---- Hopes ---- */

static void hope_follows_what_came_of_it(void **state)
{
    (void)state;
    struct gain gain = gain_begin(2, 0.5, 0);
    assert_true(gain_expected(&gain) == 0.5); /* half of a second per step */
    gain_see(&gain, 0.2);                     /* in place of the guess */
    assert_true(gain.hope == 0.1 && gain_expected(&gain) == 2 * 0.2 * 0.1);
    gain_see(&gain, 0.1);
    assert_true(gain.hope == (0.1 + 0.5) / 2);
    double hope = gain.hope;
    gain_see(&gain, 0.1);
    gain_see(&gain, INFINITY); /* nothing good in this unit */
    assert_true(gain.hope == hope / 4 && gain.seconds == 0.1);
    gain.limit_seconds = 0.099; /* the ceiling is near */
    assert_true(fabs(gain_expected(&gain) - 2 * 0.001) < 1e-9);
    gain.limit_seconds = 0.2;
    assert_true(gain_expected(&gain) == 0);
    struct gain known = gain_begin(1, 1, 3 * GAIN_UNIT);
    assert_true(known.hope == 0.1 / 4); /* as after two units in vain behind the first */
}

static void the_most_promising_comes_next(void **state)
{
    (void)state;
    struct gain gains[] = {gain_begin(1, 1, 0), gain_begin(100, 0.1, 0), gain_begin(1, 1, 0),
                           gain_begin(1, 1e-5, 0)};
    bool done[4] = {false};
    assert_int_equal(gain_pick(gains, done, 4, GAIN_LEAST), 1);
    done[1] = true;
    assert_int_equal(gain_pick(gains, done, 4, GAIN_LEAST), 0); /* the first of equals */
    done[0] = done[2] = true;
    assert_int_equal(gain_pick(gains, done, 4, GAIN_LEAST), -1); /* too small */
    assert_int_equal(gain_pick(gains, done, 4, 0), 3);
    done[3] = true;
    assert_int_equal(gain_pick(gains, done, 4, 0), -1);
}

/* ---- A model of recorded spaces ---- */

enum { PROBLEMS = 5, UNITS_MOST = 400, SEEDS = 10 };

static const struct {
    const char *file;
    double weight;
} model[PROBLEMS] = {{"linear_decode_q8_0.csv", 20},
                     {"linear_prefill_q8_0.csv", 1},
                     {"attention_decode_f16.csv", 20},
                     {"linear_group_decode_q8_0.csv", 1},
                     {"linear_prefill_f32.csv", 1e-7}};

/* A problem under way. */
struct player {
    struct replay *replay;
    struct replay_run run;
    struct course *course;
    double best, optimum, guess;
    int measured;
};

static void begin(struct player *player, const char *file, uint64_t seed, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct recorded_space *space;
    const char *path = arena_print(arena, SPACES "%s", file);
    CHECK_OK(space_file_read(path, arena, &space, &diagnostic));
    CHECK_OK(replay_create(space, false, arena, &player->replay, &diagnostic));
    replay_start(player->replay, seed, 100, arena, &player->run);
    CHECK_OK(course_open(&player->run.field, search_table()[0], NULL, 0, arena, &player->course,
                         &diagnostic));
    player->best = player->optimum = INFINITY;
    for (int c = 0; c < space->config_count; c++) {
        struct hone_outcome outcome = replay_answer(player->replay, (uint64_t)c);
        if (outcome.good) player->optimum = fmin(player->optimum, outcome.seconds);
    }
    player->guess = 3 * player->optimum;
}

/* False when the search has ended. */
static bool measure(struct player *player, int count)
{
    uint64_t point;
    int level;
    for (int m = 0; m < count; m++) {
        if (!course_ask(player->course, &point, &level)) return false;
        struct hone_outcome outcome = replay_answer(player->replay, point);
        if (outcome.good) player->best = fmin(player->best, outcome.seconds);
        course_tell(player->course, point, level, &outcome);
        player->measured++;
    }
    return true;
}

static double step_of(const struct player *players)
{
    double seconds = 0;
    for (int p = 0; p < PROBLEMS; p++)
        seconds +=
            model[p].weight * (isfinite(players[p].best) ? players[p].best : players[p].guess);
    return seconds;
}

/* Works by gain for so many units; gives how many there were. */
static int play(struct player *players, int units_most, uint64_t seed, struct arena *arena)
{
    struct gain gains[PROBLEMS];
    bool done[PROBLEMS] = {false};
    int units = 0, next;
    for (int p = 0; p < PROBLEMS; p++) {
        players[p] = (struct player){0};
        begin(&players[p], model[p].file, seed, arena);
        gains[p] = gain_begin(model[p].weight, players[p].guess, 0);
    }
    while (units < units_most && (next = gain_pick(gains, done, PROBLEMS, GAIN_LEAST)) >= 0) {
        for (int p = 0; p < PROBLEMS; p++)
            assert_true(done[p] || gain_expected(&gains[p]) <= gain_expected(&gains[next]));
        done[next] = !measure(&players[next], GAIN_UNIT);
        gain_see(&gains[next], players[next].best);
        units++;
    }
    for (int p = 0; p < PROBLEMS; p++) course_close(players[p].course);
    return units;
}

static void budgets_go_where_the_gain_is(void **state)
{
    struct arena *arena = arena_create(0);
    struct player players[PROBLEMS];
    double optimum = 0;
    (void)state;
    int units = play(players, UNITS_MOST, 7, arena);
    assert_true(units < UNITS_MOST); /* it stops */
    for (int p = 0; p < PROBLEMS; p++) {
        optimum += model[p].weight * players[p].optimum;
        print_message("%-32s %3d measured, %.3f of the best\n", model[p].file, players[p].measured,
                      players[p].optimum / players[p].best);
    }
    for (int p = 0; p < PROBLEMS - 1; p++) assert_true(players[p].measured >= GAIN_UNIT);
    assert_int_equal(players[PROBLEMS - 1].measured, 0); /* no part of the step worth a look */
    assert_true(step_of(players) < 1.02 * optimum);
    arena_destroy(arena);
}

/* The share of the best step that so many units reach, in the mean over seeds: by gain, or the same for every problem. */
static double share_reached(int units, bool evenly, struct arena *arena)
{
    struct player players[PROBLEMS];
    double share = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        double optimum = 0;
        if (!evenly) (void)play(players, units, seed, arena);
        for (int p = 0; p < PROBLEMS; p++) {
            if (evenly) {
                players[p] = (struct player){0};
                begin(&players[p], model[p].file, seed, arena);
                (void)measure(&players[p], units * GAIN_UNIT / PROBLEMS);
                course_close(players[p].course);
            }
            optimum += model[p].weight * players[p].optimum;
        }
        share += optimum / step_of(players) / SEEDS;
    }
    return share;
}

static void the_step_is_shorter_than_with_even_shares(void **state)
{
    (void)state;
    for (int units = 10; units <= 40; units *= 2) {
        struct arena *arena = arena_create(0);
        double gained = share_reached(units, false, arena),
               even = share_reached(units, true, arena);
        print_message("step after %d units: %.4f of the best by gain, %.4f evenly\n", units, gained,
                      even);
        assert_true(gained > even);
        arena_destroy(arena);
    }
}

/* ---- The clock ---- */

static void stops_are_left_out(void **state)
{
    struct work_clock clock = {0};
    (void)state;
    double start = work_clock_at(&clock, 1000);
    assert_true(start == 1000);
    for (int look = 1; look <= 50; look++)
        assert_true(fabs(work_clock_at(&clock, 1000 + 0.1 * look) - (1000 + 0.1 * look)) < 1e-9);
    assert_true(fabs(work_clock_at(&clock, 4605) - 1005) < 1e-9);     /* an hour of sleep */
    assert_true(fabs(work_clock_at(&clock, 4606.5) - 1006.5) < 1e-9); /* a busy machine */
    assert_true(fabs(work_clock_at(&clock, 5000) - 1006.5) < 1e-9);
    assert_true(fabs(work_clock_at(&clock, 5000.1) - 1006.6) < 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hope_follows_what_came_of_it),
        cmocka_unit_test(the_most_promising_comes_next),
        cmocka_unit_test(budgets_go_where_the_gain_is),
        cmocka_unit_test(the_step_is_shorter_than_with_even_shares),
        cmocka_unit_test(stops_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
