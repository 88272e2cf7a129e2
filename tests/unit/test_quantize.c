/* Quantising files: every number is what decoding, encoding and decoding again makes of it, tensors
 * get the types that rules and mixes say, metadata stays, threads change nothing, and failures leave
 * nothing behind. */
#include "base/fault.h"
#include "base/random.h"
#include "models/gguf_write.h"
#include "models/quantize.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LAYERS = 8, COLUMNS = 512, ROWS = 5 };

struct fixture {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    const char *source, *result;
};

static void put_tensor(struct gguf_writer *writer, const char *name, int64_t rows, int64_t columns,
                       enum element_type element)
{
    struct diagnostic diagnostic = {0};
    struct tensor_type type = {.element = element, .rank = rows ? 2 : 1};
    if (rows) type.shape[0] = dimension_fixed(rows);
    type.shape[type.rank - 1] = dimension_fixed(columns);
    int index;
    CHECK_OK(gguf_put_tensor(writer, name, &type, &index, &diagnostic));
}

static void fill_tensor(struct gguf_writer *writer, int index, int64_t elements,
                        enum element_type element, float special)
{
    static float values[ROWS * COLUMNS * 200];
    static uint8_t bytes[sizeof values];
    struct diagnostic diagnostic = {0};
    for (int64_t i = 0; i < elements; i++)
        values[i] = (float)random_normal(5, (uint64_t)index, (uint64_t)i);
    if (special != 0) values[elements / 2] = special;
    element_encode_row(element, values, elements, bytes);
    CHECK_OK(gguf_writer_bytes(writer, index, 0, bytes,
                               (size_t)element_row_bytes(element, elements), &diagnostic));
}

/* One tensor longer than a piece; one whose rows fit no block of 256; vectors; a router. */
static const struct {
    const char *name;
    int64_t rows, columns;
    enum element_type element;
} tensors[] = {
    {"token_embd.weight", 600, COLUMNS, ELEMENT_F32},
    {"output.weight", ROWS, COLUMNS, ELEMENT_F16},
    {"blk.0.attn_v.weight", ROWS, COLUMNS, ELEMENT_BF16},
    {"blk.1.attn_v.weight", ROWS, COLUMNS, ELEMENT_F32},
    {"blk.1.ffn_down.weight", ROWS, 96, ELEMENT_F32},
    {"blk.2.ffn_down.weight", ROWS, 33, ELEMENT_F32},
    {"blk.7.ffn_down.weight", ROWS, COLUMNS, ELEMENT_Q8_0},
    {"blk.0.attn_norm.weight", 0, COLUMNS, ELEMENT_F32},
    {"blk.0.ffn_gate_inp.weight", 4, COLUMNS, ELEMENT_F32},
    {"blk.0.attn_q.bias", 0, 77, ELEMENT_F32},
};
enum { TENSOR_COUNT = sizeof tensors / sizeof tensors[0] };

static void write_source(const struct fixture *scratch, float special)
{
    struct diagnostic diagnostic = {0};
    struct gguf_writer *writer;
    static const int32_t numbers[] = {3, 1, 4};
    CHECK_OK(gguf_writer_create(scratch->source, scratch->arena, &writer, &diagnostic));
    gguf_put_text(writer, "general.architecture", "llama");
    gguf_put_integer(writer, "general.file_type", GGUF_U32, 0);
    gguf_put_integer(writer, "llama.block_count", GGUF_U32, LAYERS);
    gguf_put_numbers(writer, "own.numbers", GGUF_I32, 3, numbers);
    for (int i = 0; i < TENSOR_COUNT; i++)
        put_tensor(writer, tensors[i].name, tensors[i].rows, tensors[i].columns,
                   tensors[i].element);
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    for (int i = 0; i < TENSOR_COUNT; i++) {
        int64_t elements = (tensors[i].rows ? tensors[i].rows : 1) * tensors[i].columns;
        fill_tensor(writer, i, elements, tensors[i].element, i == 3 ? special : 0);
    }
    CHECK_OK(gguf_writer_finish(writer, &diagnostic));
    gguf_writer_close(writer);
}

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(0);
    if (scratch_create(scratch->folder)) return -1;
    scratch->source = file_join(scratch->arena, scratch->folder, "source.gguf");
    scratch->result = file_join(scratch->arena, scratch->folder, "result.gguf");
    write_source(scratch, 0);
    *state = scratch;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

static void decode(const struct stored_tensor *tensor, int64_t elements, float *values)
{
    element_decode_row(tensor->type.element, tensor->bytes, elements, values);
}

/* What `made` holds is what `from` gives when it is rounded once. */
static void check_numbers(struct arena *arena, const struct stored_tensor *from,
                          const struct stored_tensor *made, int64_t elements)
{
    float *values = arena_allocate(arena, (size_t)elements, sizeof *values);
    float *right = arena_allocate(arena, (size_t)elements, sizeof *right);
    uint8_t *bytes = arena_allocate(arena, (size_t)elements, sizeof *right);
    decode(from, elements, values);
    if (from->type.element != made->type.element) {
        element_encode_row(made->type.element, values, elements, bytes);
        element_decode_row(made->type.element, bytes, elements, right);
    } else {
        memcpy(right, values, (size_t)elements * sizeof *right);
    }
    decode(made, elements, values);
    assert_memory_equal(values, right, (size_t)elements * sizeof *right);
}

static void check_file(const struct fixture *scratch, const struct quantize_report *report,
                       int64_t file_type)
{
    struct diagnostic diagnostic = {0};
    struct model_source from, made;
    CHECK_OK(source_open(scratch->source, scratch->arena, NULL, &from, &diagnostic));
    CHECK_OK(source_open(scratch->result, scratch->arena, NULL, &made, &diagnostic));
    assert_int_equal(source_metadata(&made, "general.file_type")->integer, file_type);
    assert_int_equal(source_metadata(&made, "llama.block_count")->integer, LAYERS);
    assert_int_equal(source_metadata(&made, "own.numbers")->length, 3);
    assert_int_equal(made.tensor_count, TENSOR_COUNT);
    for (int i = 0; i < report->tensor_count; i++) {
        const struct quantized_tensor *tensor = &report->tensors[i];
        const struct stored_tensor *own = source_tensor(&made, tensor->name);
        assert_int_equal(own->type.element, tensor->to);
        assert_int_equal(own->byte_count, tensor->to_bytes);
        check_numbers(scratch->arena, source_tensor(&from, tensor->name), own, tensor->elements);
    }
    source_close(&from);
    source_close(&made);
}

static enum element_type type_in(const struct quantize_report *report, const char *name)
{
    for (int i = 0; i < report->tensor_count; i++)
        if (!strcmp(report->tensors[i].name, name)) return report->tensors[i].to;
    CHECK_FAIL("%s is missing", name);
    return ELEMENT_F32;
}

static void every_type_is_written(void **state)
{
    static const struct {
        const char *type;
        enum element_type element, of_96, of_33;
        int64_t file_type;
    } rows[] = {
        {"f32", ELEMENT_F32, ELEMENT_F32, ELEMENT_F32, 0},
        {"f16", ELEMENT_F16, ELEMENT_F16, ELEMENT_F16, 1},
        {"bf16", ELEMENT_BF16, ELEMENT_BF16, ELEMENT_BF16, 32},
        {"q8_0", ELEMENT_Q8_0, ELEMENT_Q8_0, ELEMENT_F16, 7},
        {"q4_0", ELEMENT_Q4_0, ELEMENT_Q4_0, ELEMENT_F16, 2},
        {"q4_1", ELEMENT_Q4_1, ELEMENT_Q4_1, ELEMENT_F16, 3},
        {"q5_0", ELEMENT_Q5_0, ELEMENT_Q5_0, ELEMENT_F16, 8},
        {"q5_1", ELEMENT_Q5_1, ELEMENT_Q5_1, ELEMENT_F16, 9},
        {"iq4_nl", ELEMENT_IQ4_NL, ELEMENT_IQ4_NL, ELEMENT_F16, 25},
        {"mxfp4", ELEMENT_MXFP4, ELEMENT_MXFP4, ELEMENT_F16, 38},
        {"q2_K", ELEMENT_Q2_K, ELEMENT_IQ4_NL, ELEMENT_F16, 10},
        {"q3_K", ELEMENT_Q3_K, ELEMENT_IQ4_NL, ELEMENT_F16, 11},
        {"q4_K", ELEMENT_Q4_K, ELEMENT_Q5_0, ELEMENT_F16, 14},
        {"q5_K", ELEMENT_Q5_K, ELEMENT_Q5_1, ELEMENT_F16, 16},
        {"q6_K", ELEMENT_Q6_K, ELEMENT_Q8_0, ELEMENT_F16, 18},
        {"iq4_xs", ELEMENT_IQ4_XS, ELEMENT_IQ4_NL, ELEMENT_F16, 30},
    };
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct quantize_report report;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct quantize_options options = {.type = rows[i].type, .threads = 2};
        CHECK_OK(quantize_write(scratch->source, scratch->result, &options, scratch->arena, &report,
                                &diagnostic));
        assert_int_equal(type_in(&report, "token_embd.weight"), rows[i].element);
        assert_int_equal(type_in(&report, "blk.7.ffn_down.weight"), rows[i].element);
        assert_int_equal(type_in(&report, "blk.1.ffn_down.weight"), rows[i].of_96);
        assert_int_equal(type_in(&report, "blk.2.ffn_down.weight"), rows[i].of_33);
        assert_int_equal(type_in(&report, "blk.0.attn_norm.weight"), ELEMENT_F32);
        assert_int_equal(type_in(&report, "blk.0.ffn_gate_inp.weight"), ELEMENT_F32);
        assert_int_equal(type_in(&report, "blk.0.attn_q.bias"), ELEMENT_F32);
        check_file(scratch, &report, rows[i].file_type);
    }
}

static void rules_and_mixes_choose(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct quantize_report report;
    struct quantize_rule rules[2];
    CHECK_OK(
        quantize_rule_parse("blk.0.attn_?.weight=q8_0", scratch->arena, &rules[0], &diagnostic));
    CHECK_OK(quantize_rule_parse("*attn*=bf16", scratch->arena, &rules[1], &diagnostic));
    struct quantize_options options = {
        .type = "q4_K_M", .rules = rules, .rule_count = 2, .threads = 1};
    CHECK_OK(quantize_write(scratch->source, scratch->result, &options, scratch->arena, &report,
                            &diagnostic));
    assert_int_equal(type_in(&report, "token_embd.weight"), ELEMENT_Q4_K);
    assert_int_equal(type_in(&report, "output.weight"), ELEMENT_Q6_K);
    assert_int_equal(type_in(&report, "blk.0.attn_v.weight"), ELEMENT_Q8_0);
    assert_int_equal(type_in(&report, "blk.1.attn_v.weight"), ELEMENT_BF16);
    assert_int_equal(type_in(&report, "blk.0.attn_norm.weight"), ELEMENT_BF16);
    assert_int_equal(type_in(&report, "blk.7.ffn_down.weight"), ELEMENT_Q6_K);
    check_file(scratch, &report, 15);
}

static void threads_change_nothing(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct quantize_report report;
    struct hash hashes[2];
    for (int i = 0; i < 2; i++) {
        struct quantize_options options = {.type = "q3_K", .threads = 1 + 4 * i};
        char *bytes;
        size_t count;
        CHECK_OK(quantize_write(scratch->source, scratch->result, &options, scratch->arena, &report,
                                &diagnostic));
        CHECK_OK(file_read(scratch->result, 1 << 24, scratch->arena, &bytes, &count, &diagnostic));
        hashes[i] = hash_bytes(bytes, count);
    }
    assert_memory_equal(&hashes[0], &hashes[1], sizeof hashes[0]);
}

/* The source is still mapped while the file of the same name takes its place. */
static void a_file_may_replace_itself(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct quantize_report report;
    struct quantize_options options = {.type = "q8_0", .threads = 2};
    CHECK_OK(quantize_write(scratch->source, scratch->source, &options, scratch->arena, &report,
                            &diagnostic));
    options.type = "q4_0"; /* and once more from what is quantised already */
    CHECK_OK(quantize_write(scratch->source, scratch->result, &options, scratch->arena, &report,
                            &diagnostic));
    check_file(scratch, &report, 2);
}

static void check_nothing_left(const struct fixture *scratch)
{
    const char **names;
    int count;
    struct diagnostic diagnostic = {0};
    CHECK_OK(file_list(scratch->folder, "", scratch->arena, &names, &count, &diagnostic));
    assert_int_equal(count, 1); /* the source */
}

static void check_refused(struct fixture *scratch, const struct quantize_options *options,
                          status code, const char *message)
{
    struct diagnostic diagnostic = {0};
    struct quantize_report report;
    CHECK_REFUSED(quantize_write(scratch->source, scratch->result, options, scratch->arena, &report,
                                 &diagnostic),
                  code, message);
    check_nothing_left(scratch);
}

static bool is_interrupted(void *context)
{
    (void)context;
    return true;
}

static void wishes_that_cannot_be_met(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct quantize_rule rule = {"blk.1.ffn_down.weight", ELEMENT_Q4_K};
    struct progress progress = {.interrupted = is_interrupted};
    check_refused(scratch, &(struct quantize_options){.type = "q4_KS"}, STATUS_USAGE,
                  "did you mean \"q4_K\"");
    check_refused(scratch, &(struct quantize_options){.type = "i8"}, STATUS_USAGE, "no type that");
    check_refused(scratch, &(struct quantize_options){.type = "f8_e4m3"}, STATUS_USAGE,
                  "no type that");
    check_refused(scratch,
                  &(struct quantize_options){.type = "q4_0", .rules = &rule, .rule_count = 1},
                  STATUS_USAGE, "96 numbers, are no whole blocks of 256");
    check_refused(scratch, &(struct quantize_options){.type = "q4_0", .progress = &progress},
                  STATUS_INTERRUPTED, "interrupted");
    CHECK_REFUSED(quantize_rule_parse("q4_0", scratch->arena, &rule, &diagnostic), STATUS_USAGE,
                  "PATTERN=TYPE");
}

static void broken_files_are_refused(void **state)
{
    struct fixture *scratch = *state;
    struct quantize_options options = {.type = "q4_0", .threads = 2};
    struct stat facts;
    write_source(scratch, NAN);
    check_refused(scratch, &options, STATUS_BAD_INPUT, "'blk.1.attn_v.weight' has");
    write_source(scratch, -INFINITY);
    check_refused(scratch, &options, STATUS_BAD_INPUT, "has -inf as number 1280");
    write_source(scratch, 0);
    assert_int_equal(stat(scratch->source, &facts), 0);
    assert_int_equal(truncate(scratch->source, facts.st_size - 4000), 0);
    check_refused(scratch, &options, STATUS_BAD_INPUT, "cut short");
    assert_int_equal(truncate(scratch->source, 100), 0);
    check_refused(scratch, &options, STATUS_BAD_INPUT, "");
}

#ifdef HONE_FAULTS
/* Each allocation, and each call on a file, fails once. */
static void faults_leave_nothing(void **state)
{
    struct fixture *scratch = *state;
    for (int kind = 0; kind < 2; kind++) {
        status code = STATUS_FAILED;
        for (long n = 1; code != STATUS_OK && n < 1000; n++) {
            struct diagnostic diagnostic = {0};
            struct quantize_report report;
            struct arena *arena = arena_create(0);
            struct quantize_options options = {.type = "q4_0", .threads = 1};
            fault_set(kind ? 0 : n, kind ? n : 0);
            code = quantize_write(scratch->source, scratch->result, &options, arena, &report,
                                  &diagnostic);
            fault_set(0, 0);
            arena_destroy(arena);
            if (code == STATUS_OK) break;
            if (!kind)
                assert_int_equal(code, STATUS_NO_MEMORY); /* a source that cannot be read: 3 */
            if (kind) assert_true(code == STATUS_INPUT_OUTPUT || code == STATUS_BAD_INPUT);
            check_nothing_left(scratch);
        }
        assert_int_equal(code, STATUS_OK);
        assert_int_equal(unlink(scratch->result), 0);
    }
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_is_written),     TEST(rules_and_mixes_choose),
        TEST(threads_change_nothing),    TEST(a_file_may_replace_itself),
        TEST(wishes_that_cannot_be_met), TEST(broken_files_are_refused),
#ifdef HONE_FAULTS
        TEST(faults_leave_nothing),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
