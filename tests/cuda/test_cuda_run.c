/* The demo models on cards of the stand-in driver, alone, in pairs and beside the host: prompts, single tokens and forks
 * give the logits of the references, and therefore their greedy tokens wherever these are not a matter of rounding.
 *
 * The plain kernel of tests/cuda/variants/ takes the place of the built-in one, as --variants does it; HONE_TEST_VARIANTS
 * names another folder, or none when it is empty. */
#include "base/file.h"
#include "codegen/cuda/nvrtc.h"
#include "engine/generate.h"
#include "models/quantize.h"
#include "tests/check.h"
#include "tests/ops/device_harness.h"
#include "tests/scratch_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROMPT = 9, GENERATED = 5, CONTEXT = 64 };

/* Activations rounded to 8 bits in blocks move the demo models' logits, which go up to 30, by up to a sixth. */
static const float bound = 0.3f;

static const char *const models[] = {"demo-dense.gguf", "demo-moe.gguf"};
static const int32_t prompt[PROMPT] = {1, 15, 27, 13, 391, 279, 260, 278, 258};

static char folder[SCRATCH_BYTES];

struct expected {
    int64_t vocabulary;
    int32_t tokens[GENERATED]; /* greedy */
    float *logits;             /* [PROMPT + GENERATED, vocabulary] */
};

static const char *model_path(struct arena *arena, const char *name)
{
    return arena_print(arena, "%s/models/demo/%s", HONE_SOURCE_FOLDER, name);
}

static const char *variants_folder(void)
{
    const char *wanted = getenv("HONE_TEST_VARIANTS");
    if (!wanted) return folder;
    return *wanted ? wanted : NULL;
}

static struct engine_options options_for(const char *devices)
{
    return (struct engine_options){.devices = devices,
                                   .threads = 1,
                                   .context = CONTEXT,
                                   .sequences = 2,
                                   .chunk = 16,
                                   .state_element = ELEMENT_F16,
                                   .cache_folder = folder,
                                   .variants_folder = variants_folder()};
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

static status feed(struct engine *engine, int sequence, const int32_t *tokens, int64_t count,
                   float *logits, struct diagnostic *diagnostic)
{
    const struct engine_input input = {
        .sequence = sequence, .tokens = tokens, .count = count, .all_logits = true};
    return engine_feed(engine, &input, 1, logits, diagnostic);
}

/* The prompt in one step, then token by token. */
static void expect(const char *path, struct arena *arena, struct expected *expected)
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = options_for("cpu");
    struct engine *engine;
    int sequence;
    float margin;
    options.references = true;
    CHECK_OK(engine_open(path, &options, &engine, &diagnostic));
    int64_t vocabulary = expected->vocabulary = engine_model(engine)->vocabulary;
    expected->logits =
        arena_allocate(arena, (size_t)(vocabulary * (PROMPT + GENERATED)), sizeof(float));
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    CHECK_OK(feed(engine, sequence, prompt, PROMPT, expected->logits, &diagnostic));
    float *last = expected->logits + vocabulary * (PROMPT - 1);
    for (int t = 0; t < GENERATED; t++) {
        expected->tokens[t] = greedy(last, vocabulary, &margin);
        last += vocabulary;
        CHECK_OK(feed(engine, sequence, &expected->tokens[t], 1, last, &diagnostic));
    }
    engine_close(engine);
}

static void compare(const struct expected *expected, int row, const float *logits,
                    const char *devices)
{
    const float *right = expected->logits + expected->vocabulary * row;
    float margin, ignored;
    for (int64_t t = 0; t < expected->vocabulary; t++)
        if (!(fabsf(logits[t] - right[t]) <= bound))
            CHECK_FAIL("%s: row %d, logit %lld is %g, must be %g", devices, row, (long long)t,
                       (double)logits[t], (double)right[t]);
    int32_t token = greedy(right, expected->vocabulary, &margin);
    if (margin > 2 * bound) assert_int_equal(greedy(logits, expected->vocabulary, &ignored), token);
}

/* Halfway, a fork takes over, whose pages were copied on their devices. */
static void check_tokens(struct engine *engine, const struct expected *expected,
                         struct arena *arena, const char *devices)
{
    struct diagnostic diagnostic = {0};
    int64_t vocabulary = expected->vocabulary;
    float *logits = arena_allocate(arena, (size_t)(vocabulary * PROMPT), sizeof *logits);
    int sequence, fork;
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    CHECK_OK(feed(engine, sequence, prompt, PROMPT, logits, &diagnostic));
    for (int p = 0; p < PROMPT; p++) compare(expected, p, logits + p * vocabulary, devices);
    for (int t = 0; t < GENERATED; t++) {
        if (t == GENERATED / 2) {
            CHECK_OK(engine_sequence_fork(engine, sequence, &fork, &diagnostic));
            engine_sequence_close(engine, sequence);
            sequence = fork;
        }
        CHECK_OK(feed(engine, sequence, &expected->tokens[t], 1, logits, &diagnostic));
        compare(expected, PROMPT + t, logits, devices);
    }
    engine_sequence_close(engine, sequence);
}

static int64_t weights_on_cards(const struct engine *engine, int *cards)
{
    const struct plan *plan = engine_plan(engine);
    int64_t bytes = 0;
    *cards = 0;
    for (int d = 0; d < plan->device_count; d++) {
        if (plan->devices[d].target != TARGET_CUDA || !plan->devices[d].weight_bytes) continue;
        bytes += plan->devices[d].weight_bytes;
        ++*cards;
    }
    return bytes;
}

static bool left_out(const struct diagnostic *diagnostic)
{
    static const char *const reasons[] = {"stand-in CUDA driver", "no CUDA target"};
    for (size_t r = 0; r < sizeof reasons / sizeof *reasons; r++)
        if (strstr(diagnostic->text, reasons[r])) return true;
    return false;
}

/* False when the devices cannot be had. */
static bool check_model(const char *path, const char *wanted, int cards)
{
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    const char *devices = device_harness_list(wanted, arena);
    struct engine_options options = options_for(devices);
    struct engine *engine = NULL;
    struct expected expected;
    int found;
    expect(path, arena, &expected);
    status code = engine_open(path, &options, &engine, &diagnostic);
    bool had = code != STATUS_DEVICE || !left_out(&diagnostic);
    /* Without a host in the list every operator must have a kernel; the error names the first that has none. */
    bool lacking = code == STATUS_DEVICE && !strstr(devices, "cpu") &&
                   strstr(diagnostic.text, "has no kernel for");
    if (!had || lacking) {
        print_message("%s%s on %s: %s\n", had ? "" : "skipped: ", path, devices, diagnostic.text);
    } else {
        CHECK_OK(code);
        int64_t bytes = weights_on_cards(engine, &found);
        assert_true(found >= cards && bytes > 0);
        check_tokens(engine, &expected, arena, devices);
        engine_close(engine);
    }
    arena_destroy(arena);
    return had;
}

static void need_compiler(void)
{
    if (nvrtc_identity() && strcmp(nvrtc_identity(), "none") != 0) return;
    print_message("skipped: there is no NVRTC\n");
    skip();
}

/* `cards`: how many have weights in the end, at least. */
static void check_devices(const char *wanted, int cards)
{
    if (cards > 1 && device_harness_has_card()) {
        print_message("skipped: HONE_TEST_CARD names one card\n");
        skip();
    }
    need_compiler();
    struct arena *arena = arena_create(0);
    bool had = true;
    for (size_t m = 0; had && m < sizeof models / sizeof *models; m++)
        had = check_model(model_path(arena, models[m]), wanted, cards);
    arena_destroy(arena);
    if (!had) skip();
}

static void one_card_beside_the_host(void **unused)
{
    (void)unused;
    check_devices("emulated:sm_86:1GiB,cpu", 1);
}

/* The first card is too small for all layers. */
static void two_cards_beside_the_host(void **unused)
{
    (void)unused;
    check_devices("emulated:sm_86:4MiB,emulated:sm_89:1GiB,cpu", 2);
}

static void one_card(void **unused)
{
    (void)unused;
    check_devices("emulated:sm_86:1GiB", 1);
}

static void two_cards(void **unused)
{
    (void)unused;
    check_devices("emulated:sm_86:1GiB,emulated:sm_89:1GiB", 2);
}

/* Six tokens of two sequences; with `largest` the card keeps the other logits to itself. */
/* What people run: q4_K, q5_0 and q6_K beside each other, and experts of mxfp4. */
static void one_card_with_blocks(void **unused)
{
    (void)unused;
    const struct quantize_options options[] = {{.type = "q4_K_M", .threads = 1},
                                               {.type = "mxfp4", .threads = 1}};
    need_compiler();
    struct arena *arena = arena_create(0);
    bool had = true;
    for (size_t m = 0; had && m < sizeof models / sizeof *models; m++) {
        struct diagnostic diagnostic = {0};
        struct quantize_report report;
        const char *path = arena_print(arena, "%s/%s", folder, models[m]);
        CHECK_OK(quantize_write(model_path(arena, models[m]), path, &options[m], arena, &report,
                                &diagnostic));
        had = check_model(path, "emulated:sm_86:1GiB", 1);
    }
    arena_destroy(arena);
    if (!had) skip();
}

static void sample(const char *devices, int64_t largest, const struct sampling *sampling,
                   struct arena *arena, struct generation_result results[2])
{
    struct diagnostic diagnostic = {0};
    struct engine_options options = options_for(devices);
    struct engine *engine;
    struct generation_times times;
    struct generation_request requests[2];
    options.largest = largest;
    status code = engine_open(model_path(arena, models[0]), &options, &engine, &diagnostic);
    if (code == STATUS_DEVICE && left_out(&diagnostic)) {
        print_message("skipped: %s\n", diagnostic.text);
        skip();
    }
    CHECK_OK(code);
    assert_int_equal(engine_top_count(engine), largest);
    for (uint64_t r = 0; r < 2; r++)
        requests[r] = (struct generation_request){.prompt = prompt,
                                                  .prompt_count = PROMPT - (int64_t)r,
                                                  .tokens = 6,
                                                  .sampling = *sampling,
                                                  .stream = r,
                                                  .ignore_end = true};
    CHECK_OK(generate(engine, requests, 2, NULL, NULL, NULL, arena, results, &times, &diagnostic));
    engine_close(engine);
}

/* The same tokens, whoever looks for the largest logits. */
static void a_card_finds_the_largest_logits(void **unused)
{
    (void)unused;
    const char *devices = "emulated:sm_89:1GiB,cpu";
    struct arena *arena = arena_create(0);
    struct sampling greedy_sampling = sampling_default(), warm = sampling_default();
    struct generation_result all[2], largest[2];
    if (!nvrtc_identity() || strcmp(nvrtc_identity(), "none") == 0) skip();
    warm.temperature = 1.5;
    warm.top_k = 12;
    warm.top_p = 0.95;
    const struct sampling *samplings[] = {&greedy_sampling, &warm};
    for (int s = 0; s < 2; s++) {
        sample(device_harness_list(devices, arena), 0, samplings[s], arena, all);
        sample(device_harness_list(devices, arena), sampling_needs(samplings[s]), samplings[s],
               arena, largest);
        for (int r = 0; r < 2; r++) {
            assert_int_equal(all[r].count, 6);
            assert_int_equal(largest[r].count, 6);
            assert_memory_equal(all[r].tokens, largest[r].tokens, 6 * sizeof *all[r].tokens);
        }
    }
    arena_destroy(arena);
}

/* A kernel fails in the middle of a run: one error, and the engine closes in peace. */
static void a_fault_ends_the_run_with_one_error(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    if (device_harness_has_card()) skip();
    const struct engine_options options = options_for("emulated:sm_86:1GiB,cpu");
    struct engine *engine;
    float *logits = arena_allocate(arena, PROMPT << 16, sizeof *logits);
    int sequence;
    setenv("HONE_EMULATOR_FAULTS", "launch:9=illegal", 1);
    status code = engine_open(model_path(arena, models[0]), &options, &engine, &diagnostic);
    if (code == STATUS_DEVICE && left_out(&diagnostic)) {
        unsetenv("HONE_EMULATOR_FAULTS");
        print_message("skipped: %s\n", diagnostic.text);
        arena_destroy(arena);
        skip();
    }
    CHECK_OK(code);
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    CHECK_REFUSED(feed(engine, sequence, prompt, PROMPT, logits, &diagnostic), STATUS_DEVICE,
                  "ILLEGAL_ADDRESS");
    CHECK_REFUSED(feed(engine, sequence, prompt, PROMPT, logits, &diagnostic), STATUS_DEVICE,
                  "cannot be used any more");
    engine_close(engine);
    unsetenv("HONE_EMULATOR_FAULTS");
    arena_destroy(arena);
}

/* Under the name of the one that it replaces. */
static bool copy_kernel(struct arena *arena, const char *ending)
{
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t count;
    const char *from =
        arena_print(arena, HONE_SOURCE_FOLDER "/tests/cuda/variants/rmsnorm_plain.%s", ending);
    const char *to = arena_print(arena, "%s/rmsnorm_cuda.%s", folder, ending);
    return file_read(from, 1 << 20, arena, &bytes, &count, &diagnostic) == STATUS_OK &&
           file_write(to, bytes, count, &diagnostic) == STATUS_OK;
}

static int make_folder(void **unused)
{
    (void)unused;
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    struct arena *arena = arena_create(0);
    bool made =
        scratch_create(folder) == 0 && copy_kernel(arena, "cu") && copy_kernel(arena, "yaml");
    arena_destroy(arena);
    return made ? 0 : -1;
}

static int remove_folder(void **unused)
{
    (void)unused;
    return scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_card_beside_the_host),
        cmocka_unit_test(two_cards_beside_the_host),
        cmocka_unit_test(one_card),
        cmocka_unit_test(two_cards),
        cmocka_unit_test(one_card_with_blocks),
        cmocka_unit_test(a_card_finds_the_largest_logits),
        cmocka_unit_test(a_fault_ends_the_run_with_one_error),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
