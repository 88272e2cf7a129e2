/* A demo model in bf16 on a card of the stand-in driver, its linears of many rows by cuBLASLt: the logits of the references,
 * and their greedy tokens wherever these are not a matter of rounding.
 *
 * The library's variant is taken because a folder (--variants) gives it an estimate that no kernel can beat. */
#include "base/file.h"
#include "codegen/cuda/nvrtc.h"
#include "engine/engine.h"
#include "tests/check.h"
#include "tests/ops/device_harness.h"
#include "tests/scratch_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROMPT = 24, GENERATED = 3 };

/* Activations rounded to bf16, in every layer. */
static const float bound = 0.3f;

static char folder[SCRATCH_BYTES];

static struct engine_options options_for(const char *devices, const char *variants)
{
    return (struct engine_options){.devices = devices,
                                   .threads = 1,
                                   .context = 64,
                                   .sequences = 1,
                                   .chunk = 32,
                                   .state_element = ELEMENT_F16,
                                   .cache_folder = folder,
                                   .variants_folder = variants};
}

/* The built-in space with another estimate. */
static const char *make_variants(struct arena *arena)
{
    static const char cheap[] = "variant: linear_library_bf16_cuda\n"
                                "extends: linear_library_bf16_cuda\n"
                                "estimate: 0.000000001 * (1 + algorithm)\n";
    struct diagnostic diagnostic = {0};
    const char *variants = arena_print(arena, "%s/variants", folder);
    CHECK_OK(file_write(arena_print(arena, "%s/cheap.yaml", variants), cheap, strlen(cheap),
                        &diagnostic));
    return variants;
}

static const char *make_model(struct arena *arena)
{
    const char *model = arena_print(arena, "%s/demo-bf16.gguf", folder);
    const char *command = arena_print(
        arena,
        "%s/bin/hone quantize %s/models/demo/demo-dense.gguf -o %s --type bf16 >/dev/null 2>&1",
        HONE_BUILD_FOLDER, HONE_SOURCE_FOLDER, model);
    assert_int_equal(system(command), 0);
    return model;
}

static int32_t greedy(const float *logits, int64_t vocabulary, float *margin)
{
    int32_t best = 0;
    float second = -INFINITY;
    for (int32_t t = 1; t < vocabulary; t++) {
        if (logits[t] > logits[best]) {
            second = logits[best];
            best = t;
        } else {
            second = fmaxf(second, logits[t]);
        }
    }
    *margin = logits[best] - second;
    return best;
}

/* The logits of the prompt and of the tokens that follow: greedy ones, kept in `tokens`, or those that are given. */
static float *run(struct engine *engine, struct arena *arena, int32_t *tokens, bool given)
{
    struct diagnostic diagnostic = {0};
    int64_t vocabulary = engine_model(engine)->vocabulary;
    float *logits =
              arena_allocate(arena, (size_t)(vocabulary * (PROMPT + GENERATED)), sizeof *logits),
          margin;
    struct engine_input input = {.tokens = tokens, .count = PROMPT, .all_logits = true};
    CHECK_OK(engine_sequence_open(engine, &input.sequence, &diagnostic));
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
    for (int t = 0; t < GENERATED; t++) {
        float *next = logits + vocabulary * (PROMPT + t);
        if (!given) tokens[PROMPT + t] = greedy(next - vocabulary, vocabulary, &margin);
        input.tokens = &tokens[PROMPT + t];
        input.count = 1;
        CHECK_OK(engine_feed(engine, &input, 1, next, &diagnostic));
    }
    return logits;
}

static int count_library_images(const struct engine *engine)
{
    const struct plan *plan = engine_plan(engine);
    int count = 0;
    for (int i = 0; i < plan->image_count; i++)
        count += strncmp(plan->images[i].candidate, "linear_library_bf16_cuda", 24) == 0;
    return count;
}

static void compare(const float *expected, const float *got, int64_t vocabulary)
{
    float margin, ignored;
    for (int row = 0; row < PROMPT + GENERATED; row++, expected += vocabulary, got += vocabulary) {
        for (int64_t t = 0; t < vocabulary; t++)
            if (!(fabsf(got[t] - expected[t]) <= bound))
                CHECK_FAIL("row %d, logit %lld is %g, must be %g", row, (long long)t,
                           (double)got[t], (double)expected[t]);
        int32_t token = greedy(expected, vocabulary, &margin);
        if (margin > 2 * bound) assert_int_equal(greedy(got, vocabulary, &ignored), token);
    }
}

static void a_model_runs_through_the_library(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    int32_t tokens[PROMPT + GENERATED] = {1};
    struct engine *engine;
    const char *model = make_model(arena);
    for (int t = 1; t < PROMPT; t++) tokens[t] = 10 + t * 37 % 400;
    struct engine_options options = options_for("cpu", NULL);
    options.references = true;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    int64_t vocabulary = engine_model(engine)->vocabulary;
    const float *expected = run(engine, arena, tokens, false);
    engine_close(engine);
    options =
        options_for(device_harness_list("emulated:sm_86:1GiB,cpu", arena), make_variants(arena));
    status code = engine_open(model, &options, &engine, &diagnostic);
    if (code == STATUS_DEVICE) {
        print_message("skipped: %s\n", diagnostic.text);
        arena_destroy(arena);
        skip();
    }
    CHECK_OK(code);
    int images = count_library_images(engine);
    print_message("  %d images call the library\n", images);
    assert_true(images > 0);
    compare(expected, run(engine, arena, tokens, true), vocabulary);
    engine_close(engine);
    arena_destroy(arena);
}

static int make_folder(void **unused)
{
    (void)unused;
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    return scratch_create(folder);
}

static int remove_folder(void **unused)
{
    (void)unused;
    return scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_model_runs_through_the_library)};
    if (strcmp(nvrtc_identity(), "none") == 0) {
        print_message("skipped: there is no NVRTC\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
