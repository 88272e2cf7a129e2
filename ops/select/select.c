/* select: y[o] = x[outputs[o]]. */
#include "ops/select/select.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "outputs"}, {.name = "x"}, {0}};
static const char *const outputs[] = {"y", NULL};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_select, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_operand(&inference, SELECT_OUTPUTS, 1, CLASS_I32));
    TRY(infer_rows(&inference, SELECT_X));
    infer_output(&inference, 0, ELEMENT_F32, types[SELECT_OUTPUTS]->shape[0],
                 types[SELECT_X]->shape[1]);
    return STATUS_OK;
}

/* The rows chosen are read and written. */
static struct cost cost(const struct problem *problem)
{
    double rows = (double)problem_dimension(problem, SELECT_OUTPUTS, 0);
    double row_bytes = (double)sizeof(float) * (double)fixed_dimension(problem, SELECT_X, 1);
    return (struct cost){.bytes = rows * ((double)sizeof(int32_t) + 2 * row_bytes)};
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    if (operand != SELECT_OUTPUTS) return false;
    fill_indices(run_dimension(problem, run, SELECT_X, 0),
                 run_dimension(problem, run, SELECT_OUTPUTS, 0), seed, SELECT_OUTPUTS, bytes);
    return true;
}

const struct op op_select = {
    .name = "select",
    .inputs = inputs,
    .outputs = outputs,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = select_reference,
    .fill = fill,
};
