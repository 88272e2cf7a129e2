/* How the elements of a matrix lie in the registers of a warp, and what they are worth: shared by
 * mma.sync and wgmma. */
#ifndef EMULATOR_FRAGMENT_H
#define EMULATOR_FRAGMENT_H

#include "emulator/lanes.h"

/* Decodes elements of up to 16 bits, or tf32. */
struct element_reader {
    enum ptx_type type;
    uint32_t bits;       /* that an element takes in a register */
    uint32_t shift;      /* of the value within them */
    const float *values; /* of every code, for up to 8 bits */
};

/* `container_bits`: 8 where narrower floats are kept in bytes each. */
CHECKED status element_reader_create(struct decoder *decoder, enum ptx_type type,
                                     uint32_t container_bits, struct element_reader *reader);

/* How much faster than f16 into f32 the target multiplies such elements, in eighths: consumer cards
 * add into f32 at half the rate that f16 and whole numbers have, and each halving of the elements
 * doubles the rate.  `warpgroup`: wgmma, which mma.sync does not keep up with on sm_90. */
struct matrix_rate {
    int target;
    enum ptx_type element, sum;
    bool scaled, warpgroup;
};
uint32_t matrix_rate_eighths(const struct matrix_rate *rate);
void matrix_count(struct warp *warp, uint64_t operations, uint32_t rate_eighths);

float element_value(const struct element_reader *reader, uint32_t word, uint32_t index);

#endif
