/* --split planned: what the planner places fits on cards that are only just large enough, up to the last token of the
 * context, and gives the bits that the host alone gives. */
#include "base/file.h"
#include "engine/engine.h"
#include "models/synth.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

enum { CONTEXT = 96, VOCABULARY = 300 };

static const char *write_model(struct scratch *scratch, const char *preset, int64_t layers)
{
    struct diagnostic diagnostic = {0};
    const struct synth_options synth = {.ops = op_table(),
                                        .preset = preset,
                                        .element = ELEMENT_Q8_0,
                                        .layers = layers,
                                        .threads = 1};
    const char *path = file_join(scratch->arena, scratch->folder, "model.gguf");
    CHECK_OK(synth_write(path, &synth, &diagnostic));
    return path;
}

static status open_planned(const char *path, const char *devices, struct engine **engine,
                           struct diagnostic *diagnostic)
{
    const struct engine_options options = {.devices = devices,
                                           .context = CONTEXT,
                                           .chunk = 16,
                                           .references = true,
                                           .state_element = ELEMENT_F16,
                                           .split = "planned",
                                           .cache_folder = ""};
    return engine_open(path, &options, engine, diagnostic);
}

/* The logits behind the last token that the context has room for. */
static void fill_context(struct engine *engine, float *logits)
{
    struct diagnostic diagnostic = {0};
    int32_t tokens[CONTEXT];
    int sequence;
    for (int t = 0; t < CONTEXT; t++) tokens[t] = (int32_t)((t * 37 + 5) % VOCABULARY);
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = CONTEXT};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
}

static bool works(const struct plan *plan, int device)
{
    for (int n = 0; n < plan->graph->node_count; n++)
        if (plan->graph->nodes[n].device == device) return true;
    return false;
}

static void check_devices(const char *path, const char *devices, bool all_work,
                          const float *expected)
{
    struct diagnostic diagnostic = {0};
    struct engine *engine = NULL;
    float logits[VOCABULARY];
    int count;
    CHECK_OK(open_planned(path, devices, &engine, &diagnostic));
    fill_context(engine, logits);
    assert_memory_equal(logits, expected, sizeof logits);
    struct device *const *opened = engine_devices(engine, &count);
    for (int d = 0; d < count; d++) {
        assert_true(device_memory_used(opened[d]) <= device_memory_limit(opened[d]));
        assert_true(!all_work || works(engine_plan(engine), d));
    }
    engine_close(engine);
}

static void planned_contexts_fit_and_give_the_same(void **state)
{
    static const struct {
        const char *preset;
        int64_t layers;
        const char *narrow, *uneven; /* neither card could do it alone */
    } rows[] = {
        {"small-dense", 6, "virtual:260KiB,virtual:260KiB", "virtual:120KiB,virtual:290KiB"},
        {"small-moe", 4, "virtual:200KiB,virtual:200KiB", "virtual:140KiB,virtual:250KiB"},
        {"small-latent", 3, "virtual:380KiB,virtual:380KiB", "virtual:320KiB,virtual:420KiB"},
        {"small-sinks", 4, "virtual:260KiB,virtual:260KiB", "virtual:160KiB,virtual:270KiB"},
    };
    struct diagnostic diagnostic = {0};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const char *path = write_model(*state, rows[r].preset, rows[r].layers);
        struct engine *engine = NULL;
        float expected[VOCABULARY];
        CHECK_OK(open_planned(path, "cpu", &engine, &diagnostic));
        fill_context(engine, expected);
        engine_close(engine);
        check_devices(path, rows[r].narrow, true, expected);
        check_devices(path, rows[r].uneven, true, expected);
        check_devices(path, "virtual:100KiB,virtual:100KiB,cpu", false, expected);
    }
}

static void what_fits_nowhere_is_refused(void **state)
{
    struct diagnostic diagnostic = {0};
    struct engine *engine = NULL;
    const char *path = write_model(*state, "small-moe", 4);
    CHECK_REFUSED(open_planned(path, "virtual:60KiB,virtual:60KiB", &engine, &diagnostic),
                  STATUS_NO_MEMORY, "lower --context");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(planned_contexts_fit_and_give_the_same, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(what_fits_nowhere_is_refused, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
