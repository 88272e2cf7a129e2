/* GGUF files: what is written is read back, versions 2 and 3, lists, splits, and refusals with the
 * byte.  The long list of hostile files is in tests/hostile. */
#include "models/gguf_write.h"
#include "tests/check.h"
#include "tests/gguf_bytes.h"
#include "tests/scratch_harness.h"

#include <unistd.h>

struct fixture {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    struct gguf_bytes file;
};

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(0);
    *state = scratch;
    return scratch_create(scratch->folder);
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

static struct tensor_type matrix(enum element_type element, int64_t rows, int64_t columns)
{
    return (struct tensor_type){
        .element = element, .rank = 2, .shape = {dimension_fixed(rows), dimension_fixed(columns)}};
}

enum { ROWS = 3, COLUMNS = 256 };

/* Of Hugging Face folders only: 8-bit floats, and the blocks with scales from elsewhere. */
enum { OTHER_TYPES = 8 };

/* Number `index` of the element types that GGUF has; false behind the last one. */
static bool stored_type(int index, enum element_type *type)
{
    uint32_t id;
    for (int e = 0; e < ELEMENT_COUNT; e++) {
        *type = (enum element_type)e;
        if (gguf_type_of_element(*type, &id) && index-- == 0) return true;
    }
    return false;
}

static void write_sample(struct gguf_writer *writer)
{
    struct diagnostic diagnostic = {0};
    static const char *const words[] = {"", "two", "zwei\xc3\xa4"};
    static const float scores[] = {0.5f, -1.5f};
    gguf_put_text(writer, "general.architecture", "llama");
    gguf_put_integer(writer, "a.u8", GGUF_U8, 200);
    gguf_put_integer(writer, "a.i8", GGUF_I8, -100);
    gguf_put_integer(writer, "a.u16", GGUF_U16, 60000);
    gguf_put_integer(writer, "a.i16", GGUF_I16, -30000);
    gguf_put_integer(writer, "a.u32", GGUF_U32, 4000000000);
    gguf_put_integer(writer, "a.i32", GGUF_I32, -2000000000);
    gguf_put_integer(writer, "a.u64", GGUF_U64, INT64_MAX);
    gguf_put_integer(writer, "a.i64", GGUF_I64, INT64_MIN);
    gguf_put_real(writer, "a.f32", 0.25);
    gguf_put_boolean(writer, "a.bool", true);
    gguf_put_texts(writer, "a.words", 3, words);
    gguf_put_numbers(writer, "a.scores", GGUF_F32, 2, scores);
    enum element_type element;
    for (int e = 0; stored_type(e, &element); e++) {
        char name[32];
        int index;
        struct tensor_type type = matrix(element, ROWS, COLUMNS);
        snprintf(name, sizeof name, "t.%d", e);
        CHECK_OK(gguf_put_tensor(writer, name, &type, &index, &diagnostic));
        assert_int_equal(index, e);
    }
}

/* Every byte of tensor `e` is e + 1. */
static void write_data(struct gguf_writer *writer)
{
    struct diagnostic diagnostic = {0};
    enum element_type element;
    for (int e = 0; stored_type(e, &element); e++) {
        uint8_t bytes[ROWS * COLUMNS * 8];
        size_t count = (size_t)(ROWS * element_row_bytes(element, COLUMNS));
        memset(bytes, e + 1, count);
        CHECK_OK(gguf_writer_bytes(writer, e, 5, bytes + 5, count - 5, &diagnostic));
        CHECK_OK(gguf_writer_bytes(writer, e, 0, bytes, 5, &diagnostic));
        CHECK_REFUSED(gguf_writer_bytes(writer, e, 1, bytes, count, &diagnostic), STATUS_FAILED,
                      "do not fit");
    }
}

static void check_integer(const struct model_source *source, const char *key, int64_t value)
{
    const struct metadata *entry = source_metadata(source, key);
    assert_non_null(entry);
    assert_int_equal(entry->kind, METADATA_INTEGER);
    assert_int_equal(entry->integer, value);
}

static void check_sample_metadata(const struct model_source *source)
{
    struct metadata item;
    check_integer(source, "a.u8", 200);
    check_integer(source, "a.i8", -100);
    check_integer(source, "a.u16", 60000);
    check_integer(source, "a.i16", -30000);
    check_integer(source, "a.u32", 4000000000);
    check_integer(source, "a.i32", -2000000000);
    check_integer(source, "a.u64", INT64_MAX);
    check_integer(source, "a.i64", INT64_MIN);
    assert_true(source_metadata(source, "a.f32")->real == 0.25);
    assert_int_equal(source_metadata(source, "a.bool")->kind, METADATA_BOOLEAN);
    const struct metadata *words = source_metadata(source, "a.words");
    assert_int_equal(words->length, 3);
    assert_true(metadata_item(words, 2, &item) && metadata_is_text(&item, "zwei\xc3\xa4"));
    assert_false(metadata_item(words, 3, &item));
    assert_false(metadata_item(words, -1, &item));
    assert_true(metadata_item(source_metadata(source, "a.scores"), 1, &item));
    assert_true(item.real == -1.5);
    assert_null(source_metadata(source, "a.none"));
}

static void what_is_written_is_read(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct gguf_writer *writer;
    struct model_source source;
    const char *path = file_join(scratch->arena, scratch->folder, "sample.gguf");
    CHECK_OK(gguf_writer_create(path, scratch->arena, &writer, &diagnostic));
    write_sample(writer);
    struct tensor_type absent = matrix(ELEMENT_F8_E4M3, ROWS, COLUMNS);
    int index;
    CHECK_REFUSED(gguf_put_tensor(writer, "absent", &absent, &index, &diagnostic), STATUS_USAGE,
                  "cannot be written as f8_e4m3");
    diagnostic = (struct diagnostic){0};
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    write_data(writer);
    assert_false(file_exists(path));
    CHECK_OK(gguf_writer_finish(writer, &diagnostic));
    gguf_writer_close(writer);
    CHECK_OK(source_open(path, scratch->arena, NULL, &source, &diagnostic));
    CHECK_TEXT(source.name, "llama");
    check_sample_metadata(&source);
    enum element_type element;
    assert_true(stored_type(ELEMENT_COUNT - OTHER_TYPES - 1, &element));
    for (int e = 0; stored_type(e, &element); e++) {
        char name[32];
        snprintf(name, sizeof name, "t.%d", e);
        const struct stored_tensor *tensor = source_tensor(&source, name);
        struct tensor_type type = matrix(element, ROWS, COLUMNS);
        assert_non_null(tensor);
        assert_true(tensor_type_equal(&tensor->type, &type));
        assert_int_equal(tensor->byte_count, ROWS * element_row_bytes(element, COLUMNS));
        for (int64_t i = 0; i < tensor->byte_count; i++) {
            assert_int_equal(tensor->bytes[i], e + 1);
        }
    }
    source_close(&source);
}

static void an_unfinished_file_leaves_nothing(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct gguf_writer *writer;
    const char *path = file_join(scratch->arena, scratch->folder, "unfinished.gguf");
    const char *pattern = arena_print(scratch->arena, "ls '%s' | grep -q .", scratch->folder);
    CHECK_OK(gguf_writer_create(path, scratch->arena, &writer, &diagnostic));
    write_sample(writer);
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    assert_int_equal(system(pattern), 0);
    gguf_writer_close(writer);
    assert_int_not_equal(system(pattern), 0);
}

/* Two tensors of 8 f32 behind two keys. */
static void small_file(struct gguf_bytes *file, uint32_t version)
{
    const uint64_t shape[] = {8};
    put_head(file, version, 2, 2);
    put_key_text(file, "general.architecture", "llama");
    put_key_u32(file, "llama.block_count", 7);
    put_tensor(file, "a", 1, shape, 0, 0);
    put_tensor(file, "b", 1, shape, 0, 32);
    put_padding(file);
    put_zeros(file, 64);
}

static status open_bytes(struct fixture *scratch, struct model_source *source,
                         struct diagnostic *diagnostic)
{
    const char *path = file_join(scratch->arena, scratch->folder, "bytes.gguf");
    TRY(write_bytes(&scratch->file, path, diagnostic));
    status result = source_open(path, scratch->arena, NULL, source, diagnostic);
    if (result != STATUS_OK) source_close(source);
    return result;
}

static void versions_two_and_three(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    struct hash identities[2];
    for (uint32_t version = 2; version <= 3; version++) {
        small_file(&scratch->file, version);
        CHECK_OK(open_bytes(scratch, &source, &diagnostic));
        assert_int_equal(source.tensor_count, 2);
        identities[version - 2] = source.identity;
        source_close(&source);
    }
    assert_false(hash_equal(identities[0], identities[1]));
    small_file(&scratch->file, 1);
    CHECK_REFUSED(open_bytes(scratch, &source, &diagnostic), STATUS_BAD_INPUT,
                  "byte 4: GGUF version 1");
}

static void every_truncation_is_refused(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    small_file(&scratch->file, 3);
    while (scratch->file.count-- > 0) {
        CHECK_REFUSED(open_bytes(scratch, &source, &diagnostic), STATUS_BAD_INPUT, "byte");
    }
}

/* Part `number` of `count` with one tensor; `named`: the name that the file gets. */
static void write_part(struct fixture *scratch, const char *named, const char *tensor,
                       uint32_t number, uint32_t count, uint32_t tensors)
{
    struct diagnostic diagnostic = {0};
    struct gguf_bytes *file = &scratch->file;
    const uint64_t shape[] = {8};
    put_head(file, 3, 1, 4);
    put_key_text(file, "general.architecture", "llama");
    put_key_u32(file, "split.no", number);
    put_key_u32(file, "split.count", count);
    put_key_u32(file, "split.tensors.count", tensors);
    put_tensor(file, tensor, 1, shape, 0, 0);
    put_padding(file);
    put_zeros(file, 32);
    CHECK_OK(write_bytes(file, file_join(scratch->arena, scratch->folder, named), &diagnostic));
}

static void splits_are_joined(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source;
    const char *first = file_join(scratch->arena, scratch->folder, "m-00001-of-00002.gguf");
    const char *second = file_join(scratch->arena, scratch->folder, "m-00002-of-00002.gguf");
    write_part(scratch, "m-00001-of-00002.gguf", "a", 0, 2, 2);
    CHECK_REFUSED(source_open(first, scratch->arena, NULL, &source, &diagnostic), STATUS_BAD_INPUT,
                  "m-00002-of-00002.gguf: cannot be opened");
    source_close(&source);
    write_part(scratch, "m-00002-of-00002.gguf", "b", 1, 2, 2);
    CHECK_OK(source_open(first, scratch->arena, NULL, &source, &diagnostic));
    assert_int_equal(source.tensor_count, 2);
    assert_non_null(source_tensor(&source, "b"));
    source_close(&source);
    CHECK_REFUSED(source_open(second, scratch->arena, NULL, &source, &diagnostic), STATUS_BAD_INPUT,
                  "name its first part");
    source_close(&source);
    write_part(scratch, "m-00002-of-00002.gguf", "a", 1, 2, 2);
    CHECK_REFUSED(source_open(first, scratch->arena, NULL, &source, &diagnostic), STATUS_BAD_INPUT,
                  "'a' is there twice");
    source_close(&source);
    write_part(scratch, "m-00002-of-00002.gguf", "b", 0, 2, 2);
    CHECK_REFUSED(source_open(first, scratch->arena, NULL, &source, &diagnostic), STATUS_BAD_INPUT,
                  "belongs to another model");
    source_close(&source);
    write_part(scratch, "m-00001-of-00002.gguf", "a", 0, 2, 3);
    write_part(scratch, "m-00002-of-00002.gguf", "b", 1, 2, 3);
    CHECK_REFUSED(source_open(first, scratch->arena, NULL, &source, &diagnostic), STATUS_BAD_INPUT,
                  "hold 2 tensors");
    source_close(&source);
    write_part(scratch, "other.gguf", "a", 0, 2, 2);
    CHECK_REFUSED(source_open(file_join(scratch->arena, scratch->folder, "other.gguf"),
                              scratch->arena, NULL, &source, &diagnostic),
                  STATUS_BAD_INPUT, "must be named");
    source_close(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_unfinished_file_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(versions_two_and_three, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_truncation_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(splits_are_joined, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
