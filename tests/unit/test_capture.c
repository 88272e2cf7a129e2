/* Captures: what is counted comes back from the file, files add up, captures of other models and files that are none are
 * refused, and an engine's steps are counted as they were. */
#include "base/file.h"
#include "engine/capture_run.h"
#include "engine/tune_model.h"
#include "ops/op_table.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tuner/capture_problems.h"

#define DEMO HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf"

static const struct hash model = {1, 2};

static struct capture *small_capture(struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct capture *capture;
    struct capture_bucket *bucket;
    struct capture_problem *problem;
    struct capture_router *router;
    static const int32_t ids[] = {0, 3, 3, 1, 3, 9};
    CHECK_OK(capture_create(arena, model, "a \"model\" \\ of\nmine", &capture, &diagnostic));
    capture->runs = 1;
    capture->steps = 3;
    CHECK_OK(capture_add_bucket(capture, 16, 1024, &bucket, &diagnostic));
    bucket->steps = 3;
    bucket->seconds = 0.5;
    for (int p = 0; p < 2; p++) {
        CHECK_OK(capture_add_problem(capture, "card", p ? "dear" : "cheap", &problem, &diagnostic));
        problem->launches = 6;
        problem->rows = 60;
        problem->seconds = p ? 0.75 : 0.25;
        capture_see_operand(problem, 0, (void *)(uintptr_t)(3 * 64));
        capture_see_operand(problem, 2, (void *)(uintptr_t)(1 << 20));
    }
    CHECK_OK(capture_add_router(capture, 2, 16, 5, 2, &router, &diagnostic));
    capture_see_batch(router, ids, 3);
    capture_see_batch(router, ids, 1);
    return capture;
}

static void check_capture(const struct capture *capture, int64_t times)
{
    assert_int_equal(capture->runs, times);
    assert_int_equal(capture->steps, 3 * times);
    assert_int_equal(capture->bucket_count, 1);
    assert_int_equal(capture->buckets[0].steps, 3 * times);
    assert_int_equal(capture->problem_count, 2);
    CHECK_TEXT(capture->problems[0].problem, "dear"); /* most seconds first */
    CHECK_TEXT(capture->problems[0].device_class, "card");
    assert_int_equal(capture->problems[0].launches, 6 * times);
    assert_int_equal(capture->problems[0].operand_count, 3);
    assert_int_equal(capture->problems[0].alignment[0], 64);
    assert_int_equal(capture->problems[0].alignment[1], 0);
    assert_int_equal(capture->problems[0].alignment[2], CAPTURE_ALIGNMENT_MOST);
    assert_true(capture_seconds(capture) == (double)times);
    assert_int_equal(capture->router_count, 1);
    const struct capture_router *router = &capture->routers[0];
    static const int64_t counts[] = {2, 1, 0, 4, 0};
    for (int e = 0; e < router->experts; e++)
        assert_int_equal(router->counts[e], counts[e] * times);
    assert_int_equal(router->batches, 2 * times);
    assert_int_equal(router->tokens, 4 * times);
    assert_int_equal(router->distinct, 5 * times);
    assert_int_equal(router->distinct_least, 2);
    assert_int_equal(router->distinct_most, 3);
}

static void files_add_up(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "a/b.yaml");
    struct capture *capture = small_capture(scratch->arena), *read;
    for (int64_t times = 1; times <= 3; times++) {
        CHECK_OK(capture_append(capture, path, &diagnostic));
        CHECK_OK(capture_read(path, scratch->arena, &read, &diagnostic));
        check_capture(read, times);
    }
    CHECK_TEXT(read->description, capture->description);
    capture->model.low++;
    CHECK_REFUSED(capture_append(capture, path, &diagnostic), STATUS_USAGE, "another model");
    CHECK_OK(capture_read(path, scratch->arena, &read, &diagnostic));
    check_capture(read, 3);
}

/* ---- Files from strangers ---- */

static const struct {
    const char *from, *to, *words;
} damages[] = {
    {"capture: 1", "capture: 2", "capture must be 1 to 1"},
    {"model: \"0", "model: \"g", "32 hexadecimal"},
    {"runs: 1", "runs: -1", "runs must be 0"},
    {"runs: 1", "runs: 99999999999999999999", "runs"},
    {"steps: 3\n", "", "steps"},
    {"buckets:", "buckets: 7\nx:", "buckets"},
    {"rows: 16,", "rows: 0,", "rows must be 1"},
    {"seconds: 0.75", "seconds: -1", "seconds must be 0"},
    {"seconds: 0.75", "seconds: .nan", "seconds"},
    {"\"dear\"", "\"cheap\"", "twice"},
    {"\"64 0 4096\"", "\"64 0 8192\"", "'8192' is no number"},
    {"\"64 0 4096\"", "\"64  0\"", "one space between"},
    {"\"64 0 4096\"", "\"1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\"", "at most 16"},
    {"experts: 5", "experts: 4", "at most 4 numbers"},
    {"experts: 5", "experts: 6", "5 numbers for 6"},
    {"experts: 5", "experts: 1000000000", "experts must be 1 to 4096"},
    {"used: 2", "used: 6", "used must be 1 to 5"},
    {"all: 5,", "all: 50,", "more distinct experts"},
    {"most: 3", "most: 1", "most must be 2"},
    {"\"2 1 0 4 0\"", "\"2 -1 0 4 0\"", "'-1' is no number"},
    {"  used: 2", "  use: 2", "used"},
    {"  used: 2", "  used: 2\n  more: 1", "more"},
};

static char *replaced(struct arena *arena, const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    if (!at) CHECK_FAIL("there is no %s in %s", from, text);
    return arena_print(arena, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void strangers_are_refused(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "c.yaml");
    struct capture *read;
    char *text;
    size_t length;
    CHECK_OK(capture_write(small_capture(scratch->arena), path, &diagnostic));
    CHECK_OK(file_read(path, 1 << 16, scratch->arena, &text, &length, &diagnostic));
    for (size_t d = 0; d < sizeof damages / sizeof *damages; d++) {
        const char *bad = replaced(scratch->arena, text, damages[d].from, damages[d].to);
        CHECK_OK(file_write(path, bad, strlen(bad), &diagnostic));
        CHECK_REFUSED(capture_read(path, scratch->arena, &read, &diagnostic), STATUS_BAD_INPUT,
                      damages[d].words);
    }
    for (size_t b = 0; b < 2 * length; b += 7) { /* cut off, then with a bit turned */
        char *bad = arena_copy(scratch->arena, text, length);
        if (b >= length) bad[b - length] ^= 4;
        CHECK_OK(file_write(path, bad, b < length ? b : length, &diagnostic));
        status code = capture_read(path, scratch->arena, &read, &diagnostic);
        assert_true(code == STATUS_OK || code == STATUS_BAD_INPUT);
        diagnostic = (struct diagnostic){0};
    }
}

/* ---- An engine ---- */

static void feed(struct engine *engine, int sequence, const int32_t *tokens, int64_t count)
{
    static float logits[1 << 16];
    struct diagnostic diagnostic = {0};
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = count};
    CHECK_OK(engine_feed(engine, &input, 1, logits, &diagnostic));
}

static const struct capture_problem *find_problem(const struct capture *capture, const char *begin,
                                                  const char *end)
{
    for (int p = 0; p < capture->problem_count; p++) {
        const char *text = capture->problems[p].problem;
        if (!strncmp(text, begin, strlen(begin)) && strstr(text, end)) return &capture->problems[p];
    }
    CHECK_FAIL("there is no %s %s", begin, end);
    return NULL;
}

static void steps_are_counted(void **state)
{
    static const int32_t tokens[] = {1, 5, 9, 7, 3};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct engine_options options = {.cache_folder = "", .threads = 1, .references = true};
    struct engine *engine;
    struct capture_run *run;
    struct capture *capture;
    const char *path = file_join(scratch->arena, scratch->folder, "e.yaml");
    int sequence;
    CHECK_OK(engine_open(DEMO, &options, &engine, &diagnostic));
    assert_true(engine_model(engine)->vocabulary <= 1 << 16);
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    CHECK_OK(capture_begin(engine, path, &run, &diagnostic));
    feed(engine, sequence, tokens, 5);
    for (int t = 0; t < 3; t++) feed(engine, sequence, tokens + t, 1);
    CHECK_OK(capture_end(run, &diagnostic));
    feed(engine, sequence, tokens, 1); /* nobody looks */
    engine_close(engine);

    CHECK_OK(capture_read(path, scratch->arena, &capture, &diagnostic));
    assert_int_equal(capture->runs, 1);
    assert_int_equal(capture->steps, 4);
    assert_int_equal(capture->bucket_count, 2);
    const struct capture_problem *prompt = find_problem(capture, "combine(", "rows<=16");
    assert_int_equal(prompt->launches, 5); /* layers */
    assert_int_equal(prompt->rows, 5 * 5);
    assert_true(prompt->seconds > 0);
    assert_int_equal(capture->router_count, 5 * 2);
    for (int r = 0; r < capture->router_count; r++) {
        const struct capture_router *router = &capture->routers[r];
        int64_t tokens_seen = router->rows == 16 ? 5 : 3, chosen = 0;
        for (int e = 0; e < router->experts; e++) chosen += router->counts[e];
        assert_int_equal(router->tokens, tokens_seen);
        assert_int_equal(router->batches, router->rows == 16 ? 1 : 3);
        assert_int_equal(chosen, tokens_seen * router->used);
        assert_in_range(router->distinct_most, router->used, router->experts);
    }
}

/* ---- Tuning what was captured ---- */

#define GROUPED                                                                                    \
    "grouped_linear(f32[rows,64], i32[2*rows], i32[9], f32[8,16,64]) -> f32[2*rows,16] "           \
    "{rows=by_token} rows<=16"

static struct problem *parse(struct arena *arena, const char *text)
{
    struct diagnostic diagnostic = {0};
    struct problem *problem;
    CHECK_OK(problem_parse(text, op_table(), arena, &problem, &diagnostic));
    return problem;
}

static void routings_are_part_of_the_key(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct problem *made, *plain = parse(scratch->arena, GROUPED);
    struct problem *routed = parse(scratch->arena, GROUPED " routing=n5q2a1~6");
    CHECK_TEXT(routed->text, GROUPED " routing=q2n5a1~6");
    assert_true(hash_equal(routed->code_key, plain->key));
    assert_true(routed->key.high == plain->key.high && routed->key.low != plain->key.low);
    assert_true(hash_equal(problem_text_key(routed->text), routed->key));
    CHECK_OK(problem_route(plain, &routed->routing, scratch->arena, &made, &diagnostic));
    CHECK_TEXT(made->text, routed->text);
    static const char *const bad[][2] = {
        {GROUPED " routing=n5~3", "5 experts, the problem has 8"},
        {GROUPED " routing=a8~1", "chooses no expert"},
        {GROUPED " routing=n4a2n2~3", "each level once"},
        {GROUPED " routing=n8~9", "different experts from 1 to 8"},
        {GROUPED " routing=n9999~9", "a number of experts"},
        {GROUPED " routing=n8", "~"},
        {"rmsnorm(f32[rows,64], f32[64]) -> f32[rows,64] {epsilon=1e-05 offset=0} rows<=1 "
         "routing=n8~2",
         "rmsnorm routes no tokens"},
    };
    for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
        CHECK_REFUSED(problem_parse(bad[b][0], op_table(), scratch->arena, &made, &diagnostic),
                      STATUS_BAD_INPUT, bad[b][1]);
}

/* Two layers, whose popular experts differ: put together by popularity. */
static void layers_are_put_together(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct capture *capture = small_capture(scratch->arena);
    struct routing routing;
    for (int layer = 0; layer < 2; layer++) {
        struct capture_router *row;
        CHECK_OK(capture_add_router(capture, layer, 16, 8, 2, &row, &diagnostic));
        for (int e = 0; e < 8; e++) row->counts[e] = e == 3 * layer ? 44 : e == 7 ? 0 : 6;
        row->tokens = 40;
        row->batches = 4;
        row->distinct = 20 + 8 * layer;
    }
    struct problem *problem = parse(scratch->arena, GROUPED);
    CHECK_OK(capture_routing(capture, problem, scratch->arena, &routing, &diagnostic));
    assert_int_equal(routing_experts(&routing), 8);
    assert_int_equal(routing.distinct, 6);
    assert_int_equal(routing.counts[0], 1);
    assert_int_equal(routing.counts['n' - 'a' + 4], 1); /* 44 of 80, the mean is 10 */
    assert_int_equal(routing.counts['n' - 'a' - 1], 6);
    /* A bucket that nobody saw has none. */
    problem = parse(scratch->arena, "grouped_linear(f32[rows,64], i32[2*rows], i32[9], "
                                    "f32[8,16,64]) -> f32[2*rows,16] {rows=by_token} rows<=64");
    CHECK_OK(capture_routing(capture, problem, scratch->arena, &routing, &diagnostic));
    assert_int_equal(routing.distinct, 0);
}

/* The candidate of the first node of this operator in the bucket of one row, and whether it is measured. */
static const char *chosen(struct engine *engine, const char *op, bool *measured)
{
    const struct plan *plan = engine_plan(engine);
    for (int n = 0; n < plan->graph->node_count; n++) {
        if (strcmp(plan->graph->nodes[n].op->name, op) != 0) continue;
        const struct plan_image *image = &plan->images[plan->choices[n][0][0]];
        *measured = image->measured;
        return image->candidate;
    }
    CHECK_FAIL("the plan has no %s", op);
    return NULL;
}

static void captures_are_tuned(void **state)
{
    static const int32_t tokens[] = {1, 5, 9};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "t.yaml");
    struct tune_model_options options = {
        .engine = {.cache_folder = scratch->folder, .threads = 1, .references = true},
        .effort = 1,
        .op = "dispatch",
        .from = path};
    struct tune_model_report report;
    struct engine *engine;
    struct capture_run *run;
    int sequence;
    bool measured;
    CHECK_OK(engine_open(DEMO, &options.engine, &engine, &diagnostic));
    CHECK_OK(engine_sequence_open(engine, &sequence, &diagnostic));
    CHECK_OK(capture_begin(engine, path, &run, &diagnostic));
    feed(engine, sequence, tokens, 3);
    for (int t = 0; t < 3; t++) feed(engine, sequence, tokens + t, 1);
    CHECK_OK(capture_end(run, &diagnostic));
    engine_close(engine);

    options.engine.references = false;
    CHECK_OK(tune_model(DEMO, &options, scratch->arena, &report, &diagnostic));
    assert_int_equal(report.tuned.row_count, 2); /* buckets of one row and of four */
    for (int r = 0; r < 2; r++) {
        const struct tune_row *row = &report.tuned.rows[r];
        if (!strstr(row->problem->text, " routing=")) CHECK_FAIL("%s", row->problem->text);
        assert_true(row->decision.basis == DECISION_FINAL || row->note);
    }
    assert_true(report.tuned.measured > 0);
    CHECK_OK(engine_choose(DEMO, &options.engine, &engine, &diagnostic));
    const char *candidate = chosen(engine, "dispatch", &measured);
    assert_true(measured);
    bool winner = false;
    for (int r = 0; r < 2; r++) winner = winner || !strcmp(candidate, report.tuned.rows[r].winner);
    assert_true(winner);
    engine_close(engine);

    /* Another model's capture is not for this one. */
    CHECK_OK(capture_write(small_capture(scratch->arena), path, &diagnostic));
    CHECK_REFUSED(tune_model(DEMO, &options, scratch->arena, &report, &diagnostic), STATUS_USAGE,
                  "another model");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_add_up, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_refused, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(steps_are_counted, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(routings_are_part_of_the_key, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(layers_are_put_together, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(captures_are_tuned, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
