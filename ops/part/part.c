/* part: y[r][h] = x[r][h][first .. first + size - 1]. */
#include "ops/part/part.h"

#include "ops/access.h"
#include "ops/infer.h"
#include "ops/paging.h"

static const struct input_rule inputs[] = {{.name = "x"}, {0}};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [PART_HEADS] = {.name = "heads",
                    .kind = ATTRIBUTE_INTEGER,
                    .required = true,
                    .least = 1,
                    .most = HEADS_MOST},
    [PART_FIRST] = {.name = "first", .kind = ATTRIBUTE_INTEGER, .least = 0, .most = 1 << 30},
    [PART_SIZE] =
        {.name = "size", .kind = ATTRIBUTE_INTEGER, .required = true, .least = 1, .most = 1 << 30},
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_part, types, results, diagnostic};
    int64_t heads = values[PART_HEADS].integer;
    int64_t end = values[PART_FIRST].integer + values[PART_SIZE].integer;
    TRY(infer_begin(&inference));
    TRY(infer_rows(&inference, PART_X));
    int64_t columns = types[PART_X]->shape[1].scale;
    if (columns % heads != 0 || end > columns / heads)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "x has %lld columns in %lld heads; none of them has %lld columns",
                    (long long)columns, (long long)heads, (long long)end);
    infer_output(&inference, 0, ELEMENT_F32, types[PART_X]->shape[0],
                 dimension_fixed(heads * values[PART_SIZE].integer));
    return STATUS_OK;
}

/* What is taken is read and written. */
static struct cost cost(const struct problem *problem)
{
    return (struct cost){.bytes = 2 * (double)problem_operand_bytes(problem, PART_Y)};
}

const struct op op_part = {
    .name = "part",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = part_reference,
};
