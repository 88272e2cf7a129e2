/* Asking the catalogue, for every node on a card, whether some variant answers it in every bucket of the plan.
 *
 * A host runs everything (its references do), a card only what it has kernels for. */
#include "planner/offload.h"

#include "ir/graph_edit.h"

#include <string.h>

/* What has been asked already: layers repeat each other. */
struct answer {
    const struct problem *problem; /* in some bucket */
    int device;
    bool answered;
};

struct offload {
    const struct plan *plan;
    const struct build_options *options;
    struct arena *arena, *scratch;
    struct bound_space *bound;
    struct answer *answers;
    int answer_count;
    size_t answer_capacity;
    status code; /* of a question that failed: filters cannot say so */
    struct diagnostic diagnostic;
};

static bool is_card(const struct offload *offload, int device)
{
    return offload->options->devices[device].facts->target == TARGET_CUDA;
}

static bool variant_answers(const struct offload *offload, const struct problem *problem,
                            int device)
{
    const struct chooser *chooser = &offload->options->chooser;
    const char *reason;
    if (chooser->references) return false;
    for (int s = 0; s < chooser->catalogue->count; s++) {
        const struct space *space = chooser->catalogue->spaces[s];
        if (space->fast && !chooser->fast) continue;
        if (space_bind(space, problem, offload->options->devices[device].facts, offload->scratch,
                       offload->bound, &reason))
            return true;
    }
    return false;
}

static const struct answer *find_answer(const struct offload *offload, const struct graph *graph,
                                        const struct node *node)
{
    for (int a = 0; a < offload->answer_count; a++)
        if (offload->answers[a].device == node->device &&
            problem_is_of(offload->answers[a].problem, graph, node))
            return &offload->answers[a];
    return NULL;
}

struct asking {
    struct offload *offload;
    const struct graph *graph;
    const struct node *node;
    const struct problem *problem; /* the last one, kept */
    bool answered;
};

static status ask_bucket(void *context, const struct plan_bucket *bucket,
                         struct diagnostic *diagnostic)
{
    struct asking *asking = context;
    struct offload *offload = asking->offload;
    struct problem *problem;
    if (!asking->answered) return STATUS_OK;
    TRY(problem_create(asking->graph, asking->node, bucket->rows, bucket->context, offload->arena,
                       &problem, diagnostic));
    arena_reset(offload->scratch);
    asking->problem = problem;
    asking->answered = variant_answers(offload, problem, asking->node->device);
    return STATUS_OK;
}

static status ask(struct offload *offload, const struct graph *graph, const struct node *node,
                  bool *answered, struct diagnostic *diagnostic)
{
    const struct answer *known = find_answer(offload, graph, node);
    if (known) {
        *answered = known->answered;
        return STATUS_OK;
    }
    struct asking asking = {.offload = offload, .graph = graph, .node = node, .answered = true};
    TRY(plan_node_buckets(graph, &offload->plan->bounds, node, 0, ask_bucket, &asking, diagnostic));
    TRY_APPEND(offload->answers, offload->answer_count, offload->answer_capacity, offload->arena,
               diagnostic);
    offload->answers[offload->answer_count - 1] = (struct answer){
        .problem = asking.problem, .device = node->device, .answered = asking.answered};
    *answered = asking.answered;
    return STATUS_OK;
}

static bool allows(void *context, const struct graph *graph, const struct node *node)
{
    struct offload *offload = context;
    bool answered = true;
    if (!is_card(offload, node->device)) return true;
    status code = ask(offload, graph, node, &answered, &offload->diagnostic);
    if (offload->code == STATUS_OK) offload->code = code;
    return code == STATUS_OK && answered;
}

/* ---- Moving ---- */

static bool share_state(const struct graph *graph, const struct node *a, const struct node *b)
{
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        if (a->inputs[i] == VALUE_NONE || graph->values[a->inputs[i]].kind != VALUE_STATE) continue;
        for (int j = 0; j < OP_INPUTS_MAX; j++)
            if (a->inputs[i] == b->inputs[j]) return true;
    }
    return false;
}

/* A state is in one place; whoever uses it goes there.  Layers have states of their own, so few nodes are looked at. */
static void move_with_states(const struct graph *graph, int host, int *devices)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (int n = 0; n < graph->node_count; n++) {
            if (devices[n] != host || graph->nodes[n].device == host) continue;
            for (int m = 0; m < graph->node_count; m++) {
                if (devices[m] == host || graph->nodes[m].layer != graph->nodes[n].layer) continue;
                if (!share_state(graph, &graph->nodes[n], &graph->nodes[m])) continue;
                devices[m] = host;
                changed = true;
            }
        }
    }
}

static int find_host(const struct build_options *options)
{
    for (int d = 0; d < options->device_count; d++)
        if (options->devices[d].facts->target == TARGET_CPU) return d;
    return -1;
}

static status refuse(const struct offload *offload, const struct graph *graph,
                     const struct node *node, struct diagnostic *diagnostic)
{
    const struct answer *answer = find_answer(offload, graph, node);
    const char *text = answer && answer->problem ? answer->problem->text : node->op->name;
    return fail(diagnostic, STATUS_DEVICE,
                "%s has no kernel for %s; add the host to the devices (--devices ...,cpu) and it "
                "runs there",
                offload->options->devices[node->device].specification, text);
}

static status move_unanswered(struct offload *offload, struct graph *graph,
                              struct diagnostic *diagnostic)
{
    int *devices, host = find_host(offload->options), moved = 0;
    TRY_NEW(devices, offload->arena, graph->node_count, diagnostic);
    for (int n = 0; n < graph->node_count; n++) {
        const struct node *node = &graph->nodes[n];
        bool answered = true;
        devices[n] = node->device;
        if (!node_is_launched(node) || !is_card(offload, node->device)) continue;
        TRY(ask(offload, graph, node, &answered, diagnostic));
        if (answered) continue;
        if (host < 0) return refuse(offload, graph, node, diagnostic);
        devices[n] = host;
        moved++;
    }
    if (!moved) return STATUS_OK;
    move_with_states(graph, host, devices);
    return pass_place(graph, devices, offload->options->device_count, diagnostic);
}

static status fuse_and_move(struct offload *offload, struct graph *graph,
                            struct diagnostic *diagnostic)
{
    const struct fuse_filter filter = {.allows = allows, .context = offload};
    TRY_NEW(offload->bound, offload->arena, 1, diagnostic);
    TRY(pass_fuse_where(graph, &filter, diagnostic));
    if (offload->code != STATUS_OK)
        return fail(diagnostic, offload->code, "%s", offload->diagnostic.text);
    TRY(graph_verify(graph, diagnostic));
    TRY(move_unanswered(offload, graph, diagnostic));
    TRY(graph_verify(graph, diagnostic));
    /* What is on the host now may be fused there. */
    return pass_fuse_where(graph, &filter, diagnostic);
}

status offload_fuse(struct plan *plan, const struct build_options *options,
                    struct diagnostic *diagnostic)
{
    struct offload offload = {
        .plan = plan, .options = options, .arena = arena_create(0), .scratch = arena_create(0)};
    status code = offload.arena && offload.scratch
                      ? fuse_and_move(&offload, plan->graph, diagnostic)
                      : fail_memory(diagnostic, 0);
    arena_destroy(offload.scratch);
    arena_destroy(offload.arena);
    return code;
}
