/* Watching the inputs of linear maps. */
#include "engine/calibrate.h"

#include "ops/grouped.h"
#include "ops/grouped_gated/grouped_gated.h"
#include "ops/grouped_linear/grouped_linear.h"
#include "runtime/execute.h"

#include <string.h>

struct watching {
    const struct model *model;
    const struct graph *graph;
    struct importance *importance;
    status outcome; /* the first failure; nothing is seen behind it */
    struct diagnostic *diagnostic;
};

/* Operators whose operand 0 meets the columns of their weights. */
enum { DENSE_COUNT = 3 };
static const char *const dense_names[DENSE_COUNT] = {"linear", "linear_group", "linear_gated"};

static bool is_dense(const struct op *op)
{
    for (int i = 0; i < DENSE_COUNT; i++)
        if (!strcmp(op->name, dense_names[i])) return true;
    return false;
}

/* A matrix that a file knows by name: adds its row. */
static status row_of_input(struct watching *watching, const struct node *node, int input,
                           struct importance_row **row)
{
    *row = NULL;
    if (node->inputs[input] == VALUE_NONE) return STATUS_OK;
    const struct value *value = &watching->graph->values[node->inputs[input]];
    int rank = value->type.rank;
    if (value->kind != VALUE_WEIGHT || rank < 2) return STATUS_OK;
    const char *name =
        model_gguf_name(watching->model, value->source ? value->source : value->name);
    if (!name) return STATUS_OK;
    return importance_add(watching->importance, name, value->type.shape[rank - 1].scale,
                          rank > 2 ? value->type.shape[0].scale : 1, row, watching->diagnostic);
}

static status see_dense(struct watching *watching, const struct node *node, const struct run *run,
                        void *const *operands)
{
    for (int i = 1; i < op_input_count(node->op); i++) {
        struct importance_row *row;
        TRY(row_of_input(watching, node, i, &row));
        for (int64_t r = 0; row && r < run->symbols[SYMBOL_ROWS]; r++)
            importance_see(row, 0, (const float *)operands[0] + r * row->columns);
    }
    return STATUS_OK;
}

/* Slots of one expert at a time. */
static status see_grouped(struct watching *watching, const struct node *node,
                          const struct problem *problem, const struct run *run, int first_weight,
                          int attribute, void *const *operands)
{
    enum grouped_rows rows = (enum grouped_rows)problem->attributes[attribute].integer;
    struct grouped grouped = grouped_of(problem, run, first_weight, rows, operands);
    for (int i = first_weight; i < op_input_count(node->op); i++) {
        struct importance_row *row;
        TRY(row_of_input(watching, node, i, &row));
        for (int64_t slot = 0; row && slot < grouped.slots;) {
            const float *x[DOT_ROWS];
            struct slot_run slots = grouped_run(&grouped, slot, grouped.slots);
            int count = slots.expert < 0 ? 0 : grouped_inputs(&grouped, &slots, x);
            for (int k = 0; k < count; k++) importance_see(row, slots.expert, x[k]);
            slot = slots.end;
        }
    }
    return STATUS_OK;
}

static void see(void *context, const struct node *node, const struct problem *problem,
                const struct run *run, void *const *operands)
{
    struct watching *watching = context;
    if (watching->outcome != STATUS_OK) return;
    if (is_dense(node->op))
        watching->outcome = see_dense(watching, node, run, operands);
    else if (node->op == &op_grouped_linear)
        watching->outcome = see_grouped(watching, node, problem, run, GROUPED_LINEAR_WEIGHT,
                                        GROUPED_LINEAR_ROWS, operands);
    else if (node->op == &op_grouped_gated)
        watching->outcome = see_grouped(watching, node, problem, run, GROUPED_GATED_GATE,
                                        GROUPED_GATED_ROWS, operands);
}

static status check_devices(struct engine *engine, struct diagnostic *diagnostic)
{
    int count;
    struct device *const *devices = engine_devices(engine, &count);
    for (int d = 0; d < count; d++) {
        if (device_is_host(devices[d])) continue;
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "activations are only seen on the host: use --devices cpu");
    }
    return STATUS_OK;
}

status calibrate(const struct text_evaluation *evaluation, const char *text, size_t length,
                 struct importance *importance, struct text_score *score,
                 struct diagnostic *diagnostic)
{
    struct engine *engine = evaluation->engine;
    struct watching watching = {.model = engine_model(engine),
                                .graph = engine_plan(engine)->graph,
                                .importance = importance,
                                .outcome = STATUS_OK,
                                .diagnostic = diagnostic};
    TRY(check_devices(engine, diagnostic));
    executor_watch(engine_executor(engine), &(struct step_watch){see, &watching});
    status code = evaluate_text(evaluation, text, length, importance->arena, score, diagnostic);
    executor_watch(engine_executor(engine), &(struct step_watch){NULL, NULL});
    if (code == STATUS_OK) code = watching.outcome;
    importance->chunk_tokens = evaluation->window ? evaluation->window : EVALUATION_WINDOW_DEFAULT;
    importance->chunks = (score->tokens + importance->chunk_tokens - 1) / importance->chunk_tokens;
    return code;
}
