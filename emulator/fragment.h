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

float element_value(const struct element_reader *reader, uint32_t word, uint32_t index);

#endif
