/* The reference of attention: one piece per row and head, one pass over the tokens in sight with a
 * running maximum (so that no scores need to be kept), everything in double.  A token whose page is
 * missing gives NaN. */
#include "ops/attention/attention.h"
#include "ops/paging.h"

#include <math.h>

/* Softmax-weighted sum of values, kept relative to the largest score so far. */
struct softmax_sum {
    double largest, weight;
    double values[ATTENTION_HEAD_MOST];
};

struct attention_run {
    struct attention_shape shape;
    struct page_table table;
    struct paged_state k, v;
    int64_t head; /* of keys and values */
};

static double dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t c = 0; c < count; c++) sum += (double)a[c] * (double)b[c];
    return sum;
}

static void decode_head(const struct paged_state *state, const unsigned char *row, int64_t head,
                        int64_t size, float *values)
{
    element_decode_row(state->element, row + element_row_bytes(state->element, head * size), size,
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

/* Adds token `position`; false when it has no page. */
static bool add_token(const struct attention_run *run, const float *q, int64_t sequence,
                      int64_t position, struct softmax_sum *sum)
{
    const struct attention_shape *shape = &run->shape;
    const unsigned char *k = paged_row(&run->k, &run->table, sequence, position);
    const unsigned char *v = paged_row(&run->v, &run->table, sequence, position);
    float values[ATTENTION_HEAD_MOST];
    if (!k || !v) return false;
    decode_head(&run->k, k, run->head, shape->head_size, values);
    double score = shape->scale * dot(q, values, shape->head_size);
    if (shape->softcap > 0) score = shape->softcap * tanh(score / shape->softcap);
    decode_head(&run->v, v, run->head, shape->value_size, values);
    sum_add(sum, score, values, shape->value_size);
    return true;
}

static void attend(const struct attention_run *run, const float *q, int64_t sequence,
                   int64_t position, float *y)
{
    const struct attention_shape *shape = &run->shape;
    struct softmax_sum sum = {.largest = -INFINITY};
    int64_t first = shape->window > 0 ? larger(0, position - shape->window + 1) : 0;
    bool complete = position >= 0;
    for (int64_t j = first; j <= position && complete; j++)
        complete = add_token(run, q, sequence, j, &sum);
    for (int64_t c = 0; c < shape->value_size; c++)
        y[c] = complete ? (float)(sum.values[c] / sum.weight) : NAN;
}

void attention_reference(const struct problem *problem, const struct run *run,
                         void *const *operands, int64_t begin, int64_t end)
{
    struct attention_run attention = {
        .shape = attention_shape_of(problem->attributes),
        .table = page_table_of(problem, run, ATTENTION_PAGES, operands),
        .k = paged_state_of(problem, run, ATTENTION_K_STATE, operands),
        .v = paged_state_of(problem, run, ATTENTION_V_STATE, operands),
    };
    const struct attention_shape *shape = &attention.shape;
    const float *q = operands[ATTENTION_Q];
    const int32_t *positions = operands[ATTENTION_POSITIONS];
    const int32_t *sequences = operands[ATTENTION_SEQUENCES];
    float *y = operands[ATTENTION_Y];
    for (int64_t item = begin; item < end; item++) {
        int64_t r = item / shape->heads, h = item % shape->heads;
        attention.head = h * shape->kv_heads / shape->heads;
        attend(&attention, q + item * shape->head_size, sequences[r], positions[r],
               y + item * shape->value_size);
    }
}
