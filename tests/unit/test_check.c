/* Workloads and checks: on every operator the reference itself passes, and mistakes show; how tight
 * the bounds are. */
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/ops/op_cases.h"
#include "tuner/check_result.h"

#include <math.h>

static const struct numerics exact = {.operand_block = 1, .accumulation_unit = 0x1p-24};
static const struct numerics bytes_of_32 = {
    .operand_unit = 0.5 / 127, .operand_block = 32, .accumulation_unit = 0x1p-24};

struct bench {
    struct arena *arena;
    struct problem *problem;
    struct workload workload;
    struct check check;
    struct check_options options;
    void *addresses[OP_OPERANDS_MAX];
};

static void bench_open(struct bench *bench, const char *text, int64_t rows, int64_t context,
                       double operations)
{
    struct diagnostic diagnostic = {0};
    *bench = (struct bench){.arena = arena_create(0), .options = {.operations = operations}};
    CHECK_OK(op_case_problem(text, rows, context, bench->arena, &bench->problem, &diagnostic));
    struct workload_options options = {.seed = 11,
                                       .cache_bytes = 1 << 16,
                                       .distinct_rows =
                                           check_distinct_rows(bench->problem, operations)};
    CHECK_OK(workload_create(bench->problem, &options, &bench->workload, &diagnostic));
    CHECK_OK(check_create(&bench->workload, &bench->options, &bench->check, &diagnostic));
    CHECK_OK(check_prepare(&bench->check, &bench->options, 1, &diagnostic));
    workload_addresses(&bench->workload, 0, bench->addresses);
}

static void bench_close(struct bench *bench)
{
    check_destroy(&bench->check);
    workload_destroy(&bench->workload);
    arena_destroy(bench->arena);
}

static void run_reference(struct bench *bench)
{
    const struct op *op = bench->problem->op;
    const struct run *run = &bench->workload.run;
    int64_t items =
        op->reference_items ? op->reference_items(bench->problem, run) : run->symbols[SYMBOL_ROWS];
    if (items) op->reference(bench->problem, run, bench->addresses, 0, items);
}

static bool passes(struct bench *bench, const struct numerics *numerics)
{
    struct diagnostic diagnostic = {0};
    char reason[192];
    CHECK_OK(check_prepare(&bench->check, &bench->options, numerics->operand_block, &diagnostic));
    return check_compare(&bench->check, numerics, bench->addresses, reason);
}

/* Changes one byte; the check of results or of the rest must notice, and be content when it is put
 * back. */
static void check_noticed(struct bench *bench, unsigned char *byte, const char *what)
{
    char reason[192];
    unsigned char kept = *byte;
    *byte ^= 0x40; /* in an f32: half of its exponent */
    bool noticed = !check_compare(&bench->check, &exact, bench->addresses, reason) ||
                   !workload_intact(&bench->workload, 2, reason);
    *byte = kept;
    if (!noticed) CHECK_FAIL("%s: changing %s went unnoticed", bench->problem->text, what);
}

static void try_operator(const char *text, int64_t rows, int64_t context)
{
    char reason[192];
    struct bench bench;
    bench_open(&bench, text, rows, context, 1e12);
    workload_poison(&bench.workload, 0xff);
    run_reference(&bench);
    if (!check_compare(&bench.check, &exact, bench.addresses, reason))
        CHECK_FAIL("%s: %s", bench.problem->text, reason);
    if (!workload_intact(&bench.workload, bench.workload.set_count, reason))
        CHECK_FAIL("%s: %s", bench.problem->text, reason);
    for (int i = 0; i < bench.workload.operand_count; i++) {
        const struct workload_operand *operand = &bench.workload.operands[i];
        unsigned char *bytes = bench.addresses[i];
        if (!operand->present || !operand->bytes) continue;
        check_noticed(&bench, bytes - 1, "the byte before an operand");
        check_noticed(&bench, bytes + operand->bytes, "the byte after an operand");
        if (operand->written) continue;
        int64_t last = operand->bytes - 1; /* of an f32: its sign and most of its exponent */
        check_noticed(&bench, bytes + last, operand->output ? "the last result" : "the last input");
        check_noticed(&bench, bytes + last % 4, operand->output ? "the first result" : "an input");
    }
    check_noticed(&bench, bench.workload.memory, "the first byte of all");
    check_noticed(&bench, bench.workload.memory + bench.workload.memory_bytes - 1, "the last byte");
    workload_poison(&bench.workload, 0xff);
    if (check_compare(&bench.check, &exact, bench.addresses, reason) && bench.check.operand_count &&
        bench.workload.operands[bench.check.operands[0].operand].output)
        CHECK_FAIL("%s: writing nothing went unnoticed", bench.problem->text);
    bench_close(&bench);
}

static void every_operator_passes_and_mistakes_show(void **unused)
{
    (void)unused;
    const struct op_case *const tables[] = {dense_cases,  attention_cases,  position_cases,
                                            expert_cases, dense_rare_cases, attention_rare_cases,
                                            block_cases};
    int tried = 0;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct op_case *own = tables[t]; own->text; own++)
            for (int64_t rows = 1; rows <= 17; rows += 16, tried++)
                try_operator(own->text, rows, own->context);
    print_message("%d problems\n", tried);
}

/* y = x weight^T in f32, the way a kernel without vectors would do it. */
static void plain_linear(struct bench *bench, int64_t columns, int64_t outputs, int64_t leave_out,
                         bool round)
{
    const float *x = bench->addresses[0], *weight = bench->addresses[1];
    float *y = bench->addresses[bench->problem->input_count];
    for (int64_t r = 0; r < bench->workload.run.symbols[SYMBOL_ROWS]; r++)
        for (int64_t n = 0; n < outputs; n++) {
            float sum = 0;
            for (int64_t k = 0; k < columns; k++) {
                float largest = 0, value = x[r * columns + k];
                for (int64_t j = k / 32 * 32; round && j < k / 32 * 32 + 32; j++)
                    largest = fmaxf(largest, fabsf(x[r * columns + j]));
                if (round && largest > 0) value = roundf(value / largest * 127) * largest / 127;
                if (k != leave_out) sum += value * weight[n * columns + k];
            }
            y[r * outputs + n] = sum;
        }
}

static void bounds_allow_rounding_and_nothing_else(void **unused)
{
    (void)unused;
    static const int64_t widths[] = {32, 256, 2048, 8192};
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        struct bench bench;
        char text[96];
        int64_t columns = widths[w];
        snprintf(text, sizeof text, "linear(f32[tokens,%d], f32[64,%d])", (int)columns,
                 (int)columns);
        bench_open(&bench, text, 8, 0, 1e12);
        plain_linear(&bench, columns, 64, -1, false);
        assert_true(passes(&bench, &exact));
        assert_true(passes(&bench, &bytes_of_32));
        plain_linear(&bench, columns, 64, columns - 1, false); /* the last term is missing */
        assert_false(passes(&bench, &exact));
        plain_linear(&bench, columns, 64, -1, true); /* activations rounded to bytes */
        assert_false(passes(&bench, &exact));
        assert_true(passes(&bench, &bytes_of_32));
        float *y = bench.addresses[bench.problem->input_count];
        y[511] += columns > 1024 ? 0.5f : 1.0f; /* one result of 512 is off */
        assert_false(passes(&bench, &bytes_of_32));
        bench_close(&bench);
    }
}

static void rows_are_repeated_only_where_it_is_right(void **unused)
{
    (void)unused;
    char reason[192];
    struct bench bench;
    bench_open(&bench, "linear(f32[tokens,256], q8_0[64,256], f32[64], f32[tokens,64])", 255, 0,
               2e6);
    assert_in_range(bench.workload.distinct_rows, 16, 254);
    assert_false(bench.check.sampled);
    run_reference(&bench);
    if (!check_compare(&bench.check, &exact, bench.addresses, reason)) CHECK_FAIL("%s", reason);
    /* Rows with different contents that change places are noticed. */
    float *y = bench.addresses[bench.problem->input_count], row[64];
    memcpy(row, y + 200 * 64, sizeof row);
    memcpy(y + 200 * 64, y + 16 * 64, sizeof row);
    memcpy(y + 16 * 64, row, sizeof row);
    assert_false(check_compare(&bench.check, &exact, bench.addresses, reason));
    bench_close(&bench);

    /* Attention's rows depend on each other: no repetition, a sample of its items instead. */
    bench_open(&bench,
               "attention(f32[tokens,384], i32[tokens], i32[tokens], i32[sequences,stride], "
               "f16[pages,16,128], f16[pages,16,128]) {heads=6 kv_heads=2 head_size=64}",
               64, 128, 1e6);
    assert_int_equal(bench.workload.distinct_rows, 0);
    assert_true(bench.check.sampled);
    int64_t known = 0;
    for (int64_t i = 0; i < 64 * 384; i++) known += !isnan(bench.check.operands[0].reference[i]);
    assert_in_range(known, 64, 64 * 384 / 2);
    workload_poison(&bench.workload, 0xfe);
    run_reference(&bench);
    if (!check_compare(&bench.check, &exact, bench.addresses, reason)) CHECK_FAIL("%s", reason);
    ((float *)bench.addresses[bench.problem->input_count])[64 * 384 - 1] +=
        1; /* the last item is always looked at */
    assert_false(check_compare(&bench.check, &exact, bench.addresses, reason));
    bench_close(&bench);
}

static void cold_operands_exceed_the_cache(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct problem *problem;
    CHECK_OK(op_case_problem("linear(f32[tokens,256], q8_0[512,256])", 1, 0, arena, &problem,
                             &diagnostic));
    struct workload_options options = {.seed = 1, .cache_bytes = 4 << 20};
    struct workload workload;
    CHECK_OK(workload_create(problem, &options, &workload, &diagnostic));
    assert_true(workload.set_bytes * workload.set_count > 8 << 20);
    void *first[OP_OPERANDS_MAX], *second[OP_OPERANDS_MAX];
    workload_addresses(&workload, 0, first);
    workload_addresses(&workload, 1, second);
    assert_ptr_equal(first[0], second[0]);     /* activations stay hot */
    assert_ptr_not_equal(first[1], second[1]); /* weights do not */
    assert_memory_equal(first[1], second[1], (size_t)workload.operands[1].bytes);
    assert_null(first[2]);
    workload_destroy(&workload);
    options.memory_limit_bytes = 1 << 16;
    CHECK_REFUSED(workload_create(problem, &options, &workload, &diagnostic), STATUS_NO_MEMORY,
                  "are allowed");
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_passes_and_mistakes_show),
        cmocka_unit_test(bounds_allow_rounding_and_nothing_else),
        cmocka_unit_test(rows_are_repeated_only_where_it_is_right),
        cmocka_unit_test(cold_operands_exceed_the_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
