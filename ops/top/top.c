/* top: the `count` largest numbers of each row, largest first and the lowest column first among equals.  NaN never
 * wins; how many there are is a result of its own, so that a caller who sees only the winners knows of damage.
 * Places that no number is left for have the column -1 and the value NaN. */
#include "ops/top/top.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"

#include <math.h>

static const struct input_rule inputs[] = {{.name = "x"}, {0}};
static const char *const outputs[] = {"ids", "values", "not_numbers", NULL};

static const struct attribute_rule attributes[] = {
    [TOP_COUNT] =
        {.name = "count", .kind = ATTRIBUTE_INTEGER, .otherwise = 1, .least = 1, .most = TOP_MOST},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_top, types, results, diagnostic};
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, TOP_X));
    struct dimension rows = types[TOP_X]->shape[0],
                     count = dimension_fixed(values[TOP_COUNT].integer);
    if (count.scale > types[TOP_X]->shape[1].scale)
        return fail(diagnostic, STATUS_BAD_INPUT, "top: count=%lld of rows that have %lld numbers",
                    (long long)count.scale, (long long)types[TOP_X]->shape[1].scale);
    infer_output(&inference, 0, ELEMENT_I32, rows, count);
    infer_output(&inference, 1, ELEMENT_F32, rows, count);
    infer_output_vector(&inference, 2, ELEMENT_I32, rows);
    return STATUS_OK;
}

/* A comparison per number, and few that are kept. */
static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 1);
}

/* Multiples of 1/16, so that there are equals. */
static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    if (operand != TOP_X) return false;
    int64_t count = leading_items(problem, run) * fixed_dimension(problem, TOP_X, 1);
    float *x = bytes;
    fill_uniform(-4, 4, count, seed, TOP_X, x);
    for (int64_t i = 0; i < count; i++) x[i] = rintf(x[i] * 16) / 16;
    return true;
}

const struct op op_top = {
    .name = "top",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = top_reference,
    .fill = fill,
};
