/* hadamard: y = H x for each stretch of `size` columns, a power of two; H[i][j] = (-1)^(number of
 * ones in i & j) / sqrt(size), Sylvester's order.  H is symmetric and its own inverse. */
#include "ops/hadamard/hadamard.h"

#include "ops/access.h"
#include "ops/infer.h"

#include <math.h>

static const struct input_rule inputs[] = {{.name = "x"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [HADAMARD_SIZE] = {.name = "size",
                       .kind = ATTRIBUTE_INTEGER,
                       .required = true,
                       .least = 2,
                       .most = HADAMARD_SIZE_MOST},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_hadamard, types, results, diagnostic};
    int64_t size = values[HADAMARD_SIZE].integer;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, HADAMARD_X));
    int64_t columns = types[HADAMARD_X]->shape[1].scale;
    if ((size & (size - 1)) != 0 || columns % size != 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "x has %lld columns and size is %lld; size must be a power of two that divides "
                    "the columns",
                    (long long)columns, (long long)size);
    infer_output(&inference, 0, ELEMENT_F32, types[HADAMARD_X]->shape[0],
                 types[HADAMARD_X]->shape[1]);
    return STATUS_OK;
}

/* An addition for each of log2(size) stages, and the scale. */
static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 1 + log2((double)problem->attributes[HADAMARD_SIZE].integer));
}

const struct op op_hadamard = {
    .name = "hadamard",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = hadamard_reference,
};
