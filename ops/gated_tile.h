/* The tile that linear_gated and grouped_gated have in common. */
#ifndef OPS_GATED_TILE_H
#define OPS_GATED_TILE_H

#include "ops/activation.h"
#include "ops/dot.h"

/* y[r][n] = act(x[r] . gate[n]) * (x[r] . up[n]) for the tile's outputs and `count` rows. */
static inline void gated_tile(enum activation activation, const struct weight_view *gate,
                              const struct weight_view *up, const struct tile *tile,
                              const float *const *x, int count, float *const *y)
{
    double gates[DOT_ROWS], ups[DOT_ROWS];
    for (int64_t n = tile->first_output; n < tile->end_output; n++) {
        dot_rows(gate, n, x, count, gates);
        dot_rows(up, n, x, count, ups);
        for (int r = 0; r < count; r++)
            y[r][n] = gate_value(activation, (float)gates[r], (float)ups[r]);
    }
}

#endif
