/* The simulator: shares of links, order of queues, plans that never end, runs in flight, and the work of real plans. */
#include "engine/engine.h"
#include "planner/simulate.h"
#include "planner/simulate_flow.h"
#include "tests/check.h"

#include <math.h>

static const char model_path[] =
    HONE_SOURCE_FOLDER "/tests/oracle/vectors/models/llama/llama-f32.gguf";
enum { DEVICES_MOST = 4, CHUNK = 16, PROMPT = 64, GENERATED = 3 };

static void near(double value, double wanted)
{
    if (fabs(value - wanted) > 1e-6 * fabs(wanted)) CHECK_FAIL("%g, not %g", value, wanted);
}

/* ---- Shares ---- */

static void flows_share_what_is_short(void **unused)
{
    (void)unused;
    struct flow flows[] = {
        {.active = true, .left = 1, .demand = 10, .resources = {0, 2}, .resource_count = 2},
        {.active = true, .left = 1, .demand = 10, .resources = {1, 2}, .resource_count = 2},
        {.active = true, .left = 1, .demand = 4, .resources = {1}, .resource_count = 1},
        {.active = true, .left = 2}, /* asks for nothing */
        {.active = false, .left = 1, .demand = 10, .resources = {0}, .resource_count = 1},
    };
    const double capacities[] = {10, 9, 15};
    double scratch[6];
    flows_share(flows, 5, capacities, 3, scratch);
    /* Resource 1 holds the second and third at 9 / 14, and leaves the first 15 - 10 * 9 / 14 of resource 2. */
    near(flows[1].speed, 9.0 / 14);
    near(flows[2].speed, 9.0 / 14);
    near(flows[0].speed, (15 - 10 * 9.0 / 14) / 10);
    near(flows[3].speed, 1);
    near(flows_next(flows, 5), 1 / flows[0].speed < 14.0 / 9 ? 1 / flows[0].speed : 14.0 / 9);
    flows[3].delay = 0.25;
    near(flows_next(flows, 5), 0.25);
    flows_advance(flows, 5, 0.25);
    near(flows[3].left, 2); /* its delay alone has passed */
    near(flows[0].left, 1 - 0.25 * flows[0].speed);
    assert_false(flow_is_done(&flows[0]));
}

/* ---- Plans of a model ---- */

struct fixture {
    struct engine *engine;
    struct arena *arena;
    const struct device_facts *facts[DEVICES_MOST];
    struct simulated_run *runs;
    struct simulation simulation;
    int prefill_count;
};

static void fixture_open(struct fixture *f, const char *devices)
{
    struct diagnostic diagnostic = {0};
    const struct engine_options options = {.devices = devices,
                                           .context = 128,
                                           .chunk = CHUNK,
                                           .references = true,
                                           .threads = 2,
                                           .cache_folder = ""};
    int count;
    *f = (struct fixture){.arena = arena_create(0)};
    CHECK_OK(engine_choose(model_path, &options, &f->engine, &diagnostic));
    struct device *const *opened = engine_devices(f->engine, &count);
    assert_true(count <= DEVICES_MOST);
    for (int d = 0; d < count; d++) f->facts[d] = device_facts(opened[d]);
    const struct workload workload = {.prefill = engine_plan(f->engine),
                                      .decode = engine_plan(f->engine),
                                      .prompt_tokens = PROMPT,
                                      .generated_tokens = GENERATED,
                                      .sequences = 1};
    f->simulation = (struct simulation){.facts = f->facts, .in_flight = 1};
    CHECK_OK(workload_runs(&workload, f->arena, &f->runs, &f->simulation.run_count,
                           &f->prefill_count, &diagnostic));
    f->simulation.runs = f->runs;
}

static void fixture_close(struct fixture *f)
{
    engine_close(f->engine);
    arena_destroy(f->arena);
}

static const struct timeline *simulated(struct fixture *f)
{
    struct diagnostic diagnostic = {0};
    struct timeline *timeline;
    CHECK_OK(simulate(&f->simulation, f->arena, &timeline, &diagnostic));
    return timeline;
}

/* Every launch and copy of every run is there once, none before the one before it on its queue is done. */
static void check_timeline(const struct fixture *f, const struct timeline *timeline)
{
    double last[2 * DEVICES_MOST] = {0};
    int launches = 0, planned = 0;
    for (int s = 0; s < timeline->span_count; s++) {
        const struct timeline_span *span = &timeline->spans[s];
        assert_true(span->start >= last[span->queue] && span->end >= span->start);
        assert_true(span->start >= timeline->run_starts[span->run] &&
                    span->end <= timeline->run_ends[span->run]);
        last[span->queue] = span->end;
        launches += span->kind == SPAN_LAUNCH;
    }
    for (int r = 0; r < f->simulation.run_count; r++)
        for (int s = 0; s < f->runs[r].plan->step_count; s++) {
            int64_t rows;
            if (f->runs[r].plan->steps[s].kind != STEP_LAUNCH) continue;
            planned += cost_step_image(f->runs[r].plan, s, &f->runs[r].run, &rows) >= 0 && rows > 0;
        }
    assert_int_equal(launches, planned);
    near(timeline->seconds, timeline->run_ends[f->simulation.run_count - 1]);
}

static double busy(const struct timeline *timeline)
{
    double seconds = 0;
    for (int q = 0; q < timeline->queue_count; q++) seconds += timeline->queues[q].busy_seconds;
    return seconds;
}

static void a_workload_is_chunks_and_single_tokens(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_open(&f, "virtual:8MiB@10MFLOPS,100MB/s");
    assert_int_equal(f.prefill_count, PROMPT / CHUNK);
    assert_int_equal(f.simulation.run_count, PROMPT / CHUNK + GENERATED);
    assert_int_equal(f.runs[0].run.symbols[SYMBOL_OUTPUTS], 0);
    assert_int_equal(f.runs[3].run.symbols[SYMBOL_OUTPUTS], 1);
    assert_int_equal(f.runs[3].run.context, PROMPT);
    assert_int_equal(f.runs[5].run.context, PROMPT + 2);
    fixture_close(&f);
}

/* One queue is never idle; with two, where each waits for the other, exactly one works at any time. */
static void dependent_queues_take_turns(void **unused)
{
    static const char *const devices[] = {
        "virtual:8MiB@10MFLOPS,100MB/s",
        "virtual:8MiB@10MFLOPS,100MB/s,virtual:8MiB@5MFLOPS,50MB/s",
        "virtual:8MiB@10MFLOPS,100MB/s,virtual:8MiB@10MFLOPS,1MB/s,virtual:8MiB@7MFLOPS,100MB/s"};
    (void)unused;
    for (int d = 0; d < 3; d++) {
        struct fixture f;
        fixture_open(&f, devices[d]);
        const struct timeline *timeline = simulated(&f);
        check_timeline(&f, timeline);
        /* The inputs alone are written to all cards at once. */
        double inputs = 0;
        for (int s = 0; s < timeline->span_count; s++)
            if (timeline->spans[s].kind == SPAN_WRITE)
                inputs += timeline->spans[s].end - timeline->spans[s].start;
        assert_true(timeline->seconds <= busy(timeline) * (1 + 1e-9));
        assert_true(timeline->seconds >= busy(timeline) - inputs);
        fixture_close(&f);
    }
}

/* Chunks follow each other through two cards: both compute, and the results are those of the same work. */
static void runs_in_flight_overlap(void **unused)
{
    (void)unused;
    struct fixture f;
    fixture_open(&f, "virtual:8MiB@10MFLOPS,1GB/s,virtual:8MiB@10MFLOPS,1GB/s");
    f.simulation.run_count = f.prefill_count;
    const struct timeline *one = simulated(&f);
    f.simulation.in_flight = 2;
    const struct timeline *two = simulated(&f);
    check_timeline(&f, two);
    near(busy(one), busy(two));
    assert_true(two->seconds < 0.75 * one->seconds);
    assert_true(2 * two->seconds >= busy(two) * (1 - 1e-9));
    fixture_close(&f);
}

static void plans_that_never_end_are_told(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct timeline *timeline;
    struct fixture f;
    fixture_open(&f, "virtual:8MiB,virtual:8MiB");
    struct plan plan = *engine_plan(f.engine);
    struct plan_step steps[256];
    assert_true(plan.step_count <= 256);
    memcpy(steps, plan.steps, (size_t)plan.step_count * sizeof *steps);
    for (int s = 0; s < plan.step_count; s++)
        if (steps[s].kind == STEP_SIGNAL) steps[s] = steps[0]; /* nobody signals any more */
    plan.steps = steps;
    for (int r = 0; r < f.simulation.run_count; r++) f.runs[r].plan = &plan;
    CHECK_REFUSED(simulate(&f.simulation, f.arena, &timeline, &diagnostic), STATUS_FAILED,
                  "device 1 waits");
    fixture_close(&f);
}

/* Cards that are not here take the estimates of their kernels. */
static void cards_by_profile_can_be_simulated(void **unused)
{
    (void)unused;
    struct fixture slow, fast;
    fixture_open(&slow, "cpu");
    fast = slow;
    struct device_facts quicker = *slow.facts[0];
    const struct cost_efficiencies efficiencies = {.share = {0.5, 0.5, 0.5, 0.5, 0.5, 0.5}};
    struct device_facts known = quicker;
    known.values[FACT_read_bandwidth] = 1e10;
    known.values[FACT_real_rate] = 1e11;
    known.values[FACT_launch_nanoseconds] = 0;
    quicker = known;
    quicker.values[FACT_read_bandwidth] *= 2;
    quicker.values[FACT_real_rate] *= 2;
    slow.simulation.efficiencies = fast.simulation.efficiencies = &efficiencies;
    const struct device_facts *slow_facts[] = {&known}, *fast_facts[] = {&quicker};
    slow.simulation.facts = slow_facts;
    fast.simulation.facts = fast_facts;
    near(simulated(&slow)->seconds, 2 * simulated(&fast)->seconds);
    fixture_close(&slow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_share_what_is_short),
        cmocka_unit_test(a_workload_is_chunks_and_single_tokens),
        cmocka_unit_test(dependent_queues_take_turns),
        cmocka_unit_test(runs_in_flight_overlap),
        cmocka_unit_test(plans_that_never_end_are_told),
        cmocka_unit_test(cards_by_profile_can_be_simulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
