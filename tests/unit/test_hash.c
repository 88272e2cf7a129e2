/* Hashes and random numbers: published values, text form, independence. */
#include "base/hash.h"
#include "base/random.h"
#include "tests/check.h"

#include <math.h>

static void hashes_match_the_published_values(void **unused)
{
    (void)unused;
    char text[HASH_TEXT_BYTES];
    /* XXH3_128bits of nothing, as xxHash's own sanity test has it */
    CHECK_TEXT(hash_print(hash_bytes(NULL, 0), text), "99aa06d3014798d86001c324468d497f");
    assert_true(hash_equal(hash_text("abc"), hash_bytes("abcd", 3)));
    assert_false(hash_equal(hash_text("abc"), hash_text("abd")));
}

static void hashes_go_through_text(void **unused)
{
    (void)unused;
    char text[HASH_TEXT_BYTES];
    struct hash hash = {0x0123456789abcdef, 0xfedcba9876543210}, back = {0, 0};
    CHECK_TEXT(hash_print(hash, text), "0123456789abcdeffedcba9876543210");
    assert_true(hash_parse(text, &back));
    assert_true(hash_equal(hash, back));
    const char *const bad[] = {"",
                               "0123456789abcdeffedcba987654321",
                               "0123456789abcdeffedcba98765432100",
                               "0123456789ABCDEFfedcba9876543210",
                               "0123456789abcdeffedcba987654321g",
                               "0123456789abcdef"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (hash_parse(bad[i], &back)) CHECK_FAIL("'%s' was taken", bad[i]);
    }
    assert_true(hash_equal(hash, back));
}

static void combining_depends_on_the_order(void **unused)
{
    (void)unused;
    struct hash a = hash_text("a"), b = hash_text("b");
    assert_true(hash_equal(hash_combine(a, b), hash_combine(a, b)));
    assert_false(hash_equal(hash_combine(a, b), hash_combine(b, a)));
    assert_false(hash_equal(hash_combine(a, a), a));
}

/* Known answers of the Random123 library for philox2x64 with ten rounds. */
static void random_bits_match_the_published_values(void **unused)
{
    (void)unused;
    assert_true(random_bits(0, 0, 0) == 0xca00a0459843d731);
    assert_true(random_bits(UINT64_MAX, UINT64_MAX, UINT64_MAX) == 0x65b021d60cd8310f);
    assert_true(random_bits(0xa4093822299f31d0, 0x13198a2e03707344, 0x243f6a8885a308d3) ==
                0x0a5e742c2997341c);
}

static void random_numbers_have_their_moments(void **unused)
{
    (void)unused;
    enum { COUNT = 200000 };
    double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0, fourth = 0, lag = 0,
           previous = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        double uniform = random_uniform(7, 3, i), normal = random_normal(7, 4, i);
        assert_true(uniform >= 0 && uniform < 1);
        assert_true(isfinite(normal));
        sum += uniform;
        squares += uniform * uniform;
        normal_sum += normal;
        normal_squares += normal * normal;
        fourth += normal * normal * normal * normal;
        lag += normal * previous;
        previous = normal;
    }
    /* within five standard errors of the expectations */
    assert_true(fabs(sum / COUNT - 0.5) < 5 * sqrt(1 / 12.0 / COUNT));
    assert_true(fabs(squares / COUNT - 1 / 3.0) < 5 * sqrt(4 / 45.0 / COUNT));
    assert_true(fabs(normal_sum / COUNT) < 5 * sqrt(1.0 / COUNT));
    assert_true(fabs(normal_squares / COUNT - 1) < 5 * sqrt(2.0 / COUNT));
    assert_true(fabs(fourth / COUNT - 3) < 5 * sqrt(96.0 / COUNT));
    assert_true(fabs(lag / COUNT) < 5 * sqrt(1.0 / COUNT));
}

static void streams_and_seeds_differ(void **unused)
{
    (void)unused;
    int equal_bits = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t bits = random_bits(1, 1, i);
        equal_bits += __builtin_popcountll(~(bits ^ random_bits(1, 2, i)));
        equal_bits += __builtin_popcountll(~(bits ^ random_bits(2, 1, i)));
        equal_bits += __builtin_popcountll(~(bits ^ random_bits(1, 1, i + 1)));
        equal_bits += __builtin_popcountll(~(bits ^ random_bits(1, i, 1)));
    }
    /* 256,000 pairs of bits, half of them equal but for i = 1 of the last row: within 6 deviations
     */
    assert_in_range(equal_bits, 128000 - 1600, 128000 + 1600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_match_the_published_values),
        cmocka_unit_test(hashes_go_through_text),
        cmocka_unit_test(combining_depends_on_the_order),
        cmocka_unit_test(random_bits_match_the_published_values),
        cmocka_unit_test(random_numbers_have_their_moments),
        cmocka_unit_test(streams_and_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
