/* --check-tensors and --sha256: a number that is none is found wherever it stands, and files with other bytes than the list
 * says are refused.  The sums are sha256sum's own. */
#include "base/file.h"
#include "models/model.h"
#include "models/model_source.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <math.h>
#include <stdio.h>

#define MODELS HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/llama/"
enum { FILE_BYTES_MAX = 1 << 22, SUM_LINE_BYTES = 4096 };

static status open_checked(const char *path, bool numbers, const char *sums, int threads,
                           struct diagnostic *diagnostic)
{
    const struct model_options options = {.ops = op_table(),
                                          .state_element = ELEMENT_F32,
                                          .page_tokens = 16,
                                          .context = 64,
                                          .check_numbers = numbers,
                                          .sums = sums,
                                          .threads = threads};
    struct model *model = NULL;
    status code = model_open(path, &options, &model, diagnostic);
    if (code == STATUS_OK) model_close(model);
    return code;
}

/* ---- Numbers ---- */

/* Writes a copy whose tensor number `t` (of those with elements of this type) has `bytes` at `at`; returns its name. */
static const char *plant(struct scratch *scratch, const char *from, const char *to, int t,
                         int64_t at, const void *bytes, size_t count)
{
    struct model_source source = {0};
    struct diagnostic diagnostic = {0};
    char *content;
    size_t length;
    CHECK_OK(source_open(from, scratch->arena, NULL, &source, &diagnostic));
    const struct stored_tensor *tensor = &source.tensors[t < 0 ? source.tensor_count + t : t];
    const char *name = arena_text(scratch->arena, tensor->name);
    if (at < 0) at += tensor->byte_count;
    CHECK_OK(file_read(from, FILE_BYTES_MAX, scratch->arena, &content, &length, &diagnostic));
    memcpy(content + tensor->offset + at, bytes, count);
    CHECK_OK(file_write(to, content, length, &diagnostic));
    source_close(&source);
    return name;
}

static void clean_models_pass(void **state)
{
    static const char *const models[] = {MODELS "llama-f32.gguf", MODELS "llama-q4_0.gguf",
                                         MODELS "llama-q8_0.gguf", MODELS "huggingface"};
    (void)state;
    for (size_t m = 0; m < sizeof models / sizeof *models; m++)
        for (int threads = 0; threads <= 3; threads++) {
            struct diagnostic diagnostic = {0};
            CHECK_OK(open_checked(models[m], true, NULL, threads, &diagnostic));
        }
}

/* First and last number of first and last tensor; NaN and infinity. */
static void numbers_that_are_none_are_found(void **state)
{
    static const float nan = (float)NAN, infinite = -(float)INFINITY;
    struct scratch *scratch = *state;
    const char *path = file_join(scratch->arena, scratch->folder, "planted.gguf");
    for (int row = 0; row < 4; row++) {
        struct diagnostic diagnostic = {0};
        const char *name =
            plant(scratch, MODELS "llama-f32.gguf", path, row & 1 ? -1 : 0,
                  row & 2 ? -(int64_t)sizeof nan : 0, row & 1 ? &nan : &infinite, sizeof nan);
        const char *message =
            arena_print(scratch->arena, "tensor '%s' (f32) holds %s at row %s", name,
                        row & 1 ? "NaN" : "an infinite number", row & 2 ? "" : "0, column 0;");
        CHECK_REFUSED(open_checked(path, true, NULL, 2, &diagnostic), STATUS_BAD_INPUT, message);
        CHECK_OK(open_checked(path, false, NULL, 2, &diagnostic));
    }
}

/* The scale of a block of q4_0 is its first two bytes. */
static void scales_that_are_no_numbers_are_found(void **state)
{
    static const uint8_t infinite[] = {0x00, 0x7c};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct model_source source = {0};
    int t = 0;
    const char *path = file_join(scratch->arena, scratch->folder, "scale.gguf");
    CHECK_OK(source_open(MODELS "llama-q4_0.gguf", scratch->arena, NULL, &source, &diagnostic));
    while (source.tensors[t].type.element != ELEMENT_Q4_0) t++;
    source_close(&source);
    plant(scratch, MODELS "llama-q4_0.gguf", path, t, 18, infinite, sizeof infinite);
    CHECK_REFUSED(open_checked(path, true, NULL, 1, &diagnostic), STATUS_BAD_INPUT,
                  "row 0, column 32");
}

/* ---- Sums ---- */

/* What sha256sum prints for these files of a folder. */
static const char *sums_of(struct scratch *scratch, const char *folder, const char *names)
{
    char line[SUM_LINE_BYTES];
    struct text text = {.arena = scratch->arena};
    FILE *lines = popen(arena_print(scratch->arena, "cd '%s' && sha256sum %s", folder, names), "r");
    assert_non_null(lines);
    while (fgets(line, sizeof line, lines)) text_append(&text, line);
    assert_int_equal(pclose(lines), 0);
    return text_finish(&text);
}

static void the_right_sum_passes_and_others_do_not(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    char sum[65] = {0};
    memcpy(sum, sums_of(scratch, MODELS, "llama-q8_0.gguf"), 64);
    CHECK_OK(open_checked(MODELS "llama-q8_0.gguf", false, sum, 0, &diagnostic));
    CHECK_REFUSED(open_checked(MODELS "llama-q4_0.gguf", false, sum, 0, &diagnostic),
                  STATUS_BAD_INPUT, "which is not the expected one");
    sum[63] = sum[63] == '0' ? '1' : '0';
    CHECK_REFUSED(open_checked(MODELS "llama-q8_0.gguf", false, sum, 0, &diagnostic),
                  STATUS_BAD_INPUT, "which is not the expected one");
    sum[63] = 0; /* 63 digits are no sum, and no list is called so */
    CHECK_REFUSED(open_checked(MODELS "llama-q8_0.gguf", false, sum, 0, &diagnostic),
                  STATUS_BAD_INPUT, sum);
}

static const char *write_list(struct scratch *scratch, const char *folder, const char *content)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, folder, "SHA256SUMS");
    CHECK_OK(file_write(path, content, strlen(content), &diagnostic));
    return path;
}

/* A copy of the folder, for lists lie beside what they list. */
static const char *copy_folder(struct scratch *scratch)
{
    const char *folder = file_join(scratch->arena, scratch->folder, "model"), **names;
    struct diagnostic diagnostic = {0};
    int count;
    CHECK_OK(file_make_folders(folder, &diagnostic));
    CHECK_OK(file_list(MODELS "huggingface", "", scratch->arena, &names, &count, &diagnostic));
    for (int n = 0; n < count; n++) {
        char *bytes;
        size_t length;
        CHECK_OK(file_read(file_join(scratch->arena, MODELS "huggingface", names[n]),
                           FILE_BYTES_MAX, scratch->arena, &bytes, &length, &diagnostic));
        CHECK_OK(
            file_write(file_join(scratch->arena, folder, names[n]), bytes, length, &diagnostic));
    }
    return folder;
}

static void lists_cover_every_file(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *folder = copy_folder(scratch), *config = sums_of(scratch, folder, "config.json");
    const char *all = sums_of(scratch, folder, "*");
    CHECK_OK(open_checked(folder, false, write_list(scratch, folder, all), 0, &diagnostic));
    CHECK_REFUSED(open_checked(folder, false, write_list(scratch, folder, config), 0, &diagnostic),
                  STATUS_BAD_INPUT, "is not in the list of sums");
    const char *other =
        arena_print(scratch->arena, "%c%s", config[0] == '0' ? '1' : '0', config + 1);
    const char *weights = sums_of(scratch, folder, "*.safetensors");
    CHECK_REFUSED(open_checked(folder, false,
                               write_list(scratch, folder,
                                          arena_print(scratch->arena, "%s%s", weights, other)),
                               0, &diagnostic),
                  STATUS_BAD_INPUT, "config.json: its SHA-256");
}

static void broken_lists_are_refused(void **state)
{
    static const struct {
        const char *line, *message;
    } rows[] = {
        {"zz", ":1: no SHA-256"},
        {"%s", ":1: no name"},
        {"%s  ", ":1: no name"},
        {"%s x", ":1: no name"},
        {"%s  absent.bin", ":1: the file is not there"},
        {"\n%s  ../planted", ":2: the name leaves"},
        {"%s  a/../../planted", ":1: the name leaves"},
        {"%s  /etc/hostname", ":1: the name leaves"},
        {"%s  a/..", ":1: the name leaves"},
    };
    static const char sum[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    struct scratch *scratch = *state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct diagnostic diagnostic = {0};
        const char *place = strstr(rows[r].line, "%s");
        const char *text =
            !place ? rows[r].line
                   : arena_print(scratch->arena, "%.*s%s%s", (int)(place - rows[r].line),
                                 rows[r].line, sum, place + 2);
        CHECK_REFUSED(open_checked(MODELS "llama-q8_0.gguf", false,
                                   write_list(scratch, scratch->folder, text), 0, &diagnostic),
                      STATUS_BAD_INPUT, rows[r].message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clean_models_pass),
        cmocka_unit_test_setup_teardown(numbers_that_are_none_are_found, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(scales_that_are_no_numbers_are_found, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(the_right_sum_passes_and_others_do_not, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(lists_cover_every_file, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(broken_lists_are_refused, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
