/* How long planning, lowering and simulating take for machines of many cards, and how much memory: for shapes whose weights
 * nobody has here; and what the planner's plan and the rule of layers in order reach by the simulator.
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
    struct place_result result;
    int64_t prompt, generated;
    double prefill_rate, decode_rate; /* simulated */
    double rule_prefill_rate, rule_decode_rate;
    int nodes, steps, spans;
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

/* What can be run: features are gathered, experts streamed whole or not at all. */
static status plan_again(struct scale *scale, struct diagnostic *diagnostic)
{
    struct place_request request = scale->planned->request;
    request.whole_streams = true;
    return place_model(&request, scale->arena, &scale->result, diagnostic);
}

static status lower(struct scale *scale, const struct place_plan *placed, struct plan **plan,
                    struct diagnostic *diagnostic)
{
    const struct planned_model *planned = scale->planned;
    struct build_device *devices;
    struct build_report report;
    struct placement *placement;
    TRY(place_fill(&planned->request, placed, scale->result.class_of_layer, scale->arena,
                   &placement, diagnostic));
    TRY(describe_devices(scale, &devices, diagnostic));
    TRY(catalogue_read(NULL, scale->arena, &scale->catalogue, diagnostic));
    struct build_options options = {.bounds = planned->request.bounds,
                                    .devices = devices,
                                    .device_count = planned->machine->device_count,
                                    .share = {.kind = SHARE_PLANNED},
                                    .placement = placement,
                                    .chooser = {.catalogue = &scale->catalogue, .references = true},
                                    .choose_only = true,
                                    .compile_processes = 1};
    options.bounds.tokens = placed->chunk;
    return plan_build(planned->model->graph, &options, plan, &report, diagnostic);
}

static status simulate_plan(struct scale *scale, const struct plan *plan,
                            struct diagnostic *diagnostic)
{
    const struct workload workload = {.prefill = plan,
                                      .decode = plan,
                                      .prompt_tokens = scale->prompt,
                                      .generated_tokens = scale->generated,
                                      .sequences = 1};
    struct simulated_run *runs;
    struct simulation *simulation;
    struct timeline *timeline;
    int prefill;
    TRY_NEW(simulation, scale->arena, 1, diagnostic);
    *simulation = (struct simulation){.facts = scale->facts,
                                      .efficiencies = place_usual_efficiencies(TARGET_CUDA),
                                      .in_flight = 2};
    TRY(workload_runs(&workload, scale->arena, &runs, &simulation->run_count, &prefill,
                      diagnostic));
    simulation->runs = runs;
    TRY(simulate(simulation, scale->arena, &timeline, diagnostic));
    double prefill_seconds = timeline->run_ends[prefill - 1];
    scale->prefill_rate = (double)scale->prompt / prefill_seconds;
    scale->decode_rate = (double)scale->generated / (timeline->seconds - prefill_seconds);
    scale->nodes = plan->graph->node_count;
    scale->steps = plan->step_count;
    scale->spans = timeline->span_count;
    return STATUS_OK;
}

static status lower_and_simulate(struct scale *scale, const struct place_plan *placed,
                                 struct diagnostic *diagnostic)
{
    struct plan *plan = NULL;
    double start = clock_seconds();
    TRY(lower(scale, placed, &plan, diagnostic));
    double lowered = clock_seconds();
    status code = simulate_plan(scale, plan, diagnostic);
    scale->lowering_seconds = lowered - start;
    scale->simulating_seconds = clock_seconds() - lowered;
    plan_free(plan);
    return code;
}

/* First, so that the other figures are the plan's. */
static status simulate_rule(struct scale *scale, struct diagnostic *diagnostic)
{
    if (!scale->result.rule.solution.option_count) return STATUS_OK;
    TRY(lower_and_simulate(scale, &scale->result.rule, diagnostic));
    scale->rule_prefill_rate = scale->prefill_rate;
    scale->rule_decode_rate = scale->decode_rate;
    return STATUS_OK;
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
    scale->planning_seconds = clock_seconds() - start;
    TRY(plan_again(scale, diagnostic));
    TRY(simulate_rule(scale, diagnostic));
    return lower_and_simulate(scale, &scale->result.best, diagnostic);
}

static void print(const struct scale *scale)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const struct solve_times *times = &scale->result.best.solution.times;
    printf("{\"devices\": %d, \"chunk\": %lld, \"nodes\": %d, \"steps\": %d, \"spans\": %d,\n",
           scale->planned->machine->device_count, (long long)scale->result.best.chunk, scale->nodes,
           scale->steps, scale->spans);
    printf(
        " \"planning_seconds\": %.2f, \"lowering_seconds\": %.2f, \"simulating_seconds\": %.2f,\n",
        scale->planning_seconds, scale->lowering_seconds, scale->simulating_seconds);
    printf(" \"peak_bytes\": %lld,\n", (long long)usage.ru_maxrss * 1024);
    printf(" \"planned\": {\"prefill_tokens_per_second\": %.1f, \"decode_tokens_per_second\": "
           "%.2f},\n",
           (double)scale->prompt / times->prefill_seconds, 1 / times->decode_seconds);
    printf(" \"simulated\": {\"prefill_tokens_per_second\": %.1f, \"decode_tokens_per_second\": "
           "%.2f},\n",
           scale->prefill_rate, scale->decode_rate);
    printf(" \"simulated_rule\": {\"prefill_tokens_per_second\": %.1f, "
           "\"decode_tokens_per_second\": %.2f}}\n",
           scale->rule_prefill_rate, scale->rule_decode_rate);
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
    planned_model_close(scale.planned);
    arena_destroy(scale.arena);
    if (code != STATUS_OK) fprintf(stderr, "scale_plan: %s\n", diagnostic.text);
    return code == STATUS_OK ? 0 : 1;
}
