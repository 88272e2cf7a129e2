/* How long planning, lowering and simulating take for machines of many cards, and how much memory: for shapes whose weights
 * nobody has here.
 *
 *     scale_plan PRESET TYPE MACHINE.yaml PROMPT GENERATE      prints one JSON document
 *
 * The machine's cards are profiles; the plan names no kernels, and launches take bytes and operations at the cards' rates
 * times the efficiencies that the planner assumes.  The way between nodes is simulated as one between cards of a node, by
 * way of the host. */
#include "base/clock.h"
#include "base/text.h"
#include "engine/plan_model.h"
#include "ops/catalogue.h"
#include "planner/build.h"
#include "planner/simulate.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct scale {
    struct arena *arena;
    struct planned_model *planned;
    struct catalogue catalogue;
    const struct device_facts **facts;
    struct plan *plan;
    struct timeline *timeline;
    int prefill_runs;
    int64_t prompt, generated;
    double planning_seconds, lowering_seconds, simulating_seconds;
};

/* Facts for the simulator are the card's; the plan is built for a host of that memory, which needs no kernels. */
static status describe_devices(struct scale *scale, struct build_device **result,
                               struct diagnostic *diagnostic)
{
    const struct machine *machine = scale->planned->machine;
    struct build_device *devices;
    TRY_NEW(devices, scale->arena, machine->device_count, diagnostic);
    TRY_NEW(scale->facts, scale->arena, machine->device_count, diagnostic);
    for (int d = 0; d < machine->device_count; d++) {
        const struct machine_device *device = &machine->devices[d];
        struct device_facts *facts, *host;
        TRY_NEW(facts, scale->arena, 1, diagnostic);
        TRY_NEW(host, scale->arena, 1, diagnostic);
        *facts = *host = device->facts;
        host->target = TARGET_CPU;
        facts->values[FACT_link_bandwidth] = device->link_rate;
        facts->values[FACT_link_both_bandwidth] = 2 * device->link_rate;
        facts->values[FACT_link_nanoseconds] = device->link_latency_seconds * 1e9;
        facts->values[FACT_peer_bandwidth] = device->peer_rate;
        scale->facts[d] = facts;
        devices[d] = (struct build_device){.specification = device->name,
                                           .facts = host,
                                           .memory_bytes = device->memory_bytes,
                                           .candidates = 1,
                                           .apart = device->link_rate > 0};
    }
    *result = devices;
    return STATUS_OK;
}

static status lower(struct scale *scale, struct diagnostic *diagnostic)
{
    const struct planned_model *planned = scale->planned;
    struct build_device *devices;
    struct build_report report;
    TRY(describe_devices(scale, &devices, diagnostic));
    TRY(catalogue_read(NULL, scale->arena, &scale->catalogue, diagnostic));
    struct build_options options = {.bounds = planned->request.bounds,
                                    .devices = devices,
                                    .device_count = planned->machine->device_count,
                                    .share = {.kind = SHARE_PLANNED},
                                    .placement = planned->result.placement,
                                    .chooser = {.catalogue = &scale->catalogue, .references = true},
                                    .choose_only = true,
                                    .compile_processes = 1};
    options.bounds.tokens = planned->result.best.chunk;
    return plan_build(planned->model->graph, &options, &scale->plan, &report, diagnostic);
}

static status simulate_plan(struct scale *scale, struct diagnostic *diagnostic)
{
    const struct workload workload = {.prefill = scale->plan,
                                      .decode = scale->plan,
                                      .prompt_tokens = scale->prompt,
                                      .generated_tokens = scale->generated,
                                      .sequences = 1};
    struct simulated_run *runs;
    struct simulation *simulation;
    TRY_NEW(simulation, scale->arena, 1, diagnostic);
    *simulation = (struct simulation){.facts = scale->facts,
                                      .efficiencies = place_usual_efficiencies(TARGET_CUDA),
                                      .in_flight = 2};
    TRY(workload_runs(&workload, scale->arena, &runs, &simulation->run_count, &scale->prefill_runs,
                      diagnostic));
    simulation->runs = runs;
    return simulate(simulation, scale->arena, &scale->timeline, diagnostic);
}

static status measure(struct scale *scale, char **words, struct diagnostic *diagnostic)
{
    const struct engine_options options = {.cache_folder = "",
                                           .context = scale->prompt + scale->generated,
                                           .state_element = ELEMENT_F16};
    struct plan_query query = {.machine = words[3],
                               .deterministic = true,
                               .prompt_tokens = (double)scale->prompt,
                               .generated_tokens = (double)scale->generated};
    if (!element_by_name(words[2], &query.element))
        return fail(diagnostic, STATUS_USAGE, "%.80s is no element type", words[2]);
    double start = clock_seconds();
    TRY(plan_model(words[1], &options, &query, &scale->planned, diagnostic));
    double planned = clock_seconds();
    TRY(lower(scale, diagnostic));
    double lowered = clock_seconds();
    TRY(simulate_plan(scale, diagnostic));
    scale->planning_seconds = planned - start;
    scale->lowering_seconds = lowered - planned;
    scale->simulating_seconds = clock_seconds() - lowered;
    return STATUS_OK;
}

static void print(const struct scale *scale)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const struct solve_times *times = &scale->planned->result.best.solution.times;
    double prefill = scale->timeline->run_ends[scale->prefill_runs - 1];
    printf("{\"devices\": %d, \"chunk\": %lld, \"nodes\": %d, \"steps\": %d, \"spans\": %d,\n",
           scale->planned->machine->device_count, (long long)scale->planned->result.best.chunk,
           scale->plan->graph->node_count, scale->plan->step_count, scale->timeline->span_count);
    printf(
        " \"planning_seconds\": %.2f, \"lowering_seconds\": %.2f, \"simulating_seconds\": %.2f,\n",
        scale->planning_seconds, scale->lowering_seconds, scale->simulating_seconds);
    printf(" \"peak_bytes\": %lld,\n", (long long)usage.ru_maxrss * 1024);
    printf(" \"planned\": {\"prefill_tokens_per_second\": %.1f, \"decode_tokens_per_second\": "
           "%.2f},\n",
           (double)scale->prompt / times->prefill_seconds, 1 / times->decode_seconds);
    printf(" \"simulated\": {\"prefill_tokens_per_second\": %.1f, \"decode_tokens_per_second\": "
           "%.2f}}\n",
           (double)scale->prompt / prefill,
           (double)scale->generated / (scale->timeline->seconds - prefill));
}

int main(int count, char **words)
{
    struct diagnostic diagnostic = {0};
    struct scale scale = {.arena = arena_create(0)};
    bool usage = count != 6 || !text_to_integer(words[4], &scale.prompt) ||
                 !text_to_integer(words[5], &scale.generated) || scale.prompt < 1 ||
                 scale.generated < 1;
    status code = usage || !scale.arena
                      ? fail(&diagnostic, STATUS_USAGE,
                             "usage: scale_plan PRESET TYPE MACHINE.yaml PROMPT GENERATE")
                      : measure(&scale, words, &diagnostic);
    if (code == STATUS_OK) print(&scale);
    plan_free(scale.plan);
    planned_model_close(scale.planned);
    arena_destroy(scale.arena);
    if (code != STATUS_OK) fprintf(stderr, "scale_plan: %s\n", diagnostic.text);
    return code == STATUS_OK ? 0 : 1;
}
