/* Folders whose codes and scales lie in separate tensors: each way in which they can contradict each
 * other, and each configuration that is not computed with, is refused by name.  What fits is compared
 * with transformers in tests/oracle. */
#include "base/file.h"
#include "base/text.h"
#include "ir/element_decode.h"
#include "models/model_source.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <unistd.h>

struct planned_tensor {
    const char *name, *type;
    int element_bytes, rows, columns; /* columns 0: a vector */
    int fill; /* every byte; -1: 32-bit numbers 0, 0, ... 1, 1, ... of groups of 128 */
};

static void fill_tensor(const struct planned_tensor *tensor, uint8_t *bytes, size_t count)
{
    memset(bytes, tensor->fill < 0 ? 0 : tensor->fill, count);
    for (size_t i = 0; tensor->fill < 0 && i < count / 4; i++) bytes[4 * i] = (uint8_t)(i / 128);
}

static size_t tensor_size(const struct planned_tensor *tensor)
{
    return (size_t)tensor->element_bytes * (size_t)tensor->rows *
           (size_t)(tensor->columns ? tensor->columns : 1);
}

static void write_tensors(struct scratch *scratch, const struct planned_tensor *tensors)
{
    struct diagnostic diagnostic = {0};
    struct text header = {.arena = scratch->arena};
    size_t total = 0;
    for (const struct planned_tensor *t = tensors; t->name; t++) {
        text_print(&header, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%d", total ? ',' : '{', t->name,
                   t->type, t->rows);
        if (t->columns) text_print(&header, ",%d", t->columns);
        text_print(&header, "],\"data_offsets\":[%zu,%zu]}", total, total + tensor_size(t));
        total += tensor_size(t);
    }
    text_append(&header, "}");
    const char *text = text_finish(&header);
    uint64_t length = strlen(text);
    uint8_t *file = arena_allocate(scratch->arena, 8 + length + total, 1), *at = file + 8 + length;
    memcpy(file, &length, 8);
    memcpy(file + 8, text, length);
    for (const struct planned_tensor *t = tensors; t->name; at += tensor_size(t), t++)
        fill_tensor(t, at, tensor_size(t));
    CHECK_OK(file_write(file_join(scratch->arena, scratch->folder, "model.safetensors"), file,
                        8 + length + total, &diagnostic));
}

static status open_folder(struct scratch *scratch, const char *quantization,
                          const struct planned_tensor *tensors, struct model_source *source,
                          struct diagnostic *diagnostic)
{
    const char *config = arena_print(
        scratch->arena, "{\"model_type\":\"llama\",\"quantization_config\":{%s}}", quantization);
    write_tensors(scratch, tensors);
    TRY(file_write(file_join(scratch->arena, scratch->folder, "config.json"), config,
                   strlen(config), diagnostic));
    return source_open(scratch->folder, scratch->arena, NULL, source, diagnostic);
}

#define FP8      "\"quant_method\":\"fp8\",\"fmt\":\"e4m3\""
#define TILES    FP8 ",\"weight_block_size\":[128,128]"
#define GPTQ     "\"quant_method\":\"gptq\",\"bits\":4"
#define AWQ      "\"quant_method\":\"awq\",\"bits\":4,\"version\":\"gemm\""
#define MXFP4    "\"quant_method\":\"mxfp4\""
#define MODELOPT "\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4\""
#define PACKED   "\"quant_method\":\"compressed-tensors\",\"format\":\"nvfp4-pack-quantized\""

struct refusal {
    const char *quantization, *message;
    struct planned_tensor tensors[6];
};

static const struct refusal refusals[] = {
    {"\"quant_method\":\"bitsandbytes\"",
     "'bitsandbytes' is not supported; known are fp8",
     {{"a", "F32", 4, 1, 0, 0}}},
    {"\"quant_method\":7", "'' is not supported; known are fp8", {{"a", "F32", 4, 1, 0, 0}}},
    {"\"quant_method\":\"fp8\",\"weight_block_size\":[64,128]",
     "'[64,128]' is not supported",
     {{"a", "F32", 4, 1, 0, 0}}},
    {"\"quant_method\":\"gptq\",\"bits\":3",
     "'3' is not supported; known are 4",
     {{"a", "F32", 4, 1, 0, 0}}},
    {"\"quant_method\":\"awq\",\"version\":\"gemv\"",
     "'gemv' is not supported",
     {{"a", "F32", 4, 1, 0, 0}}},
    {"\"quant_method\":\"compressed-tensors\",\"format\":\"pack-quantized\"",
     "'pack-quantized' is not supported",
     {{"a", "F32", 4, 1, 0, 0}}},
    {FP8, "there is no scale", {{"a.weight", "F8_E4M3", 1, 8, 128, 0}}},
    {FP8,
     "whole blocks of 128",
     {{"a.weight", "F8_E4M3", 1, 8, 96, 0}, {"a.weight_scale", "F32", 4, 1, 0, 0}}},
    {FP8,
     "whole blocks of 128",
     {{"a.weight", "F8_E4M3", 1, 128, 0, 0}, {"a.weight_scale", "F32", 4, 1, 0, 0}}},
    {FP8,
     "has 7 by 1 scales",
     {{"a.weight", "F8_E4M3", 1, 8, 128, 0}, {"a.weight_scale", "F32", 4, 7, 0, 0}}},
    {FP8,
     "has 2 by 2 scales",
     {{"a.weight", "F8_E4M3", 1, 256, 256, 0}, {"a.weight_scale_inv", "F32", 4, 2, 2, 0}}},
    {TILES,
     "has 2 by 1 scales",
     {{"a.weight", "F8_E4M3", 1, 256, 256, 0}, {"a.weight_scale_inv", "F32", 4, 2, 1, 0}}},
    {TILES,
     "has 0 by 1 scales",
     {{"a.weight", "F8_E4M3", 1, 256, 256, 0}, {"a.weight_scale_inv", "F32", 4, 0, 1, 0}}},
    {FP8,
     "must hold f32, f16 or bf16 scales",
     {{"a.weight", "F8_E4M3", 1, 8, 128, 0}, {"a.weight_scale", "U8", 1, 1, 0, 0}}},
    {GPTQ, "has no '.qzeros'", {{"a.qweight", "I32", 4, 16, 8, 0}}},
    {GPTQ,
     "has no '.scales'",
     {{"a.qweight", "I32", 4, 16, 8, 0}, {"a.qzeros", "I32", 4, 1, 1, 0}}},
    {GPTQ,
     "matrix of 32-bit words",
     {{"a.qweight", "F32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 1, 1, 0},
      {"a.scales", "F16", 2, 1, 8, 0}}},
    {GPTQ,
     "matrix of 32-bit words",
     {{"a.qweight", "I32", 4, 16, 7, 0},
      {"a.qzeros", "I32", 4, 1, 1, 0},
      {"a.scales", "F16", 2, 1, 7, 0}}},
    {GPTQ,
     "must be f16, 8 scales",
     {{"a.qweight", "I32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 1, 1, 0},
      {"a.scales", "BF16", 2, 1, 8, 0}}},
    {GPTQ,
     "must be f16, 8 scales",
     {{"a.qweight", "I32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 3, 1, 0},
      {"a.scales", "F16", 2, 3, 8, 0}}},
    {GPTQ,
     "must be f16, 8 scales",
     {{"a.qweight", "I32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 8, 1, 0},
      {"a.scales", "F16", 2, 8, 8, 0}}},
    {GPTQ,
     "must be 32-bit words, 1 by 1",
     {{"a.qweight", "I32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 2, 1, 0},
      {"a.scales", "F16", 2, 1, 8, 0}}},
    {GPTQ,
     "puts column 0 into group 16843009: activation order",
     {{"a.qweight", "I32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 1, 1, 0},
      {"a.scales", "F16", 2, 1, 8, 0},
      {"a.g_idx", "I32", 4, 128, 0, 1}}},
    {GPTQ,
     "must be 128 whole numbers",
     {{"a.qweight", "I32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 1, 1, 0},
      {"a.scales", "F16", 2, 1, 8, 0},
      {"a.g_idx", "I32", 4, 127, 0, 0}}},
    {GPTQ,
     "is there twice",
     {{"a.qweight", "I32", 4, 16, 8, 0},
      {"a.qzeros", "I32", 4, 1, 1, 0},
      {"a.scales", "F16", 2, 1, 8, 0},
      {"a.weight", "F16", 2, 8, 128, 0}}},
    {AWQ,
     "must be 32-bit words, 2 by 1",
     {{"a.qweight", "I32", 4, 64, 1, 0},
      {"a.qzeros", "I32", 4, 1, 1, 0},
      {"a.scales", "F16", 2, 2, 8, 0}}},
    {MXFP4, "has no '_scales'", {{"a_blocks", "U8", 1, 16, 16, 0}}},
    {MXFP4,
     "must hold blocks of 16 bytes",
     {{"a_blocks", "U8", 1, 16, 16, 0}, {"a_scales", "U8", 1, 16, 0, 0}}},
    {"\"quant_method\":\"modelopt\",\"quant_algo\":\"NVFP4_AWQ\"",
     "'NVFP4_AWQ' is not supported; known are NVFP4",
     {{"a", "F32", 4, 1, 0, 0}}},
    {MODELOPT ",\"config_groups\":{\"g\":{\"weights\":{\"group_size\":32}}}",
     "'32' is not supported",
     {{"a", "F32", 4, 1, 0, 0}}},
    {MODELOPT, "has no 'weight_scale'", {{"a.weight", "U8", 1, 8, 64, 0}}},
    {MODELOPT,
     "has no 'weight_scale_2'",
     {{"a.weight", "U8", 1, 8, 64, 0}, {"a.weight_scale", "F8_E4M3", 1, 8, 8, 0}}},
    {PACKED,
     "has no 'weight_global_scale'",
     {{"a.weight_packed", "U8", 1, 8, 64, 0}, {"a.weight_scale", "F8_E4M3", 1, 8, 8, 0}}},
    {MODELOPT,
     "whole blocks of 128",
     {{"a.weight", "U8", 1, 8, 32, 0},
      {"a.weight_scale", "F8_E4M3", 1, 8, 4, 0},
      {"a.weight_scale_2", "F32", 4, 1, 0, 0}}},
    {MODELOPT,
     "must be 8 by 8 scales in F8_E4M3",
     {{"a.weight", "U8", 1, 8, 64, 0},
      {"a.weight_scale", "F8_E4M3", 1, 8, 4, 0},
      {"a.weight_scale_2", "F32", 4, 1, 0, 0}}},
    {MODELOPT,
     "must be 8 by 8 scales in F8_E4M3",
     {{"a.weight", "U8", 1, 8, 64, 0},
      {"a.weight_scale", "U8", 1, 8, 8, 0},
      {"a.weight_scale_2", "F32", 4, 1, 0, 0}}},
    {MODELOPT,
     "must be one f32 scale",
     {{"a.weight", "U8", 1, 8, 64, 0},
      {"a.weight_scale", "F8_E4M3", 1, 8, 8, 0},
      {"a.weight_scale_2", "F32", 4, 8, 0, 0}}},
    {MODELOPT,
     "is no finite number",
     {{"a.weight", "U8", 1, 8, 64, 0},
      {"a.weight_scale", "F8_E4M3", 1, 8, 8, 0},
      {"a.weight_scale_2", "F32", 4, 1, 0, 0xff}}},
    {PACKED,
     "is 0 or no number",
     {{"a.weight_packed", "U8", 1, 8, 64, 0},
      {"a.weight_scale", "F8_E4M3", 1, 8, 8, 0},
      {"a.weight_global_scale", "F32", 4, 1, 0, 0}}},
};

static void what_does_not_fit_is_refused(void **state)
{
    struct scratch *scratch = *state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct diagnostic diagnostic = {0};
        struct model_source source = {0};
        status outcome = open_folder(scratch, refusals[i].quantization, refusals[i].tensors,
                                     &source, &diagnostic);
        source_close(&source);
        if (outcome != STATUS_BAD_INPUT || !strstr(diagnostic.text, refusals[i].message))
            CHECK_FAIL("case %zu: %d, '%s', not '%s'", i, (int)outcome, diagnostic.text,
                       refusals[i].message);
    }
}

/* By hand: columns 0 to 7 of GPTQ's first word, and zeros that are stored less one. */
static void words_become_blocks(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source = {0};
    static const struct planned_tensor tensors[] = {
        {"a.qweight", "I32", 4, 32, 8, 0x5a}, {"a.qzeros", "I32", 4, 2, 1, 0xf0},
        {"a.scales", "F16", 2, 2, 8, 0x3c},   {"a.g_idx", "I32", 4, 256, 0, -1},
        {"a.bias", "F16", 2, 8, 0, 0},        {0}};
    CHECK_OK(open_folder(scratch, GPTQ, tensors, &source, &diagnostic));
    struct stored_tensor *tensor = source_tensor(&source, "a.weight");
    assert_non_null(tensor);
    assert_int_equal(tensor->type.element, ELEMENT_I4_128);
    assert_int_equal(tensor->byte_count, 8 * 2 * 68);
    deferred_make(tensor->deferred);
    float values[256], scale = 1.05859375f; /* 0x3c3c */
    for (int row = 0; row < 8; row++) {
        element_decode_row(ELEMENT_I4_128, tensor->bytes + row * 136, 256, values);
        float zero = row % 2 ? 0 : 1; /* stored 15 and 0 */
        for (int c = 0; c < 256; c++)
            assert_true(values[c] == ((c % 2 ? 5.0f : 10.0f) - zero) * scale);
    }
    assert_true(source_tensor(&source, "a.bias")->used && source_tensor(&source, "a.g_idx")->used);
    source_close(&source);
}

/* By hand: the low half of a byte comes first; scales are 1.75 and 0x3c3c3c3c, whose reciprocal compressed-tensors keeps. */
static void pairs_become_blocks(void **state)
{
    struct scratch *scratch = *state;
    static const struct planned_tensor tensors[][6] = {
        {{"a.weight", "U8", 1, 3, 128, 0x5a},
         {"a.weight_scale", "F8_E4M3", 1, 3, 16, 0x3e},
         {"a.weight_scale_2", "F32", 4, 1, 0, 0x3c},
         {"a.input_scale", "F32", 4, 1, 0, 0},
         {"a.k_scale", "F32", 4, 1, 0, 0}},
        {{"a.weight_packed", "U8", 1, 3, 128, 0x5a},
         {"a.weight_scale", "F8_E4M3", 1, 3, 16, 0x3e},
         {"a.weight_global_scale", "F32", 4, 1, 0, 0x3c},
         {"a.input_global_scale", "F32", 4, 1, 0, 0}}};
    const float stored = element_float_of_bits(0x3c3c3c3cu);
    for (int packed = 0; packed < 2; packed++) {
        struct diagnostic diagnostic = {0};
        struct model_source source = {0};
        CHECK_OK(open_folder(scratch, packed ? PACKED : MODELOPT, tensors[packed], &source,
                             &diagnostic));
        struct stored_tensor *tensor = source_tensor(&source, "a.weight");
        assert_non_null(tensor);
        assert_int_equal(tensor->type.element, ELEMENT_NVFP4_128);
        assert_int_equal(tensor->byte_count, 3 * 2 * 76);
        deferred_make(tensor->deferred);
        float values[3 * 256], scale = (packed ? 1.0f / stored : stored) * 1.75f;
        element_decode_row(ELEMENT_NVFP4_128, tensor->bytes, 3 * 256, values);
        for (int i = 0; i < 3 * 256; i++) assert_true(values[i] == (i % 2 ? 3.0f : -1.0f) * scale);
        for (const struct planned_tensor *t = tensors[packed] + 1; t->name; t++)
            assert_true(source_tensor(&source, t->name)->used);
        source_close(&source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_does_not_fit_is_refused, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(words_become_blocks, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(pairs_become_blocks, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
