/* Number formats narrower than f32: their values, and the nearest code of a value. */
#ifndef EMULATOR_NUMBER_H
#define EMULATOR_NUMBER_H

#include "emulator/ptx_type.h"

#include <stdint.h>
#include <string.h>

enum rounding { ROUND_NEAREST, ROUND_ZERO, ROUND_DOWN, ROUND_UP, ROUND_AWAY };

/* Any float format up to 16 bits; NaN becomes the format's own.  With `finite` what is too large
 * becomes the largest number instead of infinity (or NaN where there is none). */
uint32_t number_encode(enum ptx_type type, double value, enum rounding rounding, bool finite);
double number_decode(enum ptx_type type, uint32_t code);

/* The same, f32 to 16 bits and nearest even: the ones that are used all the time. */
uint16_t f16_encode(float value);

static inline float number_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float bf16_decode(uint16_t code)
{
    return number_float((uint32_t)code << 16);
}

static inline float f16_decode(uint16_t code)
{
    uint32_t magnitude = (uint32_t)(code & 0x7fff) << 13, sign = (uint32_t)(code & 0x8000) << 16;
    /* Moves the exponent's bias from 15 to 127; subnormals come out right as well. */
    float value = number_float(magnitude) * 0x1p112f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((code & 0x7c00) == 0x7c00) bits = magnitude | 0x7f800000u;
    return number_float(bits | sign);
}

static inline uint16_t bf16_encode(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fff;
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

#endif
