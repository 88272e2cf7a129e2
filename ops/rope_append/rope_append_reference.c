/* The reference of rope_append: keys are turned, rounded to float and then encoded, bit for bit
 * what rope followed by append gives. */
#include "ops/paging.h"
#include "ops/rope_append/rope_append.h"

static void turn_heads(const struct rotation *rotation, const struct turns *turns, int64_t heads,
                       const float *from, float *to)
{
    for (int64_t h = 0; h < heads; h++)
        rotation_apply(rotation, turns, from + h * rotation->head_size,
                       to + h * rotation->head_size);
}

/* Head by head, so that the turned keys of a row need no memory of their own. */
static void append_keys(const struct rotation *rotation, const struct turns *turns, int64_t heads,
                        const float *k, enum element_type element, unsigned char *row)
{
    float turned[ROTATION_HEAD_MOST];
    int64_t size = rotation->head_size;
    for (int64_t h = 0; h < heads; h++) {
        rotation_apply(rotation, turns, k + h * size, turned);
        element_encode_row(element, turned, size, row + element_row_bytes(element, h * size));
    }
}

struct rope_append_run {
    struct rotation rotation;
    struct page_table table;
    struct paged_state k_state, v_state;
    int64_t heads, kv_heads;
    const float *q, *k, *v;
    float *y;
};

static void row_reference(const struct rope_append_run *run, int64_t r, int64_t position,
                          int64_t sequence)
{
    const struct rotation *rotation = &run->rotation;
    int64_t q_width = run->heads * rotation->head_size;
    struct turns turns;
    rotation_turns(rotation, position, &turns);
    turn_heads(rotation, &turns, run->heads, run->q + r * q_width, run->y + r * q_width);
    unsigned char *k_row = paged_row(&run->k_state, &run->table, sequence, position);
    unsigned char *v_row = paged_row(&run->v_state, &run->table, sequence, position);
    if (!k_row || !v_row) return;
    append_keys(rotation, &turns, run->kv_heads, run->k + r * run->k_state.width,
                run->k_state.element, k_row);
    element_encode_row(run->v_state.element, run->v + r * run->v_state.width, run->v_state.width,
                       v_row);
}

void rope_append_reference(const struct problem *problem, const struct run *run,
                           void *const *operands, int64_t begin, int64_t end)
{
    struct rope_append_run rows = {
        .table = page_table_of(problem, run, ROPE_APPEND_PAGES, operands),
        .k_state = paged_state_of(problem, run, ROPE_APPEND_K_STATE, operands),
        .v_state = paged_state_of(problem, run, ROPE_APPEND_V_STATE, operands),
        .heads = problem->attributes[ROPE_APPEND_HEADS].integer,
        .kv_heads = problem->attributes[ROPE_APPEND_KV_HEADS].integer,
        .q = operands[ROPE_APPEND_Q],
        .k = operands[ROPE_APPEND_K],
        .v = operands[ROPE_APPEND_V],
        .y = operands[ROPE_APPEND_Y],
    };
    const int32_t *positions = operands[ROPE_APPEND_POSITIONS];
    const int32_t *sequences = operands[ROPE_APPEND_SEQUENCES];
    rotation_create(problem->attributes + ROPE_APPEND_ROTATION, operands[ROPE_APPEND_FACTORS],
                    &rows.rotation);
    for (int64_t r = begin; r < end; r++) row_reference(&rows, r, positions[r], sequences[r]);
}
