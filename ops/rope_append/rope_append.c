/* rope_append: y = rope(q); append rope(k) to k_state and v to v_state. */
#include "ops/rope_append/rope_append.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer_paged.h"

static const struct input_rule inputs[] = {
    {.name = "q"},
    {.name = "k"},
    {.name = "v"},
    {.name = "positions"},
    {.name = "sequences"},
    {.name = "pages"},
    {.name = "factors", .optional = true},
    {.name = "k_state", .written = true},
    {.name = "v_state", .written = true},
    {0},
};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [ROPE_APPEND_HEADS] = {.name = "heads",
                           .kind = ATTRIBUTE_INTEGER,
                           .required = true,
                           .least = 1,
                           .most = HEADS_MOST},
    [ROPE_APPEND_KV_HEADS] = {.name = "kv_heads",
                              .kind = ATTRIBUTE_INTEGER,
                              .required = true,
                              .least = 1,
                              .most = HEADS_MOST},
    ROTATION_ATTRIBUTES(ROPE_APPEND_ROTATION),
    {0},
};

static status infer_states(const struct inference *inference, int64_t kv_heads, int64_t head_size)
{
    TRY(infer_rows_like(inference, ROPE_APPEND_V, ROPE_APPEND_Q));
    TRY(infer_batch(inference, ROPE_APPEND_POSITIONS, ROPE_APPEND_Q));
    TRY(infer_state_heads(inference, ROPE_APPEND_K_STATE, kv_heads, head_size,
                          "kv_heads * head_size"));
    TRY(infer_state(inference, ROPE_APPEND_V_STATE));
    TRY(infer_equal(inference, ROPE_APPEND_V_STATE, 2, ROPE_APPEND_V, 1));
    TRY(infer_equal(inference, ROPE_APPEND_V_STATE, 0, ROPE_APPEND_K_STATE, 0));
    return infer_equal(inference, ROPE_APPEND_V_STATE, 1, ROPE_APPEND_K_STATE, 1);
}

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_rope_append, types, results, diagnostic};
    const union attribute *rotation = values + ROPE_APPEND_ROTATION;
    int64_t head_size = rotation[ROTATION_HEAD_SIZE].integer;
    int64_t kv_heads = values[ROPE_APPEND_KV_HEADS].integer;
    TRY(infer_begin(&inference));
    TRY(rotation_check(rotation, diagnostic));
    TRY(infer_rows(&inference, ROPE_APPEND_Q));
    TRY(infer_size(&inference, ROPE_APPEND_Q, 1, values[ROPE_APPEND_HEADS].integer * head_size,
                   "heads * head_size"));
    TRY(infer_rows_like(&inference, ROPE_APPEND_K, ROPE_APPEND_Q));
    TRY(infer_size(&inference, ROPE_APPEND_K, 1, kv_heads * head_size, "kv_heads * head_size"));
    TRY(infer_operand(&inference, ROPE_APPEND_FACTORS, 1, CLASS_F32));
    TRY(infer_size(&inference, ROPE_APPEND_FACTORS, 0, rotation_rotated(rotation) / 2,
                   "rotated / 2"));
    TRY(infer_states(&inference, kv_heads, head_size));
    infer_output(&inference, 0, ELEMENT_F32, types[ROPE_APPEND_Q]->shape[0],
                 types[ROPE_APPEND_Q]->shape[1]);
    return STATUS_OK;
}

static double state_row_bytes(const struct problem *problem, int state)
{
    const struct tensor_type *type = operand_type(problem, state);
    return (double)element_row_bytes(type->element, type->shape[2].scale);
}

static struct cost cost(const struct problem *problem)
{
    double rows = (double)problem_dimension(problem, ROPE_APPEND_Q, 0);
    double turned = (double)(fixed_dimension(problem, ROPE_APPEND_Q, 1) +
                             fixed_dimension(problem, ROPE_APPEND_K, 1));
    double copied = (double)fixed_dimension(problem, ROPE_APPEND_V, 1);
    double row_bytes = (turned + copied) * (double)sizeof(float) +
                       (double)fixed_dimension(problem, ROPE_APPEND_Q, 1) * (double)sizeof(float) +
                       state_row_bytes(problem, ROPE_APPEND_K_STATE) +
                       state_row_bytes(problem, ROPE_APPEND_V_STATE) +
                       3.0 * (double)sizeof(int32_t);
    return (struct cost){.operations = rows * (3 * turned + copied), .bytes = rows * row_bytes};
}

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    struct ragged_batch batch =
        ragged_batch_of(problem, run, ROPE_APPEND_PAGES, ROPE_APPEND_K_STATE, seed);
    if (operand != ROPE_APPEND_FACTORS)
        return fill_batch(&batch, operand - ROPE_APPEND_POSITIONS, bytes);
    fill_uniform(1, 8, fixed_dimension(problem, operand, 0), seed, operand, bytes);
    return true;
}

const struct op op_rope_append = {
    .name = "rope_append",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = leading_items,
    .reference = rope_append_reference,
    .fill = fill,
};
