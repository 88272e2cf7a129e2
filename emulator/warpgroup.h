/* wgmma's product, as it was decoded, and what is done with it. */
#ifndef EMULATOR_WARPGROUP_H
#define EMULATOR_WARPGROUP_H

#include "emulator/fragment.h"

enum {
    WARP_ROWS = 16,
    COLUMNS_MAX = 256,
    DEPTH_MAX = 32,
    ROW_BYTES = 32, /* of all operands: the depth times the type's size */
    CHUNK_BYTES = 16,
    LANES_PER_ROW = 4,
    A_REGISTERS = 4,
    WARPGROUP_WARPS = 4,
};

struct warpgroup_product {
    uint32_t n, k, element_bytes, rate_eighths;
    struct element_reader a, b;
    bool whole, saturate, half; /* s32 accumulators; with saturation; f16 accumulators */
    bool a_in_registers, transposed_a, transposed_b, negated;
    uint32_t d_count, a_at; /* in the list: d first, then the registers of a */
    uint32_t descriptors[2];
    uint32_t accumulates; /* predicate */
    bool accumulates_not;
};

/* Looks at every byte of the operands in shared memory, as the card may from here on. */
bool warpgroup_check(struct warp *warp, const struct pending_product *pending);
/* Reads them, multiplies, and writes the accumulators; false after a fault. */
bool warpgroup_multiply(struct warp *warp, const struct pending_product *pending);

#endif
