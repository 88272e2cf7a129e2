/* embed: y[r] = table[tokens[r]] * scale. */
#include "ops/embed/embed.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "tokens"}, {.name = "table"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [EMBED_SCALE] = {.name = "scale", .kind = ATTRIBUTE_REAL, .otherwise = 1},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_embed, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_operand(&inference, EMBED_TOKENS, 1, CLASS_I32));
    TRY(infer_operand(&inference, EMBED_TABLE, 2, CLASS_WEIGHT));
    TRY(infer_fixed(&inference, EMBED_TABLE, 0));
    TRY(infer_fixed(&inference, EMBED_TABLE, 1));
    infer_output(&inference, 0, ELEMENT_F32, types[EMBED_TOKENS]->shape[0],
                 types[EMBED_TABLE]->shape[1]);
    return STATUS_OK;
}

/* Only the rows asked for are read. */
static struct cost cost(const struct problem *problem)
{
    struct cost cost = cost_pointwise(problem, 1);
    const struct tensor_type *table = operand_type(problem, EMBED_TABLE);
    int64_t rows = problem_dimension(problem, EMBED_TOKENS, 0);
    cost.bytes -= (double)problem_operand_bytes(problem, EMBED_TABLE);
    cost.bytes += (double)rows * (double)element_row_bytes(table->element, table->shape[1].scale);
    return cost;
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    if (operand != EMBED_TOKENS) return false;
    fill_indices(fixed_dimension(problem, EMBED_TABLE, 0),
                 run_dimension(problem, run, EMBED_TOKENS, 0), seed, EMBED_TOKENS, bytes);
    return true;
}

const struct op op_embed = {
    .name = "embed",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = embed_reference,
    .fill = fill,
};
