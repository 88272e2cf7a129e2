/* How the elements of a matrix lie in the registers of a warp, and what they are worth: shared by
 * mma.sync and wgmma. */
#ifndef EMULATOR_FRAGMENT_H
#define EMULATOR_FRAGMENT_H

#include "emulator/lanes.h"
#include "emulator/number.h"

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

static inline float element_value(const struct element_reader *reader, uint32_t word,
                                  uint32_t index)
{
    uint32_t code = word >> index * reader->bits;
    switch (reader->type) {
    case TYPE_F16: return f16_decode((uint16_t)code);
    case TYPE_BF16: return bf16_decode((uint16_t)code);
    case TYPE_TF32: return float_of(code & ~UINT32_C(0x1fff));
    default: return reader->values[code >> reader->shift & ((1u << type_bits(reader->type)) - 1)];
    }
}

/* Both elements of 16 bits in the lanes' words. */
static inline void element_pairs(const struct element_reader *reader,
                                 const uint32_t words[static WARP_LANES],
                                 float low[static WARP_LANES], float high[static WARP_LANES])
{
    bool brain = reader->type == TYPE_BF16;
    for (uint32_t lane = 0; lane < WARP_LANES; lane++) {
        low[lane] = brain ? bf16_decode((uint16_t)words[lane]) : f16_decode((uint16_t)words[lane]);
        high[lane] = brain ? bf16_decode((uint16_t)(words[lane] >> 16))
                           : f16_decode((uint16_t)(words[lane] >> 16));
    }
}

#endif
