/* Importance matrices: sums, costs, llama.cpp's two file formats, and files that are none. */
#include "base/file.h"
#include "models/gguf_write.h"
#include "models/importance.h"
#include "models/quantize.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <math.h>

static const char *path_of(struct scratch *scratch, const char *name)
{
    return file_join(scratch->arena, scratch->folder, name);
}

/* Two experts of three columns; the second saw nothing. */
static struct importance sample(struct scratch *scratch)
{
    struct diagnostic diagnostic = {0};
    struct importance importance = {
        .arena = scratch->arena, .chunks = 3, .chunk_tokens = 512, .text_name = "t.txt"};
    struct importance_row *row;
    CHECK_OK(importance_add(&importance, "blk.0.ffn_up_exps.weight", 3, 2, &row, &diagnostic));
    importance_see(row, 0, (const float[]){1, 2, 0});
    importance_see(row, 0, (const float[]){3, 2, 0});
    CHECK_OK(importance_add(&importance, "output.weight", 2, 1, &row, &diagnostic));
    importance_see(row, 0, (const float[]){0.5f, -0.5f});
    return importance;
}

static void check_sample(const struct importance *importance)
{
    float costs[3];
    const struct importance_row *row = importance_find(importance, "blk.0.ffn_up_exps.weight");
    assert_non_null(row);
    assert_true(row->columns == 3 && row->experts == 2 && row->counts[0] == 2 &&
                row->counts[1] == 0);
    assert_true(row->sums[0] == 10 && row->sums[1] == 8 && row->sums[2] == 0);
    for (int expert = 0; expert < 2;
         expert++) { /* the second has the mean of those that saw something */
        importance_costs(row, expert, costs);
        assert_true(fabsf(costs[0] - 5.0f / 3) < 1e-3f && fabsf(costs[1] - 4.0f / 3) < 1e-3f);
        assert_true(costs[2] > 0 && costs[2] < 1e-3f);
    }
    assert_non_null(importance_find(importance, "output.weight"));
    assert_null(importance_find(importance, "token_embd.weight"));
}

static void what_is_written_reads_back(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct importance importance = sample(scratch), again = {.arena = scratch->arena};
    check_sample(&importance);
    CHECK_OK(importance_write(&importance, path_of(scratch, "a.gguf"), &diagnostic));
    CHECK_OK(importance_read(path_of(scratch, "a.gguf"), &again, &diagnostic));
    check_sample(&again);
    struct importance_row *row;
    assert_int_equal(importance_add(&again, "output.weight", 3, 1, &row, &diagnostic),
                     STATUS_BAD_INPUT);
}

static size_t put(uint8_t *to, size_t at, const void *from, size_t count)
{
    memcpy(to + at, from, count);
    return at + count;
}

/* The older format: means times calls, all experts in one row. */
static size_t old_file(uint8_t *bytes, int32_t count, int32_t length, int32_t values)
{
    static const float means[] = {10, 8, 0, 10, 8, 0};
    int32_t calls = 2;
    size_t at = put(bytes, 0, &count, 4);
    at = put(bytes, at, &length, 4);
    at = put(bytes, at, "blk.0.ffn_up_exps.weight", 24);
    at = put(bytes, at, &calls, 4);
    at = put(bytes, at, &values, 4);
    return put(bytes, at, means, sizeof means);
}

static void older_files_are_read(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct importance importance = {.arena = scratch->arena};
    uint8_t bytes[128];
    float costs[3];
    CHECK_OK(
        file_write(path_of(scratch, "old.dat"), bytes, old_file(bytes, 1, 24, 6), &diagnostic));
    CHECK_OK(importance_read(path_of(scratch, "old.dat"), &importance, &diagnostic));
    struct importance_row *row = importance_find(&importance, "blk.0.ffn_up_exps.weight");
    assert_non_null(row);
    CHECK_OK(importance_fit(&importance, row, 3, 2, &diagnostic));
    importance_costs(row, 1, costs);
    assert_true(fabsf(costs[0] - 5.0f / 3) < 1e-3f);
    assert_int_equal(importance_fit(&importance, row, 4, 2, &diagnostic), STATUS_BAD_INPUT);
}

static void refuse(struct scratch *scratch, const uint8_t *bytes, size_t count, const char *message)
{
    struct diagnostic diagnostic = {0};
    struct importance importance = {.arena = scratch->arena};
    CHECK_OK(file_write(path_of(scratch, "bad"), bytes, count, &diagnostic));
    status outcome = importance_read(path_of(scratch, "bad"), &importance, &diagnostic);
    if (outcome != STATUS_BAD_INPUT || !strstr(diagnostic.text, message))
        CHECK_FAIL("%d, '%s', not '%s'", (int)outcome, diagnostic.text, message);
}

static void other_files_are_refused(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    uint8_t bytes[128];
    static const float not_a_number = NAN, negative = -1;
    size_t count = old_file(bytes, 1, 24, 6);
    for (size_t cut = 0; cut < count; cut++)
        refuse(scratch, bytes, cut, cut < 4 ? "the file ends" : "");
    old_file(bytes, 2, 24, 6);
    refuse(scratch, bytes, count, "the file ends");
    old_file(bytes, 0, 24, 6);
    refuse(scratch, bytes, count, "a count is out of bounds");
    old_file(bytes, INT32_MAX, 24, 6);
    refuse(scratch, bytes, count, "a count is out of bounds");
    old_file(bytes, 1, -1, 6);
    refuse(scratch, bytes, count, "a count is out of bounds");
    old_file(bytes, 1, 24, INT32_MAX);
    refuse(scratch, bytes, count, "the file ends");
    old_file(bytes, 1, 24, 6);
    put(bytes, count - 4, &not_a_number, 4);
    refuse(scratch, bytes, count, "holds nan");
    put(bytes, count - 4, &negative, 4);
    refuse(scratch, bytes, count, "holds -1");
    struct gguf_writer *writer;
    CHECK_OK(
        gguf_writer_create(path_of(scratch, "model.gguf"), scratch->arena, &writer, &diagnostic));
    gguf_put_text(writer, "general.architecture", "llama");
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    CHECK_OK(gguf_writer_finish(writer, &diagnostic));
    gguf_writer_close(writer);
    struct importance importance = {.arena = scratch->arena};
    assert_int_equal(importance_read(path_of(scratch, "model.gguf"), &importance, &diagnostic),
                     STATUS_BAD_INPUT);
    assert_non_null(strstr(diagnostic.text, "must be 'imatrix'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_reads_back, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(older_files_are_read, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(other_files_are_refused, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
