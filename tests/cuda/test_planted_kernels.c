/* Mistakes planted in the kernels' real sources, one at a time (planted_kernels.h): the kernel as it is agrees with the
 * reference, and the tests' checks or those of the stand-in driver notice the mistake, in the way that the table says.
 *
 * Every row is compiled and run in a process of its own, because a failed launch spoils a driver.  HONE_TEST_PLANTED=WORD
 * takes the rows of which the variant, the file or the bug contains the word. */
#include "base/process.h"
#include "codegen/compile.h"
#include "codegen/cuda/kernel_sources.h"
#include "emulator/emulator.h"
#include "ops/catalogue.h"
#include "tests/check.h"
#include "tests/cuda/planted_kernels.h"
#include "tests/ops/device_harness.h"
#include "tests/ops/variant_harness.h"

#include <dlfcn.h>

/* Beyond what any row takes under sanitizers. */
static const struct process_limits limits = {.seconds = 60};

static const char *const caught_names[CAUGHT_KINDS] = {
    [CAUGHT_NOTHING] = "nothing",
    [CAUGHT_RESULT] = "the result",
    [CAUGHT_RACE] = "a race",
    [CAUGHT_UNWRITTEN] = "shared memory that nobody has written",
    [CAUGHT_UNWAITED] = "a copy that was not waited for",
    [CAUGHT_BOUNDS] = "bounds",
    [CAUGHT_ALIGNMENT] = "alignment",
    [CAUGHT_HANG] = "lanes that wait for ever",
    [CAUGHT_ARRIVALS] = "arrivals that nobody waits for",
    [CAUGHT_FENCE] = "a missing fence",
};

/* What the harness and the stand-in say. */
static const struct {
    const char *words;
    enum caught caught;
} reasons[] = {
    {"race:", CAUGHT_RACE},
    {"which nobody has written", CAUGHT_UNWRITTEN},
    {"before the copy", CAUGHT_UNWAITED},
    {"of an allocation", CAUGHT_BOUNDS},
    {"no allocation", CAUGHT_BOUNDS},
    {"bytes of operand", CAUGHT_BOUNDS},
    {"shared bytes at", CAUGHT_BOUNDS},
    {"multiple of", CAUGHT_ALIGNMENT},
    {"wait here for", CAUGHT_HANG},
    {"never completes", CAUGHT_HANG},
    {"arrivals at the mbarrier", CAUGHT_ARRIVALS},
    {"without a wgmma.fence", CAUGHT_FENCE},
    {"have returned", CAUGHT_HANG},
};

static enum caught caught_by(status code, const char *reason)
{
    if (code == STATUS_OK) return CAUGHT_NOTHING;
    for (size_t r = 0; r < sizeof reasons / sizeof *reasons; r++)
        if (strstr(reason, reasons[r].words)) return reasons[r].caught;
    return code == STATUS_MISMATCH ? CAUGHT_RESULT : CAUGHT_NOTHING;
}

/* ---- Planting ---- */

#define PLANTED_FOLDER "planted/"

/* The text with `original` replaced, which it must have exactly once. */
static status replace_fragment(const struct planted *row, struct arena *arena, const char **text,
                               struct diagnostic *diagnostic)
{
    const char *at = strstr(*text, row->original);
    if (!at || strstr(at + 1, row->original))
        return fail(diagnostic, STATUS_NOT_FOUND, "%s has %s '%s': correct this row of the table",
                    row->file, at ? "more than one" : "no", row->original);
    *text = arena_print(arena, "%.*s%s%s", (int)(at - *text), *text, row->replacement,
                        at + strlen(row->original));
    TRY_MEMORY(*text, diagnostic);
    return STATUS_OK;
}

/* Includes of files beside the generated one name their copies: the vocabulary that every kernel is given cannot be
 * replaced under its own name. */
static status rename_includes(struct arena *arena, const char **text, struct diagnostic *diagnostic)
{
    static const char lead[] = "#include \"";
    struct text renamed = {.arena = arena};
    const char *from = *text;
    for (const char *at = strstr(from, lead); at; at = strstr(from, lead)) {
        at += strlen(lead);
        text_append_range(&renamed, from, (size_t)(at - from));
        if (strncmp(at, KERNEL_CONFIG_NAME, strlen(KERNEL_CONFIG_NAME)) != 0)
            text_append(&renamed, PLANTED_FOLDER);
        from = at;
    }
    text_append(&renamed, from);
    *text = text_finish(&renamed);
    TRY_MEMORY(*text, diagnostic);
    return STATUS_OK;
}

static status plant_source(const struct planted *row, struct kernel_source *source, bool *planted,
                           struct arena *arena, struct diagnostic *diagnostic)
{
    if (strcmp(source->path, row->file) == 0) {
        TRY(replace_fragment(row, arena, &source->text, diagnostic));
        *planted = true;
    }
    source->path = arena_print(arena, PLANTED_FOLDER "%s", source->path);
    TRY_MEMORY(source->path, diagnostic);
    return rename_includes(arena, &source->text, diagnostic);
}

/* A copy of the space whose kernel includes copies of all headers. */
static status plant(const struct planted *row, const struct space *space, struct arena *arena,
                    struct space **planted_space, struct diagnostic *diagnostic)
{
    struct space *copy;
    struct kernel_source *headers;
    int count = kernel_source_count(space);
    bool planted = false;
    TRY_NEW(copy, arena, 1, diagnostic);
    TRY_NEW(headers, arena, count, diagnostic);
    *copy = *space;
    for (int s = 0; s < count; s++) {
        headers[s] = kernel_source_at(space, s);
        TRY(plant_source(row, &headers[s], &planted, arena, diagnostic));
    }
    TRY(plant_source(row, &copy->kernel, &planted, arena, diagnostic));
    if (!planted)
        return fail(diagnostic, STATUS_NOT_FOUND, "%s does not include %s", space->variant,
                    row->file);
    copy->headers = headers;
    copy->header_count = count;
    *planted_space = copy;
    return STATUS_OK;
}

/* ---- Running ---- */

struct stage {
    struct arena *arena;
    struct catalogue catalogue;
    struct device *device;
    const struct space *space;
    struct problem *problem;
    struct op_trial *trial;
    struct config config;
};

static bool names_tunable(const char *config, const char *name, size_t length)
{
    for (const char *at = strstr(config, name); at; at = strstr(at + 1, name))
        if ((at == config || at[-1] == ' ') && at[length] == '=') return true;
    return false;
}

/* The default config with the row's values in the place of its own. */
static status choose_config(struct stage *stage, const struct planted_run *run,
                            struct diagnostic *diagnostic)
{
    const char *reason, *wanted = run->config ? run->config : "";
    struct bound_space bound;
    struct text text = {.arena = stage->arena}, whole = {.arena = stage->arena};
    if (!space_bind(stage->space, stage->problem, device_facts(stage->device), stage->arena, &bound,
                    &reason))
        return fail(diagnostic, STATUS_UNSUPPORTED, "%s: %s", run->variant, reason);
    space_default(&bound, &stage->config);
    config_print(stage->space, &stage->config, &text);
    for (const char *at = text_finish(&text); *at;) {
        size_t length = strcspn(at, " "), name_length = strcspn(at, "=");
        const char *name = arena_text_range(stage->arena, at, name_length);
        if (!names_tunable(wanted, name, name_length)) {
            text_append_range(&whole, at, length);
            text_append(&whole, " ");
        }
        at += length + (at[length] == ' ');
    }
    text_append(&whole, wanted);
    TRY(config_parse(stage->space, text_finish(&whole), &stage->config, diagnostic));
    const struct rule *broken = space_check(&bound, &stage->config);
    if (!broken) return STATUS_OK;
    return fail(diagnostic, STATUS_UNSUPPORTED, "%s %s: %s", run->variant, text_finish(&whole),
                broken->reason);
}

/* The bucket's bound lies above the step, as in most runs. */
static status set_stage(struct stage *stage, const struct planted_run *run,
                        struct diagnostic *diagnostic)
{
    struct device **devices;
    int count;
    const struct device_options options = {.threads = 1, .no_forks = true};
    const char *list = arena_print(stage->arena, "emulated:%s:256MiB", run->card);
    TRY(catalogue_read(NULL, stage->arena, &stage->catalogue, diagnostic));
    stage->space = catalogue_find(&stage->catalogue, run->variant);
    if (!stage->space)
        return fail(diagnostic, STATUS_NOT_FOUND, "there is no variant %s", run->variant);
    TRY(device_open_list(list, &options, stage->arena, &devices, &count, diagnostic));
    stage->device = devices[0];
    TRY(op_case_problem(run->problem, run->step.rows + run->step.rows / 2, run->step.context,
                        stage->arena, &stage->problem, diagnostic));
    TRY(op_trial_create(stage->problem, &run->step, 7, stage->arena, &stage->trial, diagnostic));
    if (run->strays) variant_stray_trial(stage->trial);
    if (run->narrow) variant_narrow_trial(stage->trial);
    return choose_config(stage, run, diagnostic);
}

static status run_kernel(struct stage *stage, const struct space *space,
                         struct diagnostic *diagnostic)
{
    struct image image;
    const struct generation generation = {space, stage->problem, &stage->config,
                                          device_facts(stage->device)};
    status code = compile_here(&generation, stage->arena, &image, NULL, diagnostic);
    if (code != STATUS_OK) return fail(diagnostic, STATUS_COMPILE, "%s", diagnostic->text);
    struct device_image_run run = {stage->device, &image};
    TRY(op_trial_check(stage->trial, device_image_run, &run, variant_rounded_bound, diagnostic));
    return variant_judge_unit(NULL, space, stage->trial, diagnostic);
}

/* The stand-in's own words where there are some. */
static const char *reason_of(const struct diagnostic *diagnostic)
{
    hone_emulator_last_fault_function *last_fault = NULL;
    void *library =
        dlopen(HONE_BUILD_FOLDER "/lib/hone/emulator/libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    if (library) *(void **)&last_fault = dlsym(library, "hone_emulator_last_fault");
    const char *fault = last_fault ? last_fault() : "";
    return *fault ? fault : diagnostic->text;
}

struct work {
    const struct planted *row;
    bool plain_too;
};

/* In the child: the result says how the mistake was noticed. */
static status try_row(void *context, struct arena *arena, void **result, size_t *result_bytes,
                      struct diagnostic *diagnostic)
{
    const struct work *work = context;
    const struct planted *row = work->row;
    struct stage stage = {.arena = arena};
    struct space *planted;
    struct diagnostic noticed = {0};
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    setenv("HONE_EMULATOR_THREADS", "1",
           1); /* blocks in order, so that the first of two mistakes is always the same */
    TRY(set_stage(&stage, row->run, diagnostic));
    if (work->plain_too) TRY(run_kernel(&stage, stage.space, diagnostic));
    TRY(plant(row, stage.space, arena, &planted, diagnostic));
    status code = run_kernel(&stage, planted, &noticed);
    const char *reason = reason_of(&noticed);
    enum caught caught = caught_by(code, reason);
    if (caught != row->caught)
        return fail(diagnostic, STATUS_FAILED, "noticed by %s, not by %s: %s: %s",
                    caught_names[caught], caught_names[row->caught], status_name(code), reason);
    char *text = arena_print(arena, "%s", reason);
    TRY_MEMORY(text, diagnostic);
    *result = text;
    *result_bytes = strlen(text) + 1;
    return STATUS_OK;
}

static bool is_wanted(const struct planted *row)
{
    const char *word = getenv("HONE_TEST_PLANTED");
    return !word || strstr(row->run->variant, word) || strstr(row->file, word) ||
           strstr(row->bug, word);
}

static void each_is_noticed(void **unused)
{
    (void)unused;
    int noticed = 0, missed = 0;
    const struct planted_run *checked = NULL;
    for (const struct planted *row = planted_kernels; row < planted_kernels + PLANTED_KERNELS;
         row++) {
        if (!is_wanted(row)) continue;
        struct diagnostic diagnostic = {0};
        struct arena *arena = arena_create(0);
        struct work work = {row, checked != row->run};
        void *reason;
        size_t bytes;
        status code = process_call(try_row, &work, limits, arena, &reason, &bytes, &diagnostic);
        print_message("%s: %s (%s, %s): %s\n",
                      code == STATUS_OK ? caught_names[row->caught] : "FAILED", row->bug,
                      row->run->variant, row->run->card,
                      code == STATUS_OK ? (char *)reason : diagnostic.text);
        noticed += code == STATUS_OK;
        missed += code != STATUS_OK;
        checked = code == STATUS_OK ? row->run : NULL;
        arena_destroy(arena);
    }
    print_message("%d planted mistakes noticed\n", noticed);
    assert_int_equal(missed, 0);
    assert_true(noticed > 0);
}

/* In a child too. */
static status try_card(void *context, struct arena *arena, void **result, size_t *result_bytes,
                       struct diagnostic *diagnostic)
{
    const struct device_options options = {.threads = 1, .no_forks = true};
    struct device *device;
    (void)context, (void)arena;
    *result = NULL;
    *result_bytes = 0;
    return device_open("emulated:sm_86:64MiB", &options, &device, diagnostic);
}

static bool has_stand_in(void)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    void *result;
    size_t bytes;
    status code = process_call(try_card, NULL, limits, arena, &result, &bytes, &diagnostic);
    if (code != STATUS_OK) print_message("skipped: %s\n", diagnostic.text);
    arena_destroy(arena);
    return code == STATUS_OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_is_noticed)};
    if (strcmp(compile_identity(TARGET_CUDA), "none") == 0) {
        print_message("skipped: NVRTC is not here, so no CUDA kernel can be compiled\n");
        return 0;
    }
    if (device_harness_has_card()) {
        print_message("skipped: what a card does with such kernels is not defined\n");
        return 0;
    }
    return has_stand_in() ? cmocka_run_group_tests(tests, NULL, NULL) : 0;
}
