/* Queues that walk the steps of runs, and the clock that moves from the end of one piece of work to the next. */
#include "planner/simulate.h"

#include "planner/simulate_flow.h"

#include <math.h>
#include <string.h>

/* Links of a device, as resources of flows; behind those of all devices comes the host's memory. */
enum link { LINK_IN, LINK_OUT, LINK_BOTH, LINKS };

/* Where a queue stands in the run that it is at: inputs, then steps, then the output when all queues are there. */
enum stage { STAGE_INPUTS, STAGE_STEPS, STAGE_STEPS_DONE, STAGE_OUTPUTS, STAGE_RUN_DONE };

struct queue {
    int device, run;
    bool copies;
    enum stage stage;
    int at;   /* the next value or step of the stage */
    int span; /* being worked on */
};

/* What is known of a run that has begun and is not done. */
struct live_run {
    int run;
    int queues_in_steps, queues_left;
    bool *marked; /* per event */
};

struct simulator {
    const struct simulation *simulation;
    struct arena *arena;
    struct timeline *timeline;
    struct queue *queues;
    struct flow *flows; /* per queue */
    struct live_run *live;
    double *capacities, *scratch;
    int queue_count, device_count, resource_count;
    int runs_done; /* all of them before this one */
    double now;
};

static const struct simulated_run *run_of(const struct simulator *simulator, int run)
{
    return &simulator->simulation->runs[run];
}

static struct live_run *live_of(const struct simulator *simulator, int run)
{
    return &simulator->live[run % simulator->simulation->in_flight];
}

static double fact_of(const struct simulator *simulator, int device, enum fact fact)
{
    return simulator->simulation->facts[device]->values[fact];
}

/* It computes in the host's memory and takes as long as that. */
static bool computes_on_host(const struct simulator *simulator, int device)
{
    return simulator->simulation->facts[device]->target == TARGET_CPU &&
           fact_of(simulator, device, FACT_modelled_rate) == 0;
}

/* ---- Work ---- */

static status begin_span(struct simulator *simulator, int queue, const struct timeline_span *span,
                         struct diagnostic *diagnostic)
{
    struct timeline *timeline = simulator->timeline;
    TRY_APPEND(timeline->spans, timeline->span_count, timeline->span_capacity, simulator->arena,
               diagnostic);
    struct timeline_span *added = &timeline->spans[timeline->span_count - 1];
    *added = *span;
    added->queue = queue;
    added->run = simulator->queues[queue].run;
    added->start = simulator->now;
    simulator->queues[queue].span = timeline->span_count - 1;
    return STATUS_OK;
}

static void use_link(struct flow *flow, int device, enum link direction)
{
    flow->resources[flow->resource_count++] = LINKS * device + (int)direction;
    flow->resources[flow->resource_count++] = LINKS * device + LINK_BOTH;
}

/* `source` or `destination` -1: the host. */
static void begin_transfer(struct simulator *simulator, int queue, int source, int destination,
                           int64_t bytes)
{
    static const struct device_facts nothing = {.target = TARGET_CPU};
    const struct device_facts *const *facts = simulator->simulation->facts;
    const struct transfer_cost cost = cost_transfer(
        source < 0 ? &nothing : facts[source], destination < 0 ? &nothing : facts[destination]);
    struct flow *flow = &simulator->flows[queue];
    *flow = (struct flow){.active = true, .delay = cost.latency_seconds, .demand = cost.rate};
    flow->left = cost.rate > 0 ? (double)bytes / cost.rate : 0;
    if (cost.out_rate > 0) use_link(flow, source, LINK_OUT);
    if (cost.in_rate > 0) use_link(flow, destination, LINK_IN);
    if (cost.host_memory) flow->resources[flow->resource_count++] = simulator->resource_count - 1;
}

static void begin_launch(struct simulator *simulator, int queue, const struct step_costs *costs,
                         int step, const struct run *run)
{
    struct flow *flow = &simulator->flows[queue];
    int64_t rows;
    *flow = (struct flow){.active = true, .left = cost_step_seconds(costs, step, run)};
    int image = cost_step_image(costs->plan, step, run, &rows);
    if (!computes_on_host(simulator, costs->plan->steps[step].device) || image < 0) return;
    struct problem problem = *costs->plan->images[image].problem;
    problem.rows = rows;
    if (problem.context) problem.context = run->context;
    if (flow->left > 0) flow->demand = problem_cost(&problem).bytes / flow->left;
    flow->resources[flow->resource_count++] = simulator->resource_count - 1;
}

/* ---- Stages of a run on a queue ---- */

/* The next input that the queue's card needs a copy of; the host reads them where they are. */
static status begin_input(struct simulator *simulator, int q, struct diagnostic *diagnostic)
{
    struct queue *queue = &simulator->queues[q];
    const struct simulated_run *run = run_of(simulator, queue->run);
    const struct graph *graph = run->plan->graph;
    bool card = !queue->copies && fact_of(simulator, queue->device, FACT_link_bandwidth) > 0;
    while (card && queue->at < graph->value_count) {
        const struct value *value = &graph->values[queue->at++];
        int64_t bytes =
            value->kind == VALUE_INPUT ? tensor_bytes(&value->type, run->run.symbols) : 0;
        if (bytes == 0) continue;
        const struct timeline_span span = {.kind = SPAN_WRITE, .step = -1, .bytes = bytes};
        TRY(begin_span(simulator, q, &span, diagnostic));
        begin_transfer(simulator, q, -1, queue->device, bytes);
        return STATUS_OK;
    }
    queue->stage = STAGE_STEPS;
    queue->at = 0;
    return STATUS_OK;
}

/* Only who has outputs waits until all queues are done. */
static bool reads_output(const struct simulator *simulator, const struct queue *queue)
{
    const struct simulated_run *run = run_of(simulator, queue->run);
    int value = run->plan->graph->outputs[PLAN_LOGITS];
    return !queue->copies && run->run.symbols[SYMBOL_OUTPUTS] > 0 &&
           run->plan->graph->values[value].device == queue->device;
}

static status begin_output(struct simulator *simulator, int q, struct diagnostic *diagnostic)
{
    struct queue *queue = &simulator->queues[q];
    const struct simulated_run *run = run_of(simulator, queue->run);
    const struct graph *graph = run->plan->graph;
    bool card = !queue->copies && fact_of(simulator, queue->device, FACT_link_bandwidth) > 0;
    bool all = graph->output_count == 1; /* otherwise the largest are read in their place */
    while (card && queue->at < graph->output_count) {
        int output = queue->at++;
        const struct value *value = &graph->values[graph->outputs[output]];
        int64_t bytes = tensor_bytes(&value->type, run->run.symbols);
        if (value->device != queue->device || bytes == 0 || (output == PLAN_LOGITS && !all))
            continue;
        const struct timeline_span span = {.kind = SPAN_READ, .step = -1, .bytes = bytes};
        TRY(begin_span(simulator, q, &span, diagnostic));
        begin_transfer(simulator, q, queue->device, -1, bytes);
        return STATUS_OK;
    }
    queue->stage = STAGE_RUN_DONE;
    live_of(simulator, queue->run)->queues_left--;
    return STATUS_OK;
}

static status begin_work(struct simulator *simulator, int q, int step,
                         struct diagnostic *diagnostic)
{
    const struct simulated_run *run = run_of(simulator, simulator->queues[q].run);
    const struct plan_step *described = &run->plan->steps[step];
    const struct step_costs costs = {.plan = run->plan,
                                     .facts = simulator->simulation->facts,
                                     .efficiencies = simulator->simulation->efficiencies};
    bool launch = described->kind == STEP_LAUNCH;
    int64_t rows;
    if (launch && (cost_step_image(run->plan, step, &run->run, &rows) < 0 || rows == 0))
        return STATUS_OK;
    const struct timeline_span span = {.kind = launch ? SPAN_LAUNCH : SPAN_COPY,
                                       .step = step,
                                       .bytes = cost_step_bytes(&costs, step, &run->run)};
    TRY(begin_span(simulator, q, &span, diagnostic));
    if (launch)
        begin_launch(simulator, q, &costs, step, &run->run);
    else
        begin_transfer(simulator, q, run->plan->graph->values[described->value].device,
                       described->device, span.bytes);
    return STATUS_OK;
}

static bool is_for(const struct queue *queue, const struct plan_step *step)
{
    return step->device == queue->device && (step->queue == QUEUE_COPIES) == queue->copies;
}

/* One step; `*held` says that the queue must wait. */
static status begin_step(struct simulator *simulator, int q, bool *held,
                         struct diagnostic *diagnostic)
{
    struct queue *queue = &simulator->queues[q];
    const struct plan *plan = run_of(simulator, queue->run)->plan;
    struct live_run *live = live_of(simulator, queue->run);
    while (queue->at < plan->step_count && !is_for(queue, &plan->steps[queue->at])) queue->at++;
    if (queue->at == plan->step_count) {
        queue->stage = STAGE_STEPS_DONE;
        live->queues_in_steps--;
        return STATUS_OK;
    }
    const struct plan_step *step = &plan->steps[queue->at];
    switch (step->kind) {
    case STEP_LAUNCH:
    case STEP_COPY: TRY(begin_work(simulator, q, queue->at, diagnostic)); break;
    case STEP_SIGNAL: live->marked[step->event] = true; break;
    case STEP_WAIT:
        *held = !live->marked[step->event];
        if (*held) return STATUS_OK;
        break;
    case STEP_RESOLVE:
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "plan step %d resolves experts: what lies in their slots is not simulated; "
                    "leave --expert-slots away for a prediction",
                    queue->at);
    case STEP_COLLECTIVE:
    case STEP_HOST_TASK:
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "plan step %d has a kind that the simulator does not know", queue->at);
    }
    queue->at++;
    return STATUS_OK;
}

/* ---- Runs ---- */

static status begin_run(struct simulator *simulator, int run, struct diagnostic *diagnostic)
{
    struct live_run *live = live_of(simulator, run);
    int events = run_of(simulator, run)->plan->event_count;
    *live = (struct live_run){.run = run,
                              .queues_in_steps = simulator->queue_count,
                              .queues_left = simulator->queue_count};
    TRY_NEW(live->marked, simulator->arena, events, diagnostic);
    simulator->timeline->run_starts[run] = simulator->now;
    return STATUS_OK;
}

/* Whoever has outputs is waited for: the next run's tokens are made of them. */
static bool must_wait(const struct simulator *simulator, int run)
{
    if (run >= simulator->runs_done + simulator->simulation->in_flight) return true;
    return run > simulator->runs_done &&
           run_of(simulator, run - 1)->run.symbols[SYMBOL_OUTPUTS] > 0;
}

/* A queue goes on to the next run once that may begin. */
static status next_run(struct simulator *simulator, struct queue *queue, bool *held,
                       struct diagnostic *diagnostic)
{
    int run = queue->run + 1;
    *held = run >= simulator->simulation->run_count || must_wait(simulator, run);
    if (*held) return STATUS_OK;
    queue->run = run;
    queue->stage = STAGE_INPUTS;
    queue->at = 0;
    return live_of(simulator, run)->run == run ? STATUS_OK : begin_run(simulator, run, diagnostic);
}

static void end_runs(struct simulator *simulator)
{
    while (simulator->runs_done < simulator->simulation->run_count) {
        const struct live_run *live = live_of(simulator, simulator->runs_done);
        if (live->run != simulator->runs_done || live->queues_left > 0) return;
        simulator->timeline->run_ends[simulator->runs_done++] = simulator->now;
    }
}

/* Lets one queue begin all that it can. */
static status drive_queue(struct simulator *simulator, int q, bool *moved,
                          struct diagnostic *diagnostic)
{
    struct queue *queue = &simulator->queues[q];
    bool held = false;
    while (!simulator->flows[q].active && !held) {
        switch (queue->stage) {
        case STAGE_INPUTS: TRY(begin_input(simulator, q, diagnostic)); break;
        case STAGE_STEPS: TRY(begin_step(simulator, q, &held, diagnostic)); break;
        case STAGE_STEPS_DONE:
            held = reads_output(simulator, queue) &&
                   live_of(simulator, queue->run)->queues_in_steps > 0;
            if (held) break;
            queue->stage = STAGE_OUTPUTS;
            queue->at = 0;
            break;
        case STAGE_OUTPUTS: TRY(begin_output(simulator, q, diagnostic)); break;
        case STAGE_RUN_DONE: TRY(next_run(simulator, queue, &held, diagnostic)); break;
        }
        *moved |= !held;
    }
    return STATUS_OK;
}

/* Until every queue is at work or held. */
static status drive_all(struct simulator *simulator, struct diagnostic *diagnostic)
{
    for (bool moved = true; moved;) {
        moved = false;
        for (int q = 0; q < simulator->queue_count; q++)
            TRY(drive_queue(simulator, q, &moved, diagnostic));
        end_runs(simulator);
    }
    return STATUS_OK;
}

static void end_work(struct simulator *simulator)
{
    for (int q = 0; q < simulator->queue_count; q++) {
        if (!flow_is_done(&simulator->flows[q])) continue;
        struct timeline_span *span = &simulator->timeline->spans[simulator->queues[q].span];
        span->end = simulator->now;
        simulator->timeline->queues[q].busy_seconds += span->end - span->start;
        simulator->flows[q].active = false;
    }
}

static status stuck(const struct simulator *simulator, struct diagnostic *diagnostic)
{
    for (int q = 0; q < simulator->queue_count; q++) {
        const struct queue *queue = &simulator->queues[q];
        if (queue->stage != STAGE_STEPS) continue;
        return fail(diagnostic, STATUS_FAILED,
                    "the plan never ends: device %d waits at step %d for an event that nobody "
                    "signals",
                    queue->device, queue->at);
    }
    return fail(diagnostic, STATUS_FAILED, "the plan never ends");
}

static status run_clock(struct simulator *simulator, struct diagnostic *diagnostic)
{
    for (;;) {
        TRY(drive_all(simulator, diagnostic));
        if (simulator->runs_done == simulator->simulation->run_count) return STATUS_OK;
        flows_share(simulator->flows, simulator->queue_count, simulator->capacities,
                    simulator->resource_count, simulator->scratch);
        double seconds = flows_next(simulator->flows, simulator->queue_count);
        if (!isfinite(seconds)) return stuck(simulator, diagnostic);
        simulator->now += seconds;
        flows_advance(simulator->flows, simulator->queue_count, seconds);
        end_work(simulator);
    }
}

/* ---- Beginning ---- */

static void set_capacities(struct simulator *simulator)
{
    double memory = 0;
    for (int d = 0; d < simulator->device_count; d++) {
        double *links = &simulator->capacities[LINKS * d];
        double peer = fact_of(simulator, d, FACT_peer_bandwidth);
        links[LINK_IN] = links[LINK_OUT] = fmax(fact_of(simulator, d, FACT_link_bandwidth), peer);
        links[LINK_BOTH] = fact_of(simulator, d, FACT_link_both_bandwidth);
        if (peer > links[LINK_BOTH]) links[LINK_BOTH] = 2 * peer;
        if (computes_on_host(simulator, d))
            memory = fmax(memory, fact_of(simulator, d, FACT_read_bandwidth));
    }
    simulator->capacities[simulator->resource_count - 1] = memory;
}

static status make_tables(struct simulator *simulator, struct diagnostic *diagnostic)
{
    struct timeline *timeline = simulator->timeline;
    struct arena *arena = simulator->arena;
    int runs = simulator->simulation->run_count, resources = simulator->resource_count;
    TRY_NEW(simulator->queues, arena, simulator->queue_count, diagnostic);
    TRY_NEW(simulator->flows, arena, simulator->queue_count, diagnostic);
    TRY_NEW(simulator->live, arena, simulator->simulation->in_flight, diagnostic);
    TRY_NEW(simulator->capacities, arena, resources, diagnostic);
    TRY_NEW(simulator->scratch, arena, 2 * resources, diagnostic);
    TRY_NEW(timeline->queues, arena, simulator->queue_count, diagnostic);
    TRY_NEW(timeline->run_starts, arena, runs, diagnostic);
    TRY_NEW(timeline->run_ends, arena, runs, diagnostic);
    timeline->queue_count = simulator->queue_count;
    for (int q = 0; q < simulator->queue_count; q++) {
        simulator->queues[q] =
            (struct queue){.device = q / 2, .copies = q % 2, .run = -1, .stage = STAGE_RUN_DONE};
        timeline->queues[q] = (struct timeline_queue){.device = q / 2, .copies = q % 2};
    }
    for (int l = 0; l < simulator->simulation->in_flight; l++) simulator->live[l].run = -1;
    set_capacities(simulator);
    return STATUS_OK;
}

status simulate(const struct simulation *simulation, struct arena *arena, struct timeline **result,
                struct diagnostic *diagnostic)
{
    if (simulation->run_count < 1 || simulation->in_flight < 1)
        return fail(diagnostic, STATUS_FAILED, "there is nothing to simulate");
    int devices = simulation->runs[0].plan->device_count;
    struct simulator simulator = {.simulation = simulation,
                                  .arena = arena,
                                  .device_count = devices,
                                  .queue_count = 2 * devices,
                                  .resource_count = LINKS * devices + 1};
    TRY_NEW(simulator.timeline, arena, 1, diagnostic);
    simulator.timeline->simulation = simulation;
    TRY(make_tables(&simulator, diagnostic));
    TRY(run_clock(&simulator, diagnostic));
    simulator.timeline->seconds = simulator.now;
    *result = simulator.timeline;
    return STATUS_OK;
}
