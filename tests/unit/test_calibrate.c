/* What a model's weights see while it reads a text: the same rows for weights that share their input, each token once
 * for every expert it chose, the same whether kernels or references run. */
#include "engine/calibrate.h"
#include "tests/check.h"

#include <math.h>

static const char text[] =
    "One dark night, Felix could not sleep. He heard a strange rustling sound near his wooden "
    "kennel. \"What is that?\" whispered Felix.";

static struct importance see(const char *model, bool references)
{
    struct diagnostic diagnostic = {0};
    struct importance importance = {.arena = arena_create(0)};
    struct engine_options options = {.devices = "cpu",
                                     .references = references,
                                     .context = 128,
                                     .outputs = 64,
                                     .cache_folder = HONE_BUILD_FOLDER "/test-cache"};
    struct text_evaluation evaluation = {0};
    struct text_score score;
    CHECK_OK(engine_open(model, &options, &evaluation.engine, &diagnostic));
    CHECK_OK(calibrate(&evaluation, text, sizeof text - 1, &importance, &score, &diagnostic));
    engine_close(evaluation.engine);
    assert_true(score.tokens > 20);
    return importance;
}

static const struct importance_row *row_of(const struct importance *importance, const char *name)
{
    const struct importance_row *row = importance_find(importance, name);
    if (!row) CHECK_FAIL("nothing was seen of %s", name);
    return row;
}

/* Sums may differ by the rounding of activations, `bound` relative to the largest. */
static void check_equal(const struct importance_row *a, const struct importance_row *b,
                        double bound)
{
    double largest = 0;
    assert_true(a->columns == b->columns && a->experts == b->experts);
    for (int64_t i = 0; i < a->columns * a->experts; i++) largest = fmax(largest, a->sums[i]);
    for (int64_t i = 0; i < a->columns * a->experts; i++)
        if (fabs(a->sums[i] - b->sums[i]) > bound * largest)
            CHECK_FAIL("%s: column %lld", a->name, (long long)i);
    for (int64_t e = 0; e < a->experts; e++) assert_true(a->counts[e] == b->counts[e]);
}

static void test_dense(void **state)
{
    (void)state;
    struct importance kernels = see(HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf", false);
    struct importance references = see(HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf", true);
    assert_int_equal(kernels.count, references.count);
    for (int i = 0; i < kernels.count; i++)
        check_equal(&kernels.rows[i], row_of(&references, kernels.rows[i].name), 0.02);
    check_equal(row_of(&kernels, "blk.1.attn_q.weight"), row_of(&kernels, "blk.1.attn_v.weight"),
                0);
    check_equal(row_of(&kernels, "blk.1.ffn_gate.weight"), row_of(&kernels, "blk.1.ffn_up.weight"),
                0);
    assert_true(row_of(&kernels, "blk.0.ffn_down.weight")->counts[0] ==
                row_of(&kernels, "blk.0.attn_q.weight")->counts[0]);
    arena_destroy(kernels.arena);
    arena_destroy(references.arena);
}

static double total(const struct importance_row *row)
{
    double sum = 0;
    for (int64_t e = 0; e < row->experts; e++) sum += row->counts[e];
    return sum;
}

static void test_experts(void **state)
{
    (void)state;
    struct importance importance = see(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", false);
    const struct importance_row *gate = row_of(&importance, "blk.0.ffn_gate_exps.weight");
    const struct importance_row *down = row_of(&importance, "blk.0.ffn_down_exps.weight");
    double tokens = total(row_of(&importance, "blk.0.attn_q.weight"));
    assert_true(gate->experts > 1 && down->experts == gate->experts);
    check_equal(gate, row_of(&importance, "blk.0.ffn_up_exps.weight"), 0);
    for (int64_t e = 0; e < gate->experts; e++) assert_true(gate->counts[e] == down->counts[e]);
    assert_true(total(gate) > tokens && fmod(total(gate), tokens) == 0);
    arena_destroy(importance.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dense),
                                       cmocka_unit_test(test_experts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
