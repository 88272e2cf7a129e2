/* Experts in slots of cards: the same logits, bit for bit, whatever is in the slots, whoever computes the misses, and however
 * many slots there are; hits where there are slots, and fewer bytes over the link than streaming all of them takes. */
#include "base/file.h"
#include "engine/record_routing.h"
#include "planner/build.h"
#include "planner/expert_replay.h"
#include "runtime/expert_slots.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

/* A link that is quicker than the host, one that is slower, and both alike. */
static const struct miss_times quick_link = {1e-9, 1, 1}, slow_link = {1e6, 1e-9, 0},
                               balanced = {1e-3, 1e-3, 0};

struct slotted {
    const char *devices, *split;
    int64_t chunk, slots;
    const struct miss_times *times; /* NULL: as measured */
    int64_t runs;                   /* of split_run, which leaves its sequence open */
};

static struct engine *open_slotted(const char *model, const struct slotted *slotted,
                                   bool references, const char *cache)
{
    struct diagnostic diagnostic = {0};
    const struct placing placing = {slotted->devices, slotted->split, NULL, slotted->chunk};
    struct engine_options options = placing_options(&placing, references, cache);
    struct engine *engine;
    options.expert_slots = slotted->slots;
    options.sequences = slotted->runs;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    if (slotted->times) executor_set_miss_times(engine_executor(engine), slotted->times);
    return engine;
}

static int64_t run_expected(const char *model, bool references, const char *cache,
                            float expected[static SPLIT_LOGITS_MOST])
{
    static const struct slotted host = {"cpu", NULL, 64, 0, NULL, 1};
    struct engine *engine = open_slotted(model, &host, references, cache);
    int64_t numbers = split_run(engine, expected);
    engine_close(engine);
    return numbers;
}

static void check_slotted(const char *model, const struct slotted *rows, size_t count,
                          bool references, const char *cache)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    int64_t numbers = run_expected(model, references, cache, expected);
    for (size_t r = 0; r < count; r++) {
        struct engine *engine = open_slotted(model, &rows[r], references, cache);
        split_run(engine, logits);
        struct expert_counts counts = executor_expert_counts(engine_executor(engine));
        engine_close(engine);
        if (memcmp(logits, expected, (size_t)numbers * sizeof *logits) != 0)
            CHECK_FAIL("%s: %s, %lld slots: other logits", model, rows[r].devices,
                       (long long)rows[r].slots);
        assert_true(counts.hits > 0 && counts.hits < counts.asked);
        assert_int_equal(counts.fetched + counts.computed, counts.asked - counts.hits);
        if (rows[r].times == &quick_link) assert_true(counts.fetched > 0);
        if (rows[r].times == &slow_link) assert_int_equal(counts.fetched, 0);
        assert_true((counts.fetched > 0) == (counts.fetched_bytes > 0));
    }
}

static const struct slotted slotted[] = {
    {"virtual:64MiB,cpu", "tensor=1:0", 64, 1, NULL, 1},
    {"virtual:64MiB,cpu", "tensor=1:0", 1, 3, &quick_link, 1},
    {"virtual:64MiB,cpu", "tensor=1:0", 1, 3, &slow_link, 1},
    {"virtual:64MiB,cpu", NULL, 3, 2, &balanced, 1},
    {"virtual:64MiB,virtual:64MiB,cpu", NULL, 1, 3, &balanced, 1},
    {"virtual:64MiB,cpu", "experts=1:0", 7, 2, NULL, 1},
};
enum { SLOTTED = sizeof slotted / sizeof *slotted };

static void slots_change_no_bit(void **state)
{
    static const char *const presets[] = {"small-moe", "small-latent", "small-sinks"};
    struct scratch *scratch = *state;
    for (int p = 0; p < 3; p++)
        check_slotted(split_synthesise(scratch, presets[p], ELEMENT_Q8_0), slotted, SLOTTED, true,
                      "");
    check_slotted(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", slotted + 1, SLOTTED - 1, false,
                  scratch->folder);
}

/* Streaming brings all experts of every layer for every step. */
static void fewer_bytes_cross_the_link_than_by_streaming(void **state)
{
    static float logits[SPLIT_LOGITS_MOST];
    const struct slotted row = {"virtual:64MiB,cpu", "tensor=1:0", 1, 4, &quick_link, 1};
    struct scratch *scratch = *state;
    struct engine *engine =
        open_slotted(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", &row, false, scratch->folder);
    split_run(engine, logits);
    struct expert_counts counts = executor_expert_counts(engine_executor(engine));
    const struct plan *plan = engine_plan(engine);
    int64_t streamed = 0, symbols[SYMBOL_COUNT] = {0};
    for (int v = 0; v < plan->graph->value_count; v++)
        if (plan->graph->values[v].kind == VALUE_WEIGHT && plan->graph->values[v].device == 1)
            streamed += tensor_bytes(&plan->graph->values[v].type, symbols);
    assert_true(streamed > 1 << 20);
    /* Two of eight experts are used: four slots of eight leave less than a quarter. */
    assert_true(counts.fetched_bytes > 0);
    assert_true(counts.fetched_bytes < (SPLIT_PROMPT + SPLIT_GENERATED) * streamed / 4);
    /* What a token reads is what it reads on one device: each expert once, here or there. */
    static const struct slotted host = {"cpu", NULL, 64, 0, NULL, 1};
    struct engine *alone = open_slotted(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", &host,
                                        false, scratch->folder);
    assert_int_equal(plan_decode_weight_bytes(plan), plan_decode_weight_bytes(engine_plan(alone)));
    engine_close(alone);
    /* The card keeps half of the experts, the host has all of them where its file is mapped. */
    assert_true(plan->devices[0].weight_bytes < plan->devices[1].weight_bytes);
    engine_close(engine);
}

static void slots_are_given_up_and_taken_again(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    static const int sizes[] = {2, 1, 0, 3};
    const struct slotted row = {"virtual:64MiB,cpu", "tensor=1:0", 4, 3, &slow_link, 4};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    int64_t numbers = run_expected(model, true, "", expected);
    struct engine *engine = open_slotted(model, &row, true, "");
    struct executor *executor = engine_executor(engine);
    int device_count;
    struct device *card = engine_devices(engine, &device_count)[0];
    assert_int_equal(executor_expert_slots(executor), 3);
    int64_t full = device_memory_used(card), before = full;
    for (int s = 0; s < 4; s++) {
        CHECK_OK(executor_resize_expert_slots(executor, sizes[s], &diagnostic));
        assert_int_equal(executor_expert_slots(executor), sizes[s]);
        int64_t hits = executor_expert_counts(executor).hits;
        assert_true(sizes[s] == 3 ? device_memory_used(card) == full
                                  : device_memory_used(card) < before);
        before = device_memory_used(card);
        split_run(engine, logits);
        assert_memory_equal(logits, expected, (size_t)numbers * sizeof *logits);
        assert_true((executor_expert_counts(executor).hits > hits) == (sizes[s] > 0));
        /* Until all were given up the slots kept what was in them from the start. */
        assert_true((executor_expert_counts(executor).fetched > 0) == (s == 3));
        if (sizes[s] == 0) executor_set_miss_times(executor, &quick_link);
    }
    CHECK_REFUSED(executor_resize_expert_slots(executor, 4, &diagnostic), STATUS_USAGE,
                  "has 3 expert slots");
    engine_close(engine);
}

/* A card that has no room left: the slots are gone, and it goes on without. */
static void running_out_while_growing_leaves_none(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    const struct slotted row = {"virtual:64MiB,cpu", "tensor=1:0", 4, 3, &quick_link, 4};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    int64_t numbers = run_expected(model, true, "", expected);
    struct engine *engine = open_slotted(model, &row, true, "");
    struct executor *executor = engine_executor(engine);
    int device_count;
    struct device *card = engine_devices(engine, &device_count)[0];
    CHECK_OK(executor_resize_expert_slots(executor, 1, &diagnostic));
    void *hog;
    int64_t left = device_memory_limit(card) - device_memory_used(card);
    CHECK_OK(device_allocate(card, left, &hog, &diagnostic));
    CHECK_REFUSED(executor_resize_expert_slots(executor, 3, &diagnostic), STATUS_NO_MEMORY,
                  "virtual:64MiB");
    assert_int_equal(executor_expert_slots(executor), 0);
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)numbers * sizeof *logits);
    CHECK_OK(executor_resize_expert_slots(executor, 1, &diagnostic));
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)numbers * sizeof *logits);
    device_free(card, hog, left);
    engine_close(engine);
}

/* Recorded with slots, the routing is the same; the static policy then keeps what the record says. */
static void a_record_settles_what_is_kept(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    const struct slotted row = {"virtual:64MiB,cpu", "tensor=1:0", 1, 2, &quick_link, 2};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    int64_t numbers = run_expected(model, true, "", expected);
    struct engine *engine = open_slotted(model, &row, true, "");
    struct executor *executor = engine_executor(engine);
    struct routing_recorder *recorder;
    const struct routing_trace *trace;
    CHECK_OK(routing_record(engine, scratch->arena, &recorder, &diagnostic));
    split_run(engine, logits);
    CHECK_OK(routing_recorded(recorder, &trace, &diagnostic));
    assert_int_equal(routing_trace_steps(trace),
                     SPLIT_PROMPT / 2 +
                         SPLIT_GENERATED); /* a step has room for a token of each sequence */
    struct expert_record record = {trace->layers, trace->layer_count, trace->experts, NULL};
    double *frequencies;
    CHECK_OK(expert_frequencies(trace, scratch->arena, &frequencies, &diagnostic));
    record.frequencies = frequencies;
    const struct expert_policy *fixed = expert_policy_find("static");
    CHECK_REFUSED(executor_set_expert_policy(executor, fixed, NULL, &diagnostic), STATUS_USAGE,
                  "without a record");
    CHECK_REFUSED(
        executor_set_expert_policy(executor, expert_policy_find("oracle"), &record, &diagnostic),
        STATUS_USAGE, "oracle");
    CHECK_OK(executor_set_expert_policy(executor, fixed, &record, &diagnostic));
    executor_set_miss_times(executor, &balanced);
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)numbers * sizeof *logits);
    record.experts++;
    CHECK_REFUSED(executor_set_expert_policy(executor, fixed, &record, &diagnostic), STATUS_USAGE,
                  "experts per layer");
    engine_close(engine);
}

static void repeated_layers_share_their_slots(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    struct engine *engine;
    int64_t numbers = 0, bytes[2];
    for (int row = 0; row < 3; row++) {
        const struct placing placing = {row ? "virtual:64MiB,cpu" : "cpu",
                                        row ? "tensor=1:0" : NULL, NULL, 2};
        struct engine_options options = placing_options(&placing, true, "");
        options.layer_map = row == 1 ? NULL : "0..1,0..1";
        options.expert_slots = row ? 2 : 0;
        CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
        numbers = split_run(engine, row ? logits : expected);
        if (row) bytes[row - 1] = engine_plan(engine)->devices[0].weight_bytes;
        engine_close(engine);
    }
    assert_memory_equal(logits, expected, (size_t)numbers * sizeof *logits);
    assert_int_equal(bytes[0], bytes[1]);
}

static void plan_files_keep_the_slots(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    const char *path = file_join(scratch->arena, scratch->folder, "model.plan");
    const struct placing placing = {"virtual:64MiB,cpu", "tensor=1:0", NULL, 4};
    struct engine_options options = placing_options(&placing, true, "");
    struct engine *engine;
    int64_t numbers = run_expected(model, true, "", expected);
    options.expert_slots = 2;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    CHECK_OK(engine_save_plan(engine, &options, path, &diagnostic));
    engine_close(engine);
    CHECK_REFUSED(engine_open(path, &options, &engine, &diagnostic), STATUS_USAGE,
                  "--expert-slots");
    options.devices = options.split = NULL;
    options.expert_slots = 0;
    CHECK_OK(engine_open(path, &options, &engine, &diagnostic));
    assert_int_equal(executor_expert_slots(engine_executor(engine)), 2);
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)numbers * sizeof *logits);
    /* A resolve that is launched like a kernel, and a kernel that is resolved, are no plans. */
    struct plan plan = *engine_plan(engine);
    plan.steps =
        arena_copy(scratch->arena, plan.steps, (size_t)plan.step_count * sizeof *plan.steps);
    int resolve = 0, launch = 0;
    while (plan.steps[resolve].kind != STEP_RESOLVE) resolve++;
    while (plan.steps[launch].kind != STEP_LAUNCH) launch++;
    plan.steps[resolve].kind = STEP_LAUNCH;
    CHECK_REFUSED(plan_verify(&plan, &diagnostic), STATUS_BAD_INPUT, "which its device cannot");
    plan.steps[resolve].kind = STEP_RESOLVE;
    plan.steps[launch].kind = STEP_RESOLVE;
    CHECK_REFUSED(plan_verify(&plan, &diagnostic), STATUS_BAD_INPUT, "which its device cannot");
    engine_close(engine);
}

/* A trace of the model chooses the policy when the engine is opened. */
static void a_trace_chooses_the_policy(void **state)
{
    static float logits[SPLIT_LOGITS_MOST];
    const struct slotted row = {"virtual:64MiB,cpu", "tensor=1:0", 1, 2, &quick_link, 1};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    const char *path = file_join(scratch->arena, scratch->folder, "model.routing");
    struct engine *engine = open_slotted(model, &row, true, "");
    struct routing_recorder *recorder;
    const struct routing_trace *trace;
    CHECK_TEXT(engine_report(engine)->expert_policy, expert_policy_default()->name);
    CHECK_OK(routing_record(engine, scratch->arena, &recorder, &diagnostic));
    split_run(engine, logits);
    CHECK_OK(routing_recorded(recorder, &trace, &diagnostic));
    CHECK_OK(routing_trace_write(trace, path, &diagnostic));
    engine_close(engine);
    struct expert_comparison comparison;
    CHECK_OK(expert_compare(trace, 2, false, &comparison, &diagnostic));
    const struct placing placing = {row.devices, row.split, NULL, row.chunk};
    struct engine_options options = placing_options(&placing, true, "");
    options.expert_slots = 2;
    options.routing = path;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    CHECK_TEXT(engine_report(engine)->expert_policy, expert_policies[comparison.advised].name);
    engine_close(engine);
    options.expert_slots = 0;
    CHECK_REFUSED(engine_open(model, &options, &engine, &diagnostic), STATUS_USAGE,
                  "--expert-slots N");
}

/* A card that holds the slots but not all experts gets the layers. */
static void layers_are_dealt_by_what_their_slots_take(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf";
    const struct placing placing = {"virtual:3MiB,cpu", NULL, NULL, 8};
    for (int slots = 0; slots < 2; slots++) {
        struct engine_options options = placing_options(&placing, true, "");
        struct engine *engine;
        int on_card = 0;
        options.expert_slots = slots;
        CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
        const struct graph *graph = engine_plan(engine)->graph;
        for (int n = 0; n < graph->node_count; n++)
            on_card +=
                !strcmp(graph->nodes[n].op->name, "attention") && graph->nodes[n].device == 0;
        assert_true(slots ? on_card == graph->layer_count : on_card < graph->layer_count);
        engine_close(engine);
    }
    (void)scratch;
}

static void mistakes_are_explained(void **state)
{
    static const struct {
        const char *devices, *split, *words;
    } rows[] = {{"virtual:64MiB", NULL, "add it to the devices"},
                {"virtual:64MiB,cpu", "planned", "leave --split planned away"},
                {"virtual:64MiB,virtual:64MiB,cpu", "experts=1:1:0", "are split over devices"}};
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct diagnostic diagnostic = {0};
        const struct placing placing = {rows[r].devices, rows[r].split, NULL, 64};
        struct engine_options options = placing_options(&placing, true, "");
        struct engine *engine;
        options.expert_slots = 2;
        CHECK_REFUSED(engine_open(model, &options, &engine, &diagnostic), STATUS_USAGE,
                      rows[r].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(slots_change_no_bit, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(fewer_bytes_cross_the_link_than_by_streaming,
                                        scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(slots_are_given_up_and_taken_again, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(running_out_while_growing_leaves_none, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(a_record_settles_what_is_kept, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(a_trace_chooses_the_policy, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(repeated_layers_share_their_slots, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(plan_files_keep_the_slots, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(layers_are_dealt_by_what_their_slots_take, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_explained, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
