/* Rotary frequencies against those of Hugging Face transformers 5.23.0 (ROPE_INIT_FUNCTIONS,
 * float32), and the check of attributes. */
#include "ir/graph.h"
#include "ops/rope/rope.h"
#include "tests/check.h"

#include <math.h>

enum { SAMPLES = 8 };

struct fact {
    int64_t head_size;
    double base, factor, original_context, attention_factor, magnitude;
    struct {
        double pair, frequency;
    } samples[SAMPLES];
    enum rotation_scaling scaling;
    bool truncate;
};

/* clang-format off */
static const struct fact facts[] = {
    {128, 500000, 8, 8192, 0, 1,
     {{0, 1}, {1, 0.814617217}, {12, 0.0853971019}, {21, 0.0134904198},
      {32, 0.000524846022}, {42, 2.2748929e-05}, {51, 3.59371188e-06}, {63, 3.06892588e-07}},
     SCALING_LLAMA3, true},
    {64, 10000, 8, 8192, 0, 1,
     {{0, 0.125}, {1, 0.0937367752}, {6, 0.0222284924}, {10, 0.0070292661},
      {16, 0.00124999997}, {21, 0.000296421727}, {25, 9.37367731e-05}, {31, 1.66690188e-05}},
     SCALING_LINEAR, true},
    {128, 10000, 40, 4096, 0, 1.36888795,
     {{0, 1}, {1, 0.865964353}, {12, 0.177827939}, {21, 0.0468706228},
      {32, 0.00550000044}, {42, 0.000414990413}, {51, 1.62345405e-05}, {63, 2.88695469e-06}},
     SCALING_YARN, true},
    {64, 150000, 32, 4096, 0, 1.34657359,
     {{0, 1}, {1, 0.689044297}, {6, 0.107024424}, {10, 0.0193349998},
      {16, 0.000456483918}, {21, 1.25325696e-05}, {25, 2.82506676e-06}, {31, 3.0235114e-07}},
     SCALING_YARN, false},
    {128, 1000000, 4, 32768, 1.5, 1.5,
     {{0, 1}, {1, 0.805842221}, {12, 0.0749894157}, {21, 0.0107460786},
      {32, 0.000602941145}, {42, 2.88695483e-05}, {51, 4.13704265e-06}, {63, 3.10234441e-07}},
     SCALING_YARN, true},
};
/* clang-format on */

static void fact_attributes(const struct fact *fact, union attribute *attributes)
{
    union attribute *rotation = attributes + ROPE_ROTATION;
    attributes_default(&op_rope, attributes);
    attributes[ROPE_HEADS].integer = 1;
    rotation[ROTATION_HEAD_SIZE].integer = fact->head_size;
    rotation[ROTATION_SCALING].integer = fact->scaling;
    rotation[ROTATION_BASE].real = fact->base;
    rotation[ROTATION_FACTOR].real = fact->factor;
    rotation[ROTATION_ORIGINAL_CONTEXT].real = fact->original_context;
    rotation[ROTATION_ATTENTION_FACTOR].real = fact->attention_factor;
    rotation[ROTATION_TRUNCATE].integer = fact->truncate;
}

static void check_near(double got, double expected)
{
    if (fabs(got - expected) > 2e-6 * fabs(expected))
        CHECK_FAIL("got %.9g, transformers says %.9g", got, expected);
}

static void test_transformers(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof facts / sizeof *facts; f++) {
        union attribute attributes[OP_ATTRIBUTES_MAX];
        struct rotation rotation;
        fact_attributes(&facts[f], attributes);
        rotation_create(attributes + ROPE_ROTATION, NULL, &rotation);
        assert_int_equal(rotation.pairs, facts[f].head_size / 2);
        check_near(rotation.magnitude, facts[f].magnitude);
        for (int s = 0; s < SAMPLES; s++)
            check_near(rotation.frequencies[(int)facts[f].samples[s].pair],
                       facts[f].samples[s].frequency);
    }
}

/* Turning back by the same position gives the head that was there. */
static void test_turns_back(void **state)
{
    union attribute attributes[OP_ATTRIBUTES_MAX];
    struct rotation rotation;
    struct turns turns;
    float head[64], turned[64];
    (void)state;
    fact_attributes(&facts[1], attributes);
    for (int i = 0; i < 64; i++) head[i] = (float)(i - 20) / 7;
    for (int pairing = 0; pairing < 2; pairing++) {
        attributes[ROPE_ROTATION + ROTATION_PAIRING].integer = pairing;
        rotation_create(attributes + ROPE_ROTATION, NULL, &rotation);
        rotation_turns(&rotation, 1234, &turns);
        rotation_apply(&rotation, &turns, head, turned);
        rotation_turns(&rotation, -1234, &turns);
        rotation_apply(&rotation, &turns, turned, turned);
        for (int i = 0; i < 64; i++) assert_true(fabsf(turned[i] - head[i]) < 2e-6f);
    }
}

static void test_check(void **state)
{
    union attribute attributes[OP_ATTRIBUTES_MAX];
    struct diagnostic diagnostic = {0};
    (void)state;
    fact_attributes(&facts[0], attributes);
    union attribute *rotation = attributes + ROPE_ROTATION;
    CHECK_OK(rotation_check(rotation, &diagnostic));
    rotation[ROTATION_ROTATED].integer = 130;
    CHECK_REFUSED(rotation_check(rotation, &diagnostic), STATUS_BAD_INPUT, "rotated is 130");
    rotation[ROTATION_ROTATED].integer = 63;
    CHECK_REFUSED(rotation_check(rotation, &diagnostic), STATUS_BAD_INPUT, "must be even");
    rotation[ROTATION_ROTATED].integer = 0;
    rotation[ROTATION_HIGH_FACTOR].real = 1;
    CHECK_REFUSED(rotation_check(rotation, &diagnostic), STATUS_BAD_INPUT, "high_factor above");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transformers),
        cmocka_unit_test(test_turns_back),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
