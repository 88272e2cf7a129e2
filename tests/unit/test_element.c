/* Element types: all 65536 patterns of f16 and bf16 against arithmetic in double, rounding at every
 * boundary, and the block quantisers against formulae written down independently. */
#include "base/random.h"
#include "ir/element.h"
#include "ir/numerics.h"
#include "tests/check.h"

#include <math.h>

/* A small binary format by its definition: sign, exponent, fraction. */
struct format {
    enum element_type type;
    int exponent_bits, fraction_bits;
};

static const struct format formats[] = {{ELEMENT_F16, 5, 10}, {ELEMENT_BF16, 8, 7}};
enum { FORMAT_COUNT = sizeof formats / sizeof *formats };

static double format_value(const struct format *format, unsigned pattern)
{
    int bias = (1 << (format->exponent_bits - 1)) - 1;
    unsigned fraction = pattern & ((1u << format->fraction_bits) - 1);
    int exponent = (int)(pattern >> format->fraction_bits & ((1u << format->exponent_bits) - 1));
    double sign = pattern >> 15 ? -1.0 : 1.0;
    if (exponent == (1 << format->exponent_bits) - 1) return fraction ? NAN : sign * INFINITY;
    double significand = (double)fraction + (exponent ? ldexp(1, format->fraction_bits) : 0);
    return sign * ldexp(significand, (exponent ? exponent : 1) - bias - format->fraction_bits);
}

static float decode_pattern(enum element_type type, unsigned pattern)
{
    uint16_t bits = (uint16_t)pattern;
    float value;
    element_decode_row(type, &bits, 1, &value);
    return value;
}

static unsigned encode_value(enum element_type type, float value)
{
    uint16_t bits;
    element_encode_row(type, &value, 1, &bits);
    return bits;
}

static void test_every_pattern_decodes(void **state)
{
    (void)state;
    for (int f = 0; f < FORMAT_COUNT; f++)
        for (unsigned pattern = 0; pattern < 65536; pattern++) {
            double expected = format_value(&formats[f], pattern);
            float value = decode_pattern(formats[f].type, pattern);
            if (isnan(expected))
                assert_true(isnan(value));
            else
                assert_true((double)value == expected && !signbit(value) == !(pattern >> 15));
        }
}

static void test_every_pattern_survives_encoding(void **state)
{
    (void)state;
    for (int f = 0; f < FORMAT_COUNT; f++)
        for (unsigned pattern = 0; pattern < 65536; pattern++) {
            float value = decode_pattern(formats[f].type, pattern);
            unsigned again = encode_value(formats[f].type, value);
            if (isnan(value)) /* may have become quiet, must stay a NaN of the same sign */
                assert_true(isnan(format_value(&formats[f], again)) &&
                            again >> 15 == pattern >> 15);
            else
                assert_int_equal(again, pattern);
        }
}

/* Between two neighbours: the middle goes to the even one, everything else to the nearer one. */
static void check_rounding(const struct format *format, unsigned lower)
{
    double low = format_value(format, lower), high = format_value(format, lower + 1);
    if (isnan(high) || isinf(low)) return;
    if (isinf(high)) high = 2 * low - format_value(format, lower - 1); /* where it would lie */
    float middle = (float)((low + high) / 2);
    assert_true((double)middle == (low + high) / 2);
    unsigned even = lower & 1 ? lower + 1 : lower;
    assert_int_equal(encode_value(format->type, middle), even);
    assert_int_equal(encode_value(format->type, nextafterf(middle, 0)), lower);
    assert_int_equal(encode_value(format->type, nextafterf(middle, INFINITY)), lower + 1);
    assert_int_equal(encode_value(format->type, -middle), even | 0x8000);
}

static void test_rounding_is_to_nearest_even(void **state)
{
    (void)state;
    for (int f = 0; f < FORMAT_COUNT; f++) {
        unsigned infinity = ((1u << formats[f].exponent_bits) - 1) << formats[f].fraction_bits;
        for (unsigned lower = 0; lower < infinity; lower++) check_rounding(&formats[f], lower);
        assert_int_equal(encode_value(formats[f].type, INFINITY), infinity);
        assert_int_equal(encode_value(formats[f].type, -INFINITY), infinity | 0x8000);
        assert_int_equal(encode_value(formats[f].type, -0.0f), 0x8000);
    }
    assert_int_equal(encode_value(ELEMENT_F16, 3.4e38f), 0x7c00);
    assert_int_equal(encode_value(ELEMENT_F16, 1e-30f), 0);
}

static void test_integers_round_and_saturate(void **state)
{
    (void)state;
    static const float values[] = {0.4f, 2.5f, -2.5f, 127.4f, 1e9f, -1e9f, NAN, -128.4f};
    static const int8_t bytes[] = {0, 3, -3, 127, 127, -128, 0, -128};
    static const int32_t words[] = {0, 3, -3, 127, 1000000000, -1000000000, 0, -128};
    int8_t encoded_bytes[8];
    int32_t encoded_words[8];
    element_encode_row(ELEMENT_I8, values, 8, encoded_bytes);
    element_encode_row(ELEMENT_I32, values, 8, encoded_words);
    assert_memory_equal(encoded_bytes, bytes, sizeof bytes);
    assert_memory_equal(encoded_words, words, sizeof words);
    static const float huge[] = {3e9f, -3e9f, INFINITY, -INFINITY};
    element_encode_row(ELEMENT_I32, huge, 4, encoded_words);
    assert_int_equal(encoded_words[0], INT32_MAX);
    assert_int_equal(encoded_words[1], INT32_MIN);
    assert_int_equal(encoded_words[2], INT32_MAX);
    assert_int_equal(encoded_words[3], INT32_MIN);
    float decoded[8];
    element_decode_row(ELEMENT_I8, bytes, 8, decoded);
    for (int i = 0; i < 8; i++) assert_true(decoded[i] == (float)bytes[i]);
}

/* The codes by exhaustive search: of all codes, the one whose value (with the scale in double) is
 * nearest. */
static int nearest_code(double value, double scale, int least, int most)
{
    int best = least;
    for (int code = least; code <= most; code++)
        if (fabs(value - code * scale) < fabs(value - best * scale)) best = code;
    return best;
}

static void random_block(uint64_t seed, float values[32])
{
    double size = ldexp(1, (int)(random_bits(seed, 1, 0) % 20) - 10);
    for (uint64_t i = 0; i < 32; i++) values[i] = (float)(random_normal(seed, 0, i) * size);
}

static float largest_value(const float values[32])
{
    float largest = 0;
    for (int i = 0; i < 32; i++)
        if (fabsf(values[i]) > fabsf(largest)) largest = values[i];
    return largest;
}

static void check_q8_0(const float values[32])
{
    uint8_t block[34];
    float scale = fabsf(largest_value(values)) / 127, decoded[32], stored;
    element_of(ELEMENT_Q8_0)->encode(values, NULL, block);
    assert_int_equal(block[0] | block[1] << 8, encode_value(ELEMENT_F16, scale));
    stored = decode_pattern(ELEMENT_F16, (unsigned)(block[0] | block[1] << 8));
    element_of(ELEMENT_Q8_0)->decode(block, decoded);
    for (int i = 0; i < 32; i++) {
        int code = (int8_t)block[2 + i], nearest = nearest_code(values[i], scale, -127, 127);
        assert_true(fabs(values[i] - code * (double)scale) <=
                    fabs(values[i] - nearest * (double)scale) * (1 + 1e-5));
        assert_true(decoded[i] == (float)code * stored);
    }
}

static void check_q4_0(const float values[32])
{
    uint8_t block[18];
    float scale = largest_value(values) / -8, decoded[32], stored;
    element_of(ELEMENT_Q4_0)->encode(values, NULL, block);
    assert_int_equal(block[0] | block[1] << 8, encode_value(ELEMENT_F16, scale));
    stored = decode_pattern(ELEMENT_F16, (unsigned)(block[0] | block[1] << 8));
    element_of(ELEMENT_Q4_0)->decode(block, decoded);
    for (int i = 0; i < 32; i++) {
        int code = (block[2 + i % 16] >> (i < 16 ? 0 : 4) & 15) - 8;
        int nearest = nearest_code(values[i], scale, -8, 7);
        assert_true(fabs(values[i] - code * (double)scale) <=
                    fabs(values[i] - nearest * (double)scale) * (1 + 1e-5));
        assert_true(decoded[i] == (float)code * stored);
    }
}

static void test_block_formats_against_formulae(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        float values[32];
        random_block(seed, values);
        check_q8_0(values);
        check_q4_0(values);
    }
}

/* Blocks worked out by hand from the format's definition. */
static void test_block_formats_by_hand(void **state)
{
    (void)state;
    float values[32] = {0};
    uint8_t block[34];
    values[0] = -127, values[1] = 1, values[31] = 63.5f; /* the tie goes away from zero */
    element_of(ELEMENT_Q8_0)->encode(values, NULL, block);
    static const uint8_t q8_0_head[] = {0x00, 0x3c, 0x81, 0x01, 0x00};
    assert_memory_equal(block, q8_0_head, sizeof q8_0_head);
    assert_int_equal(block[33], 64);
    memset(values, 0, sizeof values);
    values[0] = 8, values[1] = -8, values[16] = 1,
    values[17] = -7; /* the first extreme sets the sign */
    element_of(ELEMENT_Q4_0)->encode(values, NULL, block);
    static const uint8_t q4_0_head[] = {0x00, 0xbc, 0x70, 0xff, 0x88};
    assert_memory_equal(block, q4_0_head, sizeof q4_0_head);
}

static void test_odd_blocks_do_no_harm(void **state)
{
    (void)state;
    static const float odd[] = {NAN, INFINITY, -INFINITY, 1e-45f, 3e38f, -3e38f};
    static float values[256], decoded[256], importance[256];
    uint8_t block[1024];
    for (int type = 0; type < ELEMENT_COUNT; type++) {
        const struct element *element = element_of((enum element_type)type);
        for (int weighted = 0; weighted < 2; weighted++) {
            const float *weights = weighted ? importance : NULL;
            memset(values, 0, sizeof values);
            element->encode(values, weights, block);
            element->decode(block, decoded);
            for (int i = 0; i < element->block_elements; i++)
                if (decoded[i] != 0)
                    CHECK_FAIL("%s: zeros become %g", element->name, (double)decoded[i]);
            for (size_t k = 0; k < sizeof odd / sizeof *odd; k++) {
                values[0] = values[5] = odd[k], values[6] = -1;
                element->encode(values, weights, block); /* UBSan watches */
                element->decode(block, decoded);
            }
        }
    }
}

/* ---- What quantising costs ---- */

enum { ROW = 4096 };

/* Largest and root of mean square error of normal numbers, relative to their deviation. The bounds
 * are what each type gives, with two percent to spare in the mean. */
struct quality {
    enum element_type type;
    double root_mean_square, largest;
};

static const struct quality qualities[] = {
    {ELEMENT_F16, 0.00022, 0.001},     {ELEMENT_BF16, 0.0018, 0.0079},
    {ELEMENT_F8_E4M3, 0.0274, 0.126},  {ELEMENT_F8_E5M2, 0.0537, 0.251},
    {ELEMENT_Q8_0, 0.0056, 0.0155},    {ELEMENT_Q4_0, 0.0895, 0.27},
    {ELEMENT_Q4_1, 0.0807, 0.22},      {ELEMENT_Q5_0, 0.0445, 0.13},
    {ELEMENT_Q5_1, 0.0397, 0.1},       {ELEMENT_IQ4_NL, 0.0788, 0.23},
    {ELEMENT_MXFP4, 0.121, 0.82},      {ELEMENT_Q2_K, 0.284, 0.82},
    {ELEMENT_Q3_K, 0.157, 0.48},       {ELEMENT_Q4_K, 0.074, 0.21},
    {ELEMENT_Q5_K, 0.0368, 0.116},     {ELEMENT_Q6_K, 0.0183, 0.06},
    {ELEMENT_IQ4_XS, 0.0792, 0.23},    {ELEMENT_F8_E4M3_128, 0.03, 0.13},
    {ELEMENT_F8_E5M2_128, 0.06, 0.26}, {ELEMENT_I8_128, 0.01, 0.03},
    {ELEMENT_I4_128, 0.12, 0.3},       {ELEMENT_I4_32, 0.1, 0.3},
    {ELEMENT_NVFP4_128, 0.098, 0.43},
};

static void random_row(float *values, double deviation)
{
    for (uint64_t i = 0; i < ROW; i++) values[i] = (float)(random_normal(11, 0, i) * deviation);
}

/* Error of a round trip, relative to `deviation`; weighted by `importance` unless NULL. */
static double round_trip(enum element_type type, double deviation, const float *importance,
                         const float *costs, double *largest)
{
    static float values[ROW], decoded[ROW];
    static uint8_t row[ROW * 4];
    double sum = 0, weights = 0;
    random_row(values, deviation);
    element_encode_weighted(type, values, importance, ROW, row);
    element_decode_row(type, row, ROW, decoded);
    *largest = 0;
    for (int i = 0; i < ROW; i++) {
        double error = ((double)values[i] - (double)decoded[i]) / deviation;
        double cost = costs ? (double)costs[i] : 1;
        sum += cost * error * error;
        weights += cost;
        *largest = fmax(*largest, fabs(error));
    }
    return sqrt(sum / weights);
}

static void test_round_trips_err_as_stated(void **state)
{
    (void)state;
    for (size_t q = 0; q < sizeof qualities / sizeof *qualities; q++) {
        const struct quality *quality = &qualities[q];
        const char *name = element_of(quality->type)->name;
        double largest, error = round_trip(quality->type, 1, NULL, NULL, &largest);
        print_message("%-8s root mean square %.5f, largest %.5f\n", name, error, largest);
        if (error > quality->root_mean_square || largest > quality->largest)
            CHECK_FAIL("%s errs by %g (largest %g)", name, error, largest);
        double scaled = round_trip(quality->type, 0.015625, NULL, NULL, &largest);
        if (element_of(quality->type)->block_elements > 1 && fabs(scaled - error) > 0.02 * error)
            CHECK_FAIL("%s errs by %g of small numbers, %g of large ones", name, scaled, error);
    }
}

/* Where errors cost unequally, knowing the costs must help. */
static void test_importance_lowers_what_it_weighs(void **state)
{
    (void)state;
    static const enum element_type types[] = {
        ELEMENT_Q4_0, ELEMENT_Q4_1, ELEMENT_Q5_0, ELEMENT_Q5_1,   ELEMENT_Q2_K,  ELEMENT_Q3_K,
        ELEMENT_Q4_K, ELEMENT_Q5_K, ELEMENT_Q6_K, ELEMENT_IQ4_NL, ELEMENT_IQ4_XS};
    static float importance[ROW];
    for (uint64_t i = 0; i < ROW; i++) importance[i] = (float)exp(2 * random_normal(12, 0, i));
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        double largest, without = round_trip(types[t], 1, NULL, importance, &largest);
        double with = round_trip(types[t], 1, importance, importance, &largest);
        print_message("%-8s weighted error %.5f, knowing the weights %.5f\n",
                      element_of(types[t])->name, without, with);
        assert_true(with < 0.97 * without);
    }
}

static void test_rows_and_names(void **state)
{
    (void)state;
    static float values[512], decoded[512];
    static uint8_t row[512 * 4];
    for (uint64_t i = 0; i < 512; i++) values[i] = (float)(i % 8) - 4; /* exact in plain types */
    for (int t = 0; t < ELEMENT_COUNT; t++) {
        enum element_type type, given = (enum element_type)t;
        const struct element *element = element_of(given);
        assert_true(element_by_name(element->name, &type) && type == given);
        assert_int_equal(element_row_bytes(type, 512),
                         512 / element->block_elements * element->block_bytes);
        element_encode_row(type, values, 512, row);
        element_decode_row(type, row, 512, decoded);
        double bound = element->block_elements == 1 ? 0 : 4.001 * 2 * element_unit(type);
        for (int i = 0; i < 512; i++)
            if (fabs((double)values[i] - (double)decoded[i]) > bound)
                CHECK_FAIL("%s: %g becomes %g", element->name, (double)values[i],
                           (double)decoded[i]);
    }
    enum element_type type;
    assert_false(element_by_name("q9_9", &type));
    assert_false(element_by_name("", &type));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pattern_decodes),
        cmocka_unit_test(test_every_pattern_survives_encoding),
        cmocka_unit_test(test_rounding_is_to_nearest_even),
        cmocka_unit_test(test_integers_round_and_saturate),
        cmocka_unit_test(test_block_formats_against_formulae),
        cmocka_unit_test(test_block_formats_by_hand),
        cmocka_unit_test(test_odd_blocks_do_no_harm),
        cmocka_unit_test(test_round_trips_err_as_stated),
        cmocka_unit_test(test_importance_lowers_what_it_weighs),
        cmocka_unit_test(test_rows_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
