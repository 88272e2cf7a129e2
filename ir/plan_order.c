/* Whether a plan's steps are ordered well enough, for any speed of the queues.
 *
 * Each device has a queue; steps of one queue run in order, those of different queues in any order
 * that events leave open.  The walk keeps, per queue, a clock: how far each queue has certainly
 * come when this one's next step starts (vector clocks).  A signal leaves its queue's clock with
 * the event, a wait takes it up.  A step may read a value when its queue's clock covers the step
 * that made it, and may overwrite memory when it covers all that used it. */
#include "ir/graph_edit.h"
#include "ir/plan_check.h"

#include <string.h>

/* Copies that read or write another device's arena and that nobody has waited for yet. */
enum { PENDING_MAX = 4096 };

struct access {
    int value, queue, tick;
};

struct pending {
    struct access *accesses;
    size_t capacity;
    int count;
};

struct order {
    const struct plan *plan;
    struct diagnostic *diagnostic;
    struct arena *scratch;
    int *clocks; /* [queue, queue] ticks of the second known to the first; its own: steps begun */
    int **event_clocks;          /* [event] NULL until it is signalled */
    int *made_queue, *made_tick; /* [value] tick 0: not made */
    int *used_tick;              /* [value] last use known to the queue of its own device */
    struct pending *pending;     /* [device] */
    int next_node, step;
};

/* Queues for work have the numbers of their devices; those for copies come behind them. */
static int queue_count(const struct order *order)
{
    return QUEUE_COUNT * order->plan->device_count;
}

static int queue_of(const struct order *order, const struct plan_step *step)
{
    return (int)step->queue * order->plan->device_count + step->device;
}

static int *clock_of(const struct order *order, int queue)
{
    return order->clocks + (size_t)queue * (size_t)queue_count(order);
}

static const char *value_name(const struct order *order, int value)
{
    return order->plan->graph->values[value].name;
}

static bool share_memory(const struct order *order, int a, int b)
{
    const struct memory_layout *memory = &order->plan->memory;
    return memory->offsets[a] < memory->offsets[b] + memory->bytes[b] &&
           memory->offsets[b] < memory->offsets[a] + memory->bytes[a];
}

/* What the device's own queue knows by now counts as its own use: who waits for that queue waits
 * for all of it. */
static void settle_pending(struct order *order, int device)
{
    struct pending *pending = &order->pending[device];
    const int *clock = clock_of(order, device);
    int kept = 0;
    for (int p = 0; p < pending->count; p++) {
        struct access access = pending->accesses[p];
        if (clock[access.queue] >= access.tick)
            order->used_tick[access.value] = clock[device];
        else
            pending->accesses[kept++] = access;
    }
    pending->count = kept;
}

static status note_use(struct order *order, int value, int queue)
{
    int device = order->plan->graph->values[value].device;
    int tick = clock_of(order, queue)[queue];
    struct pending *pending = &order->pending[device];
    if (device == queue) {
        order->used_tick[value] = tick;
        return STATUS_OK;
    }
    if (pending->count == PENDING_MAX)
        return fail(order->diagnostic, STATUS_BAD_INPUT,
                    "plan: step %d: device %d waits for none of %d copies", order->step, device,
                    PENDING_MAX);
    TRY_APPEND(pending->accesses, pending->count, pending->capacity, order->scratch,
               order->diagnostic);
    pending->accesses[pending->count - 1] = (struct access){value, queue, tick};
    return STATUS_OK;
}

static status read_value(struct order *order, int value, int queue)
{
    if (value == VALUE_NONE || order->plan->graph->values[value].kind != VALUE_RESULT)
        return STATUS_OK;
    int made = order->made_tick[value];
    if (!made || clock_of(order, queue)[order->made_queue[value]] < made)
        return fail(order->diagnostic, STATUS_BAD_INPUT,
                    "plan: step %d may read %s before it is there", order->step,
                    value_name(order, value));
    return note_use(order, value, queue);
}

static status overwrites(const struct order *order, int value, int other)
{
    return fail(order->diagnostic, STATUS_BAD_INPUT,
                "plan: step %d may overwrite %s with %s while it is in use", order->step,
                value_name(order, other), value_name(order, value));
}

/* From another queue every use by the device's own one must be known too. */
static status check_foreign_write(const struct order *order, int value, int queue)
{
    const struct graph *graph = order->plan->graph;
    int device = graph->values[value].device;
    for (int v = 0; v < graph->value_count; v++)
        if (v != value && graph->values[v].kind == VALUE_RESULT &&
            graph->values[v].device == device && share_memory(order, value, v) &&
            clock_of(order, queue)[device] < order->used_tick[v])
            return overwrites(order, value, v);
    return STATUS_OK;
}

static status write_value(struct order *order, int value, int queue)
{
    int device = order->plan->graph->values[value].device;
    const struct pending *pending = &order->pending[device];
    for (int p = 0; p < pending->count; p++) {
        struct access access = pending->accesses[p];
        if (clock_of(order, queue)[access.queue] < access.tick &&
            share_memory(order, value, access.value))
            return overwrites(order, value, access.value);
    }
    if (queue != device) TRY(check_foreign_write(order, value, queue));
    order->made_queue[value] = queue;
    order->made_tick[value] = clock_of(order, queue)[queue];
    return note_use(order, value, queue);
}

static status run_node(struct order *order, int n, int queue)
{
    const struct node *node = &order->plan->graph->nodes[n];
    if (n != order->next_node++)
        return fail(order->diagnostic, STATUS_BAD_INPUT, "plan: step %d runs node %d out of order",
                    order->step, n);
    for (int i = 0; i < OP_INPUTS_MAX; i++) TRY(read_value(order, node->inputs[i], queue));
    for (int o = 0; o < OP_OUTPUTS_MAX; o++)
        if (node->outputs[o] != VALUE_NONE) TRY(write_value(order, node->outputs[o], queue));
    return STATUS_OK;
}

static status step_launch(struct order *order, const struct plan_step *step)
{
    const struct graph *graph = order->plan->graph;
    if (step->node < 0 || step->node >= graph->node_count ||
        graph->nodes[step->node].device != step->device || step->queue != QUEUE_WORK ||
        node_is_launched(&graph->nodes[step->node]) != (step->kind == STEP_LAUNCH) ||
        (step->kind == STEP_RESOLVE && !node_is(&graph->nodes[step->node], "resolve")))
        return fail(order->diagnostic, STATUS_BAD_INPUT,
                    "plan: step %d launches node %d, which its device cannot", order->step,
                    step->node);
    return run_node(order, step->node, queue_of(order, step));
}

static status step_copy(struct order *order, const struct plan_step *step)
{
    const struct graph *graph = order->plan->graph;
    int n = order->next_node;
    if (n < graph->node_count && node_is(&graph->nodes[n], "transfer") &&
        graph->nodes[n].inputs[0] == step->value && graph->nodes[n].outputs[0] == step->target)
        return run_node(order, n, queue_of(order, step));
    return fail(order->diagnostic, STATUS_BAD_INPUT,
                "plan: step %d copies something else than the next transfer", order->step);
}

static status step_signal(struct order *order, const struct plan_step *step)
{
    size_t queues = (size_t)queue_count(order);
    if (step->event < 0 || step->event >= order->plan->event_count ||
        order->event_clocks[step->event])
        return fail(order->diagnostic, STATUS_BAD_INPUT,
                    "plan: step %d signals event %d, which is not one or is taken", order->step,
                    step->event);
    int *clock =
        arena_copy(order->scratch, clock_of(order, queue_of(order, step)), queues * sizeof *clock);
    TRY_MEMORY(clock, order->diagnostic);
    order->event_clocks[step->event] = clock;
    return STATUS_OK;
}

static status step_wait(struct order *order, const struct plan_step *step)
{
    if (step->event < 0 || step->event >= order->plan->event_count ||
        !order->event_clocks[step->event])
        return fail(order->diagnostic, STATUS_BAD_INPUT,
                    "plan: step %d waits for event %d, which nothing before it signals",
                    order->step, step->event);
    const int *signalled = order->event_clocks[step->event];
    int *clock = clock_of(order, queue_of(order, step));
    for (int q = 0; q < queue_count(order); q++)
        if (clock[q] < signalled[q]) clock[q] = signalled[q];
    if (step->queue == QUEUE_WORK) settle_pending(order, step->device);
    return STATUS_OK;
}

static status check_step(struct order *order, const struct plan_step *step)
{
    if (step->device < 0 || step->device >= order->plan->device_count)
        return fail(order->diagnostic, STATUS_BAD_INPUT, "plan: step %d is on device %d of %d",
                    order->step, step->device, order->plan->device_count);
    if ((unsigned)step->queue >= QUEUE_COUNT)
        return fail(order->diagnostic, STATUS_BAD_INPUT, "plan: step %d is in no queue",
                    order->step);
    int queue = queue_of(order, step);
    clock_of(order, queue)[queue]++;
    switch (step->kind) {
    case STEP_LAUNCH:
    case STEP_RESOLVE: return step_launch(order, step);
    case STEP_COPY: return step_copy(order, step);
    case STEP_SIGNAL: return step_signal(order, step);
    case STEP_WAIT: return step_wait(order, step);
    case STEP_COLLECTIVE:
    case STEP_HOST_TASK: break;
    }
    return fail(order->diagnostic, STATUS_BAD_INPUT,
                "plan: step %d is of kind %d, which is not known", order->step, (int)step->kind);
}

static status order_open(struct order *order)
{
    const struct plan *plan = order->plan;
    int devices = plan->device_count, values = plan->graph->value_count;
    int queues = queue_count(order);
    TRY_NEW(order->clocks, order->scratch, queues * queues, order->diagnostic);
    TRY_NEW(order->event_clocks, order->scratch, plan->event_count, order->diagnostic);
    TRY_NEW(order->made_queue, order->scratch, values, order->diagnostic);
    TRY_NEW(order->made_tick, order->scratch, values, order->diagnostic);
    TRY_NEW(order->used_tick, order->scratch, values, order->diagnostic);
    TRY_NEW(order->pending, order->scratch, devices, order->diagnostic);
    return STATUS_OK;
}

status plan_verify_order(const struct plan *plan, struct arena *scratch,
                         struct diagnostic *diagnostic)
{
    struct order order = {.plan = plan, .diagnostic = diagnostic, .scratch = scratch};
    TRY(order_open(&order));
    for (; order.step < plan->step_count; order.step++)
        TRY(check_step(&order, &plan->steps[order.step]));
    if (order.next_node == plan->graph->node_count) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "plan: no step runs node %d (%s)", order.next_node,
                plan->graph->nodes[order.next_node].op->name);
}
