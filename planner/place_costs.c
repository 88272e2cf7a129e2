/* What a model's layers cost on a machine's devices: the solver's input.
 *
 * Layers are alike when their nodes are of the same problems and their pieces have the same bytes.  The time of a part is
 * that of its nodes in the fused graph (a card runs fused kernels), each as measured on that device where the store knows
 * it, otherwise from the device's rates and the efficiency of the node's class. */
#include "ir/bucket.h"
#include "ir/pass.h"
#include "planner/place.h"

#include <math.h>
#include <string.h>

/* Shares of the rates that kernels reach where nothing was measured: on cards as calibrated on published rates
 * (docs/simulator.md), on hosts what is assumed of Hone's own kernels. */
static const struct cost_efficiencies efficiencies_card = {.share = {[COST_PRODUCT_FEW] = 0.80,
                                                                     [COST_PRODUCT_MANY] = 0.19,
                                                                     [COST_EXPERTS_FEW] = 0.41,
                                                                     [COST_EXPERTS_MANY] = 0.08,
                                                                     [COST_ATTENTION] = 1.00,
                                                                     [COST_REST] = 0.50}};
static const struct cost_efficiencies efficiencies_host = {.share = {[COST_PRODUCT_FEW] = 0.80,
                                                                     [COST_PRODUCT_MANY] = 0.50,
                                                                     [COST_EXPERTS_FEW] = 0.60,
                                                                     [COST_EXPERTS_MANY] = 0.40,
                                                                     [COST_ATTENTION] = 0.50,
                                                                     [COST_REST] = 0.50}};

const struct cost_efficiencies *place_usual_efficiencies(enum target target)
{
    return target == TARGET_CPU ? &efficiencies_host : &efficiencies_card;
}

/* Of memory that nobody may count on: the driver's contexts, fragments and a screen on a card; the system on a host. */
static const double margin_card = 0.04, margin_host = 0.10;
/* Of what a host gives, the share that may be pinned: more than that, and systems begin to swap. */
static const double pinned_share = 0.75;

struct cost_node {
    const struct node *node;
    enum placement_part part;
    struct problem *problems[PLACEMENT_PHASES];
    int64_t rows[PLACEMENT_PHASES];
};

/* The nodes of a layer, of what comes before the layers, or behind. */
struct cost_layer {
    struct cost_node *nodes;
    int count;
    size_t capacity;
};

struct costing {
    const struct place_request *request;
    struct place_result *result;
    struct arena *arena, *scratch;
    struct graph *fused;
    struct placement *pieces;
    struct cost_layer
        *plain; /* [layer_count + 2] of the graph before fusion: what tells layers apart */
    struct cost_layer *layers; /* [layer_count + 2] fused; embed and output are the last two */
    struct solve_input *input;
    struct solve_class *classes;
    int *first_layer; /* [classes] */
    int64_t contexts[PLACEMENT_PHASES];
};

static const struct placement_piece *piece_at(const struct costing *costing, int layer, int part)
{
    int layers = costing->pieces->layer_count;
    if (layer == layers) return part == PLACEMENT_EMBED ? &costing->pieces->embed : NULL;
    if (layer == layers + 1) return part == PLACEMENT_OUTPUT ? &costing->pieces->output : NULL;
    return &costing->pieces->layers[layer].pieces[part];
}

/* ---- Nodes ---- */

static status sort_nodes(const struct costing *costing, const struct graph *graph,
                         struct cost_layer **result, struct diagnostic *diagnostic)
{
    enum placement_part *parts;
    struct cost_layer *lists;
    int layers = costing->pieces->layer_count;
    TRY_NEW(parts, costing->arena, graph->node_count, diagnostic);
    TRY_NEW(lists, costing->arena, layers + 2, diagnostic);
    TRY(placement_parts(graph, parts, diagnostic));
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        int layer = parts[n] == PLACEMENT_EMBED    ? layers
                    : parts[n] == PLACEMENT_OUTPUT ? layers + 1
                                                   : node->layer;
        struct cost_layer *list = &lists[layer];
        TRY_APPEND(list->nodes, list->count, list->capacity, costing->arena, diagnostic);
        list->nodes[list->count - 1] = (struct cost_node){.node = node, .part = parts[n]};
    }
    *result = lists;
    return STATUS_OK;
}

/* The problem of a node in the bucket of the phase's rows and context. */
static status pose(const struct costing *costing, const struct graph *graph, struct cost_node *node,
                   struct diagnostic *diagnostic)
{
    const struct tensor_type *type = &graph->values[node->node->inputs[0]].type;
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        bool outputs = type->shape[0].symbol == SYMBOL_OUTPUTS;
        node->rows[p] = outputs ? (int64_t)costing->input->rows[PLACEMENT_DECODE]
                                : (int64_t)costing->input->rows[p];
        TRY(problem_create(graph, node->node, bucket_rows(bucket_of_rows(node->rows[p])),
                           bucket_context(bucket_of_context(costing->contexts[p])), costing->arena,
                           &node->problems[p], diagnostic));
    }
    return STATUS_OK;
}

static bool is_alike(const struct costing *costing, int layer, int other)
{
    const struct cost_layer *a = &costing->plain[layer], *b = &costing->plain[other];
    if (a->count != b->count) return false;
    for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++) {
        const struct placement_piece *p = piece_at(costing, layer, part);
        const struct placement_piece *q = piece_at(costing, other, part);
        if (p->units != q->units || p->unit_bytes != q->unit_bytes ||
            p->common_bytes != q->common_bytes || p->unit_state_bytes != q->unit_state_bytes)
            return false;
    }
    for (int n = 0; n < a->count; n++)
        if (a->nodes[n].part != b->nodes[n].part ||
            !problem_is_of(b->nodes[n].problems[0], costing->request->graph, a->nodes[n].node))
            return false;
    return true;
}

/* ---- Times ---- */

/* The measured time of a problem; 0: there is none. */
static status measured_seconds(struct costing *costing, const struct cost_node *node,
                               const struct problem *problem, const struct device_facts *facts,
                               double *seconds, struct diagnostic *diagnostic)
{
    const struct chooser *chooser = costing->request->chooser;
    struct record *records;
    struct choice choice;
    int count = 0;
    *seconds = 0;
    costing->result->problems++;
    if (!chooser || !chooser->store || chooser->references) return STATUS_OK;
    arena_reset(costing->scratch);
    TRY(store_records(chooser->store, problem->key, facts->class_name, costing->scratch, &records,
                      &count, diagnostic));
    if (!count) return STATUS_OK;
    const struct choose_request request = {
        .graph = costing->fused, .node = node->node, .problem = problem, .facts = facts};
    TRY(choose_candidate(chooser, &request, costing->scratch, &choice, diagnostic));
    if (choice.measured) *seconds = choice.seconds;
    costing->result->measured += choice.measured;
    return STATUS_OK;
}

static status node_seconds(struct costing *costing, const struct cost_node *node,
                           enum placement_phase phase, const struct device_facts *facts,
                           double *seconds, struct diagnostic *diagnostic)
{
    double measured;
    TRY(measured_seconds(costing, node, node->problems[phase], facts, &measured, diagnostic));
    const struct cost_efficiencies *usual = costing->request->efficiencies
                                                ? costing->request->efficiencies
                                                : place_usual_efficiencies(facts->target);
    bool modelled = facts->values[FACT_modelled_rate] > 0;
    const struct launch_cost launch = {.problem = node->problems[phase],
                                       .bound_seconds = measured,
                                       .rows = node->rows[phase],
                                       .context = costing->contexts[phase],
                                       .facts = facts,
                                       .efficiencies = measured > 0 || modelled ? NULL : usual};
    *seconds = cost_launch_seconds(&launch);
    return STATUS_OK;
}

/* A device whose times are known already because it has equal facts; -1: none. */
static int twin_of(const struct costing *costing, int d)
{
    const struct machine_device *devices = costing->request->machine->devices;
    for (int e = 0; e < d; e++)
        if (devices[e].facts.target == devices[d].facts.target &&
            memcmp(devices[e].facts.values, devices[d].facts.values,
                   sizeof devices[d].facts.values) == 0)
            return e;
    return -1;
}

/* Seconds of a layer's part on every device. */
static status time_part(struct costing *costing, const struct cost_layer *layer, int part,
                        struct solve_part *costs, struct diagnostic *diagnostic)
{
    const struct machine *machine = costing->request->machine;
    for (int p = 0; p < PLACEMENT_PHASES; p++) {
        double *fixed, *variable;
        TRY_NEW(fixed, costing->arena, machine->device_count, diagnostic);
        TRY_NEW(variable, costing->arena, machine->device_count, diagnostic);
        for (int d = 0; d < machine->device_count; d++) {
            const struct device_facts *facts = &machine->devices[d].facts;
            double launch = facts->values[FACT_launch_nanoseconds] * 1e-9;
            int twin = twin_of(costing, d);
            for (int n = 0; n < layer->count && twin < 0; n++) {
                double seconds;
                if ((int)layer->nodes[n].part != part) continue;
                TRY(node_seconds(costing, &layer->nodes[n], (enum placement_phase)p, facts,
                                 &seconds, diagnostic));
                fixed[d] += fmin(launch, seconds);
                variable[d] += seconds - fmin(launch, seconds);
            }
            if (twin < 0) continue;
            fixed[d] = fixed[twin];
            variable[d] = variable[twin];
        }
        costs->fixed_seconds[p] = fixed;
        costs->variable_seconds[p] = variable;
    }
    return STATUS_OK;
}

/* Experts that a token uses. */
static int64_t used_experts(const struct cost_layer *layer)
{
    for (int n = 0; n < layer->count; n++) {
        const struct node *node = layer->nodes[n].node;
        int used = attribute_by_name(node->op, "used");
        if (strcmp(node->op->name, "route") == 0 && used >= 0)
            return node->attributes[used].integer;
    }
    return 0;
}

/* What the layers of a class cost, told by the one in their middle: the first and the last of a model are fused otherwise. */
static status time_class(struct costing *costing, int number, struct diagnostic *diagnostic)
{
    struct solve_class *class = &costing->classes[number];
    int layer = costing->first_layer[number];
    for (int seen = 0; seen < class->count / 2;
         seen += costing->result->class_of_layer[layer] == number)
        layer++;
    struct cost_layer *nodes = &costing->layers[layer];
    for (int n = 0; n < nodes->count; n++)
        TRY(pose(costing, costing->fused, &nodes->nodes[n], diagnostic));
    for (int part = 0; part < PLACEMENT_PARTS; part++) {
        const struct placement_piece *piece = piece_at(costing, layer, part);
        if (!piece || !piece->units) continue;
        struct solve_part *costs = &class->parts[part];
        *costs = (struct solve_part){.units = piece->units,
                                     .unit_bytes = piece->unit_bytes,
                                     .common_bytes = piece->common_bytes,
                                     .unit_state_bytes = piece->unit_state_bytes};
        if (part == PLACEMENT_EXPERTS) costs->used = used_experts(nodes);
        if (part == PLACEMENT_DENSE)
            costs->inner_bytes = (double)(piece->units * piece->unit_rows) * (double)sizeof(float);
        TRY(time_part(costing, nodes, part, costs, diagnostic));
    }
    return STATUS_OK;
}

static status make_classes(struct costing *costing, struct diagnostic *diagnostic)
{
    int layers = costing->pieces->layer_count, *count = &costing->input->class_count;
    TRY_NEW(costing->classes, costing->arena, layers + 2, diagnostic);
    TRY_NEW(costing->first_layer, costing->arena, layers + 2, diagnostic);
    TRY_NEW(costing->result->class_of_layer, costing->arena, layers + 2, diagnostic);
    costing->input->classes = costing->classes;
    for (int l = 0; l < layers + 2; l++) {
        int class = 0;
        while (class < *count &&
               (l >= layers || !is_alike(costing, l, costing->first_layer[class])))
            class ++;
        costing->result->class_of_layer[l] = class;
        costing->classes[class].count++;
        if (class < *count) continue;
        costing->first_layer[(*count)++] = l;
        for (int n = 0; n < costing->plain[l].count; n++)
            TRY(pose(costing, costing->request->graph, &costing->plain[l].nodes[n], diagnostic));
    }
    costing->result->class_count = *count;
    for (int c = 0; c < *count; c++) TRY(time_class(costing, c, diagnostic));
    return STATUS_OK;
}

/* ---- Devices ---- */

static int64_t memory_to_give(const struct machine_device *device, int64_t reserve)
{
    bool host = device->link_rate <= 0;
    double known = device->facts.values[FACT_memory_bytes];
    double bytes = device->memory_bytes < INT64_MAX ? (double)device->memory_bytes
                   : known > 0                      ? known
                                                    : 1e15;
    bytes = bytes * (1 - (host ? margin_host : margin_card)) - (double)reserve;
    return bytes > 0 ? (int64_t)bytes : 0;
}

/* Pieces that lie beside the whole that is put together of them: a part of what is alive at once. */
static const double reserve_more = 1.25;

/* What activations take where all layers are on one device; a share of the layers takes no less. */
static status find_reserve(const struct costing *costing, const struct plan_bounds *bounds,
                           int64_t *reserve, struct diagnostic *diagnostic)
{
    int64_t symbols[SYMBOL_COUNT];
    struct memory_layout layout;
    plan_symbols(bounds, symbols);
    TRY(pass_memory(costing->fused, symbols, 1, costing->scratch, &layout, diagnostic));
    *reserve = (int64_t)((double)layout.device_bytes[0] * reserve_more);
    return STATUS_OK;
}

static status describe_devices(struct costing *costing, int64_t reserve,
                               struct diagnostic *diagnostic)
{
    const struct machine *machine = costing->request->machine;
    struct solve_device *devices;
    TRY_NEW(devices, costing->arena, machine->device_count, diagnostic);
    for (int d = 0; d < machine->device_count; d++) {
        const struct machine_device *device = &machine->devices[d];
        bool host = device->link_rate <= 0;
        devices[d] = (struct solve_device){
            .name = device->name,
            .host = host,
            .node = device->node,
            .memory_bytes = memory_to_give(device, reserve),
            .link_rate = device->link_rate,
            .peer_rate = device->peer_rate,
            .link_latency_seconds = device->link_latency_seconds,
            .memory_rate = host ? device->facts.values[FACT_read_bandwidth] : 0,
            .links_rate = host ? machine->links_rate : 0,
            .disk_rate = host ? machine->disk_rate : 0,
        };
        if (host)
            devices[d].pinned_bytes = (int64_t)((double)devices[d].memory_bytes * pinned_share);
    }
    costing->input->devices = devices;
    costing->input->device_count = machine->device_count;
    return STATUS_OK;
}

/* The width of the residual stream: what the embedding gives for a token. */
static double row_bytes(const struct graph *graph)
{
    for (int n = 0; n < graph->node_count; n++) {
        const struct tensor_type *type = &graph->values[graph->nodes[n].outputs[0]].type;
        if (strcmp(graph->nodes[n].op->name, "embed") == 0)
            return (double)type->shape[1].scale * (double)sizeof(float);
    }
    return 0;
}

static status fill_input(struct costing *costing, int64_t chunk, struct diagnostic *diagnostic)
{
    const struct place_request *request = costing->request;
    struct plan_bounds bounds = request->bounds;
    int64_t reserve;
    bounds.tokens = chunk;
    TRY_NEW(costing->input, costing->arena, 1, diagnostic);
    *costing->input = (struct solve_input){
        .rows = {(double)chunk, (double)bounds.sequences},
        .steps = {ceil(request->prompt_tokens / (double)chunk), request->generated_tokens},
        .row_bytes = row_bytes(request->graph),
        .collectives = request->deterministic ? 2 : 1,
        .gathers_slots = request->deterministic,
        .network_rate = request->machine->network_rate,
        .network_latency_seconds = request->machine->network_latency_seconds,
        .banned_lead = -1,
        .whole_streams = request->whole_streams,
    };
    costing->contexts[PLACEMENT_PREFILL] = (int64_t)fmax(1, request->prompt_tokens / 2);
    costing->contexts[PLACEMENT_DECODE] =
        (int64_t)fmax(1, request->prompt_tokens + request->generated_tokens / 2);
    TRY(placement_create(request->graph, &bounds, request->machine->device_count, costing->arena,
                         &costing->pieces, diagnostic));
    TRY(graph_copy(request->graph, costing->arena, &costing->fused, diagnostic));
    TRY(pass_fuse(costing->fused, diagnostic));
    TRY(find_reserve(costing, &bounds, &reserve, diagnostic));
    TRY(describe_devices(costing, reserve, diagnostic));
    TRY(sort_nodes(costing, request->graph, &costing->plain, diagnostic));
    TRY(sort_nodes(costing, costing->fused, &costing->layers, diagnostic));
    return make_classes(costing, diagnostic);
}

status place_costs(const struct place_request *request, int64_t chunk, struct arena *arena,
                   struct solve_input **input, struct place_result *result,
                   struct diagnostic *diagnostic)
{
    struct costing costing = {
        .request = request, .result = result, .arena = arena, .scratch = arena_create(0)};
    TRY_MEMORY(costing.scratch, diagnostic);
    status code = fill_input(&costing, chunk, diagnostic);
    arena_destroy(costing.scratch);
    *input = costing.input;
    return code;
}
