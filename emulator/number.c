/* Narrow float formats. */
#include "emulator/number.h"

#include <math.h>

struct format {
    int mantissa_bits, bias;
    uint32_t largest, infinity, nan; /* codes without the sign; infinity 0: there is none */
    int sign_bit;                    /* -1: unsigned */
};

static const struct format formats[TYPE_COUNT] = {
    [TYPE_F16] = {10, 15, 0x7bff, 0x7c00, 0x7fff, 15},
    [TYPE_BF16] = {7, 127, 0x7f7f, 0x7f80, 0x7fff, 15},
    [TYPE_E4M3] = {3, 7, 0x7e, 0, 0x7f, 7},
    [TYPE_UE4M3] = {3, 7, 0x7e, 0, 0x7f, -1},
    [TYPE_E5M2] = {2, 15, 0x7b, 0x7c, 0x7f, 7},
    [TYPE_E2M1] = {1, 1, 7, 0, 7, 3},
    [TYPE_E2M3] = {3, 1, 31, 0, 31, 5},
    [TYPE_E3M2] = {2, 3, 31, 0, 31, 5},
};

static double round_double(double value, enum rounding rounding, bool negative)
{
    switch (rounding) {
    case ROUND_NEAREST: return nearbyint(value);
    case ROUND_ZERO: return floor(value);
    case ROUND_DOWN: return negative ? ceil(value) : floor(value);
    case ROUND_UP: return negative ? floor(value) : ceil(value);
    case ROUND_AWAY: return floor(value + 0.5);
    }
    return value;
}

/* Powers of two only, no sign: the code is the exponent; 255 is NaN. */
static uint32_t encode_exponent(double value, enum rounding rounding, bool finite)
{
    int exponent;
    uint32_t beyond = finite ? 254 : 255;
    if (isnan(value)) return 255;
    value = fabs(value);
    if (value < 0x1p-127) return 0;
    if (isinf(value)) return beyond;
    double mantissa = frexp(value, &exponent); /* in [0.5, 1) */
    if (rounding == ROUND_UP && mantissa > 0.5) exponent++;
    int code = exponent - 1 + 127;
    return code > 254 ? beyond : (uint32_t)code;
}

uint32_t number_encode(enum ptx_type type, double value, enum rounding rounding, bool finite)
{
    if (type == TYPE_UE8M0) return encode_exponent(value, rounding, finite);
    const struct format *format = &formats[type];
    bool negative = signbit(value) && format->sign_bit >= 0;
    uint32_t sign = negative ? 1u << format->sign_bit : 0;
    if (isnan(value)) return format->nan;
    double magnitude = fabs(value);
    if (signbit(value) && format->sign_bit < 0) magnitude = 0;
    uint32_t beyond = finite ? format->largest : format->infinity ? format->infinity : format->nan;
    if (isinf(magnitude)) return sign | beyond;
    int exponent = magnitude > 0 ? ilogb(magnitude) : 1 - format->bias;
    if (exponent < 1 - format->bias) exponent = 1 - format->bias;
    double units = ldexp(magnitude, format->mantissa_bits - exponent);
    double code = round_double(units, rounding, negative) +
                  ldexp((double)(exponent + format->bias - 1), format->mantissa_bits);
    bool outward = rounding == ROUND_NEAREST || rounding == ROUND_AWAY ||
                   rounding == (negative ? ROUND_DOWN : ROUND_UP);
    if (code <= (double)format->largest) return sign | (uint32_t)code;
    return sign | (outward ? beyond : format->largest);
}

double number_decode(enum ptx_type type, uint32_t code)
{
    if (type == TYPE_UE8M0) return code == 0xff ? NAN : ldexp(1.0, (int)code - 127);
    const struct format *format = &formats[type];
    uint32_t magnitude = format->sign_bit < 0 ? code : code & ((1u << format->sign_bit) - 1);
    bool negative = format->sign_bit >= 0 && code >> format->sign_bit & 1;
    double value;
    if (format->infinity && magnitude == format->infinity) {
        value = INFINITY;
    } else if (magnitude > format->largest) {
        return NAN;
    } else {
        int exponent = (int)(magnitude >> format->mantissa_bits);
        uint32_t fraction = magnitude & ((1u << format->mantissa_bits) - 1);
        if (exponent) fraction |= 1u << format->mantissa_bits;
        value = ldexp((double)fraction,
                      (exponent ? exponent : 1) - format->bias - format->mantissa_bits);
    }
    return negative ? -value : value;
}

uint16_t f16_encode(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return 0x7fff;
    if (magnitude >= 0x477ff000u) return (uint16_t)(sign | 0x7c00); /* 65520 and more */
    if (magnitude < 0x38800000u) { /* subnormal: units of 2^-24 are the last bits of 0.5 + x */
        float sum = number_float(magnitude) + 0.5f;
        memcpy(&bits, &sum, sizeof bits);
        return (uint16_t)(sign | (bits - 0x3f000000u));
    }
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (magnitude - 0x38000000u) >> 13);
}
