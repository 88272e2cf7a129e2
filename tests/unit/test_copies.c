/* Copies between devices that arrive damaged: found and mended where copies are checked, one error where they cannot be. */
#include "base/fault.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

#include <limits.h>

#ifdef HONE_FAULTS
static const struct placing cards = {"virtual:64MiB,virtual:64MiB,cpu", "tensor", "experts=1", 64};

/* Copies from `first` on, `count` of them, arrive damaged while the model runs. */
static status run_damaged(const char *model, bool checked, long first, long count, float *logits)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = placing_options(&cards, true, "");
    struct engine *engine;
    int sequence;
    const int32_t tokens[] = {5, 42, 79};
    options.check_copies = checked;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = 3};
    fault_set_flip(first, count);
    status code = engine_feed(engine, &input, 1, logits, &diagnostic);
    fault_set_flip(0, 0);
    if (code != STATUS_OK) assert_non_null(strstr(diagnostic.text, "arrives damaged"));
    engine_close(engine);
    return code;
}
#endif

static void damaged_copies_are_found(void **state)
{
#ifdef HONE_FAULTS
    static float right[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    int wrong = 0;
    assert_int_equal(run_damaged(model, true, 0, 0, right), STATUS_OK);
    for (long first = 1; first < 40; first += 6) {
        assert_int_equal(run_damaged(model, true, first, 2, logits), STATUS_OK);
        assert_memory_equal(logits, right, sizeof right);
        assert_int_equal(run_damaged(model, false, first, 2, logits), STATUS_OK);
        wrong += memcmp(logits, right, sizeof right) != 0;
    }
    assert_true(wrong > 0); /* the damage is real */
    assert_int_equal(run_damaged(model, true, 9, LONG_MAX, logits), STATUS_DEVICE);
#else
    (void)state;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_copies_are_found, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
