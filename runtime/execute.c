/* Running the steps of a bound plan. */
#include "base/clock.h"
#include "runtime/executor_slots.h"

#include <string.h>

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
        void *staged = executor->staged[executor->set][v];
        memcpy(staged, bytes, (size_t)count);
        for (int d = 0; d < executor->plan->device_count; d++) {
            void *to = executor_input(executor, d, v)->address;
            if (!executor->works[d]) continue;
            if (device_is_host(executor->devices[d]))
                memcpy(to, bytes, (size_t)count);
            else
                TRY(device_write(executor->devices[d], to, staged, count, diagnostic));
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

status executor_launch(struct executor *executor, int s, const struct run *whole,
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
                         *executor_kernel(executor, step->device, image), &run,
                         executor->operands[s], diagnostic);
}

static status enqueue_step(struct executor *executor, int s, const struct run *run,
                           struct diagnostic *diagnostic)
{
    const struct plan_step *step = &executor->plan->steps[s];
    struct device *device = executor->devices[step->device];
    if (step->queue == QUEUE_COPIES && executor->copies[step->device])
        device = executor->copies[step->device];
    switch (step->kind) {
    case STEP_LAUNCH: return executor_launch(executor, s, run, diagnostic);
    case STEP_COPY: {
        const struct value *value = &executor->plan->graph->values[step->value];
        return device_copy(device, executor->operands[s][0], executor->devices[value->device],
                           executor->operands[s][1], tensor_bytes(&value->type, run->symbols),
                           diagnostic);
    }
    case STEP_SIGNAL:
        return device_signal(device, executor->events[executor->set][step->event], diagnostic);
    case STEP_WAIT:
        return device_wait(device, executor->events[executor->set][step->event], diagnostic);
    case STEP_COLLECTIVE:
    case STEP_RESOLVE: return executor_resolve(executor, s, run, diagnostic);
    case STEP_HOST_TASK: break;
    }
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "plan step %d has a kind that this runtime does not know", s);
}

static void submit_all(struct executor *executor)
{
    for (int d = 0; d < executor->plan->device_count; d++) {
        if (executor->copies[d]) device_submit(executor->copies[d]);
        device_submit(executor->devices[d]);
    }
}

/* The first failure counts, unless it comes from waiting for a device that hangs. */
static void finish_device(struct device *device, status *first, struct diagnostic *failure)
{
    struct diagnostic reason = {0};
    bool hung = device_hangs(device);
    status code = device_finish(device, &reason);
    if (code == STATUS_OK || (*first != STATUS_OK && !(device_hangs(device) && !hung))) return;
    *first = code;
    *failure = reason;
}

/* Cards start at once, the host works inside its finish and may be waited for by cards: so submit all, finish the host, then
 * the cards. */
static status finish_all(struct executor *executor, struct diagnostic *diagnostic)
{
    int count = executor->plan->device_count;
    struct diagnostic failure = {0};
    status first = STATUS_OK;
    submit_all(executor);
    for (int host = 1; host >= 0; host--)
        for (int d = 0; d < count; d++)
            if (device_is_host(executor->devices[d]) == host)
                finish_device(executor->devices[d], &first, &failure);
    for (int d = 0; d < count; d++)
        if (executor->copies[d]) finish_device(executor->copies[d], &first, &failure);
    executor->under_way = false;
    return first == STATUS_OK ? STATUS_OK : fail(diagnostic, first, "%s", failure.text);
}

static status run_steps(struct executor *executor, const struct run *run,
                        struct diagnostic *diagnostic)
{
    for (int s = 0; s < executor->plan->step_count; s++) {
        double start = executor->timed ? clock_seconds() : 0;
        if (executor->plan->steps[s].kind == STEP_RESOLVE) TRY(finish_all(executor, diagnostic));
        TRY(enqueue_step(executor, s, run, diagnostic));
        if (executor->routing.see) TRY(executor_read_routing(executor, s, run, diagnostic));
        if (!executor->timed && !executor->watch.see) continue;
        TRY(finish_all(executor, diagnostic));
        executor->seconds[s] = clock_seconds() - start;
    }
    return STATUS_OK;
}

/* A failure in the middle leaves commands in the queues; they are dropped so that the next step starts clean. */
static void drop_commands(struct executor *executor)
{
    struct diagnostic ignored = {0};
    for (int d = 0; d < executor->plan->device_count; d++) {
        device_discard(executor->devices[d]);
        if (executor->copies[d]) device_discard(executor->copies[d]);
    }
    if (executor->under_way) (void)!finish_all(executor, &ignored);
}

/* What the step before this one copies from a device must be copied before the device goes on. */
static status wait_for_carried(struct executor *executor, struct diagnostic *diagnostic)
{
    int before = (executor->set + STEPS_KEPT - 1) % STEPS_KEPT;
    for (int c = 0; executor->under_way && c < executor->carried_count; c++) {
        const struct carried *carried = &executor->carried[c];
        TRY(device_wait(executor->devices[carried->device],
                        executor->events[before][carried->event], diagnostic));
    }
    return STATUS_OK;
}

/* All but the end: work is in the queues, and submitted where steps are not watched or timed one by one. */
static status enqueue(struct executor *executor, const struct step *step, struct run *run,
                      struct diagnostic *diagnostic)
{
    TRY(check_step(executor->plan, step, diagnostic));
    *run = (struct run){.context = step->context};
    plan_symbols(&executor->plan->bounds, run->symbols); /* pages and stride stay at their bounds */
    run->symbols[SYMBOL_TOKENS] = step->token_count;
    run->symbols[SYMBOL_OUTPUTS] = step->output_count;
    run->symbols[SYMBOL_SEQUENCES] = step->sequence_count;
    executor->set = (executor->set + 1) % STEPS_KEPT;
    for (int e = 0; e < executor->plan->event_count; e++)
        event_reset(executor->events[executor->set][e]);
    status code = wait_for_carried(executor, diagnostic);
    if (code == STATUS_OK) code = copy_inputs(executor, step, run->symbols, diagnostic);
    if (code == STATUS_OK) code = run_steps(executor, run, diagnostic);
    if (code != STATUS_OK) drop_commands(executor);
    if (code == STATUS_OK && executor->observer.see)
        executor->observer.see(executor->observer.context, run);
    return code;
}

/* What the host can read in place is copied at once, the rest queued. */
static status read_output(struct executor *executor, const struct run *run, int output, void *to,
                          struct diagnostic *diagnostic)
{
    int value = executor->plan->graph->outputs[output];
    const struct value *described = &executor->plan->graph->values[value];
    int64_t bytes = tensor_bytes(&described->type, run->symbols);
    const void *from = executor_address(executor, described->device, value);
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

/* Submitting waits for the step before last: every device then is at work on the last one or this one. */
status executor_begin(struct executor *whole, const struct step *step,
                      struct diagnostic *diagnostic)
{
    struct executor *executor;
    struct run run;
    TRY(executor_of_step(whole, step->token_count, &executor, diagnostic));
    TRY(enqueue(executor, step, &run, diagnostic));
    if (!executor->overlaps || executor->routing.see) {
        TRY(finish_all(executor, diagnostic));
        executor_tell_routing(executor);
        return STATUS_OK;
    }
    submit_all(executor);
    executor->under_way = true;
    return STATUS_OK;
}

status executor_finish_own(struct executor *executor, struct diagnostic *diagnostic)
{
    return finish_all(executor, diagnostic);
}

status executor_step(struct executor *whole, const struct step *step, void *const *results,
                     struct diagnostic *diagnostic)
{
    struct executor *executor;
    struct run run;
    TRY(executor_of_step(whole, step->token_count, &executor, diagnostic));
    TRY(enqueue(executor, step, &run, diagnostic));
    status code = finish_all(executor, diagnostic);
    if (code != STATUS_OK) drop_commands(executor);
    TRY(code);
    executor_tell_routing(executor);
    if (step->output_count == 0) return STATUS_OK;
    return read_outputs(executor, &run, results, diagnostic);
}

status executor_copy_page(struct executor *executor, int from, int to,
                          struct diagnostic *diagnostic)
{
    const struct graph *graph = executor->plan->graph;
    TRY(executor_finish(executor, diagnostic));
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
