/* Spaces: reading, names, legality, defaults, config texts.  Counting is in test_space_count.c. */
#include "ir/space.h"
#include "tests/check.h"
#include "tests/unit/fake_ops.h"
#include "tests/unit/space_harness.h"

#include <math.h>

static void a_space_is_read_and_bound(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct space *space;
    CHECK_OK(read_text(small_text(arena), arena, &space, &diagnostic));
    CHECK_TEXT(space->variant, "small_cpu");
    CHECK_TEXT(space->numerics.text, "operands q8 per block of 32, accumulation f32");
    assert_int_equal(space->numerics.operand_block, 32);
    assert_int_equal(space_raw_count(space), 24);

    struct device_facts facts = test_facts(true);
    struct bound_space bound;
    const char *reason;
    const struct problem *problem = parse_problem(linear_problem, arena);
    assert_true(space_bind(space, problem, &facts, arena, &bound, &reason));
    /* streams * prefetch > 8192 only for 8 * 2048; both words of dot are legal */
    assert_int_equal(space_count(&bound), 22);
    struct config config;
    space_default(&bound, &config);
    assert_int_equal(config_value(space, &config, "streams"), 4);
    assert_int_equal(config_value(space, &config, "dot"), 1);
    /* fake operators cost 2 bytes; row_bytes = 64 * 34 */
    assert_true(fabs(space_estimate(&bound, &config) - (1e-9 + 2176e-12)) < 1e-15);
    CHECK_OK(config_parse(space, "streams=1 prefetch=0 dot=fma", &config, &diagnostic));
    assert_null(space_check(&bound, &config));
    CHECK_TEXT(space_check_soft(&bound, &config)->reason, "one stream starves");
    assert_true(fabs(space_estimate(&bound, &config) - (1.5e-9 + 2176e-12)) < 1e-15);
    CHECK_OK(config_parse(space, "dot=fma prefetch=2048 streams=8", &config, &diagnostic));
    CHECK_TEXT(space_check(&bound, &config)->reason, "more than the cache holds");
    arena_destroy(arena);
}

static void binding_gives_reasons(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct space *space;
    CHECK_OK(read_text(small_text(arena), arena, &space, &diagnostic));
    struct device_facts facts = test_facts(false);
    struct bound_space bound;
    const char *reason;

    /* Without VNNI the default is not legal; the nearest legal config takes its place. */
    const struct problem *problem = parse_problem(linear_problem, arena);
    assert_true(space_bind(space, problem, &facts, arena, &bound, &reason));
    assert_int_equal(space_count(&bound), 11);
    struct config config;
    space_default(&bound, &config);
    struct text text = {.arena = arena};
    config_print(space, &config, &text);
    CHECK_TEXT(text_finish(&text), "streams=4 prefetch=0 dot=fma");

    problem =
        parse_problem("linear(f32[rows,64], f32[32,64], _, _) -> f32[rows,32] rows<=1", arena);
    assert_false(space_bind(space, problem, &facts, arena, &bound, &reason));
    CHECK_TEXT(reason, "it accepts only rows <= 16 and weight.q8_0 or scale > 0.25");
    /* Attributes that are reals are compared as reals: 0.3 > 0.25, 0.2 is not. */
    problem = parse_problem(
        "map(f32[rows,64]) -> f32[rows,64] {scale=0.3 steps=2 mode=none} rows<=64", arena);
    assert_true(space_bind(space, problem, &facts, arena, &bound, &reason));
    problem = parse_problem(
        "map(f32[rows,64]) -> f32[rows,64] {scale=0.2 steps=2 mode=none} rows<=64", arena);
    assert_false(space_bind(space, problem, &facts, arena, &bound, &reason));
    problem = parse_problem("add(f32[rows,64], f32[rows,64]) -> f32[rows,64] rows<=64", arena);
    assert_false(space_bind(space, problem, &facts, arena, &bound, &reason));
    CHECK_TEXT(reason, "it is for other operators");
    facts.target = TARGET_CUDA;
    assert_false(space_bind(space, problem, &facts, arena, &bound, &reason));
    CHECK_TEXT(reason, "the device is of another target");
    arena_destroy(arena);
}

struct refusal {
    const char *find, *replace, *words;
};

/* One change to the small space, and the words of the message. */
static const struct refusal refusals[] = {
    {"variant: small_cpu\n", "", "test.yaml:1:1: the key 'variant' is missing"},
    {"op: [linear, map]", "op: [linear, mop]", "'mop' is no operator"},
    {"op: [linear, map]", "op: []", "'op' must name"},
    {"target: cpu", "target: gpu", "'gpu' is no target"},
    {"q8 per block of 32", "q9", "'q9' is no rounding"},
    {"accumulation: f32", "accumulation: f33", "'f33' is no type"},
    {"default: 4", "default: 3", "the default of 'streams' is not among its values"},
    {"[1, 2, 4, 8]", "[1, 2, 2]", "the value 2 is there twice"},
    {"[1, 2, 4, 8]", "[]", "must have 1 to"},
    {"[1, 2, 4, 8]", "[1, two]", "whole number"},
    {"[fma, vnni], kind: numerics, default: vnni", "[fma, fma]", "the word 'fma' is there twice"},
    {"[fma, vnni], kind: numerics, default: vnni", "[fma, streams]",
     "the word 'streams' is the name of a tunable"},
    {"[fma, vnni], kind: numerics, default: vnni", "[fma, true]",
     "'true' is a word of expressions"},
    {"[fma, vnni]", "[silu, vnni]", "the word 'silu' stands for different numbers"},
    {"prefetch:", "l2_bytes:", "'l2_bytes' is the name of a device fact already"},
    {"prefetch:", "2x:", "'2x' is no name"},
    {"kind: compile", "kind: runtime", "'runtime' is no kind"},
    {"kind: compile", "kinds: compile", "unknown key 'kinds'; did you mean 'kind'?"},
    {"window:", "streams:", "'streams' is the name of a tunable already"},
    {"streams * prefetch", "streams * prefetsch", "prefetsch"},
    {"weight.q8_0", "weight.q9_0", "weight.q9_0"},
    {"weight.q8_0", "wait.q8_0", "wait.q8_0"},
    {"rows <= 16", "streams <= 16", "'accepts' may not read tunables"},
    {"class: hardware", "class: hard", "'hard' is no class of rules"},
    {", reason: one stream starves", "", "the key 'reason' is missing"},
    {"estimate:", "estimated:", "the key 'estimate' is missing"},
    {"rules:", "rule:", "unknown key 'rule'; did you mean 'rules'?"},
};

static void bad_spaces_are_refused_with_their_place(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        struct diagnostic diagnostic = {0};
        struct arena *arena = arena_create(0);
        const char *good = small_text(arena), *at = strstr(good, refusal->find);
        assert_non_null(at);
        const char *bad = arena_print(arena, "%.*s%s%s", (int)(at - good), good, refusal->replace,
                                      at + strlen(refusal->find));
        if (strstr(refusal->words, "'silu'")) bad = arena_print(arena, "%s  + silu\n", bad);
        struct space *space;
        CHECK_REFUSED(read_text(bad, arena, &space, &diagnostic), STATUS_BAD_INPUT, refusal->words);
        arena_destroy(arena);
    }
}

static void the_whole_reader_survives_failing_allocations(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    struct arena *texts = arena_create(0);
    const char *text = small_text(texts);
    for (long n = 1;; n++) {
        struct diagnostic diagnostic = {0};
        fault_set(n, 0);
        struct arena *arena = arena_create(0);
        struct space *space;
        status code = STATUS_NO_MEMORY;
        if (arena) code = read_text(text, arena, &space, &diagnostic);
        fault_set(0, 0);
        arena_destroy(arena);
        if (code == STATUS_OK) break;
        if (code != STATUS_NO_MEMORY) CHECK_FAIL("allocation %ld: %s", n, diagnostic.text);
        assert_true(n < 10000);
    }
    arena_destroy(texts);
#endif
}

static void config_texts_are_checked(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct space *space;
    CHECK_OK(read_text(small_text(arena), arena, &space, &diagnostic));
    static const char *const bad[] = {
        "",
        "streams=4",
        "streams=4 prefetch=0 dot=fma extra=1",
        "streams=3 prefetch=0 dot=fma",
        "streams=4 prefetch=0 dot=1",
        "streams=4 prefetch=0 dot",
        "streams=4 streams=4 prefetch=0 dot=fma",
        "streams=4 prefetch=99999999999999999999 dot=fma",
        "=4 prefetch=0 dot=fma",
    };
    struct config config;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_REFUSED(config_parse(space, bad[i], &config, &diagnostic), STATUS_BAD_INPUT,
                      "small_cpu");
    arena_destroy(arena);
}

static void error_bounds_follow_the_numerics(void **unused)
{
    (void)unused;
    struct numerics exact = {.operand_block = 1, .accumulation_unit = 0x1p-24};
    struct numerics rounded = {
        .operand_unit = 0.5 / 127, .operand_block = 32, .accumulation_unit = 0x1p-24};
    struct error_bound tight = error_bound_of(&exact, 2048, ELEMENT_F32);
    /* one missing term of 2048 is noticed, rounding in f32 is not */
    assert_true(tight.relative < 1.0 / 2048 && tight.relative > 1e-6);
    assert_true(error_bound_of(&rounded, 2048, ELEMENT_F32).relative > 100 * tight.relative);
    assert_true(error_bound_of(&exact, 1, ELEMENT_I32).stored == 0);
    /* half a unit for the result, half for the reference */
    assert_true(error_bound_of(&exact, 1, ELEMENT_F16).stored == 0x1p-10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_space_is_read_and_bound),
        cmocka_unit_test(binding_gives_reasons),
        cmocka_unit_test(bad_spaces_are_refused_with_their_place),
        cmocka_unit_test(the_whole_reader_survives_failing_allocations),
        cmocka_unit_test(config_texts_are_checked),
        cmocka_unit_test(error_bounds_follow_the_numerics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
