/* Panels of block types: a block of each of the panel's rows is unpacked in the order of its
 * columns, in a loop over the rows, and its records are then put together from there.  So what takes
 * a type apart stands once in a kernel, however many rows a panel has. */
#ifndef OPS_LINEAR_LINEAR_UNPACKED_CORE_CPU_H
#define OPS_LINEAR_LINEAR_UNPACKED_CORE_CPU_H

#include "ops/linear/linear_panel_core_cpu.h"

/* Whether the weights are block types that take this way. */
bool linear_is_unpacked(const struct linear_work *work);

/* Bytes of room that a panel of these weights needs. */
int64_t linear_unpacked_bytes(const struct linear_tile *tile);

/* Emits code that fills the records of one block of columns: `weights` is that block of the panel's
 * first row, `to` the first of its records.  See linear_fill_panel. */
void linear_fill_unpacked(struct emitter *e, const struct linear_work *work,
                          const struct linear_tile *tile, int64_t most, value weights, value to);

#endif
