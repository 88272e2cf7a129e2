/* Captures: what is counted comes back from the file, files add up, captures of other models and files that are none are
 * refused, and an engine's steps are counted as they were. */
#include "base/file.h"
#include "engine/capture_run.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tuner/capture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_add_up, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(strangers_are_refused, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(steps_are_counted, scratch_set_up, scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
