/* Splits over devices: every way of sharing a model among them gives the logits of one device, bit for bit. */
#include "base/file.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

/* The first is what the others are compared with. */
static const struct placing placings[] = {
    {"cpu", NULL, NULL, 64},
    {"virtual:64MiB,virtual:64MiB", NULL, NULL, 5},
    {"virtual:64MiB,virtual:64MiB", "tensor", NULL, 64},
    {"virtual:64MiB,virtual:64MiB", "tensor=3:1", NULL, 7},
    {"virtual:64MiB,virtual:64MiB,virtual:64MiB", "tensor=1:2:1", NULL, 64},
    {"virtual:64MiB,virtual:64MiB", "experts=1:3", NULL, 64},
    {"virtual:64MiB,cpu", "experts=0:1", NULL, 3},
    {"virtual:64MiB,virtual:64MiB,cpu", "tensor=2:1:1", NULL, 64},
    {"virtual:64MiB,virtual:64MiB,virtual:64MiB", NULL, NULL, 1},
    {"virtual:64MiB,virtual:64MiB", "tensor", NULL, 1},
};
enum { PLACINGS = sizeof placings / sizeof *placings };

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
        check_placings(split_synthesise(scratch, rows[r].preset, rows[r].element), placings,
                       PLACINGS, true, "", 1, 1);
}

/* With kernels, some placings each: code takes time to compile. */
static void deterministic_kernels_agree(void **state)
{
    struct scratch *scratch = *state;
    static const char *const presets[] = {"small-dense", "small-moe", "small-latent",
                                          "small-sinks"};
    for (int p = 0; p < 4; p++)
        check_placings(split_synthesise(scratch, presets[p], ELEMENT_Q8_0), placings, PLACINGS,
                       false, scratch->folder, 1 + p % 2, 2);
    check_placings(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", placings, PLACINGS, false,
                   scratch->folder, 3, 3);
    check_placings(HONE_SOURCE_FOLDER "/models/demo/demo-dense.gguf", placings, PLACINGS, false,
                   scratch->folder, 2, 5);
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
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    const char *path = file_join(scratch->arena, scratch->folder, "model.plan");
    struct engine_options options = placing_options(&placings[2], true, "");
    struct engine *engine;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    const struct plan *plan = engine_plan(engine);
    int slices = count_slices(plan->graph);
    assert_true(slices > 20);
    assert_true(plan->devices[1].weight_bytes * 5 > plan->devices[0].weight_bytes * 3);
    assert_int_equal(plan->devices[0].state_bytes, plan->devices[1].state_bytes);
    int64_t count = split_run(engine, expected);
    CHECK_OK(engine_save_plan(engine, &options, path, &diagnostic));
    engine_close(engine);
    struct engine_options again = options;
    again.devices = again.split = NULL;
    CHECK_OK(engine_open(path, &again, &engine, &diagnostic));
    assert_int_equal(count_slices(engine_plan(engine)->graph), slices);
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)count * sizeof *logits);
    engine_close(engine);
    CHECK_REFUSED(engine_open(path, &options, &engine, &diagnostic), STATUS_USAGE, "--split");
}

/* The next step may begin before this one ends, so somebody must be told of the end of every copy from another device. */
static void every_copy_is_followed_by_a_signal(void **state)
{
    static const struct placing rows[] = {{"virtual:64MiB,virtual:64MiB", NULL, NULL, 64},
                                          {"virtual:64MiB,virtual:64MiB", "tensor", NULL, 64}};
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-dense", ELEMENT_Q8_0);
    for (int r = 0; r < 2; r++) {
        struct diagnostic diagnostic = {0};
        const struct engine_options options = placing_options(&rows[r], true, "");
        struct engine *engine;
        int copies = 0;
        CHECK_OK(engine_prepare(model, &options, &engine, &diagnostic));
        const struct plan *plan = engine_plan(engine);
        for (int s = 0; s < plan->step_count; s++) {
            const struct plan_step *copy = &plan->steps[s];
            if (copy->kind != STEP_COPY) continue;
            copies++;
            assert_true(s + 1 < plan->step_count);
            assert_true(copy[1].kind == STEP_SIGNAL && copy[1].device == copy->device);
        }
        assert_true(copies > 0);
        engine_close(engine);
    }
}

static void mistakes_are_explained(void **state)
{
    static const struct {
        const char *split, *words;
    } rows[] = {{"rows", "write layers, planned, tensor or experts"},
                {"layers=1:1", "write layers"},
                {"tensor=", "write layers"},
                {"tensor=1:x", "write layers"},
                {"tensor=-1:1", "write layers"},
                {"tensor=1:1:1", "3 shares for 2 devices"},
                {"tensor=0:0", "no device has a share"}};
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-dense", ELEMENT_Q8_0);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct diagnostic diagnostic = {0};
        struct engine_options options = placing_options(&placings[2], true, "");
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
        cmocka_unit_test_setup_teardown(every_copy_is_followed_by_a_signal, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_explained, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(slices_have_a_text_form, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
