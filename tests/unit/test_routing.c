/* What routers choose: seen on every device alike, kept in files, and files that are none are refused. */
#include "base/file.h"
#include "engine/record_routing.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

enum { SEEN_MOST = 64 };

struct seen {
    int count;
    struct {
        int layer, used;
        int64_t rows, sum; /* of the ids, each times its place */
    } rows[SEEN_MOST];
};

static void see(void *context, int layer, const int32_t *ids, int64_t rows, int used)
{
    struct seen *seen = context;
    assert_true(seen->count < SEEN_MOST);
    int64_t sum = 0;
    for (int64_t i = 0; i < rows * used; i++) sum += (i + 1) * (ids[i] + 1);
    seen->rows[seen->count].layer = layer;
    seen->rows[seen->count].used = used;
    seen->rows[seen->count].rows = rows;
    seen->rows[seen->count++].sum = sum;
}

static struct seen run_seen(const char *model, const struct placing *placing)
{
    static float logits[SPLIT_LOGITS_MOST];
    struct seen seen = {0};
    struct diagnostic diagnostic = {0};
    struct engine_options options = placing_options(placing, true, "");
    struct engine *engine;
    options.sequences = 2; /* split_run leaves its sequence open */
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    const struct routing_watch watch = {see, &seen}, nobody = {NULL, NULL};
    CHECK_OK(executor_watch_routing(engine_executor(engine), &watch, &diagnostic));
    split_run(engine, logits);
    int count = seen.count;
    CHECK_OK(executor_watch_routing(engine_executor(engine), &nobody, &diagnostic));
    split_run(engine, logits);
    assert_int_equal(seen.count, count);
    engine_close(engine);
    return seen;
}

static void every_device_shows_the_same_routing(void **state)
{
    static const struct placing placings[] = {{"cpu", NULL, NULL, 8},
                                              {"virtual:64MiB,virtual:64MiB", NULL, NULL, 8},
                                              {"virtual:64MiB,cpu", "experts=0:1", NULL, 8},
                                              {"virtual:64MiB,cpu", NULL, "experts", 8}};
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    struct seen expected = run_seen(model, &placings[0]);
    assert_int_equal(expected.count, 2 * (3 + SPLIT_GENERATED)); /* two layers; 8, 8 and 4 tokens */
    assert_true(expected.rows[0].rows == 8 && expected.rows[1].layer == expected.rows[0].layer + 1);
    for (int p = 1; p < 4; p++) {
        struct seen seen = run_seen(model, &placings[p]);
        assert_int_equal(seen.count, expected.count);
        assert_memory_equal(&seen.rows, &expected.rows, sizeof seen.rows);
    }
}

static struct routing_trace *make_trace(struct arena *arena, int experts)
{
    static const int layers[] = {1, 2, 5};
    struct diagnostic diagnostic = {0};
    struct routing_trace *trace;
    CHECK_OK(routing_trace_create(arena, layers, 3, experts, 2, &trace, &diagnostic));
    for (int e = 0; e < 3 * 4; e++) {
        int32_t ids[2 * 300];
        int64_t rows = e < 3 ? 300 : e % 2;
        for (int i = 0; i < 2 * rows; i++) ids[i] = (e * 7 + i * 13) % experts;
        CHECK_OK(routing_trace_append(trace, ids, rows, &diagnostic));
    }
    return trace;
}

static void files_give_back_what_was_written(void **state)
{
    struct scratch *scratch = *state;
    const char *path = file_join(scratch->arena, scratch->folder, "a.routing");
    for (int experts = 256; experts <= 1024; experts += 768) {
        struct diagnostic diagnostic = {0};
        const struct routing_trace *trace = make_trace(scratch->arena, experts);
        struct routing_trace *back;
        CHECK_OK(routing_trace_write(trace, path, &diagnostic));
        CHECK_OK(routing_trace_read(path, scratch->arena, &back, &diagnostic));
        assert_int_equal(routing_trace_steps(back), 4);
        assert_int_equal(back->row_count, trace->row_count);
        assert_memory_equal(back->layers, trace->layers, 3 * sizeof *trace->layers);
        assert_memory_equal(back->starts, trace->starts,
                            (size_t)trace->start_count * sizeof *trace->starts);
        assert_memory_equal(back->ids, trace->ids, (size_t)trace->row_count * 2 * sizeof(uint16_t));
    }
}

static void impossible_traces_are_refused(void **state)
{
    static const int falling[] = {2, 1}, layer[] = {0};
    static const int32_t ids[] = {0, 9};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct routing_trace *trace;
    CHECK_REFUSED(routing_trace_create(scratch->arena, falling, 2, 8, 2, &trace, &diagnostic),
                  STATUS_BAD_INPUT, "numbers that rise");
    CHECK_REFUSED(routing_trace_create(scratch->arena, layer, 1, 4096, 2, &trace, &diagnostic),
                  STATUS_BAD_INPUT, "1 to 1024 experts");
    CHECK_OK(routing_trace_create(scratch->arena, layer, 1, 8, 2, &trace, &diagnostic));
    CHECK_REFUSED(routing_trace_append(trace, ids, 1, &diagnostic), STATUS_BAD_INPUT, "expert 9");
}

static void other_models_have_nothing_to_record(void **state)
{
    static const struct placing placing = {"cpu", NULL, NULL, 8};
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const struct engine_options options = placing_options(&placing, true, "");
    struct engine *engine;
    struct routing_recorder *recorder;
    CHECK_OK(engine_open(split_synthesise(scratch, "small-dense", ELEMENT_Q8_0), &options, &engine,
                         &diagnostic));
    CHECK_REFUSED(routing_record(engine, scratch->arena, &recorder, &diagnostic), STATUS_USAGE,
                  "no routed experts");
    engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_device_shows_the_same_routing, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(files_give_back_what_was_written, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(impossible_traces_are_refused, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(other_models_have_nothing_to_record, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
