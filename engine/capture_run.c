/* Counting the steps of an engine. */
#include "engine/capture_run.h"

#include "base/clock.h"
#include "base/file.h"
#include "engine/engine_internal.h"
#include "ir/graph_edit.h"
#include "tuner/capture.h"

/* Between two writes of the file: what a kill may cost. */
static const double write_every_seconds = 30;

struct capture_run {
    struct engine *engine;
    const char *path;
    struct arena *arena;   /* of `fresh`, made anew after each write */
    struct capture *fresh; /* what is not in the file yet */
    bool counted;          /* the run itself is in the file */
    double written_seconds;
    struct diagnostic failure; /* of counting; nothing is counted behind it */
};

static status renew(struct capture_run *run, struct diagnostic *diagnostic)
{
    const struct model *model = run->engine->model;
    arena_reset(run->arena);
    TRY(capture_create(run->arena, model->identity, model->description, &run->fresh, diagnostic));
    run->fresh->runs = !run->counted;
    run->written_seconds = clock_seconds();
    return STATUS_OK;
}

static status write_fresh(struct capture_run *run, struct diagnostic *diagnostic)
{
    TRY(capture_append(run->fresh, run->path, diagnostic));
    run->counted = true;
    return renew(run, diagnostic);
}

/* One launch.  Without rows nothing was launched. */
static status count_launch(struct capture_run *run, int s, const struct run *step,
                           double *bucket_seconds, struct diagnostic *diagnostic)
{
    int64_t tokens = step->symbols[SYMBOL_TOKENS];
    const struct plan *plan = plan_schedule(run->engine->plan, tokens);
    const struct node *node = &plan->graph->nodes[plan->steps[s].node];
    int64_t rows = step->symbols[plan->graph->values[node->inputs[0]].type.shape[0].symbol];
    int image =
        plan->choices[plan->steps[s].node][bucket_of_rows(rows)][bucket_of_context(step->context)];
    if (rows == 0 || image < 0) return STATUS_OK;
    const struct problem *problem = plan->images[image].problem;
    const struct device *device = run->engine->devices[plan->steps[s].device];
    struct capture_problem *row;
    TRY(capture_add_problem(run->fresh, device_facts(device)->class_name, problem->text, &row,
                            diagnostic));
    double seconds = executor_step_seconds(run->engine->executor, tokens)[s];
    row->launches++;
    row->rows += rows;
    row->seconds += seconds;
    *bucket_seconds += seconds;
    void *const *operands = executor_operands(run->engine->executor, tokens, s);
    for (int i = 0; i < problem->input_count + problem->output_count; i++)
        capture_see_operand(row, i, operands[i]);
    return STATUS_OK;
}

static status count_step(struct capture_run *run, const struct run *step,
                         struct diagnostic *diagnostic)
{
    const struct plan *plan = plan_schedule(run->engine->plan, step->symbols[SYMBOL_TOKENS]);
    struct capture_bucket *bucket;
    TRY(capture_add_bucket(run->fresh, bucket_rows(bucket_of_rows(step->symbols[SYMBOL_TOKENS])),
                           bucket_context(bucket_of_context(step->context)), &bucket, diagnostic));
    for (int s = 0; s < plan->step_count; s++)
        if (plan->steps[s].kind == STEP_LAUNCH)
            TRY(count_launch(run, s, step, &bucket->seconds, diagnostic));
    bucket->steps++;
    run->fresh->steps++;
    return STATUS_OK;
}

static void see_step(void *context, const struct run *step)
{
    struct capture_run *run = context;
    if (run->failure.code != STATUS_OK) return;
    if (clock_seconds() - run->written_seconds > write_every_seconds &&
        write_fresh(run, &run->failure) != STATUS_OK)
        return;
    (void)!count_step(run, step, &run->failure);
}

static int experts_of_layer(const struct graph *graph, int layer)
{
    for (int n = 0; n < graph->node_count; n++)
        if (node_is(&graph->nodes[n], "route") && graph->nodes[n].layer == layer)
            return (int)tensor_columns(&graph->values[graph->nodes[n].inputs[0]].type);
    return 0;
}

static void see_routing(void *context, int layer, const int32_t *ids, int64_t rows, int used)
{
    struct capture_run *run = context;
    struct capture_router *row;
    if (run->failure.code != STATUS_OK || rows == 0) return;
    if (capture_add_router(run->fresh, layer, bucket_rows(bucket_of_rows(rows)),
                           experts_of_layer(run->engine->plan->graph, layer), used, &row,
                           &run->failure) == STATUS_OK)
        capture_see_batch(row, ids, rows);
}

static status begin(struct capture_run *run, struct diagnostic *diagnostic)
{
    struct capture *before;
    TRY(renew(run, diagnostic));
    if (file_exists(run->path)) {
        TRY(capture_read(run->path, run->arena, &before, diagnostic));
        TRY(capture_merge(before, run->fresh, diagnostic));
        TRY(renew(run, diagnostic));
    }
    struct executor *executor = run->engine->executor;
    TRY(executor_watch_routing(executor, &(struct routing_watch){see_routing, run}, diagnostic));
    executor_observe(executor, &(struct step_observer){see_step, run});
    return STATUS_OK;
}

status capture_begin(struct engine *engine, const char *path, struct capture_run **result,
                     struct diagnostic *diagnostic)
{
    struct capture_run *run;
    TRY_NEW(run, engine->arena, 1, diagnostic);
    *run = (struct capture_run){.engine = engine, .path = path, .arena = arena_create(0)};
    TRY_MEMORY(run->arena, diagnostic);
    status code = begin(run, diagnostic);
    if (code != STATUS_OK) {
        arena_destroy(run->arena);
        return code;
    }
    *result = run;
    return STATUS_OK;
}

status capture_end(struct capture_run *run, struct diagnostic *diagnostic)
{
    struct diagnostic ignored = {0};
    if (!run) return STATUS_OK;
    executor_observe(run->engine->executor, &(struct step_observer){NULL, NULL});
    (void)!executor_watch_routing(run->engine->executor, &(struct routing_watch){NULL, NULL},
                                  &ignored);
    if (run->failure.code == STATUS_OK) (void)!write_fresh(run, &run->failure);
    arena_destroy(run->arena);
    if (run->failure.code == STATUS_OK) return STATUS_OK;
    return fail(diagnostic, run->failure.code, "the capture is not complete: %s",
                run->failure.text);
}
