/* Sampling: each step against its definition, and frequencies against probabilities. */
#include "engine/sampler.h"
#include "tests/check.h"

#include <math.h>

enum { VOCABULARY = 6, DRAWS = 20000 };

static const float base_logits[VOCABULARY] = {1.0f, 3.0f, 2.0f, 3.0f, -1.0f, 0.0f};

static int32_t draw_at(const struct sampling *sampling, const int32_t *recent, int64_t count,
                       uint64_t stream, uint64_t position, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    float logits[VOCABULARY];
    int32_t token;
    memcpy(logits, base_logits, sizeof logits);
    arena_reset(arena);
    CHECK_OK(sample_token(sampling, logits, VOCABULARY, recent, count, stream, position, arena,
                          &token, &diagnostic));
    return token;
}

static void count_draws(const struct sampling *sampling, double *shares)
{
    struct arena *arena = arena_create(0);
    memset(shares, 0, VOCABULARY * sizeof *shares);
    for (uint64_t n = 0; n < DRAWS; n++)
        shares[draw_at(sampling, NULL, 0, 5, n, arena)] += 1.0 / DRAWS;
    arena_destroy(arena);
}

/* Shares of `kept` tokens at `temperature`, within five standard deviations. */
static void check_shares(const double *shares, const bool *kept, double temperature)
{
    double total = 0;
    for (int v = 0; v < VOCABULARY; v++)
        total += kept[v] ? exp((double)base_logits[v] / temperature) : 0;
    for (int v = 0; v < VOCABULARY; v++) {
        double expected = kept[v] ? exp((double)base_logits[v] / temperature) / total : 0;
        double tolerance = 5 * sqrt(expected * (1 - expected) / DRAWS);
        if (fabs(shares[v] - expected) > tolerance)
            CHECK_FAIL("token %d: share %g, expected %g +- %g", v, shares[v], expected, tolerance);
    }
}

static void greedy_takes_the_first_of_equals(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct sampling sampling = sampling_default();
    assert_int_equal(draw_at(&sampling, NULL, 0, 0, 0, arena), 1);
    arena_destroy(arena);
}

static void frequencies_follow_the_softmax(void **state)
{
    (void)state;
    const bool all[VOCABULARY] = {true, true, true, true, true, true};
    double shares[VOCABULARY];
    struct sampling sampling = sampling_default();
    for (double temperature = 0.5; temperature < 3; temperature *= 2) {
        sampling.temperature = temperature;
        count_draws(&sampling, shares);
        check_shares(shares, all, temperature);
    }
}

static void filters_keep_what_they_say(void **state)
{
    (void)state;
    double shares[VOCABULARY];
    struct sampling sampling = sampling_default();
    sampling.temperature = 1;
    sampling.top_k = 3;
    count_draws(&sampling, shares);
    check_shares(shares, (const bool[]){false, true, true, true, false, false}, 1);
    sampling = sampling_default();
    sampling.temperature = 2;
    sampling.top_p = 0.7; /* before temperature: 1 and 3 have 0.38 each */
    count_draws(&sampling, shares);
    check_shares(shares, (const bool[]){false, true, false, true, false, false}, 2);
    sampling = sampling_default();
    sampling.temperature = 1;
    sampling.min_p = 0.1; /* exp(-2) = 0.135 stays, exp(-3) = 0.05 goes */
    count_draws(&sampling, shares);
    check_shares(shares, (const bool[]){true, true, true, true, false, false}, 1);
}

static void repetition_is_punished_once(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct sampling sampling = sampling_default();
    sampling.repetition_penalty = 2;
    const int32_t recent[] = {1, 1, 1, 3, 4};
    assert_int_equal(draw_at(&sampling, recent, 5, 0, 0, arena), 2);
    sampling.repetition_penalty = 1.4; /* 3 / 1.4 = 2.14 is still above 2 */
    assert_int_equal(draw_at(&sampling, recent, 5, 0, 0, arena), 1);
    sampling.repetition_penalty = 2;
    sampling.repetition_window = 1; /* only token 4 counts */
    assert_int_equal(draw_at(&sampling, recent, 5, 0, 0, arena), 1);
    arena_destroy(arena);
}

static void draws_depend_on_seed_stream_and_position_only(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct sampling sampling = sampling_default(), other;
    sampling.temperature = 1;
    sampling.seed = 9;
    other = sampling;
    other.seed = 10;
    int seed = 0, stream = 0, position = 0;
    for (uint64_t n = 0; n < 200; n++) {
        int32_t token = draw_at(&sampling, NULL, 0, 1, n, arena);
        assert_int_equal(token, draw_at(&sampling, NULL, 0, 1, n, arena));
        seed += token != draw_at(&other, NULL, 0, 1, n, arena);
        stream += token != draw_at(&sampling, NULL, 0, 2, n, arena);
        position += token != draw_at(&sampling, NULL, 0, 1, n + 1, arena);
    }
    assert_true(seed > 50 && stream > 50 && position > 50);
    arena_destroy(arena);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct sampling sampling = sampling_default();
    float logits[VOCABULARY] = {0, NAN};
    int32_t token;
    CHECK_REFUSED(
        sample_token(&sampling, logits, VOCABULARY, NULL, 0, 0, 0, arena, &token, &diagnostic),
        STATUS_MISMATCH, "not numbers");
    sampling.temperature = NAN;
    CHECK_REFUSED(sampling_check(&sampling, &diagnostic), STATUS_USAGE, "--temperature");
    sampling = sampling_default();
    sampling.top_p = 0;
    CHECK_REFUSED(sampling_check(&sampling, &diagnostic), STATUS_USAGE, "--top-p");
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(greedy_takes_the_first_of_equals),
        cmocka_unit_test(frequencies_follow_the_softmax),
        cmocka_unit_test(filters_keep_what_they_say),
        cmocka_unit_test(repetition_is_punished_once),
        cmocka_unit_test(draws_depend_on_seed_stream_and_position_only),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
