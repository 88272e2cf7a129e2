/* The reference of attention: one piece per row and up to HEADS_TOGETHER heads that share keys and
 * values, which are decoded once for all of them; one pass over the tokens in sight with a running
 * maximum (so that no scores need to be kept), everything in double.  A token whose page is missing
 * gives NaN. */
#include "ops/attention/attention.h"
#include "ops/dot.h"
#include "ops/paging.h"

#include <math.h>

/* Their sums fit on a thread's stack. */
enum { HEADS_TOGETHER = 8 };

/* Softmax-weighted sum of values, kept relative to the largest score so far. */
struct softmax_sum {
    double largest, weight;
    double values[ATTENTION_HEAD_MOST];
};

struct attention_run {
    struct attention_shape shape;
    struct page_table table;
    struct paged_state k, v;
    const float *sinks; /* NULL: none */
};

/* Heads [first, end) of row `row`, which share head `kv_head` of keys and values. */
struct attention_item {
    int64_t row, kv_head, first, end;
};

static int64_t group_size(const struct attention_shape *shape)
{
    return shape->heads / shape->kv_heads;
}

static int64_t items_per_row(const struct attention_shape *shape)
{
    return shape->kv_heads * ceil_divide(group_size(shape), HEADS_TOGETHER);
}

int64_t attention_items(const struct problem *problem, const struct run *run)
{
    struct attention_shape shape = attention_shape_of(problem->attributes);
    return leading_items(problem, run) * items_per_row(&shape);
}

static struct attention_item item_of(const struct attention_shape *shape, int64_t item)
{
    int64_t group = group_size(shape), parts = ceil_divide(group, HEADS_TOGETHER);
    int64_t within = item % items_per_row(shape), part = within % parts;
    struct attention_item result = {.row = item / items_per_row(shape), .kv_head = within / parts};
    result.first = result.kv_head * group + part * HEADS_TOGETHER;
    result.end = smaller(result.first + HEADS_TOGETHER, (result.kv_head + 1) * group);
    return result;
}

/* `size` numbers from element `first` of a row on. */
static void decode_head(const struct paged_state *state, const unsigned char *row, int64_t first,
                        int64_t size, float *values)
{
    element_decode_row(state->element, row + element_row_bytes(state->element, first), size,
                       values);
}

static void sum_add(struct softmax_sum *sum, double score, const float *values, int64_t count)
{
    if (score > sum->largest) {
        double shrink = exp(sum->largest - score);
        sum->weight *= shrink;
        for (int64_t c = 0; c < count; c++) sum->values[c] *= shrink;
        sum->largest = score;
    }
    double weight = exp(score - sum->largest);
    sum->weight += weight;
    for (int64_t c = 0; c < count; c++) sum->values[c] += weight * (double)values[c];
}

static double score_of(const struct attention_shape *shape, const float *q, const float *k)
{
    double score = shape->scale * dot_floats(q, k, shape->head_size);
    return shape->softcap > 0 ? shape->softcap * tanh(score / shape->softcap) : score;
}

/* Adds the token at `position` to the item's heads, whose queries begin at `q`; false when it has
 * no page. */
static bool add_token(const struct attention_run *run, const struct attention_item *item,
                      const float *q, int64_t sequence, int64_t position, struct softmax_sum *sums)
{
    const struct attention_shape *shape = &run->shape;
    const unsigned char *k_row = paged_row(&run->k, &run->table, sequence, position);
    const unsigned char *v_row = paged_row(&run->v, &run->table, sequence, position);
    float k[ATTENTION_HEAD_MOST], v[ATTENTION_HEAD_MOST];
    if (!k_row || !v_row) return false;
    decode_head(&run->k, k_row, item->kv_head * shape->head_size, shape->head_size, k);
    decode_head(&run->v, v_row, item->kv_head * shape->value_stride, shape->value_size, v);
    for (int64_t h = 0; h < item->end - item->first; h++)
        sum_add(&sums[h], score_of(shape, q + h * shape->head_size, k), v, shape->value_size);
    return true;
}

static void attend(const struct attention_run *run, const struct attention_item *item,
                   const float *q, int64_t sequence, int64_t position, float *y)
{
    const struct attention_shape *shape = &run->shape;
    struct softmax_sum sums[HEADS_TOGETHER] = {{0}};
    int64_t first = shape->window > 0 ? larger(0, position - shape->window + 1) : 0;
    bool complete = position >= 0;
    for (int h = 0; h < HEADS_TOGETHER; h++) sums[h].largest = -INFINITY;
    for (int64_t h = 0; run->sinks && h < item->end - item->first; h++)
        sums[h] = (struct softmax_sum){(double)run->sinks[item->first + h], 1, {0}};
    for (int64_t j = first; j <= position && complete; j++)
        complete = add_token(run, item, q, sequence, j, sums);
    for (int64_t h = 0; h < item->end - item->first; h++)
        for (int64_t c = 0; c < shape->value_size; c++)
            y[h * shape->value_size + c] =
                complete ? (float)(sums[h].values[c] / sums[h].weight) : NAN;
}

void attention_reference(const struct problem *problem, const struct run *run,
                         void *const *operands, int64_t begin, int64_t end)
{
    struct attention_run attention = {
        .shape = attention_shape_of(problem->attributes),
        .table = page_table_of(problem, run, ATTENTION_PAGES, operands),
        .k = paged_state_of(problem, run, ATTENTION_K_STATE, operands),
        .v = paged_state_of(problem, run, ATTENTION_V_STATE, operands),
        .sinks = operands[ATTENTION_SINKS],
    };
    const struct attention_shape *shape = &attention.shape;
    const int32_t *positions = operands[ATTENTION_POSITIONS];
    const int32_t *sequences = operands[ATTENTION_SEQUENCES];
    for (int64_t i = begin; i < end; i++) {
        struct attention_item item = item_of(shape, i);
        int64_t head = item.row * shape->heads + item.first;
        attend(&attention, &item, (const float *)operands[ATTENTION_Q] + head * shape->head_size,
               sequences[item.row], positions[item.row],
               (float *)operands[ATTENTION_Y] + head * shape->value_size);
    }
}
