/* Encoding of plain types: to the nearest number that there is. */
#include "ir/element_decode.h"
#include "ir/element_encode.h"

#include <math.h>

void element_f32_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    memcpy(block, values, sizeof *values);
}

void element_f16_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    uint16_t half = element_f16_of_float(*values);
    memcpy(block, &half, sizeof half);
}

void element_bf16_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    uint16_t brain = element_bf16_of_float(*values);
    memcpy(block, &brain, sizeof brain);
}

/* An 8-bit float of `fraction_bits`, whose smallest step is `step`: nearest, ties to even, as
 * magnitude bits without a sign; what would be above `most` bits becomes `overflow`. */
struct small_float {
    int fraction_bits;
    float step;
    uint32_t most, overflow, nan;
};

static uint8_t encode_small_float(const struct small_float *format, float value)
{
    uint32_t bits = element_bits_of_float(value), sign = bits >> 31 << 7;
    float magnitude = element_float_of_bits(bits & 0x7fffffffu);
    if (isnan(value)) return (uint8_t)(sign | format->nan);
    int exponent;
    frexpf(isinf(value) ? 0 : magnitude, &exponent); /* magnitude < 2^exponent */
    int least;
    frexpf(format->step, &least);
    int shift = exponent - least - format->fraction_bits; /* steps per step in this octave, log2 */
    if (isinf(value) || shift > 31) return (uint8_t)(sign | format->overflow);
    if (shift < 0 || magnitude < format->step) shift = 0;
    /* rintf: ties to even.  A carry into the next octave is right as it is. */
    uint32_t whole = (uint32_t)rintf(ldexpf(magnitude / format->step, -shift));
    uint32_t code = ((uint32_t)shift << format->fraction_bits) + whole;
    return (uint8_t)(sign | (code > format->most ? format->overflow : code));
}

/* Saturates at 448, as there is no infinity. */
void element_f8_e4m3_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    static const struct small_float format = {3, 0x1p-9f, 0x7e, 0x7e, 0x7f};
    *(uint8_t *)block = encode_small_float(&format, *values);
}

void element_f8_e5m2_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    static const struct small_float format = {2, 0x1p-16f, 0x7b, 0x7c, 0x7e};
    *(uint8_t *)block = encode_small_float(&format, *values);
}

/* Ties away from zero; saturates, and NaN becomes 0. */
void element_i8_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    int8_t integer = 0;
    if (!isnan(*values)) integer = (int8_t)fminf(fmaxf(roundf(*values), -128.0f), 127.0f);
    memcpy(block, &integer, sizeof integer);
}

void element_i32_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    int32_t integer = 0;
    if (*values >= 0x1p31f)
        integer = INT32_MAX;
    else if (*values <= -0x1p31f)
        integer = INT32_MIN;
    else if (!isnan(*values))
        integer = (int32_t)roundf(*values);
    memcpy(block, &integer, sizeof integer);
}
