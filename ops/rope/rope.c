/* rope: each pair of a head's elements turns by position * frequency(pair). */
#include "ops/rope/rope.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer.h"
#include "ops/paging.h"

static const struct input_rule inputs[] = {
    {.name = "x"},
    {.name = "positions"},
    {.name = "factors", .optional = true},
    {0},
};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [ROPE_HEADS] = {.name = "heads",
                    .kind = ATTRIBUTE_INTEGER,
                    .required = true,
                    .least = 1,
                    .most = HEADS_MOST},
    ROTATION_ATTRIBUTES(ROPE_ROTATION),
    {0},
};

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_rope, types, results, diagnostic};
    const union attribute *rotation = values + ROPE_ROTATION;
    TRY(infer_begin(&inference));
    TRY(rotation_check(rotation, diagnostic));
    TRY(infer_rows(&inference, ROPE_X));
    TRY(infer_size(&inference, ROPE_X, 1,
                   values[ROPE_HEADS].integer * rotation[ROTATION_HEAD_SIZE].integer,
                   "heads * head_size"));
    TRY(infer_index(&inference, ROPE_POSITIONS, ROPE_X));
    TRY(infer_operand(&inference, ROPE_FACTORS, 1, CLASS_F32));
    TRY(infer_size(&inference, ROPE_FACTORS, 0, rotation_rotated(rotation) / 2, "rotated / 2"));
    infer_output(&inference, 0, ELEMENT_F32, types[ROPE_X]->shape[0], types[ROPE_X]->shape[1]);
    return STATUS_OK;
}

/* Three operations per element; the angles are shared by all heads of a row. */
static struct cost cost(const struct problem *problem)
{
    return cost_pointwise(problem, 3);
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    if (operand == ROPE_POSITIONS) {
        fill_indices(larger(run->context, 4096), run_dimension(problem, run, ROPE_X, 0), seed,
                     ROPE_POSITIONS, bytes);
        return true;
    }
    if (operand == ROPE_FACTORS) {
        fill_uniform(1, 8, fixed_dimension(problem, ROPE_FACTORS, 0), seed, ROPE_FACTORS, bytes);
        return true;
    }
    return false;
}

const struct op op_rope = {
    .name = "rope",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = rope_reference,
    .fill = fill,
};
