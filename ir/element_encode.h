/* Encoders of the element types (internal to ir): one block from floats.  `importance` says what an
 * error of each number costs (the mean square of the activations it meets, say) or is NULL; plain
 * types and q8_0 have nothing to choose and do not look at it. */
#ifndef IR_ELEMENT_ENCODE_H
#define IR_ELEMENT_ENCODE_H

#define ELEMENT(NAME, name, elements, bytes)                                                       \
    void element_##name##_encode(const float *values, const float *importance, void *block);
#include "ir/element.def"
#undef ELEMENT

#include <stdint.h>

/* The number as f16, into the block; what it reads back as. */
float element_put_f16(float value, uint8_t *to);

/* The E2M1 code for which `half_scale` times twice its number is nearest; the first of equals. */
uint8_t element_nearest_e2m1(float value, float half_scale);

#endif
