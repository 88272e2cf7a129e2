/* Streamed weights: the same logits, transfers ahead of their users in the queue of copies, room for a few at a time, and
 * plans that would use a weight before it is there are refused. */
#include "base/file.h"
#include "ir/graph_edit.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

static const struct placing placings[] = {
    {"cpu", NULL, NULL, 64},
    {"virtual:64MiB,cpu", "tensor=1:0", "experts", 64},
    {"virtual:64MiB,cpu", "tensor=1:0", "layers=0", 7},
    {"virtual:64MiB,virtual:64MiB,cpu", "tensor", "layers=1", 64},
    {"virtual:64MiB,virtual:64MiB,cpu", "tensor=2:1:0", "layers=9", 3},
};
enum { PLACINGS = sizeof placings / sizeof *placings };

static void streamed_weights_change_no_bit(void **state)
{
    static const char *const presets[] = {"small-dense", "small-moe", "small-latent",
                                          "small-sinks"};
    struct scratch *scratch = *state;
    for (int p = 0; p < 4; p++)
        check_placings(split_synthesise(scratch, presets[p], ELEMENT_Q8_0), placings, PLACINGS,
                       true, "", 1, 1);
    check_placings(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", placings, PLACINGS, false,
                   scratch->folder, 1, 3);
}

static struct engine *prepare(struct scratch *scratch, const char *preset, const char *stream)
{
    struct diagnostic diagnostic = {0};
    const struct placing placing = {"virtual:64MiB,cpu", "tensor=1:0", stream, 64};
    const struct engine_options options = placing_options(&placing, true, "");
    struct engine *engine;
    CHECK_OK(engine_open(split_synthesise(scratch, preset, ELEMENT_Q8_0), &options, &engine,
                         &diagnostic));
    return engine;
}

struct fetched {
    int copy, wait, user; /* steps */
};

static bool reads(const struct node *node, int value)
{
    for (int i = 0; i < OP_INPUTS_MAX; i++)
        if (node->inputs[i] == value) return true;
    return false;
}

static int find_step(const struct plan *plan, int from, enum step_kind kind, int value, int event)
{
    for (int s = from; s < plan->step_count; s++) {
        const struct plan_step *step = &plan->steps[s];
        if (step->kind != kind) continue;
        if (kind == STEP_LAUNCH && reads(&plan->graph->nodes[step->node], value)) return s;
        if (kind == STEP_WAIT && step->queue == QUEUE_WORK && step->event == event) return s;
    }
    return -1;
}

/* In the order of their copies; the signal follows its copy. */
static int find_fetched(const struct plan *plan, struct fetched fetched[static 64])
{
    int count = 0;
    for (int s = 0; s < plan->step_count; s++) {
        const struct plan_step *step = &plan->steps[s];
        if (step->kind != STEP_COPY || step->queue != QUEUE_COPIES) continue;
        assert_true(count < 64);
        assert_int_equal(plan->steps[s + 1].kind, STEP_SIGNAL);
        fetched[count++] =
            (struct fetched){s, find_step(plan, s, STEP_WAIT, 0, plan->steps[s + 1].event),
                             find_step(plan, s, STEP_LAUNCH, step->target, 0)};
    }
    return count;
}

/* Each copy is queued before the work on the weight that is `ahead` before it, and is waited for right before its own. */
static void transfers_are_ahead_of_their_users(void **state)
{
    struct scratch *scratch = *state;
    for (int ahead = 0; ahead < 6; ahead++) {
        const char *stream = arena_print(scratch->arena, "experts=%d", ahead);
        struct engine *engine = prepare(scratch, "small-moe", stream);
        const struct plan *plan = engine_plan(engine);
        struct fetched fetched[64];
        int count = find_fetched(plan, fetched);
        assert_int_equal(count, 6); /* gate, up and down of two layers */
        for (int f = 0; f < count; f++) {
            assert_true(fetched[f].copy < fetched[f].wait && fetched[f].wait < fetched[f].user);
            if (f >= ahead) assert_true(fetched[f].copy < fetched[f - ahead].user);
            if (f > ahead)
                assert_true(fetched[f].copy > fetched[f - ahead - 1].user ||
                            fetched[f - ahead - 1].user == fetched[f - ahead].user);
        }
        engine_close(engine);
    }
}

/* The card has no room for more than what is under way; the host keeps the weights where their file is mapped. */
static void only_a_few_are_there_at_once(void **state)
{
    struct scratch *scratch = *state;
    struct engine *engine = prepare(scratch, "small-latent", NULL);
    int64_t resident = engine_plan(engine)->devices[0].weight_bytes;
    int64_t arena = engine_plan(engine)->devices[0].arena_bytes;
    engine_close(engine);
    engine = prepare(scratch, "small-latent", "layers=1");
    const struct plan *plan = engine_plan(engine);
    int64_t streamed = plan->devices[1].weight_bytes;
    assert_true(streamed * 2 > resident);
    assert_true(plan->devices[0].weight_bytes + streamed == resident);
    assert_true(plan->devices[0].arena_bytes - arena < streamed / 2);
    engine_close(engine);
}

static void unsafe_orders_are_refused(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct engine *engine = prepare(scratch, "small-moe", "experts=1");
    struct plan plan = *engine_plan(engine);
    struct fetched fetched[64];
    int count = find_fetched(&plan, fetched);
    CHECK_OK(plan_verify(&plan, &diagnostic));
    plan.steps =
        arena_copy(scratch->arena, plan.steps, (size_t)plan.step_count * sizeof *plan.steps);
    const struct fetched *last = &fetched[count - 1];
    /* The user does not wait. */
    struct plan_step kept = plan.steps[last->wait];
    plan.steps[last->wait].event = plan.steps[fetched[0].wait].event;
    CHECK_REFUSED(plan_verify(&plan, &diagnostic), STATUS_BAD_INPUT, "before it is there");
    plan.steps[last->wait] = kept;
    /* Copies that do not wait until their room is free: not all are lucky. */
    int refused = 0;
    for (int f = 1; f < count; f++) {
        kept = plan.steps[fetched[f].copy - 1];
        plan.steps[fetched[f].copy - 1].event = plan.steps[fetched[0].copy - 1].event;
        if (plan_verify(&plan, &diagnostic) != STATUS_OK) {
            assert_non_null(strstr(diagnostic.text, "while it is in use"));
            refused++;
        }
        plan.steps[fetched[f].copy - 1] = kept;
        diagnostic = (struct diagnostic){0};
    }
    assert_true(refused > 0);
    /* Work belongs into the queue of work. */
    plan.steps[last->user].queue = QUEUE_COPIES;
    CHECK_REFUSED(plan_verify(&plan, &diagnostic), STATUS_BAD_INPUT, "which its device cannot");
    plan.steps[last->user].queue = (enum plan_queue)7;
    CHECK_REFUSED(plan_verify(&plan, &diagnostic), STATUS_BAD_INPUT, "in no queue");
    engine_close(engine);
}

static void plan_files_keep_the_queues(void **state)
{
    static float expected[SPLIT_LOGITS_MOST], logits[SPLIT_LOGITS_MOST];
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "model.plan");
    struct engine *engine = prepare(scratch, "small-moe", "experts");
    struct engine_options options = placing_options(&placings[1], true, "");
    struct fetched fetched[64];
    int64_t count = split_run(engine, expected);
    int copies = find_fetched(engine_plan(engine), fetched);
    CHECK_OK(engine_save_plan(engine, &options, path, &diagnostic));
    engine_close(engine);
    options.devices = options.split = options.stream = NULL;
    CHECK_OK(engine_open(path, &options, &engine, &diagnostic));
    assert_int_equal(find_fetched(engine_plan(engine), fetched), copies);
    split_run(engine, logits);
    assert_memory_equal(logits, expected, (size_t)count * sizeof *logits);
    engine_close(engine);
}

static void mistakes_are_explained(void **state)
{
    static const struct placing rows[] = {{"virtual:64MiB,cpu", NULL, "rows", 64},
                                          {"virtual:64MiB,cpu", NULL, "layers=", 64},
                                          {"virtual:64MiB,cpu", NULL, "layers=-1", 64},
                                          {"virtual:64MiB", NULL, "layers", 64}};
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-dense", ELEMENT_Q8_0);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct diagnostic diagnostic = {0};
        const struct engine_options options = placing_options(&rows[r], true, "");
        struct engine *engine;
        CHECK_REFUSED(engine_open(model, &options, &engine, &diagnostic), STATUS_USAGE,
                      r == 3 ? "add it to the devices" : "write experts, layers or nothing");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(streamed_weights_change_no_bit, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(transfers_are_ahead_of_their_users, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(only_a_few_are_there_at_once, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(unsafe_orders_are_refused, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(plan_files_keep_the_queues, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(mistakes_are_explained, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
