/* Binding a plan to devices and running steps. */
#include "runtime/execute.h"

#include "base/clock.h"
#include "runtime/homes.h"

#include <string.h>

struct executor {
    struct arena *arena;
    const struct plan *plan;
    struct device *const *devices;
    struct home *homes;      /* per value: weights and states */
    struct home *arenas;     /* per device: results */
    struct home *inputs;     /* per device and value: device's own copy of the step's inputs */
    struct kernel **kernels; /* per device and image; NULL where unused */
    void *(*operands)[OP_OPERANDS_MAX]; /* per plan step */
    struct event **events;
    double *seconds;
    bool timed;
    struct step_watch watch;
};

/* The copy of input `value` on `device`. */
static struct home *input_home(const struct executor *executor, int device, int value)
{
    return &executor->inputs[device * executor->plan->graph->value_count + value];
}

static struct kernel **kernel_slot(const struct executor *executor, int device, int image)
{
    return &executor->kernels[device * executor->plan->image_count + image];
}

static void *value_address(const struct executor *executor, int device, int value)
{
    if (value == VALUE_NONE) return NULL;
    const struct value *described = &executor->plan->graph->values[value];
    switch (described->kind) {
    case VALUE_INPUT: return input_home(executor, device, value)->address;
    case VALUE_RESULT:
        return (char *)executor->arenas[described->device].address +
               executor->plan->memory.offsets[value];
    case VALUE_WEIGHT:
    case VALUE_STATE: break;
    }
    return executor->homes[value].address;
}

static status allocate_inputs(struct executor *executor, int device, const int64_t *symbols,
                              struct diagnostic *diagnostic)
{
    const struct graph *graph = executor->plan->graph;
    for (int v = 0; v < graph->value_count; v++) {
        if (graph->values[v].kind != VALUE_INPUT) continue;
        struct home *home = input_home(executor, device, v);
        int64_t bytes = tensor_bytes(&graph->values[v].type, symbols);
        TRY(device_allocate(executor->devices[device], bytes, &home->address, diagnostic));
        home->bytes = bytes;
    }
    return STATUS_OK;
}

static status allocate_buffers(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    for (int d = 0; d < plan->device_count; d++) {
        struct home *home = &executor->arenas[d];
        if (!home->address) {
            TRY(device_allocate(executor->devices[d], plan->memory.device_bytes[d], &home->address,
                                diagnostic));
            home->bytes = plan->memory.device_bytes[d];
        }
        TRY(allocate_inputs(executor, d, symbols, diagnostic));
    }
    return STATUS_OK;
}

static status load_node_kernels(struct executor *executor, int n, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    int device = plan->graph->nodes[n].device;
    for (int r = 0; r < BUCKET_ROW_COUNT; r++) {
        for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++) {
            int image = plan->choices[n][r][c];
            if (image < 0 || *kernel_slot(executor, device, image)) continue;
            TRY(kernel_load(executor->devices[device], plan->images[image].problem,
                            &plan->images[image].image, kernel_slot(executor, device, image),
                            diagnostic));
        }
    }
    return STATUS_OK;
}

/* Copies go to the queue of the device that they go to. */
static status connect_devices(struct executor *executor, struct diagnostic *diagnostic)
{
    for (int s = 0; s < executor->plan->step_count; s++) {
        const struct plan_step *step = &executor->plan->steps[s];
        if (step->kind != STEP_COPY) continue;
        int source = executor->plan->graph->values[step->value].device;
        TRY(device_connect(executor->devices[step->device], executor->devices[source], diagnostic));
    }
    return STATUS_OK;
}

static void resolve_operands(struct executor *executor, int s)
{
    const struct plan_step *step = &executor->plan->steps[s];
    void **operands = executor->operands[s];
    if (step->kind == STEP_COPY) {
        operands[0] = value_address(executor, step->device, step->target);
        operands[1] = value_address(executor, step->device, step->value);
    }
    if (step->kind != STEP_LAUNCH) return;
    const struct node *node = &executor->plan->graph->nodes[step->node];
    int inputs = op_input_count(node->op), outputs = op_output_count(node->op);
    for (int i = 0; i < inputs; i++)
        operands[i] = value_address(executor, step->device, node->inputs[i]);
    for (int o = 0; o < outputs; o++)
        operands[inputs + o] = value_address(executor, step->device, node->outputs[o]);
}

static status allocate_tables(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    struct arena *arena = executor->arena;
    int values = plan->graph->value_count, devices = plan->device_count;
    TRY_NEW(executor->homes, arena, values, diagnostic);
    TRY_NEW(executor->arenas, arena, devices, diagnostic);
    TRY_NEW(executor->inputs, arena, devices * values, diagnostic);
    TRY_NEW(executor->kernels, arena, devices * plan->image_count, diagnostic);
    TRY_NEW(executor->operands, arena, plan->step_count, diagnostic);
    TRY_NEW(executor->events, arena, plan->event_count, diagnostic);
    TRY_NEW(executor->seconds, arena, plan->step_count, diagnostic);
    return STATUS_OK;
}

static void take_kernels(struct executor *executor, struct executor *before, int device)
{
    const struct plan *plan = executor->plan, *old = before->plan;
    for (int i = 0; i < plan->image_count; i++)
        for (int o = 0; o < old->image_count; o++) {
            bool same = plan->images[i].problem == old->images[o].problem &&
                        plan->images[i].candidate == old->images[o].candidate;
            struct kernel **slot = kernel_slot(before, device, o);
            if (!same || !*slot) continue;
            *kernel_slot(executor, device, i) = *slot;
            *slot = NULL;
        }
}

static void take_parts(struct executor *executor, struct executor *before)
{
    const struct plan *plan = executor->plan;
    homes_take(before->plan, before->homes, plan, executor->homes);
    for (int d = 0; d < plan->device_count; d++) {
        take_kernels(executor, before, d);
        if (before->arenas[d].bytes < plan->memory.device_bytes[d]) continue;
        executor->arenas[d] = before->arenas[d];
        before->arenas[d] = (struct home){0};
    }
}

static status bind_plan(struct executor *executor, struct executor *before,
                        const struct weight_source *weights, const struct progress *progress,
                        struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    status code = allocate_tables(executor, diagnostic);
    if (before && code == STATUS_OK) take_parts(executor, before);
    executor_destroy(before);
    TRY(code);
    TRY(allocate_buffers(executor, diagnostic));
    TRY(homes_fill(plan, executor->devices, weights, progress, executor->arena, executor->homes,
                   diagnostic));
    for (int n = 0; n < plan->graph->node_count; n++)
        TRY(load_node_kernels(executor, n, diagnostic));
    TRY(connect_devices(executor, diagnostic));
    for (int e = 0; e < plan->event_count; e++) TRY(event_create(&executor->events[e], diagnostic));
    for (int s = 0; s < plan->step_count; s++) resolve_operands(executor, s);
    return STATUS_OK;
}

/* Without tables. */
static status make_executor(const struct plan *plan, struct device *const *devices,
                            struct executor **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct executor *executor = arena_allocate(arena, 1, sizeof *executor);
    if (!executor) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *executor);
    }
    *executor = (struct executor){.arena = arena, .plan = plan, .devices = devices};
    *result = executor;
    return STATUS_OK;
}

static status create_or_replace(struct executor *before, const struct plan *plan,
                                struct device *const *devices, const struct weight_source *weights,
                                const struct progress *progress, struct executor **result,
                                struct diagnostic *diagnostic)
{
    struct executor *executor;
    status code = make_executor(plan, devices, &executor, diagnostic);
    if (code != STATUS_OK) {
        executor_destroy(before);
        return code;
    }
    code = bind_plan(executor, before, weights, progress, diagnostic);
    if (code != STATUS_OK) {
        executor_destroy(executor);
        return code;
    }
    *result = executor;
    return STATUS_OK;
}

status executor_create(const struct plan *plan, struct device *const *devices,
                       const struct weight_source *weights, const struct progress *progress,
                       struct executor **executor, struct diagnostic *diagnostic)
{
    return create_or_replace(NULL, plan, devices, weights, progress, executor, diagnostic);
}

status executor_replace(struct executor *before, const struct plan *plan,
                        const struct weight_source *weights, const struct progress *progress,
                        struct executor **executor, struct diagnostic *diagnostic)
{
    return create_or_replace(before, plan, before->devices, weights, progress, executor,
                             diagnostic);
}

static void free_device_parts(struct executor *executor, int d)
{
    const struct plan *plan = executor->plan;
    for (int i = 0; executor->kernels && i < plan->image_count; i++)
        kernel_unload(*kernel_slot(executor, d, i));
    for (int v = 0; executor->inputs && v < plan->graph->value_count; v++) {
        struct home *home = input_home(executor, d, v);
        device_free(executor->devices[d], home->address, home->bytes);
    }
    if (executor->arenas)
        device_free(executor->devices[d], executor->arenas[d].address, executor->arenas[d].bytes);
}

void executor_destroy(struct executor *executor)
{
    if (!executor) return;
    const struct plan *plan = executor->plan;
    for (int d = 0; d < plan->device_count; d++) free_device_parts(executor, d);
    if (executor->homes) homes_free(plan, executor->devices, executor->homes);
    for (int e = 0; executor->events && e < plan->event_count; e++)
        event_destroy(executor->events[e]);
    arena_destroy(executor->arena);
}

/* The step's arrays by the names of the graph's inputs. */
static const void *step_input(const struct step *step, const char *name)
{
    const struct {
        const char *name;
        const void *bytes;
    } rows[] = {{"tokens", step->tokens},
                {"positions", step->positions},
                {"sequences", step->sequences},
                {"pages", step->pages},
                {"outputs", step->outputs}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
        if (strcmp(rows[r].name, name) == 0) return rows[r].bytes;
    return NULL;
}

static status copy_inputs(struct executor *executor, const struct step *step,
                          const int64_t *symbols, struct diagnostic *diagnostic)
{
    const struct graph *graph = executor->plan->graph;
    for (int v = 0; v < graph->value_count; v++) {
        if (graph->values[v].kind != VALUE_INPUT) continue;
        const void *bytes = step_input(step, graph->values[v].name);
        int64_t count = tensor_bytes(&graph->values[v].type, symbols);
        if (count == 0) continue;
        if (!bytes)
            return fail(diagnostic, STATUS_FAILED, "the step gives no input named %s",
                        graph->values[v].name);
        for (int d = 0; d < executor->plan->device_count; d++) {
            void *to = input_home(executor, d, v)->address;
            if (device_is_host(executor->devices[d]))
                memcpy(to, bytes, (size_t)count);
            else
                TRY(device_write(executor->devices[d], to, bytes, count, diagnostic));
        }
    }
    return STATUS_OK;
}

/* Checks against the plan's bounds: a step beyond them would write past its buffers. */
static status check_step(const struct plan *plan, const struct step *step,
                         struct diagnostic *diagnostic)
{
    const struct plan_bounds *bounds = &plan->bounds;
    if (step->token_count < 1 || step->token_count > bounds->tokens ||
        step->output_count > bounds->outputs || step->sequence_count > bounds->sequences ||
        step->context > bounds->context)
        return fail(diagnostic, STATUS_FAILED,
                    "a step of %lld tokens, %lld outputs, %lld sequences and context %lld is "
                    "beyond the plan's "
                    "bounds of %lld, %lld, %lld and %lld",
                    (long long)step->token_count, (long long)step->output_count,
                    (long long)step->sequence_count, (long long)step->context,
                    (long long)bounds->tokens, (long long)bounds->outputs,
                    (long long)bounds->sequences, (long long)bounds->context);
    return STATUS_OK;
}

static status enqueue_launch(struct executor *executor, int s, const struct run *whole,
                             struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    const struct plan_step *step = &plan->steps[s];
    const struct node *node = &plan->graph->nodes[step->node];
    const struct value *first = &plan->graph->values[node->inputs[0]];
    struct run run = *whole;
    run.symbols[SYMBOL_ROWS] = whole->symbols[first->type.shape[0].symbol];
    if (run.symbols[SYMBOL_ROWS] == 0) return STATUS_OK;
    int image = plan->choices[step->node][bucket_of_rows(run.symbols[SYMBOL_ROWS])]
                             [bucket_of_context(run.context)];
    if (image < 0)
        return fail(diagnostic, STATUS_FAILED,
                    "the plan has no kernel for %s at %lld rows, context %lld", node->op->name,
                    (long long)run.symbols[SYMBOL_ROWS], (long long)run.context);
    if (executor->watch.see && device_is_host(executor->devices[step->device]))
        executor->watch.see(executor->watch.context, node, plan->images[image].problem, &run,
                            executor->operands[s]);
    return device_launch(executor->devices[step->device],
                         *kernel_slot(executor, step->device, image), &run, executor->operands[s],
                         diagnostic);
}

static status enqueue_step(struct executor *executor, int s, const struct run *run,
                           struct diagnostic *diagnostic)
{
    const struct plan_step *step = &executor->plan->steps[s];
    struct device *device = executor->devices[step->device];
    switch (step->kind) {
    case STEP_LAUNCH: return enqueue_launch(executor, s, run, diagnostic);
    case STEP_COPY: {
        const struct value *value = &executor->plan->graph->values[step->value];
        return device_copy(device, executor->operands[s][0], executor->devices[value->device],
                           executor->operands[s][1], tensor_bytes(&value->type, run->symbols),
                           diagnostic);
    }
    case STEP_SIGNAL: return device_signal(device, executor->events[step->event], diagnostic);
    case STEP_WAIT: return device_wait(device, executor->events[step->event], diagnostic);
    case STEP_COLLECTIVE:
    case STEP_HOST_TASK:
    case STEP_RESOLVE: break;
    }
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "plan step %d has a kind that this runtime does not know", s);
}

/* Cards start at once, the host works inside its finish and may be waited for by cards: so submit all, finish the host, then
 * the cards. */
static status finish_all(struct executor *executor, struct diagnostic *diagnostic)
{
    for (int d = 0; d < executor->plan->device_count; d++) device_submit(executor->devices[d]);
    status first = STATUS_OK;
    for (int host = 1; host >= 0; host--) {
        for (int d = 0; d < executor->plan->device_count; d++) {
            if (device_is_host(executor->devices[d]) != host) continue;
            status code = device_finish(executor->devices[d], diagnostic);
            if (first == STATUS_OK) first = code;
        }
    }
    return first;
}

static status run_steps(struct executor *executor, const struct run *run,
                        struct diagnostic *diagnostic)
{
    for (int s = 0; s < executor->plan->step_count; s++) {
        double start = executor->timed ? clock_seconds() : 0;
        TRY(enqueue_step(executor, s, run, diagnostic));
        if (!executor->timed && !executor->watch.see) continue;
        TRY(finish_all(executor, diagnostic));
        executor->seconds[s] = clock_seconds() - start;
    }
    return finish_all(executor, diagnostic);
}

/* A failure in the middle leaves commands in the queues; they are dropped so that the next step starts clean. */
static status enqueue_and_run(struct executor *executor, const struct step *step,
                              const struct run *run, struct diagnostic *diagnostic)
{
    status code = copy_inputs(executor, step, run->symbols, diagnostic);
    if (code == STATUS_OK) code = run_steps(executor, run, diagnostic);
    for (int d = 0; code != STATUS_OK && d < executor->plan->device_count; d++)
        device_discard(executor->devices[d]);
    return code;
}

/* What the host can read in place is copied at once, the rest queued. */
static status read_output(struct executor *executor, const struct run *run, int output, void *to,
                          struct diagnostic *diagnostic)
{
    int value = executor->plan->graph->outputs[output];
    const struct value *described = &executor->plan->graph->values[value];
    int64_t bytes = tensor_bytes(&described->type, run->symbols);
    const void *from = value_address(executor, described->device, value);
    struct device *device = executor->devices[described->device];
    if (!device_is_host(device)) return device_read(device, to, from, bytes, diagnostic);
    memcpy(to, from, (size_t)bytes);
    return STATUS_OK;
}

static status read_outputs(struct executor *executor, const struct run *run, void *const *results,
                           struct diagnostic *diagnostic)
{
    for (int o = 0; o < executor->plan->graph->output_count; o++)
        if (results[o]) TRY(read_output(executor, run, o, results[o], diagnostic));
    return finish_all(executor, diagnostic);
}

status executor_step(struct executor *executor, const struct step *step, void *const *results,
                     struct diagnostic *diagnostic)
{
    const struct plan_bounds *bounds = &executor->plan->bounds;
    TRY(check_step(executor->plan, step, diagnostic));
    struct run run = {.context = step->context};
    plan_symbols(bounds, run.symbols); /* pages and stride stay at their bounds */
    run.symbols[SYMBOL_TOKENS] = step->token_count;
    run.symbols[SYMBOL_OUTPUTS] = step->output_count;
    run.symbols[SYMBOL_SEQUENCES] = step->sequence_count;
    for (int e = 0; e < executor->plan->event_count; e++) event_reset(executor->events[e]);
    TRY(enqueue_and_run(executor, step, &run, diagnostic));
    if (step->output_count == 0) return STATUS_OK;
    return read_outputs(executor, &run, results, diagnostic);
}

status executor_copy_page(struct executor *executor, int from, int to,
                          struct diagnostic *diagnostic)
{
    const struct graph *graph = executor->plan->graph;
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        if (value->kind != VALUE_STATE) continue;
        int64_t page_bytes = executor->homes[v].bytes / executor->plan->bounds.pages;
        char *state = executor->homes[v].address;
        struct device *device = executor->devices[value->device];
        TRY(device_copy(device, state + to * page_bytes, device, state + from * page_bytes,
                        page_bytes, diagnostic));
    }
    return finish_all(executor, diagnostic);
}

void executor_time_steps(struct executor *executor, bool on)
{
    executor->timed = on;
}

void executor_watch(struct executor *executor, const struct step_watch *watch)
{
    executor->watch = *watch;
}

const double *executor_step_seconds(const struct executor *executor)
{
    return executor->seconds;
}
