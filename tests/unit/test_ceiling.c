/* What bounds a kernel: its arithmetic family follows from its numerics, and cold bytes cost more than hot ones. */
#include "ir/ceiling.h"
#include "ops/op_table.h"
#include "tests/check.h"

#include <string.h>

static struct device_facts machine(void)
{
    struct device_facts facts = {.target = TARGET_CPU};
    facts.values[FACT_read_bandwidth] = 10e9;
    facts.values[FACT_cache_bandwidth] = 100e9;
    facts.values[FACT_real_rate] = 100e9;
    facts.values[FACT_half_rate] = 200e9;
    facts.values[FACT_integer_rate] = 400e9;
    return facts;
}

static struct numerics numerics_named(struct arena *arena, const char *text)
{
    struct diagnostic diagnostic = {0};
    struct yaml *root;
    struct numerics numerics;
    assert_int_equal(yaml_parse("numerics", text, strlen(text), arena, &root, &diagnostic),
                     STATUS_OK);
    assert_int_equal(numerics_read(root, arena, &numerics, &diagnostic), STATUS_OK);
    return numerics;
}

static void families_follow_numerics(void **state)
{
    static const struct {
        const char *numerics;
        double rate;
    } rows[] = {
        {"{operands: exact, accumulation: f32}", 100e9},
        {"{operands: f32, accumulation: f32}", 100e9},
        {"{operands: f16, accumulation: f32}", 200e9},
        {"{operands: bf16, accumulation: f32}", 200e9},
        {"{operands: q8 per block of 32, accumulation: f32}", 400e9},
    };
    (void)state;
    struct arena *arena = arena_create(0);
    struct device_facts facts = machine(), slow = machine();
    slow.values[FACT_half_rate] = 0; /* a profile that does not say */
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct numerics numerics = numerics_named(arena, rows[r].numerics);
        assert_true(ceiling_rate(&numerics, &facts) == rows[r].rate);
        assert_true(ceiling_rate(&numerics, &slow) >= 100e9);
    }
    arena_destroy(arena);
}

static struct ceiling ceiling_at(struct arena *arena, const char *text)
{
    struct diagnostic diagnostic = {0};
    struct device_facts facts = machine();
    struct problem *problem;
    struct numerics exact = {.operand_block = 1};
    assert_int_equal(problem_parse(text, op_table(), arena, &problem, &diagnostic), STATUS_OK);
    return ceiling_of(problem, &exact, &facts);
}

/* 4 MB of weights at 10 GB/s; 2 * 2^20 operations a row at 100 G/s. */
static void few_rows_are_bound_by_memory_and_many_by_arithmetic(void **state)
{
    (void)state;
    struct arena *arena = arena_create(0);
    struct ceiling one =
        ceiling_at(arena, "linear(f32[rows,1024], f32[1024,1024], _, _) -> f32[rows,1024] rows<=1");
    struct ceiling many = ceiling_at(
        arena, "linear(f32[rows,1024], f32[1024,1024], _, _) -> f32[rows,1024] rows<=256");
    double weights = 4 * 1024.0 * 1024.0 / 10e9;
    assert_true(one.memory_seconds > weights && one.memory_seconds < 1.01 * weights);
    assert_true(one.arithmetic_seconds < one.memory_seconds);
    assert_true(ceiling_seconds(&one) == one.memory_seconds);
    assert_true(many.arithmetic_seconds > 2 * 256 * 1024.0 * 1024.0 / 100e9 * 0.99);
    assert_true(ceiling_seconds(&many) == many.arithmetic_seconds);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_follow_numerics),
        cmocka_unit_test(few_rows_are_bound_by_memory_and_many_by_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
