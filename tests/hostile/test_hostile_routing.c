/* Routing traces from strangers: cut off, changed, and changed with the checksum put right again. */
#include "base/file.h"
#include "base/hash.h"
#include "planner/routing_trace.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

enum { HASH_BYTES = 16, HEAD_BYTES = 8, FIELD_BYTES = 8, FILE_BYTES = 4096 };

struct trace_file {
    const char *path;
    uint8_t bytes[FILE_BYTES];
    size_t count;
};

static struct trace_file write_trace(struct scratch *scratch)
{
    static const int layers[] = {0, 3};
    struct trace_file file = {.path = file_join(scratch->arena, scratch->folder, "a.routing")};
    struct diagnostic diagnostic = {0};
    struct routing_trace *trace;
    char *bytes;
    CHECK_OK(routing_trace_create(scratch->arena, layers, 2, 8, 2, &trace, &diagnostic));
    for (int e = 0; e < 6; e++) {
        const int32_t ids[] = {e, e + 1, e + 2, 7};
        CHECK_OK(routing_trace_append(trace, ids, 1 + e % 2, &diagnostic));
    }
    CHECK_OK(routing_trace_write(trace, file.path, &diagnostic));
    CHECK_OK(file_read(file.path, FILE_BYTES, scratch->arena, &bytes, &file.count, &diagnostic));
    memcpy(file.bytes, bytes, file.count);
    return file;
}

static void seal(struct trace_file *file)
{
    struct hash hash = hash_bytes(file->bytes, file->count - HASH_BYTES);
    for (int b = 0; b < 8; b++) {
        file->bytes[file->count - HASH_BYTES + (size_t)b] = (uint8_t)(hash.high >> (8 * b));
        file->bytes[file->count - HASH_BYTES / 2 + (size_t)b] = (uint8_t)(hash.low >> (8 * b));
    }
}

static status open_bytes(struct scratch *scratch, const struct trace_file *file, size_t count,
                         struct diagnostic *diagnostic)
{
    struct diagnostic writing = {0};
    struct routing_trace *trace;
    if (file_write(file->path, file->bytes, count, &writing) != STATUS_OK)
        CHECK_FAIL("%s", writing.text);
    *diagnostic = (struct diagnostic){0};
    status code = routing_trace_read(file->path, scratch->arena, &trace, diagnostic);
    assert_true(code == STATUS_OK ||
                (code == STATUS_BAD_INPUT && strstr(diagnostic->text, "a.routing: offset ")));
    return code;
}

static void cut_or_changed_files_are_refused(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic;
    struct trace_file file = write_trace(scratch);
    CHECK_OK(open_bytes(scratch, &file, file.count, &diagnostic));
    for (size_t count = 0; count < file.count; count++)
        assert_int_equal(open_bytes(scratch, &file, count, &diagnostic), STATUS_BAD_INPUT);
    for (size_t b = 0; b < file.count; b++) {
        file.bytes[b] ^= 1;
        assert_int_equal(open_bytes(scratch, &file, file.count, &diagnostic), STATUS_BAD_INPUT);
        file.bytes[b] ^= 1;
    }
}

/* With the checksum right, what is read is legal or refused, and never more than the file can hold. */
static void sealed_changes_are_refused_or_legal(void **state)
{
    static const uint8_t values[] = {0, 1, 2, 3, 7, 8, 127, 128, 255};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic;
    const struct trace_file kept = write_trace(scratch);
    int refused = 0;
    for (size_t b = 0; b < kept.count - HASH_BYTES; b++)
        for (size_t v = 0; v < sizeof values; v++) {
            struct trace_file file = kept;
            file.bytes[b] = values[v];
            seal(&file);
            refused += open_bytes(scratch, &file, file.count, &diagnostic) != STATUS_OK;
        }
    assert_true(refused > 200);
}

static void each_field_is_named(void **state)
{
    static const struct {
        int field;
        uint64_t value;
        const char *words;
    } rows[] = {{0, 2, "version"},
                {1, 0, "number of layers"},
                {1, UINT64_MAX, "number of layers"},
                {2, 5000, "number of experts"},
                {2, 1, "experts"},
                {3, 65, "experts used"},
                {4, UINT64_C(1) << 40, "number of steps"},
                {4, 2, "behind the last step"},
                {4, 4, "does not end"},
                {5, 9, "numbers that rise"},
                {2, 7, "no such expert"}};
    struct scratch *scratch = *state;
    const struct trace_file kept = write_trace(scratch);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct diagnostic diagnostic;
        struct trace_file file = kept;
        for (int b = 0; b < FIELD_BYTES; b++)
            file.bytes[HEAD_BYTES + FIELD_BYTES * rows[r].field + b] =
                (uint8_t)(rows[r].value >> (8 * b));
        seal(&file);
        CHECK_REFUSED(open_bytes(scratch, &file, file.count, &diagnostic), STATUS_BAD_INPUT,
                      rows[r].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cut_or_changed_files_are_refused, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(sealed_changes_are_refused_or_legal, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(each_field_is_named, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
