/* attention: y[r][h] = sum_j p_j v_j over the tokens j that token r of its sequence sees,
 * p = softmax(scale * q[r][h] . k_j), where head h uses key and value head h * kv_heads / heads.
 * A sink is one more score of the softmax, without a value. */
#include "ops/attention/attention.h"

#include "ops/access.h"
#include "ops/filling.h"
#include "ops/infer_paged.h"

#include <math.h>

static const struct input_rule inputs[] = {
    {.name = "q"},
    {.name = "positions"},
    {.name = "sequences"},
    {.name = "pages"},
    {.name = "k_state"},
    {.name = "v_state"},
    {.name = "sinks", .optional = true},
    {0},
};
static const char *const outputs[] = {"y", NULL};

static const struct attribute_rule attributes[] = {
    [ATTENTION_HEADS] = {.name = "heads",
                         .kind = ATTRIBUTE_INTEGER,
                         .required = true,
                         .least = 1,
                         .most = HEADS_MOST},
    [ATTENTION_KV_HEADS] = {.name = "kv_heads",
                            .kind = ATTRIBUTE_INTEGER,
                            .required = true,
                            .least = 1,
                            .most = HEADS_MOST},
    [ATTENTION_HEAD_SIZE] = {.name = "head_size",
                             .kind = ATTRIBUTE_INTEGER,
                             .required = true,
                             .least = 1,
                             .most = ATTENTION_HEAD_MOST},
    [ATTENTION_VALUE_SIZE] = {.name = "value_size",
                              .kind = ATTRIBUTE_INTEGER,
                              .least = 0,
                              .most = ATTENTION_HEAD_MOST},
    [ATTENTION_SCALE] = {.name = "scale", .kind = ATTRIBUTE_REAL, .least = 0, .most = 1e6},
    [ATTENTION_WINDOW] = {.name = "window", .kind = ATTRIBUTE_INTEGER, .least = 0, .most = 1 << 30},
    [ATTENTION_SOFTCAP] = {.name = "softcap", .kind = ATTRIBUTE_REAL, .least = 0, .most = 1e6},
    [ATTENTION_VALUES_IN_KEYS] = {.name = "values_in_keys",
                                  .kind = ATTRIBUTE_INTEGER,
                                  .least = 0,
                                  .most = 1},
    {0},
};

struct attention_shape attention_shape_of(const union attribute *values)
{
    struct attention_shape shape = {
        .heads = values[ATTENTION_HEADS].integer,
        .kv_heads = values[ATTENTION_KV_HEADS].integer,
        .head_size = values[ATTENTION_HEAD_SIZE].integer,
        .value_size = values[ATTENTION_VALUE_SIZE].integer,
        .window = values[ATTENTION_WINDOW].integer,
        .scale = values[ATTENTION_SCALE].real,
        .softcap = values[ATTENTION_SOFTCAP].real,
    };
    if (!shape.value_size) shape.value_size = shape.head_size;
    shape.value_stride =
        values[ATTENTION_VALUES_IN_KEYS].integer ? shape.head_size : shape.value_size;
    if (shape.scale == 0) shape.scale = 1 / sqrt((double)shape.head_size);
    return shape;
}

static status check_heads(const struct attention_shape *shape, struct diagnostic *diagnostic)
{
    if (shape->value_size > shape->value_stride)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "value_size is %lld and head_size %lld; values in keys cannot be larger",
                    (long long)shape->value_size, (long long)shape->head_size);
    if (shape->heads % shape->kv_heads == 0) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "heads is %lld and kv_heads %lld; heads must be a multiple of kv_heads",
                (long long)shape->heads, (long long)shape->kv_heads);
}

static status infer(const union attribute *values, const struct tensor_type *const *types,
                    struct tensor_type *results, struct diagnostic *diagnostic)
{
    struct inference inference = {&op_attention, types, results, diagnostic};
    struct attention_shape shape = attention_shape_of(values);
    TRY(infer_begin(&inference));
    TRY(check_heads(&shape, diagnostic));
    TRY(infer_rows(&inference, ATTENTION_Q));
    TRY(infer_size(&inference, ATTENTION_Q, 1, shape.heads * shape.head_size, "heads * head_size"));
    TRY(infer_batch(&inference, ATTENTION_POSITIONS, ATTENTION_Q));
    TRY(infer_state_heads(&inference, ATTENTION_K_STATE, shape.kv_heads, shape.head_size,
                          "kv_heads * head_size"));
    TRY(infer_state_heads(&inference, ATTENTION_V_STATE, shape.kv_heads, shape.value_stride,
                          "kv_heads * value_size"));
    TRY(infer_head_blocks(&inference, ATTENTION_V_STATE, shape.value_size));
    TRY(infer_operand(&inference, ATTENTION_SINKS, 1, CLASS_F32));
    TRY(infer_size(&inference, ATTENTION_SINKS, 0, shape.heads, "heads"));
    TRY(infer_equal(&inference, ATTENTION_V_STATE, 0, ATTENTION_K_STATE, 0));
    TRY(infer_equal(&inference, ATTENTION_V_STATE, 1, ATTENTION_K_STATE, 1));
    infer_output(&inference, 0, ELEMENT_F32, types[ATTENTION_Q]->shape[0],
                 dimension_fixed(shape.heads * shape.value_size));
    return STATUS_OK;
}

/* The tokens that the bucket's rows see when they are dealt evenly to the sequences, each of which
 * ends at the context's bound: in all, and those that must be read once per sequence. */
struct visibility {
    double pairs, rows;
};

static struct visibility visibility_of(const struct problem *problem)
{
    double rows = (double)problem_dimension(problem, ATTENTION_Q, 0);
    double sequences = fmin(rows, (double)problem_dimension(problem, ATTENTION_PAGES, 0));
    double context = fmax((double)problem->context, 1), each = rows / fmax(sequences, 1);
    double window = (double)problem->attributes[ATTENTION_WINDOW].integer;
    double seen = fmax(context - (each - 1) / 2, 1), read = context;
    if (window > 0) {
        seen = fmin(seen, window);
        read = fmin(read, window + each - 1);
    }
    return (struct visibility){.pairs = rows * seen, .rows = sequences * read};
}

/* Per pair and head a product of keys, one of values and an exponential. */
static struct cost cost(const struct problem *problem)
{
    struct attention_shape shape = attention_shape_of(problem->attributes);
    struct visibility visibility = visibility_of(problem);
    double size = (double)(shape.head_size + shape.value_size);
    const struct tensor_type *k = operand_type(problem, ATTENTION_K_STATE);
    const struct tensor_type *v = operand_type(problem, ATTENTION_V_STATE);
    double row_bytes = (double)element_row_bytes(k->element, k->shape[2].scale);
    if (!problem->attributes[ATTENTION_VALUES_IN_KEYS].integer) /* else read with the keys */
        row_bytes += (double)element_row_bytes(v->element, v->shape[2].scale);
    return (struct cost){
        .operations = visibility.pairs * (double)shape.heads * (2 * size + 10),
        .bytes = visibility.rows * row_bytes + (double)problem_operand_bytes(problem, ATTENTION_Q) +
                 (double)problem_operand_bytes(problem, ATTENTION_Y),
    };
}

/* With keys in [-1, 1) scores have a deviation of about 2: some tokens matter, no single one wins.
 */
#define QUERY_MOST 6.0

static bool fill(const struct problem *problem, const struct run *run, int operand, uint64_t seed,
                 void *bytes)
{
    struct ragged_batch batch =
        ragged_batch_of(problem, run, ATTENTION_PAGES, ATTENTION_K_STATE, seed);
    if (operand == ATTENTION_Q) {
        int64_t count = batch.rows * fixed_dimension(problem, ATTENTION_Q, 1);
        fill_uniform(-QUERY_MOST, QUERY_MOST, count, seed, operand, bytes);
        return true;
    }
    if (operand == ATTENTION_SINKS) return false;
    if (operand != ATTENTION_K_STATE && operand != ATTENTION_V_STATE)
        return fill_batch(&batch, operand - ATTENTION_POSITIONS, bytes);
    struct paged_state state = paged_state_at(problem, run, operand, bytes);
    fill_state(&batch, &state, operand);
    return true;
}

const struct op op_attention = {
    .name = "attention",
    .inputs = inputs,
    .outputs = outputs,
    .attributes = attributes,
    .infer = infer,
    .cost = cost,
    .reference_items = attention_items,
    .reference = attention_reference,
    .fill = fill,
};
