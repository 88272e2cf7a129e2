/* join: y[r][h] = x[r][h], then y[r][h], or the same columns of y behind every head. */
#include "ops/join/join.h"

#include "ops/access.h"
#include "ops/infer.h"
#include "ops/paging.h"

static const struct input_rule inputs[] = {{.name = "x"}, {.name = "tail"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [JOIN_HEADS] = {.name = "heads",
                    .kind = ATTRIBUTE_INTEGER,
                    .required = true,
                    .least = 1,
                    .most = HEADS_MOST},
    [JOIN_SHARED] = {.name = "shared", .kind = ATTRIBUTE_INTEGER, .least = 0, .most = 1},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_join, types, results, diagnostic};
    int64_t heads = values[JOIN_HEADS].integer;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, JOIN_X));
    TRY(infer_rows_like(&inference, JOIN_TAIL, JOIN_X));
    int64_t columns = types[JOIN_X]->shape[1].scale, tail = types[JOIN_TAIL]->shape[1].scale;
    int64_t total = columns + tail;
    if (values[JOIN_SHARED].integer && __builtin_mul_overflow(tail, heads, &total))
        return fail(diagnostic, STATUS_BAD_INPUT, "the tail is too wide");
    if (values[JOIN_SHARED].integer) total += columns;
    if (columns % heads != 0 || (!values[JOIN_SHARED].integer && tail % heads != 0) ||
        total > TENSOR_ELEMENTS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "x has %lld columns and the tail %lld; both must fall into %lld heads",
                    (long long)columns, (long long)tail, (long long)heads);
    infer_output(&inference, 0, ELEMENT_F32, types[JOIN_X]->shape[0], dimension_fixed(total));
    return STATUS_OK;
}

static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 0);
}

const struct op op_join = {
    .name = "join",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = join_reference,
};
