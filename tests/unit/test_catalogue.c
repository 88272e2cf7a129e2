/* The catalogue of variants: what is compiled in equals the files, folders of users replace and
 * add. */
#include "base/embedded.h"
#include "base/file.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

extern const struct embedded_file embedded_spaces[], embedded_cuda_spaces[], embedded_kernels[],
    embedded_vocabulary[], embedded_profiles[], embedded_architectures[];

static void check_table(const struct embedded_file *table)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    for (const struct embedded_file *file = table; file->path; file++) {
        char *bytes;
        size_t byte_count;
        CHECK_OK(file_read(file_join(arena, HONE_SOURCE_FOLDER, file->path), 1 << 20, arena, &bytes,
                           &byte_count, &diagnostic));
        assert_int_equal(byte_count, file->byte_count);
        assert_memory_equal(bytes, file->bytes, byte_count + 1);
        assert_int_equal(strlen(file->fingerprint), 64);
    }
    arena_destroy(arena);
}

static void embedded_files_equal_their_originals(void **unused)
{
    (void)unused;
    check_table(embedded_spaces);
    check_table(embedded_cuda_spaces);
    check_table(embedded_kernels);
    check_table(embedded_vocabulary);
    check_table(embedded_profiles);
    check_table(embedded_architectures);
}

static void every_built_in_space_is_read(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct catalogue catalogue;
    CHECK_OK(catalogue_read(NULL, arena, &catalogue, &diagnostic));
    int cpu_files = 0, files = 0;
    while (embedded_spaces[cpu_files].path) cpu_files++;
    while (embedded_cuda_spaces[files].path) files++;
    files += cpu_files;
    assert_int_equal(catalogue.count, files);
    assert_null(catalogue.spaces[catalogue.count]);
    for (int s = 0; s < catalogue.count; s++) {
        /* emitter and kernel are found by the file's name, so the variant must have it */
        const struct space *space = catalogue.spaces[s];
        bool cuda = s >= cpu_files;
        const char *path =
            cuda ? embedded_cuda_spaces[s - cpu_files].path : embedded_spaces[s].path;
        const char *name = file_name_of(path);
        if (strncmp(name, space->variant, strlen(space->variant)) != 0 ||
            strcmp(name + strlen(space->variant), ".yaml") != 0)
            CHECK_FAIL("%s holds the variant %s", name, space->variant);
        assert_int_equal(space->target, cuda ? TARGET_CUDA : TARGET_CPU);
        if (cuda && !space->kernel.text) CHECK_FAIL("%s has no kernel beside it", path);
    }
    print_message("%d variants\n", catalogue.count);
    arena_destroy(arena);
}

static void write_text(struct arena *arena, const char *folder, const char *name, const char *text)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(file_write(file_join(arena, folder, name), text, strlen(text), &diagnostic));
}

static void write_space(struct arena *arena, const char *folder, const char *name,
                        const char *variant, const char *estimate)
{
    write_text(arena, folder, name,
               arena_print(arena, "variant: %s\nop: add\ntarget: cpu\nestimate: \"%s\"\n", variant,
                           estimate));
}

static void folders_add_and_replace_variants(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    char folder[SCRATCH_BYTES];
    assert_int_equal(scratch_create(folder), 0);
    struct catalogue built_in, first, second;
    CHECK_OK(catalogue_read(NULL, arena, &built_in, &diagnostic));
    write_space(arena, folder, "mine.yaml", "mine_cpu", "1e-6");
    write_space(arena, folder, "other.yaml", "other_cpu", "1e-6");
    CHECK_OK(catalogue_read(folder, arena, &first, &diagnostic));
    assert_int_equal(first.count, built_in.count + 2);
    const struct space *mine = catalogue_find(&first, "mine_cpu");
    assert_non_null(mine);
    assert_true(hash_equal(mine->source, mine->source));

    /* A changed file is another source: its records are no longer its own. */
    write_space(arena, folder, "mine.yaml", "mine_cpu", "2e-6");
    write_space(arena, folder, "zother.yaml", "other_cpu",
                "3e-6"); /* the later file replaces the earlier */
    CHECK_OK(catalogue_read(folder, arena, &second, &diagnostic));
    assert_int_equal(second.count, built_in.count + 2);
    assert_false(hash_equal(mine->source, catalogue_find(&second, "mine_cpu")->source));
    CHECK_TEXT(catalogue_find(&second, "other_cpu")->estimate->text, "3e-6");

    const char *bad = file_join(arena, folder, "bad.yaml");
    CHECK_OK(file_write(bad, "variant: bad\n", 13, &diagnostic));
    CHECK_REFUSED(catalogue_read(folder, arena, &second, &diagnostic), STATUS_BAD_INPUT,
                  "bad.yaml:1:1");
    assert_int_equal(scratch_remove(folder), 0);
    CHECK_REFUSED(catalogue_read(folder, arena, &second, &diagnostic), STATUS_BAD_INPUT, folder);
    arena_destroy(arena);
}

static bool has_tunable(const struct space *space, const char *name)
{
    for (int t = 0; t < space->tunable_count; t++)
        if (strcmp(space->tunables[t].name, name) == 0) return true;
    return false;
}

/* A variant of a folder on top of a built-in one, and one on top of that. */
static void variants_extend_others(void **unused)
{
    static const char first[] = "variant: mine_cuda\nextends: linear_dot_cuda\n"
                                "tunables: {warps: {values: [2]}, extra: {values: [1, 2]}}\n"
                                "rules: [{require: extra <= warps, class: soft, reason: few}]\n";
    static const char second[] =
        "variant: yours_cuda\nextends: mine_cuda\ntunables: {extra: none}\n"
        "let: {nothing: 0}\nrules: []\n";
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    char folder[SCRATCH_BYTES];
    struct catalogue catalogue;
    assert_int_equal(scratch_create(folder), 0);
    write_text(arena, folder, "mine.yaml", first);
    CHECK_OK(catalogue_read(folder, arena, &catalogue, &diagnostic));
    const struct space *mine = catalogue_find(&catalogue, "mine_cuda"),
                       *base = catalogue_find(&catalogue, "linear_dot_cuda");
    assert_int_equal(mine->tunable_count, base->tunable_count + 1);
    assert_int_equal(mine->rule_count, base->rule_count + 1);
    assert_true(has_tunable(mine, "extra") && !has_tunable(base, "extra"));
    CHECK_TEXT(mine->kernel.path, base->kernel.path);
    CHECK_TEXT(mine->estimate->text, base->estimate->text);
    assert_false(hash_equal(mine->source, base->source));

    write_text(arena, folder, "yours.yaml", second);
    CHECK_REFUSED(catalogue_read(folder, arena, &catalogue, &diagnostic), STATUS_BAD_INPUT,
                  "unknown name 'extra'"); /* the rule that was taken over */
    write_text(arena, folder, "yours.yaml", "variant: yours_cuda\nextends: theirs_cuda\n");
    CHECK_REFUSED(catalogue_read(folder, arena, &catalogue, &diagnostic), STATUS_BAD_INPUT,
                  "yours.yaml:2:10: there is no variant 'theirs_cuda' to extend");
    write_text(arena, folder, "mine.yaml", "variant: mine_cuda\nextends: yours_cuda\n");
    write_text(arena, folder, "yours.yaml", "variant: yours_cuda\nextends: mine_cuda\n");
    CHECK_REFUSED(catalogue_read(folder, arena, &catalogue, &diagnostic), STATUS_BAD_INPUT,
                  "more than 4 deep");
    assert_int_equal(scratch_remove(folder), 0);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedded_files_equal_their_originals),
        cmocka_unit_test(every_built_in_space_is_read),
        cmocka_unit_test(folders_add_and_replace_variants),
        cmocka_unit_test(variants_extend_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
