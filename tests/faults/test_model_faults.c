/* Every allocation and every call on a file failing once, while models are opened and written: the
 * failure is reported as what it is, nothing is left behind, nothing leaks. */
#include "base/file.h"
#include "models/architecture_catalogue.h"
#include "models/architecture_extend.h"
#include "models/model.h"
#include "models/synth.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <unistd.h>

struct fixture {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    const char *gguf, *written;
};

static void write_model(const char *path, struct diagnostic *diagnostic, status *result)
{
    struct synth_options options = {.ops = op_table(),
                                    .preset = "small-moe",
                                    .element = ELEMENT_Q8_0,
                                    .layers = 1,
                                    .threads = 1};
    *result = synth_write(path, &options, diagnostic);
}

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    struct diagnostic diagnostic = {0};
    status result;
    scratch->arena = arena_create(0);
    *state = scratch;
    if (scratch_create(scratch->folder)) return -1;
    scratch->gguf = file_join(scratch->arena, scratch->folder, "model.gguf");
    scratch->written = file_join(scratch->arena, scratch->folder, "written.gguf");
    write_model(scratch->gguf, &diagnostic, &result);
    return result == STATUS_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

#ifdef HONE_FAULTS
static status open_model(const char *path, struct diagnostic *diagnostic)
{
    struct model_options options = {
        .ops = op_table(), .state_element = ELEMENT_F16, .page_tokens = 16};
    struct model *model;
    TRY(model_open(path, &options, &model, diagnostic));
    model_close(model);
    return STATUS_OK;
}

/* What is tried: opening a file or folder, or writing a file. */
static status attempt(struct fixture *scratch, const char *path, struct diagnostic *diagnostic)
{
    status result;
    if (strcmp(path, scratch->written) != 0) return open_model(path, diagnostic);
    write_model(path, diagnostic, &result);
    return result;
}

/* Each of the first and of the last allocations fails once, for there a model's own file is read and
 * bound.  Of those between, nearly all for descriptions that are the same for every model, one in
 * `STRIDE` does, another one for each path: every_fault_of_a_description_is_reported has them all. */
enum { EDGE = 400, STRIDE = 47 };

static long next_fault(long fault, long points, long offset)
{
    if (fault < EDGE || fault >= points - EDGE) return fault + 1;
    long next = fault == EDGE ? fault + 1 + offset : fault + STRIDE;
    return next < points - EDGE ? next : points - EDGE;
}

static long points_of(struct fixture *scratch, const char *path)
{
    struct diagnostic diagnostic = {0};
    fault_set(0, 0);
    CHECK_OK(attempt(scratch, path, &diagnostic));
    unlink(scratch->written);
    return fault_points_passed();
}

/* Fails allocations (or each call on a file), one after the other, until all pass. */
static void fail_each(struct fixture *scratch, const char *path, bool files, long offset)
{
    long points = points_of(scratch, path), tried = 0;
    status result = STATUS_FAILED;
    for (long fault = 1; result != STATUS_OK;
         fault = files ? fault + 1 : next_fault(fault, points, offset)) {
        struct diagnostic diagnostic = {0};
        fault_set(files ? 0 : fault, files ? fault : 0);
        result = attempt(scratch, path, &diagnostic);
        fault_set(0, 0);
        bool expected = result == STATUS_OK ||
                        (files ? result == STATUS_INPUT_OUTPUT || result == STATUS_BAD_INPUT
                               : result == STATUS_NO_MEMORY);
        if (!expected || diagnostic.code != result) {
            CHECK_FAIL("%s, fault %ld: %s '%s'", path, fault, status_name(result), diagnostic.text);
        }
        if (result != STATUS_OK) assert_false(file_exists(scratch->written));
        tried++;
    }
    print_message("%s: %ld of at most %ld\n", path, tried, points);
    assert_true(tried > (files ? 1 : 100));
    unlink(scratch->written);
}

static status find_embedded(const void *context, const char *name, struct arena *arena,
                            struct yaml **root, struct diagnostic *diagnostic)
{
    (void)context;
    return embedded_yaml(name, arena, root, diagnostic);
}

static status read_description(const struct embedded_file *file, struct arena *arena,
                               struct diagnostic *diagnostic)
{
    const struct architecture_files files = {NULL, find_embedded};
    struct yaml *root;
    struct architecture *architecture;
    TRY(yaml_parse(file->path, file->bytes, file->byte_count, arena, &root, diagnostic));
    TRY(architecture_extend(&files, root, 0, arena, &root, diagnostic));
    return architecture_read(root, op_table(), arena, &architecture, diagnostic);
}
#endif

/* One description at a time: each allocation of each. */
static void every_fault_of_a_description_is_reported(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    for (const struct embedded_file *file = embedded_architectures; file->path; file++) {
        const char *name = file_name_of(file->path);
        long faults = 0;
        if (strcmp(name, "harmless.yaml") == 0 || strcmp(name, "presets.yaml") == 0) continue;
        for (status result = STATUS_FAILED; result != STATUS_OK; faults++) {
            struct arena *arena = arena_create(0);
            struct diagnostic diagnostic = {0};
            fault_set(faults + 1, 0);
            result = read_description(file, arena, &diagnostic);
            fault_set(0, 0);
            arena_destroy(arena);
            if ((result != STATUS_OK && result != STATUS_NO_MEMORY) || diagnostic.code != result)
                CHECK_FAIL("%s, fault %ld: %s '%s'", file->path, faults + 1, status_name(result),
                           diagnostic.text);
        }
        assert_true(faults > 100);
    }
#else
    skip();
#endif
}

static void every_fault_is_reported(void **state)
{
#ifdef HONE_FAULTS
    struct fixture *scratch = *state;
    const char *const paths[] = {scratch->gguf, scratch->written,
                                 HONE_SOURCE_FOLDER
                                 "/tests/oracle/vectors/models/llama/huggingface",
                                 HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/llama_yarn/"
                                                    "llama_yarn-bf16-00001-of-00003.gguf"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        fail_each(scratch, paths[i], false, (long)i * 5);
        fail_each(scratch, paths[i], true, 0);
    }
#else
    (void)state;
    skip(); /* the fault points are compiled into the development presets only */
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_of_a_description_is_reported),
        cmocka_unit_test_setup_teardown(every_fault_is_reported, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
