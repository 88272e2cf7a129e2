/* Plans made ahead of time: compiled for cards that are known by their profiles, run on cards of the stand-in driver
 * without any compiler, refused where the architecture is another one. */
#include "base/file.h"
#include "codegen/cuda/nvrtc.h"
#include "engine/engine.h"
#include "ops/catalogue.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROMPT = 5, CONTEXT = 64 };

static const char model[] = HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf";
static const char here[] = "emulated:sm_86:1GiB,emulated:sm_86:1GiB,cpu";
static const int32_t prompt[PROMPT] = {1, 15, 27, 13, 391};

static char folder[SCRATCH_BYTES];
static char plan_path[SCRATCH_BYTES + 32];

static struct engine_options options_for(const char *devices)
{
    return (struct engine_options){.devices = devices,
                                   .threads = 1,
                                   .context = CONTEXT,
                                   .chunk = 16,
                                   .candidates = 2,
                                   .race_seconds = -1,
                                   .state_element = ELEMENT_F16,
                                   .cache_folder = folder};
}

static void need_compiler(void)
{
    if (strcmp(nvrtc_identity(), "none") != 0) return;
    print_message("skipped: there is no NVRTC\n");
    skip();
}

/* For the two cards of the profile and the host. */
static status compile_for(const char *devices, struct engine_report *report,
                          struct diagnostic *diagnostic)
{
    const struct engine_options options = options_for(devices);
    struct engine *engine;
    TRY(engine_prepare(model, &options, &engine, diagnostic));
    *report = *engine_report(engine);
    status code = engine_save_plan(engine, &options, plan_path, diagnostic);
    engine_close(engine);
    return code;
}

static float *logits_of(struct engine *engine, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    float *logits =
        arena_allocate(arena, (size_t)engine_model(engine)->vocabulary * PROMPT, sizeof *logits);
    int sequence;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    const struct engine_input input = {
        .sequence = sequence, .tokens = prompt, .count = PROMPT, .all_logits = true};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
    engine_sequence_close(engine, sequence);
    return logits;
}

/* No compiler can be had in what follows. */
static void hide_compiler(void)
{
    setenv("HONE_NVRTC", "/nonexistent/libnvrtc.so", 1);
}

static bool open_here(const struct engine_options *options, struct engine **engine)
{
    struct diagnostic diagnostic = {0};
    status code = engine_open(plan_path, options, engine, &diagnostic);
    unsetenv("HONE_NVRTC");
    if (code == STATUS_DEVICE && strstr(diagnostic.text, "stand-in CUDA driver")) {
        print_message("skipped: %s\n", diagnostic.text);
        return false;
    }
    CHECK_OK(code);
    return true;
}

static void a_plan_for_absent_cards_runs_where_they_are(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct engine_report made;
    struct engine *engine, *host;
    need_compiler();
    CHECK_OK(compile_for("rtx3090,rtx3090,cpu", &made, &diagnostic));
    assert_true(made.kernels > 0 && made.kernels_compiled > 0);
    assert_true(made.kernels_packed > 0); /* of kernels with more than one config */
    struct engine_options options = options_for(here);
    hide_compiler();
    if (!open_here(&options, &engine)) skip();
    assert_int_equal(engine_report(engine)->kernels_compiled, 0);
    assert_int_equal(engine_report(engine)->kernels, made.kernels);
    assert_int_equal(engine_report(engine)->kernels_packed, made.kernels_packed);
    struct engine_options exact = options_for("cpu");
    exact.references = true;
    CHECK_OK(engine_open(model, &exact, &host, &diagnostic));
    struct arena *arena = arena_create(0);
    const float *logits = logits_of(engine, arena), *right = logits_of(host, arena);
    for (int64_t t = 0; t < engine_model(host)->vocabulary * PROMPT; t++)
        if (!(logits[t] - right[t] < 0.3f && right[t] - logits[t] < 0.3f))
            CHECK_FAIL("logit %lld is %g, must be %g", (long long)t, (double)logits[t],
                       (double)right[t]);
    engine_close(engine);
    engine_close(host);
    arena_destroy(arena);
}

static void other_cards_are_refused(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct engine_report made;
    struct engine *engine;
    need_compiler();
    CHECK_OK(compile_for("rtx3090,cpu", &made, &diagnostic));
    static const struct {
        const char *devices;
        status code;
        const char *words;
    } cases[] = {
        {"emulated:sm_89:1GiB,cpu", STATUS_DEVICE, "is of sm_89: build it for this card"},
        {"emulated:sm_86:32KiB,cpu", STATUS_NO_MEMORY, "the plan needs"},
        {"emulated:sm_86:1GiB", STATUS_USAGE, "was made for 2 devices, 1 are given"},
        {"cpu,cpu", STATUS_USAGE, "cpu stands in the place of rtx3090"},
        {"rtx3090,cpu", STATUS_DEVICE, "the profile of a card that is not here"},
        {"rtx3091,cpu", STATUS_USAGE, "is no device"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct engine_options options = options_for(cases[c].devices);
        diagnostic = (struct diagnostic){0};
        status code = engine_open(plan_path, &options, &engine, &diagnostic);
        if (strstr(diagnostic.text, "stand-in CUDA driver")) continue;
        CHECK_REFUSED(code, cases[c].code, cases[c].words);
    }
    /* Looking at it needs no card. */
    struct engine_options options = options_for(NULL);
    CHECK_OK(engine_prepare(plan_path, &options, &engine, &diagnostic));
    engine_close(engine);
}

static void cards_that_the_compiler_does_not_know_are_refused(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct engine_report made;
    need_compiler();
    if (strcmp(nvrtc_identity(), "nvrtc 13") >= 0)
        CHECK_REFUSED(compile_for("p40,cpu", &made, &diagnostic), STATUS_DEVICE, "need NVRTC 12");
    hide_compiler();
    CHECK_REFUSED(compile_for("rtx3090,cpu", &made, &diagnostic), STATUS_COMPILE, "HONE_NVRTC");
    unsetenv("HONE_NVRTC");
}

static void cards_of_one_kind_share_kernels(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct engine_options options = options_for("rtx3090,rtx3090");
    struct engine *engine;
    need_compiler();
    options.cache_folder = "";
    options.chunk = options.candidates = 1;
    CHECK_OK(engine_prepare(model, &options, &engine, &diagnostic));
    const struct engine_report *report = engine_report(engine);
    assert_true(report->kernels_compiled > 0 && report->kernels_compiled < report->kernels);
    engine_close(engine);
}

static void a_profile_runs_nothing(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    const struct engine_options options = options_for("rtx3090,cpu");
    struct engine *engine;
    CHECK_REFUSED(engine_open(model, &options, &engine, &diagnostic), STATUS_DEVICE,
                  "rtx3090 is the profile");
}

/* ---- Racing ---- */

/* By its estimate plant 1 is the best, which is wrong; plant 3 faults. */
static const char planted_space[] =
    "variant: rmsnorm_cuda\n"
    "op: rmsnorm\n"
    "target: cuda\n"
    "numerics: {operands: exact, accumulation: f32}\n"
    "tunables:\n"
    "  plant: {values: [0, 1, 3], default: 1}\n"
    "launches:\n"
    "  - {entry: planted, rows_per_item: 32, items: 1, threads: 32, arguments: [x, weight, y]}\n"
    "estimate: 0.00001 if plant == 1 else 0.00002 + 0.000001 * plant\n";

static const char planted_kernel[] =
    "#include \"codegen/cuda/memory.cuh\"\n"
    "#include \"config.cuh\"\n"
    "KERNEL(32) planted(const float *x, const float *weight, float *y, const struct step *step)\n"
    "{\n"
    "    const int row = blockIdx.x * 32 + threadIdx.x;\n"
    "    if (row >= step->rows) return;\n"
    "    const float *terms = x + (long long)row * x_columns;\n"
    "    float *to = y + (long long)row * x_columns, total = 0;\n"
    "    for (int c = 0; c < x_columns; c++) total += terms[c] * terms[c];\n"
    "    const float scale = 1.0f / sqrtf(total / x_columns + epsilon);\n"
    "    for (int c = 0; c < x_columns; c++) to[c] = terms[c] * scale * (weight[c] + offset);\n"
    "    if (plant == 1) to[x_columns - 1] = 0;\n"
    "    if (plant == 3) y[1ll << 38] = 1;\n"
    "}\n";

static void write_variant(struct arena *arena, const char *variants, const char *name,
                          const char *space)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(file_write(arena_print(arena, "%s/%s.cu", variants, name), planted_kernel,
                        strlen(planted_kernel), &diagnostic));
    CHECK_OK(file_write(arena_print(arena, "%s/%s.yaml", variants, name), space, strlen(space),
                        &diagnostic));
}

/* Everything else is left to the host, for an interpreter is no card: the other variants are replaced by some that answer
 * nothing in this model. */
static const char *planted_variants(struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct catalogue catalogue;
    CHECK_OK(catalogue_read(NULL, arena, &catalogue, &diagnostic));
    const char *variants = arena_print(arena, "%s/planted", folder);
    for (int v = 0; v < catalogue.count; v++) {
        const struct space *space = catalogue.spaces[v];
        if (space->target != TARGET_CUDA) continue;
        const char *text = arena_print(
            arena,
            "variant: %s\nop: combine\ntarget: cuda\n"
            "numerics: {operands: exact, accumulation: f32}\ntunables: {plant: {values: [0]}}\n"
            "launches:\n  - {entry: planted, items: 1, threads: 32, arguments: []}\n"
            "estimate: 1\n",
            space->variant);
        bool planted = strcmp(space->variant, "rmsnorm_cuda") == 0;
        write_variant(arena, variants, space->variant, planted ? planted_space : text);
    }
    return variants;
}

/* In every bucket, raced or not. */
static void check_right_kernels(const struct engine *engine)
{
    const struct plan *plan = engine_plan(engine);
    int found = 0;
    for (int n = 0; n < plan->graph->node_count; n++)
        for (int b = 0; b < BUCKET_ROW_COUNT * BUCKET_CONTEXT_COUNT; b++) {
            int image = plan->choices[n][b / BUCKET_CONTEXT_COUNT][b % BUCKET_CONTEXT_COUNT];
            if (image < 0 || plan->images[image].image.target != TARGET_CUDA) continue;
            if (strcmp(plan->graph->nodes[n].op->name, "rmsnorm") != 0) continue;
            CHECK_TEXT(plan->images[image].candidate, "rmsnorm_cuda plant=0");
            found++;
        }
    assert_true(found > 0);
}

static void packed_candidates_are_raced_once(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct engine_options options = options_for("rtx3090,cpu");
    struct engine *engine;
    need_compiler();
    options.candidates = 3;
    options.variants_folder = planted_variants(arena);
    options.race_seconds = 300; /* an interpreter takes longer than a card */
    CHECK_OK(engine_prepare(model, &options, &engine, &diagnostic));
    CHECK_OK(engine_save_plan(engine, &options, plan_path, &diagnostic));
    engine_close(engine);
    options.devices = "emulated:sm_86:1GiB,cpu";
    for (int start = 0; start < 2; start++) {
        hide_compiler();
        if (!open_here(&options, &engine)) break;
        assert_true(start == 0 ? engine_report(engine)->kernels_raced >= 3
                               : engine_report(engine)->kernels_raced == 0);
        check_right_kernels(engine);
        engine_close(engine);
    }
    /* Where nothing is kept, nothing is raced. */
    options.cache_folder = "";
    hide_compiler();
    if (open_here(&options, &engine)) {
        assert_int_equal(engine_report(engine)->kernels_raced, 0);
        engine_close(engine);
    }
    arena_destroy(arena);
}

/* Plan and model are copied to another folder, and the model that the plan names is gone. */
static void a_plan_travels_with_its_model(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    const char *origin = arena_print(arena, "%s/origin", folder),
               *target = arena_print(arena, "%s/target", folder);
    const char *copy = arena_print(arena, "%s/model.gguf", origin);
    struct engine_options options = options_for("cpu");
    struct engine *engine;
    char *bytes;
    size_t count;
    CHECK_OK(file_read(model, 1 << 26, arena, &bytes, &count, &diagnostic));
    CHECK_OK(file_write(copy, bytes, count, &diagnostic));
    CHECK_OK(engine_prepare(copy, &options, &engine, &diagnostic));
    CHECK_OK(engine_save_plan(engine, &options, arena_print(arena, "%s/model.plan", origin),
                              &diagnostic));
    engine_close(engine);
    assert_int_equal(rename(origin, target), 0);
    options.devices = NULL;
    CHECK_OK(
        engine_open(arena_print(arena, "%s/model.plan", target), &options, &engine, &diagnostic));
    engine_close(engine);
    assert_int_equal(unlink(arena_print(arena, "%s/model.gguf", target)), 0);
    CHECK_REFUSED(
        engine_open(arena_print(arena, "%s/model.plan", target), &options, &engine, &diagnostic),
        STATUS_BAD_INPUT, "origin/model.gguf");
    arena_destroy(arena);
}

static int make_folder(void **unused)
{
    (void)unused;
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    if (scratch_create(folder)) return -1;
    snprintf(plan_path, sizeof plan_path, "%s/model.plan", folder);
    setenv("XDG_CONFIG_HOME", folder, 1);
    return 0;
}

static int remove_folder(void **unused)
{
    (void)unused;
    return scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_for_absent_cards_runs_where_they_are),
        cmocka_unit_test(other_cards_are_refused),
        cmocka_unit_test(cards_that_the_compiler_does_not_know_are_refused),
        cmocka_unit_test(cards_of_one_kind_share_kernels),
        cmocka_unit_test(a_profile_runs_nothing),
        cmocka_unit_test(packed_candidates_are_raced_once),
        cmocka_unit_test(a_plan_travels_with_its_model),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
