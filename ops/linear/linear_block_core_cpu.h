/* A block of packed rows of activations times a panel of weights, in register tiles: the inner part
 * of every kernel for many rows.
 *
 * A panel is unpacked once per block.  A tile has `tile_rows` rows by `tile_vectors` registers of
 * outputs, whose sums stay in registers along `depth` columns; a block has up to `tiles` tiles
 * below each other.  Panels at the end of a ragged matrix begin earlier, so that they are whole,
 * and store only the outputs that no other panel has. */
#ifndef OPS_LINEAR_LINEAR_BLOCK_CORE_CPU_H
#define OPS_LINEAR_LINEAR_BLOCK_CORE_CPU_H

#include "ops/linear/linear_panel_core_cpu.h"

struct linear_block {
    struct emitter *e;
    const struct linear_work *work;
    struct linear_tile tile;
    struct linear_pointers pointers; /* x: the packed activations */
    int64_t item_rows;               /* most rows of a block */
    int panels;                      /* of weights in a block; 1, but for whom it is a tunable */
    int64_t depth_records;           /* summed in registers at a time */
    int ahead;     /* weight rows of the next panel that each tile fetches; 0: none */
    value panel;   /* room on the stack for depth_records records */
    value partial; /* room for a block's sums, per matrix; NULL when registers suffice */
};

/* With the tunables of the generation's config; the pointers are the caller's to set. */
struct linear_block linear_block_of(struct emitter *e, const struct linear_work *work,
                                    enum linear_dot dot, const struct generation *generation);

/* Takes the room on the stack of the kernel that has begun, and what else its items need once. */
void linear_block_begin(struct linear_block *k);
/* Before the kernel ends. */
void linear_block_end(struct linear_block *k);

/* Packed rows [first, end); first begins a tile.  Packed row r makes row r + shift of the outputs
 * (NULL: row r). */
struct linear_block_rows {
    value first, end, shift;
};

/* Emits the code for item `item` of a matrix, or of gate and up: its panels item * panels and so on. */
void linear_block_emit(const struct linear_block *k, int matrix, value item,
                       const struct linear_block_rows *rows);

/* How many items the panels of a matrix make. */
int64_t linear_block_items(const struct linear_block *k, int matrix);

#endif
