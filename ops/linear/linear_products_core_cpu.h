/* What one record adds to the sums of a register tile. */
#ifndef OPS_LINEAR_LINEAR_PRODUCTS_CORE_CPU_H
#define OPS_LINEAR_LINEAR_PRODUCTS_CORE_CPU_H

#include "ops/linear/linear_panel_core_cpu.h"

enum { LINEAR_SUMS_MAX = CARRIED_MAX, LINEAR_VECTORS_MAX = 4 };

/* sums[row * vectors + vector] (f32) += the products of the panel's record at `weights` and the packed one at `x`. */
void linear_add_products(struct emitter *e, const struct linear_tile *tile, value weights, value x,
                         value *sums);

#endif
