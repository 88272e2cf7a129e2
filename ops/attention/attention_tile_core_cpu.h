/* Many rows of one sequence against its tokens, block by block: what attention_tile_cpu is made of.
 *
 * Lanes hold queries: every row with every head of the item is one, and a group of them fills
 * `width` registers.  Queries and sums lie transposed, a column after the other; keys and values
 * are widened once per block and enter the products as scalars that all lanes share.  So maxima and
 * weights are taken lane by lane, and nothing is ever added up across a register. */
#ifndef OPS_ATTENTION_ATTENTION_TILE_CORE_CPU_H
#define OPS_ATTENTION_ATTENTION_TILE_CORE_CPU_H

#include "ops/attention/attention_core_cpu.h"

enum { TILE_HEIGHT_MAX = 16, TILE_WIDTH_MAX = 4 };

struct tile {
    const struct attention_work *work;
    int heads, rows;   /* of an item */
    int width, height; /* registers of queries by tokens (or columns of values) worked on at once */
    int block;         /* tokens: whole heights */
    int lanes;         /* of a group: width registers */
    int64_t k_columns, v_columns; /* f32 of a widened key and value: whole registers */
    /* On the stack, per query: */
    value q_rows, y_rows; /* addresses of its row of q and of y */
    value firsts, ends;   /* i32: the tokens it sees */
    value largest, weights;
    /* per group: */
    value ranges;        /* i64: the first token that one of its queries sees, and the end */
    value queries, sums; /* [columns][lanes] */
    /* and per block: */
    value keys, values; /* [block][columns] */
    value scores;       /* of one group: [block][lanes] */
};

/* The sizes are those of the members above. */
struct tile_sizes {
    int heads, rows, width, height, block;
};
void tile_begin(struct emitter *e, const struct attention_work *work,
                const struct tile_sizes *sizes, struct tile *tile);

/* Rows [row, row + rows) of one sequence with the heads from `head` on. */
struct tile_run {
    value row, rows, head, kv_head; /* i64 */
    value sequence, groups;
    value first, end; /* tokens that any of the queries sees */
};

/* Takes the queries in and sets the sums to nothing; fills the run's sequence, groups and tokens.
 */
void tile_load(struct emitter *e, const struct tile *tile,
               const struct attention_pointers *pointers, struct tile_run *run);
/* Widens `count` keys and values from token `first` on. */
struct tile_block {
    value first, count; /* i64 */
};
void tile_widen(struct emitter *e, const struct tile *tile,
                const struct attention_pointers *pointers, const struct tile_run *run,
                const struct tile_block *block);
/* Adds the block to the sums of all groups. */
void tile_attend(struct emitter *e, const struct tile *tile, const struct tile_run *run,
                 const struct tile_block *block);
/* Writes the outputs. */
void tile_store(struct emitter *e, const struct tile *tile, const struct tile_run *run);

#endif
