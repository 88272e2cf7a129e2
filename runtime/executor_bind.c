/* Binding a plan to devices: memory, weights, kernels, addresses of operands. */
#include "runtime/executor_slots.h"

void *executor_address(const struct executor *executor, int device, int value)
{
    if (value == VALUE_NONE) return NULL;
    const struct value *described = &executor->plan->graph->values[value];
    switch (described->kind) {
    case VALUE_INPUT: return executor_input(executor, device, value)->address;
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
        struct home *home = executor_input(executor, device, v);
        int64_t bytes = tensor_bytes(&graph->values[v].type, symbols);
        TRY(device_allocate(executor->devices[device], bytes, &home->address, diagnostic));
        home->bytes = bytes;
    }
    return STATUS_OK;
}

/* Schedules take turns, so their results share one room. */
static int64_t results_bytes(const struct plan *plan, int device)
{
    int64_t bytes = plan->memory.device_bytes[device];
    int64_t second = plan->prefill ? plan->prefill->memory.device_bytes[device] : 0;
    return bytes > second ? bytes : second;
}

static void borrow(struct executor *executor)
{
    const struct executor *lender = executor->lender;
    homes_lend(lender->plan, lender->homes, executor->plan, executor->homes);
    for (int d = 0; d < executor->plan->device_count; d++)
        executor->arenas[d].address = lender->arenas[d].address;
}

static status allocate_buffers(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    for (int d = 0; d < plan->device_count; d++) {
        struct home *home = &executor->arenas[d];
        if (!executor->works[d]) continue; /* a card that is full already can still be left out */
        if (!home->address) {
            int64_t bytes = results_bytes(plan, d);
            TRY(device_allocate(executor->devices[d], bytes, &home->address, diagnostic));
            home->bytes = bytes;
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
            if (image < 0 || *executor_kernel(executor, device, image)) continue;
            TRY(kernel_load(executor->devices[device], plan->images[image].problem,
                            &plan->images[image].image, executor_kernel(executor, device, image),
                            diagnostic));
        }
    }
    return STATUS_OK;
}

/* Copies go to the queue of the device that they go to. */
static status connect_devices(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    for (int s = 0; s < plan->step_count; s++) {
        int device = plan->steps[s].device;
        if (plan->steps[s].queue == QUEUE_COPIES && !executor->copies[device])
            TRY(device_open_copies(executor->devices[device], &executor->copies[device],
                                   diagnostic));
    }
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
        operands[0] = executor_address(executor, step->device, step->target);
        operands[1] = executor_address(executor, step->device, step->value);
    }
    if (step->kind != STEP_LAUNCH && step->kind != STEP_RESOLVE) return;
    const struct node *node = &executor->plan->graph->nodes[step->node];
    int inputs = op_input_count(node->op), outputs = op_output_count(node->op);
    for (int i = 0; i < inputs; i++)
        operands[i] = executor_address(executor, step->device, node->inputs[i]);
    for (int o = 0; o < outputs; o++)
        operands[inputs + o] = executor_address(executor, step->device, node->outputs[o]);
}

void executor_resolve_operands(struct executor *executor)
{
    for (int s = 0; s < executor->plan->step_count; s++) resolve_operands(executor, s);
}

static status allocate_tables(struct executor *executor, struct diagnostic *diagnostic)
{
    const struct plan *plan = executor->plan;
    struct arena *arena = executor->arena;
    int values = plan->graph->value_count, devices = plan->device_count;
    TRY_NEW(executor->copies, arena, devices, diagnostic);
    TRY_NEW(executor->homes, arena, values, diagnostic);
    TRY_NEW(executor->arenas, arena, devices, diagnostic);
    TRY_NEW(executor->inputs, arena, devices * values, diagnostic);
    TRY_NEW(executor->kernels, arena, devices * plan->image_count, diagnostic);
    TRY_NEW(executor->operands, arena, plan->step_count, diagnostic);
    for (int set = 0; set < STEPS_KEPT; set++)
        TRY_NEW(executor->events[set], arena, plan->event_count, diagnostic);
    TRY_NEW(executor->seconds, arena, plan->step_count, diagnostic);
    TRY_NEW(executor->works, arena, devices, diagnostic);
    for (int s = 0; s < plan->step_count; s++) executor->works[plan->steps[s].device] = true;
    return STATUS_OK;
}

static void take_kernels(struct executor *executor, struct executor *before, int device)
{
    const struct plan *plan = executor->plan, *old = before->plan;
    for (int i = 0; i < plan->image_count; i++)
        for (int o = 0; o < old->image_count; o++) {
            bool same = plan->images[i].problem == old->images[o].problem &&
                        plan->images[i].candidate == old->images[o].candidate;
            struct kernel **slot = executor_kernel(before, device, o);
            if (!same || !*slot) continue;
            *executor_kernel(executor, device, i) = *slot;
            *slot = NULL;
        }
}

static void take_parts(struct executor *executor, struct executor *before)
{
    const struct plan *plan = executor->plan;
    executor_drop_slots(before);
    homes_take(before->plan, before->homes, plan, executor->homes);
    for (int d = 0; d < plan->device_count; d++) {
        take_kernels(executor, before, d);
        if (before->arenas[d].bytes < results_bytes(plan, d)) continue;
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
    if (executor->lender) borrow(executor);
    TRY(allocate_buffers(executor, diagnostic));
    TRY(homes_fill(plan, executor->devices, weights, progress, executor->arena, executor->homes,
                   diagnostic));
    for (int n = 0; n < plan->graph->node_count; n++)
        TRY(load_node_kernels(executor, n, diagnostic));
    TRY(connect_devices(executor, diagnostic));
    for (int set = 0; set < STEPS_KEPT; set++)
        for (int e = 0; e < plan->event_count; e++)
            TRY(event_create(&executor->events[set][e], diagnostic));
    TRY(executor_prepare_overlap(executor, diagnostic));
    executor_resolve_operands(executor);
    return executor_prepare_slots(executor, diagnostic);
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

/* The executor of the second schedule. */
static status add_second(struct executor *executor, const struct weight_source *weights,
                         const struct progress *progress, struct diagnostic *diagnostic)
{
    if (!executor->plan->prefill) return STATUS_OK;
    TRY(make_executor(executor->plan->prefill, executor->devices, &executor->prefill, diagnostic));
    executor->prefill->lender = executor;
    return bind_plan(executor->prefill, NULL, weights, progress, diagnostic);
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
    if (code == STATUS_OK) code = add_second(executor, weights, progress, diagnostic);
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
    if (executor->copies) device_close(executor->copies[d]);
    for (int i = 0; executor->kernels && i < plan->image_count; i++)
        kernel_unload(*executor_kernel(executor, d, i));
    for (int v = 0; executor->inputs && v < plan->graph->value_count; v++) {
        struct home *home = executor_input(executor, d, v);
        device_free(executor->devices[d], home->address, home->bytes);
    }
    if (executor->arenas && !executor->lender)
        device_free(executor->devices[d], executor->arenas[d].address, executor->arenas[d].bytes);
}

bool executor_hangs(const struct executor *executor)
{
    bool hangs = executor->prefill && executor_hangs(executor->prefill);
    for (int d = 0; d < executor->plan->device_count; d++) {
        const struct device *copies = executor->copies ? executor->copies[d] : NULL;
        hangs = hangs || device_hangs(executor->devices[d]) || (copies && device_hangs(copies));
    }
    return hangs;
}

void executor_destroy(struct executor *executor)
{
    if (!executor || executor_hangs(executor)) return;
    executor_destroy(executor->prefill);
    const struct plan *plan = executor->plan;
    struct diagnostic ignored = {0};
    if (executor->under_way) (void)!executor_finish_own(executor, &ignored);
    for (int d = 0; d < plan->device_count; d++) free_device_parts(executor, d);
    executor_free_slots(executor);
    if (executor->homes) homes_free(plan, executor->devices, executor->homes);
    for (int set = 0; set < STEPS_KEPT; set++)
        for (int e = 0; executor->events[set] && e < plan->event_count; e++)
            event_destroy(executor->events[set][e]);
    arena_destroy(executor->arena);
}
