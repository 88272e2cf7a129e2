/* Hugging Face folders: safetensors alone and sharded, config.json, and all that must be refused.
 */
#include "models/huggingface.h"
#include "models/json_read.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <unistd.h>

static void write_file(struct scratch *scratch, const char *name, const void *bytes, size_t count)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, name);
    CHECK_OK(file_write(path, bytes, count, &diagnostic));
}

/* A header and `data_bytes` bytes 0, 1, 2 ...; `length` overrides what the file says of its header.
 */
static void write_tensors(struct scratch *scratch, const char *name, const char *header,
                          size_t data_bytes, uint64_t length)
{
    size_t header_bytes = strlen(header);
    uint8_t *file = arena_allocate(scratch->arena, 8 + header_bytes + data_bytes, 1);
    uint64_t said = length ? length : header_bytes;
    memcpy(file, &said, 8);
    memcpy(file + 8, header, header_bytes);
    for (size_t i = 0; i < data_bytes; i++) file[8 + header_bytes + i] = (uint8_t)i;
    write_file(scratch, name, file, 8 + header_bytes + data_bytes);
}

static void write_config(struct scratch *scratch, const char *config)
{
    write_file(scratch, "config.json", config, strlen(config));
}

static status open_folder(struct scratch *scratch, struct model_source *source,
                          struct diagnostic *diagnostic)
{
    status result = source_open(scratch->folder, scratch->arena, NULL, source, diagnostic);
    if (result != STATUS_OK) source_close(source);
    return result;
}

static const char two_tensors[] =
    "{\"__metadata__\":{\"format\":\"pt\"},"
    "\"b\":{\"dtype\":\"BF16\",\"shape\":[3,2],\"data_offsets\":[8,20]},"
    "\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}   ";

static void one_file_opens(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    write_config(scratch, "{\"model_type\": \"llama\", \"n\": {\"a\": [1, 2.5, \"x\", null]}}");
    write_tensors(scratch, "model.safetensors", two_tensors, 20, 0);
    CHECK_OK(open_folder(scratch, &source, &diagnostic));
    CHECK_TEXT(source.name, "llama");
    const struct stored_tensor *b = source_tensor(&source, "b");
    assert_int_equal(b->type.element, ELEMENT_BF16);
    assert_int_equal(b->type.rank, 2);
    assert_int_equal(b->type.shape[0].scale, 3);
    assert_int_equal(b->byte_count, 12);
    assert_int_equal(b->bytes[0], 8);
    struct metadata item;
    const struct metadata *list = source_metadata(&source, "n.a");
    assert_int_equal(list->length, 4);
    assert_true(metadata_item(list, 1, &item) && item.kind == METADATA_REAL && item.real == 2.5);
    assert_true(metadata_item(list, 2, &item) && metadata_is_text(&item, "x"));
    assert_true(metadata_item(list, 3, &item) && item.kind == METADATA_NOTHING);
    assert_false(metadata_item(list, 4, &item));
    source_close(&source);
}

/* The length of this header begins with the bytes 0x80 0x02, as some pickles do. */
static void a_header_of_640_bytes_is_no_pickle(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    write_config(scratch, "{\"model_type\": \"llama\"}");
    write_tensors(scratch, "model.safetensors", arena_print(scratch->arena, "%-640s", two_tensors),
                  20, 0);
    CHECK_OK(open_folder(scratch, &source, &diagnostic));
    source_close(&source);
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "{\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static void hostile_headers_are_refused(void **state)
{
    static const struct {
        const char *header;
        size_t data_bytes;
        uint64_t length;
        const char *words;
    } rows[] = {
        {"{}", 0, 1, "a header of 1 bytes"},
        {"{}", 0, 3, "a header of 3 bytes"},
        {"{}", 0, UINT64_MAX, "a header of 18446744073709551615 bytes"},
        {"{}", 0, 100000001, "a header of 100000001 bytes"},
        {" {}", 0, 0, "must begin with '{'"},
        {"[]", 0, 0, "must begin with '{'"},
        {"{} x", 0, 0, "end of file expected"},
        {"{\"a\xff\":{}}", 0, 0, "unable to decode"},
        {"{\"a\\u0000\":{}}", 0, 0, "NUL byte"},
        {"{\"__metadata__\":{\"a\":1}}", 0, 0, "must map texts to texts"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, 0, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 0, 0, "duplicate"},
        {"{\"\":{}}", 0, 0, "must have a name"},
        {"{\"a\":7}", 0, 0, "must have a name"},
        {TENSOR("a", "F33", "[2]", "[0,8]"), 8, 0, "dtype 'F33' is unknown"},
        {TENSOR("a", "F64", "[1]", "[0,8]"), 8, 0, "dtype F64, which Hone cannot read yet"},
        {TENSOR("a", "F4", "[16]", "[0,8]"), 8, 0, "dtype F4, which Hone cannot read yet"},
        {TENSOR("a", "F32", "[-2]", "[0,8]"), 8, 0, "size 0 of its shape"},
        {TENSOR("a", "F32", "[2.0]", "[0,8]"), 8, 0, "size 0 of its shape"},
        {TENSOR("a", "F32", "[9223372036854775808]", "[0,8]"), 8, 0, "too big integer"},
        {TENSOR("a", "F32", "[2147483647,2147483647,2147483647]", "[0,8]"), 8, 0, "size 2 of its"},
        {TENSOR("a", "F32", "[1,1,1,1,2]", "[0,8]"), 8, 0, "at most 4 sizes"},
        {TENSOR("a", "F32", "2", "[0,8]"), 8, 0, "shape must be a list"},
        {TENSOR("a", "F32", "[2]", "[8,0]"), 8, 0, "data_offsets must be [begin, end]"},
        {TENSOR("a", "F32", "[2]", "[-8,0]"), 8, 0, "data_offsets must be [begin, end]"},
        {TENSOR("a", "F32", "[2]", "[0.0,8]"), 8, 0, "data_offsets must be [begin, end]"},
        {TENSOR("a", "F32", "[2]", "[0]"), 8, 0, "data_offsets must be [begin, end]"},
        {TENSOR("a", "F32", "[2]", "[0,8,8]"), 8, 0, "data_offsets must be [begin, end]"},
        {TENSOR("a", "F32", "[3]", "[0,12]"), 8, 0, "data_offsets must be [begin, end]"},
        {TENSOR("a", "F32", "[2]", "[0,4]"), 8, 0, "span 4 bytes, but shape and dtype need 8"},
        {TENSOR("a", "F32", "[1]", "[4,8]"), 8, 0, "leaves unused bytes before it"},
        {TENSOR("a", "F32", "[1]", "[0,4]"), 8, 0, "4 bytes behind the last tensor"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    write_config(scratch, "{\"model_type\": \"llama\"}");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_tensors(scratch, "model.safetensors", rows[i].header, rows[i].data_bytes,
                      rows[i].length);
        CHECK_REFUSED(open_folder(scratch, &source, &diagnostic), STATUS_BAD_INPUT, rows[i].words);
    }
    write_tensors(scratch, "model.safetensors",
                  "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                  "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
                  12, 0);
    CHECK_REFUSED(open_folder(scratch, &source, &diagnostic), STATUS_BAD_INPUT, "overlaps");
    write_file(scratch, "model.safetensors", "PK\3\4zip of pickles", 18);
    CHECK_REFUSED(open_folder(scratch, &source, &diagnostic), STATUS_BAD_INPUT, "pickle");
    write_file(scratch, "model.safetensors", "\x80\4pickle", 8);
    CHECK_REFUSED(open_folder(scratch, &source, &diagnostic), STATUS_BAD_INPUT, "pickle");
}

static void scalars_and_empty_tensors_are_legal(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    write_config(scratch, "{\"model_type\": \"llama\"}");
    write_tensors(scratch, "model.safetensors",
                  "{\"s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]},"
                  "\"e\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[4,4]}}",
                  4, 0);
    CHECK_OK(open_folder(scratch, &source, &diagnostic));
    assert_int_equal(source_tensor(&source, "s")->type.rank, 0);
    assert_int_equal(source_tensor(&source, "e")->byte_count, 0);
    source_close(&source);
}

static void every_truncation_is_refused(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    uint8_t file[8 + sizeof two_tensors - 1 + 20] = {0};
    uint64_t length = sizeof two_tensors - 1;
    memcpy(file, &length, 8);
    memcpy(file + 8, two_tensors, length);
    write_config(scratch, "{\"model_type\": \"llama\"}");
    for (size_t count = 0; count < sizeof file; count++) {
        write_file(scratch, "model.safetensors", file, count);
        CHECK_REFUSED(open_folder(scratch, &source, &diagnostic), STATUS_BAD_INPUT,
                      "model.safetensors");
    }
    write_file(scratch, "model.safetensors", file, sizeof file);
    CHECK_OK(open_folder(scratch, &source, &diagnostic));
    source_close(&source);
}

static void write_index(struct scratch *scratch, const char *index)
{
    write_file(scratch, "model.safetensors.index.json", index, strlen(index));
}

static void shards_are_joined(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    write_config(scratch, "{\"model_type\": \"llama\"}");
    write_tensors(scratch, "one.safetensors", TENSOR("a", "F32", "[2]", "[0,8]"), 8, 0);
    write_tensors(scratch, "two.safetensors", TENSOR("b", "F16", "[2]", "[0,4]"), 4, 0);
    write_index(scratch, "{\"metadata\":{\"total_size\":12},\"weight_map\":"
                         "{\"a\":\"one.safetensors\",\"b\":\"two.safetensors\"}}");
    CHECK_OK(open_folder(scratch, &source, &diagnostic));
    assert_int_equal(source.tensor_count, 2);
    assert_non_null(source_tensor(&source, "b"));
    source_close(&source);
}

static void hostile_indexes_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "weight_map, a map from tensors to files, is missing"},
        {"{\"weight_map\":{}}", "weight_map, a map from tensors to files, is missing"},
        {"{\"weight_map\":{\"a\":7}}", "must be the name of a .safetensors file"},
        {"{\"weight_map\":{\"a\":\"../one.safetensors\"}}", "must be the name of a .safetensors"},
        {"{\"weight_map\":{\"a\":\"/tmp/one.safetensors\"}}", "must be the name of a .safetensors"},
        {"{\"weight_map\":{\"a\":\".safetensors\"}}", "must be the name of a .safetensors"},
        {"{\"weight_map\":{\"a\":\"one.bin\"}}", "must be the name of a .safetensors"},
        {"{\"weight_map\":{\"a\":\"three.safetensors\"}}", "cannot be opened"},
        {"{\"weight_map\":{\"c\":\"one.safetensors\"}}", "tensor 'c' is not in"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\"},\"metadata\":{\"total_size\":9}}",
         "total_size differs"},
        {"{\"weight_map\":{\"a\":\"one.safetensors\",\"b\":\"same.safetensors\"}}",
         "'a' is there twice"},
        {"{\"weight_map\":{\"b\":\"two.safetensors\"}}", "names 1 tensors, but the files hold 2"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    write_config(scratch, "{\"model_type\": \"llama\"}");
    write_tensors(scratch, "one.safetensors", TENSOR("a", "F32", "[2]", "[0,8]"), 8, 0);
    write_tensors(scratch, "same.safetensors", TENSOR("a", "F32", "[2]", "[0,8]"), 8, 0);
    write_tensors(scratch, "two.safetensors", two_tensors, 20, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_index(scratch, rows[i][0]);
        CHECK_REFUSED(open_folder(scratch, &source, &diagnostic), STATUS_BAD_INPUT, rows[i][1]);
    }
}

static void hostile_configs_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"", "'[' or '{' expected"},
        {"[]", "a JSON object is needed"},
        {"{}", "model_type, a text, is missing"},
        {"{\"model_type\":7}", "model_type, a text, is missing"},
        {"{\"model_type\":\"a\",\"model_type\":\"b\"}", "duplicate"},
        {"{\"model_type\":\"a\",\"n\":1e999}", "real number overflow"},
        {"{\"model_type\":\"a\",\"n\":NaN}", "invalid token"},
        {"{\"model_type\":\"a\",}", "string or '}' expected"},
        {"{\"model_type\":\"a\"} // c", "end of file expected"},
        {"{\"model_type\":\"a\",\"x\":\"\\ud800\"}", "invalid Unicode"},
        {"{\"model_type\":\"a\",\"n.a\":1,\"n\":{\"a\":1}}", "the key 'n.a' is there twice"},
    };
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    write_tensors(scratch, "model.safetensors", two_tensors, 20, 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_config(scratch, rows[i][0]);
        CHECK_REFUSED(open_folder(scratch, &source, &diagnostic), STATUS_BAD_INPUT, rows[i][1]);
    }
}

static status read_text(const char *text, size_t length, struct diagnostic *diagnostic)
{
    json_t *root;
    TRY(json_read("file.json", text, length, &root, diagnostic));
    json_decref(root);
    return STATUS_OK;
}

/* {"a": and then `count` times `opening`, without an end. */
static char *nested(struct arena *arena, const char *opening, size_t count, size_t *length)
{
    size_t each = strlen(opening);
    char *text = arena_allocate(arena, 8 + count * each, 1);
    memcpy(text, "{\"a\":", 5);
    for (size_t i = 0; i < count; i++) memcpy(text + 5 + i * each, opening, each);
    *length = 5 + count * each;
    return text;
}

static void json_is_bounded(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    size_t length;
    char *text = nested(scratch->arena, "[", 64, &length);
    CHECK_REFUSED(read_text(text, length, &diagnostic), STATUS_BAD_INPUT, "more than 64 levels");
    text = nested(scratch->arena, "[", 1000000, &length);
    CHECK_REFUSED(read_text(text, length, &diagnostic), STATUS_BAD_INPUT, "more than 64 levels");
    text = nested(scratch->arena, "{\"a\":", 63, &length);
    CHECK_REFUSED(read_text(text, length, &diagnostic), STATUS_BAD_INPUT, "file.json:1:");
    text = nested(scratch->arena, ",", JSON_NODES_MAX + 1, &length);
    CHECK_REFUSED(read_text(text, length, &diagnostic), STATUS_BAD_INPUT, "more than 4000000");
    text = nested(scratch->arena, "\"", 1, &length);
    CHECK_REFUSED(read_text(text, length, &diagnostic), STATUS_BAD_INPUT, "premature end");
    text = nested(scratch->arena, "\"\\", 1, &length);
    CHECK_REFUSED(read_text(text, length, &diagnostic), STATUS_BAD_INPUT, "file.json:1:");
    text = nested(scratch->arena, "\"x", 1 << 20, &length);
    memset(text + 6, 'x', length - 6);
    CHECK_REFUSED(read_text(text, length, &diagnostic), STATUS_BAD_INPUT, "longer than 1 MiB");
    CHECK_OK(read_text("{\"a\": \"[[[[\\\"{{{{\"}", 19, &diagnostic));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(one_file_opens),
        TEST(a_header_of_640_bytes_is_no_pickle),
        TEST(hostile_headers_are_refused),
        TEST(scalars_and_empty_tensors_are_legal),
        TEST(every_truncation_is_refused),
        TEST(shards_are_joined),
        TEST(hostile_indexes_are_refused),
        TEST(hostile_configs_are_refused),
        TEST(json_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
