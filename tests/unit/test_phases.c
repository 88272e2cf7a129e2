/* Two schedules over one residency: prompts that are streamed to cards and answers that the host computes have the bits of
 * the host alone, in whatever order steps of both kinds come, and a plan file keeps both. */
#include "base/file.h"
#include "ops/op_table.h"
#include "planner/plan_file.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

/* So little memory that the host keeps the model, and a link so good that every prompt is worth it. */
#define SMALL "@100000GFLOPS,10000GB/s"
#define CARD  "virtual:110KiB" SMALL ",cpu"
#define CARDS "virtual:110KiB" SMALL ",virtual:110KiB" SMALL ",cpu"

static const struct placing placings[] = {
    {"cpu", NULL, NULL, 64},
    {CARD, "planned", NULL, 32},
    {"virtual:130KiB" SMALL ",cpu", "planned", NULL, 16},
    {CARDS, "planned", NULL, 32},
};
enum { PLACINGS = sizeof placings / sizeof *placings };

static struct engine *open_two(const char *model, const struct placing *placing, bool references,
                               const char *cache)
{
    struct diagnostic diagnostic = {0};
    const struct engine_options options = placing_options(placing, references, cache);
    struct engine *engine;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    return engine;
}

static int count_streams(const struct graph *graph)
{
    int count = 0;
    for (int n = 0; n < graph->node_count; n++)
        count += !strcmp(graph->nodes[n].op->name, "transfer") &&
                 graph->values[graph->nodes[n].inputs[0]].kind == VALUE_WEIGHT;
    return count;
}

static void schedules_agree_with_the_host(void **state)
{
    static const char *const presets[] = {"small-dense", "small-moe", "small-latent",
                                          "small-sinks"};
    struct scratch *scratch = *state;
    for (int p = 0; p < 4; p++) {
        const char *model = split_synthesise(scratch, presets[p], ELEMENT_Q8_0);
        check_placings(model, placings, PLACINGS, true, "", 1, 1);
    }
    const char *model = split_synthesise(scratch, "small-dense", ELEMENT_Q8_0);
    check_placings(model, placings, PLACINGS, false, scratch->folder, 1, 1);
}

/* What is streamed in prompts stays with the host in answers, and nothing is kept twice but norms. */
static void prompts_have_a_schedule_of_their_own(void **state)
{
    const char *model = split_synthesise(*state, "small-dense", ELEMENT_Q8_0);
    struct engine *engine = open_two(model, &placings[1], true, "");
    const struct plan *plan = engine_plan(engine);
    int count;
    assert_non_null(plan->prefill);
    assert_ptr_equal(plan_schedule(plan, plan->prefill_tokens), plan->prefill);
    assert_ptr_equal(plan_schedule(plan, plan->prefill_tokens - 1), plan);
    assert_true(count_streams(plan->prefill->graph) > count_streams(plan->graph));
    struct device *const *devices = engine_devices(engine, &count);
    assert_true(device_memory_used(devices[0]) <= device_memory_limit(devices[0]));
    engine_close(engine);
}

static void feed(struct engine *engine, int sequence, int64_t count, float *logits)
{
    struct diagnostic diagnostic = {0};
    int32_t tokens[SPLIT_PROMPT];
    for (int t = 0; t < count; t++) tokens[t] = (int32_t)(3 + t * 11);
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = count};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
}

/* Prompt, answer, prompt, answer: every step sees what the other schedule has written. */
static void steps_of_both_kinds_take_turns(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    static const int64_t counts[] = {9, 1, 1, 12, 1, 5};
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(*state, "small-moe", ELEMENT_Q8_0);
    struct engine *engines[] = {open_two(model, &placings[0], true, ""),
                                open_two(model, &placings[1], true, "")};
    size_t bytes = (size_t)engine_model(engines[0])->vocabulary * sizeof *logits;
    int sequences[2];
    for (int e = 0; e < 2; e++)
        CHECK_OK(engine_sequence_open(engines[e], &sequences[e], &diagnostic));
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        feed(engines[0], sequences[0], counts[c], expected);
        feed(engines[1], sequences[1], counts[c], logits);
        assert_memory_equal(logits, expected, bytes);
    }
    for (int e = 0; e < 2; e++) engine_close(engines[e]);
}

static void plan_files_keep_both(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-dense", ELEMENT_Q8_0);
    const char *path = file_join(scratch->arena, scratch->folder, "model.plan");
    struct engine_options options = placing_options(&placings[1], true, "");
    struct engine *engine = open_two(model, &placings[1], true, "");
    int64_t tokens = engine_plan(engine)->prefill_tokens;
    int steps = engine_plan(engine)->prefill->step_count;
    int64_t count = split_run(engine, expected);
    CHECK_OK(engine_save_plan(engine, &options, path, &diagnostic));
    engine_close(engine);
    options.devices = options.split = NULL;
    CHECK_OK(engine_open(path, &options, &engine, &diagnostic));
    assert_int_equal(engine_plan(engine)->prefill_tokens, tokens);
    assert_int_equal(engine_plan(engine)->prefill->step_count, steps);
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)count * sizeof *logits);
    engine_close(engine);
}

static void schedules_that_disagree_are_refused(void **state)
{
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(*state, "small-dense", ELEMENT_Q8_0);
    struct engine *engine = open_two(model, &placings[1], true, "");
    struct plan plan = *engine_plan(engine), second = *plan.prefill;
    struct graph graph = *second.graph;
    CHECK_OK(plan_verify_phases(&plan, &diagnostic));
    plan.prefill_tokens = 1;
    CHECK_REFUSED(plan_verify_phases(&plan, &diagnostic), STATUS_BAD_INPUT, "no number of tokens");
    plan.prefill_tokens = plan.bounds.tokens + 1;
    CHECK_REFUSED(plan_verify_phases(&plan, &diagnostic), STATUS_BAD_INPUT, "no number of tokens");
    plan.prefill_tokens = 2;
    plan.prefill = &second;
    second.graph = &graph;
    graph.output_count = 0;
    CHECK_REFUSED(plan_verify_phases(&plan, &diagnostic), STATUS_BAD_INPUT, "other states");
    graph.output_count = plan.graph->output_count;
    for (int v = 0; v < graph.value_count; v++)
        if (graph.values[v].kind == VALUE_STATE) graph.values[v].name = "elsewhere";
    CHECK_REFUSED(plan_verify_phases(&plan, &diagnostic), STATUS_BAD_INPUT, "none of the first");
    engine_close(engine);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(schedules_agree_with_the_host),       TEST(prompts_have_a_schedule_of_their_own),
        TEST(steps_of_both_kinds_take_turns),      TEST(plan_files_keep_both),
        TEST(schedules_that_disagree_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
