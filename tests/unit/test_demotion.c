/* Out of memory: what is given up in which order, and that no rung changes a bit of the logits. */
#include "base/fault.h"
#include "base/file.h"
#include "planner/demotion.h"
#include "tests/check.h"
#include "tests/unit/split_harness.h"

#include <limits.h>

/* ---- The ladder ---- */

static void the_order_is_kept(void **unused)
{
    (void)unused;
    static const enum demotion_rung order[] = {
        DEMOTION_SLOTS,  DEMOTION_SLOTS,  DEMOTION_STREAM, DEMOTION_STREAM, DEMOTION_STREAM,
        DEMOTION_STATES, DEMOTION_CHUNK,  DEMOTION_CHUNK,  DEMOTION_LAYERS, DEMOTION_LAYERS,
        DEMOTION_LAYERS, DEMOTION_LAYERS, DEMOTION_CHUNK,  DEMOTION_NOTHING};
    struct demotion now = {.relieved = true,
                           .slots = 2,
                           .stream = {.kind = STREAM_EXPERTS, .ahead = 2},
                           .state_bytes = 10,
                           .chunk = 100,
                           .chunk_least = 20,
                           .room_bytes = 1000,
                           .missing_bytes = 300};
    for (size_t r = 0; r < sizeof order / sizeof *order; r++) {
        struct demotion next;
        enum demotion_rung rung = demotion_next(&now, &next);
        if (rung != order[r])
            CHECK_FAIL("rung %zu is %s, must be %s", r, demotion_name(rung),
                       demotion_name(order[r]));
        now = next;
    }
    assert_int_equal(now.slots, 0);
    assert_int_equal(now.stream.kind, STREAM_LAYERS);
    assert_int_equal(now.stream.ahead, 0);
    assert_int_equal(now.chunk, 20);
    assert_int_equal(now.room_bytes, 0);
}

/* Cards without a host beside them, and the host itself, have shorter steps only. */
static void without_a_host_steps_get_shorter(void **unused)
{
    (void)unused;
    struct demotion now = {.slots = 8,
                           .stream = {.kind = STREAM_EXPERTS, .ahead = 4},
                           .state_bytes = 10,
                           .chunk = 512,
                           .chunk_least = 1,
                           .room_bytes = 1000,
                           .missing_bytes = 1};
    int64_t chunk = 512;
    for (;;) {
        struct demotion next;
        enum demotion_rung rung = demotion_next(&now, &next);
        if (rung == DEMOTION_NOTHING) break;
        assert_int_equal(rung, DEMOTION_CHUNK);
        assert_int_equal(next.chunk, chunk /= 2);
        now = next;
    }
    assert_int_equal(chunk, 1);
}

/* Whatever a device has, there is an end, and before it the card is empty. */
static void every_ladder_ends(void **unused)
{
    (void)unused;
    for (int64_t missing = 1; missing < 1 << 30; missing *= 7)
        for (int64_t room = 1; room < INT64_C(1) << 40; room *= 29) {
            struct demotion now = {.relieved = true,
                                   .slots = room % 65,
                                   .stream = {.kind = room % 3, .ahead = (int)(missing % 9)},
                                   .state_bytes = room / 2,
                                   .chunk = 512,
                                   .chunk_least = 4,
                                   .room_bytes = room,
                                   .missing_bytes = missing},
                            next;
            int rungs = 0;
            for (; demotion_next(&now, &next) != DEMOTION_NOTHING; rungs++) now = next;
            assert_true(rungs < 400 && now.room_bytes == 0 && now.chunk == 4);
        }
}

/* ---- Runs ---- */

/* Kernels that are compiled in place of references. */
static void kernels_give_the_same(void **state)
{
    static const struct placing rows[] = {
        {"cpu", NULL, NULL, 64},
        {"virtual:5500KiB,cpu", "tensor=1:0", NULL, 64}, /* the KV cache, and half the chunk */
        {"virtual:2MiB,cpu", "tensor=1:0", "experts", 64},
        {"virtual:400KiB,virtual:2MiB,cpu", "planned", NULL, 64},
    };
    struct scratch *scratch = *state;
    check_placings(HONE_SOURCE_FOLDER "/models/demo/demo-moe.gguf", rows,
                   sizeof rows / sizeof *rows, false, scratch->folder, 1, 1);
}

static struct engine *open_on(const char *model, const struct placing *placing, const char *cache)
{
    struct diagnostic diagnostic = {0};
    const struct engine_options options = placing_options(placing, cache[0] == 0, cache);
    struct engine *engine;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    return engine;
}

static bool gave_up(const struct engine *engine, enum demotion_rung rung)
{
    const struct engine_report *report = engine_report(engine);
    for (int d = 0; d < report->demotion_count; d++)
        if (report->demotions[d].rung == rung) return report->demotions[d].text[0] != 0;
    return false;
}

static void check_same(struct engine *engine, const float *expected, int64_t count)
{
    static float logits[SPLIT_LOGITS_MOST];
    int devices;
    split_run(engine, logits);
    if (memcmp(logits, expected, (size_t)count * sizeof *logits) != 0)
        CHECK_FAIL("%s: other logits", device_specification(engine_devices(engine, &devices)[0]));
}

/* A card that lacks one byte gives up one thing, and the next smaller one the next. */
static void smaller_and_smaller_cards_give_the_same(void **state)
{
    static float expected[SPLIT_LOGITS_MOST];
    static const struct placing host = {"cpu", NULL, NULL, 64};
    static const struct placing rows[] = {{NULL, "tensor=1:0", NULL, 64},
                                          {NULL, "tensor=1:0", "experts=2", 64},
                                          {NULL, "planned", NULL, 64}};
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    struct engine *engine = open_on(model, &host, "");
    int64_t count = split_run(engine, expected);
    engine_close(engine);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        bool seen[DEMOTION_NOTHING + 1] = {false};
        int64_t bytes = 64 << 20;
        for (int tries = 0; tries < 30 && bytes > 4096; tries++) {
            struct placing placing = rows[r];
            placing.devices = arena_print(scratch->arena, "virtual:%lld,cpu", (long long)bytes);
            engine = open_on(model, &placing, "");
            check_same(engine, expected, count);
            for (int d = 0; d < DEMOTION_NOTHING; d++)
                seen[d] = seen[d] || gave_up(engine, (enum demotion_rung)d);
            int devices;
            int64_t used = device_memory_used(engine_devices(engine, &devices)[0]);
            engine_close(engine);
            bytes = used > bytes * 3 / 4 ? bytes * 3 / 4 : used - 1;
        }
        if (rows[r].stream) assert_true(seen[DEMOTION_STREAM]);
        if (strcmp(rows[r].split, "planned") == 0) continue; /* it makes room by itself */
        assert_true(seen[DEMOTION_STATES] && seen[DEMOTION_CHUNK] && seen[DEMOTION_LAYERS]);
    }
}

#ifdef HONE_FAULTS
/* How many allocations on devices an undisturbed opening makes. */
static long count_allocations(const char *model, const struct placing *placing)
{
    fault_set_device(0, 0);
    engine_close(open_on(model, placing, ""));
    return fault_device_passed();
}

/* Each allocation on each device fails once, or three times in a row: something is given up, and nothing else changes. */
static void fail_each(const char *model, const struct placing *placing, const float *expected,
                      int64_t count, long step)
{
    long allocations = count_allocations(model, placing);
    assert_true(allocations > 10);
    for (long n = 1; n <= allocations; n += step) {
        fault_set_device(n, n % 2 ? 1 : 3);
        struct engine *engine = open_on(model, placing, "");
        fault_set_device(0, 0);
        assert_true(engine_report(engine)->demotion_count > 0);
        check_same(engine, expected, count);
        engine_close(engine);
    }
}

/* From some allocation on nothing can be had any more: one error, with the bytes. */
static void fail_for_good(const char *model, const struct placing *placing, long step)
{
    const struct engine_options options = placing_options(placing, true, "");
    long allocations = count_allocations(model, placing);
    for (long n = 1; n <= allocations; n += step) {
        struct diagnostic diagnostic = {0};
        struct engine *engine;
        fault_set_device(n, LONG_MAX);
        status code = engine_open(model, &options, &engine, &diagnostic);
        fault_set_device(0, 0);
        CHECK_REFUSED(code, STATUS_NO_MEMORY, "bytes more are needed, and nothing is left");
    }
}
#endif

static void every_allocation_on_a_device_may_fail(void **state)
{
#ifdef HONE_FAULTS
    static float expected[SPLIT_LOGITS_MOST];
    static const struct placing rows[] = {
        {"cpu", NULL, NULL, 64},
        {"virtual:64MiB", NULL, NULL, 64},
        {"virtual:64MiB,virtual:64MiB,cpu", NULL, NULL, 64},
        {"virtual:64MiB,virtual:64MiB,cpu", "tensor", "experts=1", 64},
    };
    struct scratch *scratch = *state;
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    struct engine *engine = open_on(model, &rows[0], "");
    int64_t count = split_run(engine, expected);
    engine_close(engine);
    for (size_t r = 1; r < sizeof rows / sizeof *rows; r++) {
        fail_each(model, &rows[r], expected, count, r == 1 ? 1 : 2);
        fail_for_good(model, &rows[r], 9);
    }
#else
    (void)state;
    skip();
#endif
}

/* A plan from a file has settled everything, and what is too small for it says what would be needed. */
static void what_cannot_change_is_one_error(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    static const struct placing large = {"virtual:64MiB,cpu", "tensor=1:0", NULL, 64};
    static const struct placing tiny = {"virtual:16KiB", NULL, NULL, 64};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    const char *path = file_join(scratch->arena, scratch->folder, "model.plan");
    struct engine_options options = placing_options(&large, true, "");
    struct engine *engine = open_on(model, &large, "");
    CHECK_OK(engine_save_plan(engine, &options, path, &diagnostic));
    engine_close(engine);
    options.split = NULL;
    options.devices = "virtual:16KiB,cpu";
    CHECK_REFUSED(engine_open(path, &options, &engine, &diagnostic), STATUS_NO_MEMORY,
                  "a plan cannot be changed");
    options = placing_options(&tiny, true, "");
    diagnostic = (struct diagnostic){0};
    CHECK_REFUSED(engine_open(model, &options, &engine, &diagnostic), STATUS_NO_MEMORY,
                  "bytes more are needed");
}

/* Where experts of the host have slots on the card, fewer of these are the first thing to go. */
static void slots_go_first(void **state)
{
    static float expected[SPLIT_LOGITS_MOST];
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *model = split_synthesise(scratch, "small-moe", ELEMENT_Q8_0);
    struct placing placing = {"virtual:64MiB,cpu", "tensor=1:0", NULL, 64};
    struct engine_options options = placing_options(&placing, true, "");
    struct engine *engine;
    int devices;
    options.expert_slots = 4;
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    int64_t used = device_memory_used(engine_devices(engine, &devices)[0]);
    int64_t count = split_run(engine, expected);
    engine_close(engine);
    options.devices = arena_print(scratch->arena, "virtual:%lld,cpu", (long long)used - 1);
    CHECK_OK(engine_open(model, &options, &engine, &diagnostic));
    assert_true(engine_report(engine)->demotion_count > 0);
    assert_int_equal(engine_report(engine)->demotions[0].rung, DEMOTION_SLOTS);
    assert_in_range(engine_report(engine)->demotions[0].after.slots, 1, 2);
    check_same(engine, expected, count);
    engine_close(engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_kept),
        cmocka_unit_test(without_a_host_steps_get_shorter),
        cmocka_unit_test(every_ladder_ends),
        cmocka_unit_test_setup_teardown(slots_go_first, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(kernels_give_the_same, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(every_allocation_on_a_device_may_fail, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(what_cannot_change_is_one_error, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(smaller_and_smaller_cards_give_the_same, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
