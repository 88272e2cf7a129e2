/* Splits over devices: every way of sharing a model among them gives the logits of one device, bit for bit. */
#include "base/file.h"
#include "engine/engine.h"
#include "models/synth.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

enum { PROMPT = 20, GENERATED = 2, LOGITS_MOST = 1 << 14 };

struct placing {
    const char *devices, *split;
    int64_t chunk;
};

/* The first is what the others are compared with. */
static const struct placing placings[] = {
    {"cpu", NULL, 64},
    {"virtual:64MiB,virtual:64MiB", NULL, 5},
    {"virtual:64MiB,virtual:64MiB", "tensor", 64},
    {"virtual:64MiB,virtual:64MiB", "tensor=3:1", 7},
    {"virtual:64MiB,virtual:64MiB,virtual:64MiB", "tensor=1:2:1", 64},
    {"virtual:64MiB,virtual:64MiB", "experts=1:3", 64},
    {"virtual:64MiB,cpu", "experts=0:1", 3},
    {"virtual:64MiB,virtual:64MiB,cpu", "tensor=2:1:1", 64},
};
enum { PLACINGS = sizeof placings / sizeof *placings };

static struct engine_options options_of(const struct placing *placing, bool references,
                                        const char *cache)
{
    return (struct engine_options){.devices = placing->devices,
                                   .split = placing->split,
                                   .chunk = placing->chunk,
                                   .context = 64,
                                   .threads = 2,
                                   .references = references,
                                   .deterministic = !references,
                                   .state_element = ELEMENT_F16,
                                   .cache_folder = cache};
}

/* The last prompt token's logits, then those of a few further tokens. */
static int64_t run(struct engine *engine, float *logits)
{
    struct diagnostic diagnostic = {0};
    int64_t vocabulary = engine_model(engine)->vocabulary;
    int32_t tokens[PROMPT];
    int sequence;
    assert_true(vocabulary * (1 + GENERATED) <= LOGITS_MOST);
    for (int t = 0; t < PROMPT; t++) tokens[t] = (int32_t)((5 + t * 37) % vocabulary);
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = PROMPT};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
    for (int g = 0; g < GENERATED; g++) {
        input.tokens = &tokens[g];
        input.count = 1;
        CHECK_OK(engine_feed(engine, &input, 1, logits + (1 + g) * vocabulary, &diagnostic));
    }
    return vocabulary * (1 + GENERATED);
}

static void check_placings(const char *model, bool references, const char *cache, int from,
                           int step)
{
    static float expected[LOGITS_MOST], logits[LOGITS_MOST];
    int64_t count = 0;
    for (int p = 0; p < PLACINGS; p = p ? p + step : from) {
        struct diagnostic diagnostic = {0};
        struct engine_options options = options_of(&placings[p], references, cache);
        struct engine *engine;
        CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
        count = run(engine, p ? logits : expected);
        engine_close(engine);
        if (p && memcmp(logits, expected, (size_t)count * sizeof *logits) != 0)
            CHECK_FAIL("%s: %s, %s gives other logits", model, placings[p].devices,
                       placings[p].split ? placings[p].split : "by layers");
    }
}

static const char *synthesise(struct scratch *scratch, const char *preset,
                              enum element_type element)
{
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "model.gguf");
    const struct synth_options options = {
        .ops = op_table(), .preset = preset, .element = element, .seed = 7, .threads = 2};
    CHECK_OK(synth_write(path, &options, &diagnostic));
    return path;
}

static void references_agree_on_six_shapes(void **state)
{
    static const struct {
        const char *preset;
        enum element_type element;
    } rows[] = {
        {"small-dense", ELEMENT_Q8_0},  {"small-dense", ELEMENT_F32},
        {"small-moe", ELEMENT_Q4_0},    {"small-moe", ELEMENT_BF16},
        {"small-latent", ELEMENT_Q8_0}, {"small-sinks", ELEMENT_Q8_0},
    };
    struct scratch *scratch = *state;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        check_placings(synthesise(scratch, rows[r].preset, rows[r].element), true, "", 1, 1);
}

/* With kernels, some placings each: code takes time to compile. */
static void deterministic_kernels_agree(void **state)
{
    struct scratch *scratch = *state;
    static const char *const presets[] = {"small-dense", "small-moe", "small-latent",
                                          "small-sinks"};
    for (int p = 0; p < 4; p++)
        check_placings(synthesise(scratch, presets[p], ELEMENT_Q8_0), false, scratch->folder,
                       1 + p % 2, 2);
    check_placings(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", false, scratch->folder, 3, 3);
    check_placings(HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf", false, scratch->folder, 2, 5);
}

static int count_slices(const struct graph *graph)
{
    int count = 0;
    for (int v = 0; v < graph->value_count; v++) count += graph->values[v].slice_whole > 0;
    return count;
}

/* Half of the matrices' bytes are on each card, and a plan file keeps the slices. */
static void plans_keep_their_slices(void **state)
{
    static float expected[LOGITS_MOST], logits[LOGITS_MOST];
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    const char *path = file_join(scratch->arena, scratch->folder, "model.plan");
    struct engine_options options = options_of(&placings[2], true, "");
    struct engine *engine;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    const struct plan *plan = engine_plan(engine);
    int slices = count_slices(plan->graph);
    assert_true(slices > 20);
    assert_true(plan->devices[1].weight_bytes * 5 > plan->devices[0].weight_bytes * 3);
    assert_int_equal(plan->devices[0].state_bytes, plan->devices[1].state_bytes);
    int64_t count = run(engine, expected);
    CHECK_OK(engine_save_plan(engine, &options, path, &diagnostic));
    engine_close(engine);
    struct engine_options again = options;
    again.devices = again.split = NULL;
    CHECK_OK(engine_open(path, &again, &engine, &diagnostic));
    assert_int_equal(count_slices(engine_plan(engine)->graph), slices);
    run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)count * sizeof *logits);
    engine_close(engine);
    CHECK_REFUSED(engine_open(path, &options, &engine, &diagnostic), STATUS_USAGE, "--split");
}

static void mistakes_are_explained(void **state)
{
    static const struct {
        const char *split, *words;
    } rows[] = {{"rows", "write layers, tensor or experts"},
                {"layers=1:1", "write layers"},
                {"tensor=", "write layers"},
                {"tensor=1:x", "write layers"},
                {"tensor=-1:1", "write layers"},
                {"tensor=1:1:1", "3 shares for 2 devices"},
                {"tensor=0:0", "no device has a share"}};
    struct scratch *scratch = *state;
    const char *model = synthesise(scratch, "small-dense", ELEMENT_Q8_0);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct diagnostic diagnostic = {0};
        struct engine_options options = options_of(&placings[2], true, "");
        struct engine *engine;
        options.split = rows[r].split;
        CHECK_REFUSED(engine_open(model, &options, &engine, &diagnostic), STATUS_USAGE,
                      rows[r].words);
    }
}

static void slices_have_a_text_form(void **state)
{
    static const char *const good = "graph g\ninput tokens: i32[tokens]\n"
                                    "weight w: f32[4,8] device 1 source table slice 2 8\n"
                                    "x = embed(tokens, w) device 1\noutput x\n";
    static const char *const bad[][2] = {
        {"slice 2 8", "slice 5 8"},  {"slice 2 8", "slice 2 5"},
        {"slice 2 8", "slice -1 8"}, {"slice 2 8", "slice 2"},
        {"slice 2 8", "slice 1 0"},  {"i32[tokens]", "i32[tokens] slice 0 1"}};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct graph *graph;
    struct text text = {.arena = scratch->arena};
    CHECK_OK(graph_parse("good", good, op_table(), scratch->arena, &graph, &diagnostic));
    graph_print(graph, &text);
    CHECK_TEXT(text_finish(&text), good);
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++) {
        const char *at = strstr(good, bad[b][0]);
        const char *changed = arena_print(scratch->arena, "%.*s%s%s", (int)(at - good), good,
                                          bad[b][1], at + strlen(bad[b][0]));
        diagnostic = (struct diagnostic){0};
        assert_int_equal(
            graph_parse("bad", changed, op_table(), scratch->arena, &graph, &diagnostic),
            STATUS_BAD_INPUT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(references_agree_on_six_shapes, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(deterministic_kernels_agree, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(plans_keep_their_slices, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_explained, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(slices_have_a_text_form, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
