/* The innermost loop on AMX: tiles of packed activations times tiles of a panel of weights, as bf16 or as bytes.
 *
 * A unit of a panel holds two neighbouring columns of each weight row, and a record sixteen units:
 * that is how AMX wants its right operand, so a panel's record is loaded as it is, sixteen outputs at
 * a time.  The left operand is sixteen packed rows of a record.  Sums wait in the block's `partial`
 * between pieces of the columns, row by row, where they are finished as all others are.
 *
 * Bytes have scales for each record or half of one, so a tile has the products of that alone: they go through memory into
 * registers, where they meet their scales as those of any other instruction do. */
#ifndef OPS_LINEAR_LINEAR_AMX_CORE_CPU_H
#define OPS_LINEAR_LINEAR_AMX_CORE_CPU_H

#include "ops/linear/linear_panel_core_cpu.h"

/* Once per call of a kernel, before anything below and behind it all. */
void linear_amx_begin(struct emitter *e, struct linear_tile *tile);
void linear_amx_end(struct emitter *e);

/* The sums of a tile of rows, from or to rows of `outputs` f32 at `sums`. */
enum linear_motion { LINEAR_SUMS_ZERO, LINEAR_SUMS_LOAD, LINEAR_SUMS_STORE };
void linear_amx_sums(struct emitter *e, const struct linear_tile *tile, enum linear_motion motion,
                     value sums);

/* products[row * vectors + vector] (i32) += the products of units of bytes: one tile of 16 rows and 16 outputs. */
void linear_amx_bytes(struct emitter *e, const struct linear_tile *tile,
                      const struct linear_byte_units *units, value *products);

/* Adds the products of a record of packed activations and one of a panel. */
void linear_amx_add(struct emitter *e, const struct linear_tile *tile, value x, value panel);

#endif
