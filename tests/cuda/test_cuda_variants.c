/* The CUDA variants against the operators' references, on the stand-in driver, which runs the PTX
 * that NVRTC emitted.  Architectures take turns over the cases; HONE_TEST_SAMPLES=N takes N configs
 * beside the default one in half of the cases with few rows.  HONE_TEST_VARIANT and HONE_TEST_CASES choose (triple_harness.h).
 * At the end it prints what was compared, on which architectures, and what was left out and why. */
#include "base/random.h"
#include "codegen/cuda/nvrtc.h"
#include "ops/append/append.h"
#include "tests/check.h"
#include "tests/cuda/triple_harness.h"

#include <math.h>
#include <string.h>

/* One list, because a process has one driver; `checks` holds a view of each card. */
static const char cards[] = "emulated:sm_86:1GiB,emulated:sm_75:1GiB,emulated:sm_90:1GiB,"
                            "emulated:sm_120:1GiB,emulated:sm_80:1GiB,emulated:sm_89:1GiB";
enum { CARDS = 6 };

static struct variant_check all, checks[CARDS];
static struct triples triples;
static int turn;

/* Every number has the reference's bits; NaN is NaN. */
static status judge_bits(void *context, const struct space *space, const struct op_trial *trial,
                         struct diagnostic *diagnostic)
{
    (void)context;
    (void)space;
    const int output = trial->problem->input_count;
    const float *got = trial->operands[output], *expected = trial->expected[output];
    for (int64_t i = 0; i < trial->bytes[output] / (int64_t)sizeof(float); i++)
        if (memcmp(&got[i], &expected[i], sizeof(float)) != 0 &&
            !(isnan(got[i]) && isnan(expected[i])))
            return fail(diagnostic, STATUS_MISMATCH, "element %lld is %a, not %a", (long long)i,
                        (double)got[i], (double)expected[i]);
    return STATUS_OK;
}

/* As many roundings as the numerics allow; but what append stores has the reference's bits. */
static status judge_unit(void *context, const struct space *space, const struct op_trial *trial,
                         struct diagnostic *diagnostic)
{
    if (strcmp(trial->problem->op->name, "append") == 0 &&
        memcmp(trial->operands[APPEND_STATE], trial->expected[APPEND_STATE],
               (size_t)trial->bytes[APPEND_STATE]) != 0)
        return fail(diagnostic, STATUS_MISMATCH, "the state has other bits");
    return variant_judge_unit(context, space, trial, diagnostic);
}

static int set_up(void **state)
{
    (void)state;
    all.judge = judge_unit;
    triples_create(&triples, &all);
    for (int c = 0; c < CARDS; c++) {
        checks[c] = all;
        checks[c].level_count = 1;
        checks[c].levels[0] = all.levels[c];
        checks[c].devices[0] = all.devices[c];
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int c = 0; c < CARDS; c++) all.tried += checks[c].tried;
    triples_destroy(&triples);
    variant_check_destroy(&all);
    return 0;
}

/* Most kernels take each row by itself; those of tiles are tried with many. */
static const int64_t *row_counts_of(const struct op_case *row)
{
    static const int64_t few[] = {1, 6, 0}, many[] = {1, 6, 17, 255, 0}, some[] = {1, 6, 17, 67, 0};
    static const int64_t slots[] = {1, 6, 17, 0};
    if (strncmp(row->text, "grouped_bias", 12) != 0 && strncmp(row->text, "grouped", 7) == 0)
        return slots;
    if (strncmp(row->text, "linear", 6) == 0) return many;
    return strncmp(row->text, "attention", 9) == 0 ? some : few;
}

/* The bucket's bounds lie above the step: blocks beyond it have nothing to do.  Cards take turns; single rows, whose
 * kernels are small, meet two.  Half of the cases with few rows are tried with random configs. */
static int plan_case(const struct op_case *row, int64_t rows)
{
    const struct triple_case own = {.text = row->text,
                                    .step = {rows, row->context, row->sequences},
                                    .bound = rows + rows / 2,
                                    .seed = (uint64_t)turn};
    unsigned chosen = 1u << turn % CARDS;
    if (rows == 1) chosen |= 1u << (turn + CARDS / 2) % CARDS;
    turn++;
    return triples_plan(&triples, &own, chosen, rows == 6 && turn / 2 % 2 ? all.samples : 0);
}

static void check_table(const struct op_case *table)
{
    int answers = 0;
    for (const struct op_case *row = table; row->text; row++)
        for (const int64_t *rows = row_counts_of(row); *rows; rows++)
            if (!row->rows_most || *rows <= row->rows_most) answers += plan_case(row, *rows);
    assert_true(answers > 0 || !triples_are_all());
    triples_run(&triples);
}

/* Plain 16-bit weights for the tensor cores, the warpgroups and the library. */
static const struct op_case half_cases[] = {
    {"linear(f32[tokens,136], bf16[72,136], f32[72], f32[tokens,72])", 0, 0, 0},
    {"linear(f32[tokens,264], f16[40,264])", 0, 0, 17},
    {"linear_group(f32[tokens,72], bf16[72,72], bf16[40,72], bf16[24,72], _, f32[40])", 0, 0, 17},
    {"linear_gated(f32[tokens,72], f16[72,72], f16[72,72]) {activation=gelu_tanh}", 0, 0, 17},
    {NULL, 0, 0, 0},
};

/* Blocks of random bytes instead of encoded numbers: every code and scale, infinities and NaN too.
 */
static void check_decoding(const struct op_case *row)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {5, row->context, row->sequences};
    struct problem *problem;
    struct op_trial *trial;
    CHECK_OK(op_case_problem(row->text, 5, row->context, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, (uint64_t)turn, arena, &trial, &diagnostic));
    unsigned char *table = trial->originals[1];
    for (int64_t b = 0; b < trial->bytes[1]; b++)
        table[b] = (unsigned char)random_bits(7, (uint64_t)turn, (uint64_t)b);
    variant_renew_trial(trial);
    struct variant_check *check = &checks[turn++ % CARDS];
    check->samples = 0;
    check->judge = judge_bits;
    assert_true(variant_check_trial(check, trial, INFINITY) > 0);
    check->judge = judge_unit;
    arena_destroy(arena);
}

static void test_dense(void **state)
{
    (void)state;
    check_table(dense_cases);
    check_table(half_cases);
}

/* Every block type.  Host and card decode a table's rows with the same text: with the same bits. */
static void test_blocks(void **state)
{
    (void)state;
    check_table(block_cases);
    for (int c = 0; block_cases[c].text; c++) {
        if (strncmp(block_cases[c].text, "embed(", 6) != 0 || !triples_are_all()) continue;
        check_decoding(&block_cases[c]);
    }
}

static void test_positions(void **state)
{
    (void)state;
    check_table(position_cases);
}

static void test_attention(void **state)
{
    (void)state;
    check_table(attention_cases);
}

static void test_experts(void **state)
{
    (void)state;
    check_table(expert_cases);
}

/* What few architectures need. */
static void test_rare(void **state)
{
    (void)state;
    check_table(dense_rare_cases);
    check_table(attention_rare_cases);
}

/* A missing page, and tokens outside the tables, give NaN or are dropped, as in the reference. */
static void test_holes(void **state)
{
    (void)state;
    if (!triples_are_all()) skip();
    static const char text[] =
        "attention(f32[tokens,96], i32[tokens], i32[tokens], i32[sequences,stride], "
        "f16[pages,4,32], f16[pages,4,32]) {heads=6 kv_heads=2 head_size=16}";
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = 6, .context = 70, .sequences = 2};
    struct problem *problem;
    struct op_trial *trial;
    CHECK_OK(op_case_problem(text, 6, 70, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, 3, arena, &trial, &diagnostic));
    int32_t *positions = trial->originals[1], *sequences = trial->originals[2];
    int32_t *pages = trial->originals[3];
    pages[sequences[0] * trial->run.symbols[SYMBOL_STRIDE]] = -1;
    positions[2] = -1;
    sequences[4] = (int32_t)trial->run.symbols[SYMBOL_SEQUENCES];
    variant_renew_trial(trial);
    for (int c = 0; c < CARDS; c++) {
        checks[c].samples = 0;
        assert_true(variant_check_trial(&checks[c], trial, variant_rounded_bound) > 0);
    }
    arena_destroy(arena);
}

/* Numbers that are none, noughts of both signs and infinities. */
static void test_strange_numbers(void **state)
{
    (void)state;
    if (!triples_are_all()) skip();
    static const double exact_bound = 1e-5; /* two NaN need not have the same bits */
    static const char *const texts[] = {"top(f32[outputs,200])",
                                        "top(f32[outputs,200]) {count=60}"};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        struct diagnostic diagnostic = {0};
        struct arena *arena = arena_create(0);
        struct op_step step = {.rows = 3};
        struct problem *problem;
        struct op_trial *trial;
        CHECK_OK(op_case_problem(texts[t], 3, 0, arena, &problem, &diagnostic));
        CHECK_OK(op_trial_create(problem, &step, 4, arena, &trial, &diagnostic));
        float *x = trial->originals[0];
        for (int i = 0; i < 200; i++) {
            x[i] = i % 7 == 1 ? NAN : i % 3 ? -0.0f : 0.0f;
            x[200 + i] = NAN;
            x[400 + i] = i == 131 ? INFINITY : i % 50 ? -INFINITY : NAN;
        }
        variant_renew_trial(trial);
        for (int c = 0; c < CARDS; c += 2) {
            checks[c].samples = 1;
            assert_true(variant_check_trial(&checks[c], trial, exact_bound) > 0);
        }
        arena_destroy(arena);
    }
}

/* Ids that are no expert's, and slots behind those of all experts. */
static void test_strays(void **state)
{
    (void)state;
    if (!triples_are_all()) skip();
    static const char *const texts[] = {
        "dispatch(i32[tokens,4]) {experts=8}",
        "grouped_bias(f32[2*tokens,33], i32[9], f32[8,33])",
        "grouped_linear(f32[tokens,64], i32[2*tokens], i32[9], q8_0[8,96,64])",
        "grouped_gated(f32[tokens,33], i32[4*tokens], i32[17], bf16[16,70,33], bf16[16,70,33])",
    };
    const struct op_step step = {.rows = 9};
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        struct diagnostic diagnostic = {0};
        struct arena *arena = arena_create(0);
        struct problem *problem;
        struct op_trial *trial;
        CHECK_OK(op_case_problem(texts[t], 12, 0, arena, &problem, &diagnostic));
        CHECK_OK(op_trial_create(problem, &step, t, arena, &trial, &diagnostic));
        variant_stray_trial(trial);
        assert_true(variant_check_trial(&checks[turn++ % CARDS], trial, variant_rounded_bound) > 0);
        arena_destroy(arena);
    }
}

/* No variant is without one of the cards that it takes; and no fewer triples than there have been. */
static void test_every_variant_on_every_card(void **state)
{
    (void)state;
    enum { TRIPLES_LEAST = 600 };
    triples_plan_rest(&triples);
    triples_run(&triples);
    int count = triples_print(&triples);
    assert_true(count >= TRIPLES_LEAST || !triples_are_all());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_rare),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_strays),
        cmocka_unit_test(test_strange_numbers),
        cmocka_unit_test(test_every_variant_on_every_card),
    };
    if (strcmp(nvrtc_identity(), "none") == 0) {
        print_message("skipped: NVRTC is not here, so no CUDA kernel can be compiled\n");
        return 0;
    }
    if (!variant_check_open(&all, 1, cards)) {
        print_message("skipped: the stand-in driver is not here, so no CUDA kernel can run\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
