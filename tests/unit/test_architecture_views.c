/* Weights that are parts of tensors or lists in the metadata. */
#include "tests/check.h"
#include "tests/unit/description_harness.h"

/* The model with `second` as `rule` says. */
static status open_second(struct scratch *scratch, const char *rule, struct model **model,
                          struct diagnostic *diagnostic)
{
    const char *written =
        "{gguf: fused.weight, view: {stored: [12, 4], start: 24}, shape: [3, width]}";
    return open_model(scratch, base_description, replaced(scratch, own_description, written, rule),
                      model, diagnostic);
}

static void parts_of_tensors_are_weights(void **state)
{
    static const struct {
        const char *rule;
        int parts, count;
        float numbers[12];
    } rows[] = {
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 24}, shape: [2, 4]}",
         1,
         8,
         {24, 25, 26, 27, 28, 29, 30, 31}},
        {"{gguf: fused.weight, view: {gguf: {stored: [12, 4], start: 8 * width - 4},\n"
         "    huggingface: {stored: [1]}}, shape: [1, 4]}",
         1,
         4,
         {28, 29, 30, 31}},
        /* every other row */
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 4, strides: [8, 1]}, shape: [3, 4]}",
         3,
         12,
         {4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23}},
        /* turned round */
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [1, 4]}, shape: [4, 3]}",
         1,
         12,
         {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
        /* the last number of all */
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 47}, shape: [1, 1]}", 1, 1, {47}},
        {"{values: {gguf: own.list}, shape: [1, 3], element: f32}", 1, 3, {0.5f, 1.5f, 2.5f}},
        /* a tensor comes before a list */
        {"{gguf: fused.weight, view: {stored: [12, 4]}, values: {gguf: own.list}, shape: [1, 3]}",
         1,
         3,
         {0, 1, 2}},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stored_weight weight;
        struct model *model;
        int each = rows[i].count / rows[i].parts;
        CHECK_OK(open_second(scratch, rows[i].rule, &model, &diagnostic));
        CHECK_OK(model->weights.find(model->weights.context, "second", &weight, &diagnostic));
        assert_int_equal(weight.part_count, rows[i].parts);
        assert_int_equal(weight.part_bytes, each * 4);
        for (int n = 0; n < rows[i].count; n++) {
            float number;
            memcpy(&number, (const char *)weight.parts[n / each] + n % each * 4, sizeof number);
            if (number != rows[i].numbers[n]) {
                CHECK_FAIL("%s: number %d is %g", rows[i].rule, n, (double)number);
            }
        }
        model_close(model);
    }
}

/* Quantised numbers can be parted between their blocks only. */
static void blocks_stay_whole(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct stored_weight weight;
    struct model *model;
    const char *rule = "{gguf: eights.weight, view: {stored: [2, 64], start: 32, strides: [64, 1]},"
                       " shape: [2, 32]}";
    CHECK_OK(open_second(scratch, rule, &model, &diagnostic));
    CHECK_OK(model->weights.find(model->weights.context, "second", &weight, &diagnostic));
    assert_int_equal(weight.part_count, 2);
    assert_int_equal(weight.part_bytes, 34);
    assert_int_equal(*(const uint8_t *)weight.parts[0], 1); /* each block has its number */
    assert_int_equal(*(const uint8_t *)weight.parts[1], 3);
    model_close(model);
    CHECK_REFUSED(open_second(scratch, replaced(scratch, rule, "start: 32", "start: 16"), &model,
                              &diagnostic),
                  STATUS_BAD_INPUT, "second cannot be taken out of its blocks");
}

static void weights_that_do_not_fit_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"{gguf: fused.weight, view: {stored: [11, 4]}, shape: [1, 4]}",
         "tensor 'fused.weight' is f32[12,4], but [11,4] is needed (11, 4)"},
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 45}, shape: [1, 4]}",
         "small.gguf: byte 320: tensor 'fused.weight': second would lie outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], start: -1}, shape: [1, 4]}", "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], start: 48}, shape: [1, 1]}", "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [0, 1]}, shape: [9, 4]}",
         "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [-4, 1]}, shape: [2, 4]}",
         "outside it"},
        /* every number within the tensor, but more of them than it has */
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [1, 1]}, shape: [24, 24]}",
         "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4], strides: [1000000000000, 1]},\n"
         "    shape: [2, 4]}",
         "outside it"},
        {"{gguf: fused.weight, view: {stored: [12, 4]}, shape: [2000000000, 2000000000]}",
         "more than 2^48 elements"},
        {"{gguf: fused.weight, view: {stored: [12, 0]}, shape: [1, 4]}",
         "second would have a size of 0 (0)"},
        {"{values: {gguf: own.list}, shape: [1, 4]}", "key 'own.list' must be a list of 4 numbers"},
        {"{values: {gguf: general.architecture}, shape: [1, 4]}", "must be a list of 4 numbers"},
        {"{values: {gguf: own.absent}, shape: [1, 4]}", "tensor 'second' is missing"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model *model;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_REFUSED(open_second(scratch, rows[i][0], &model, &diagnostic), STATUS_BAD_INPUT,
                      rows[i][1]);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(parts_of_tensors_are_weights),
        TEST(blocks_stay_whole),
        TEST(weights_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
