/* softcap: y = limit * tanh(x / limit). */
#include "ops/softcap/softcap.h"

#include "ops/access.h"
#include "ops/infer.h"

static const struct input_rule inputs[] = {{.name = "x"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [SOFTCAP_LIMIT] =
        {.name = "limit", .kind = ATTRIBUTE_REAL, .required = true, .least = 1e-6, .most = 1e6},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_softcap, types, results, diagnostic};
    (void)values;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, SOFTCAP_X));
    infer_output(&inference, 0, ELEMENT_F32, types[SOFTCAP_X]->shape[0],
                 types[SOFTCAP_X]->shape[1]);
    return STATUS_OK;
}

/* A tanh is about twelve operations in every vector library. */
static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 14);
}

const struct op op_softcap = {
    .name = "softcap",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = softcap_reference,
};
