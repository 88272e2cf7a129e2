/* Encoding of blocks of 32.  Without importance the bytes are those of GGUF's reference quantisers,
 * bit for bit; with it, scale and minimum are fitted. */
#include "ir/element_decode.h"
#include "ir/element_encode.h"
#include "ir/element_fit.h"

#include <math.h>

enum { BLOCK = 32, HALF = 16 };

float element_put_f16(float value, uint8_t *to)
{
    uint16_t half = element_f16_of_float(value);
    memcpy(to, &half, sizeof half);
    return element_float_of_f16(half);
}

/* The value of largest magnitude, the first of equals. */
static float extreme_of(const float *values)
{
    float extreme = 0.0f;
    for (int i = 0; i < BLOCK; i++)
        if (fabsf(values[i]) > fabsf(extreme)) extreme = values[i];
    return extreme;
}

static float inverse_of(float scale)
{
    return scale != 0.0f ? 1.0f / scale : 0.0f;
}

/* Ties away from zero, as the reference rounds; saturates, and NaN becomes 0. */
static int8_t saturate_i8(float value)
{
    if (isnan(value)) return 0;
    float whole = roundf(value);
    return (int8_t)(whole < -128.0f ? -128.0f : whole > 127.0f ? 127.0f : whole);
}

/* scale = largest magnitude / 127, kept as f16; the quants are made with the scale before that
 * rounding. */
void element_q8_0_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    float scale = fabsf(extreme_of(values)) / 127.0f, inverse = inverse_of(scale);
    int8_t *quants = (int8_t *)block + 2;
    element_put_f16(scale, block);
    for (int i = 0; i < BLOCK; i++) quants[i] = saturate_i8(values[i] * inverse);
}

/* Low four bits of codes i and 16 + i into byte i. */
static void put_nibbles(const uint8_t *codes, uint8_t *pairs)
{
    for (int i = 0; i < HALF; i++)
        pairs[i] = (uint8_t)((codes[i] & 15) | (codes[HALF + i] & 15) << 4);
}

static void put_fifth_bits(const uint8_t *codes, uint8_t *to)
{
    uint32_t fifth = 0;
    for (int i = 0; i < BLOCK; i++) fifth |= (uint32_t)(codes[i] >> 4 & 1) << i;
    memcpy(to, &fifth, sizeof fifth);
}

/* ---- Scale alone ---- */

/* Truncation after adding a half rounds to nearest; above, `most` is the last code. */
static uint8_t code_of(float shifted, int most)
{
    if (isnan(shifted)) return (uint8_t)((most + 1) / 2);
    return (uint8_t)(shifted < 0.0f ? 0.0f : shifted > (float)most ? (float)most : shifted);
}

/* An error's cost: large numbers matter more than their importance says, since a layer's inputs are
 * not independent. */
static void weigh(const float *values, const float *importance, float *weights)
{
    float mean = 0, sum = 0;
    for (int i = 0; i < BLOCK; i++) mean += values[i] * values[i] / BLOCK;
    for (int i = 0; i < BLOCK; i++) {
        weights[i] = importance[i] * sqrtf(mean + values[i] * values[i]);
        sum += weights[i];
    }
    for (int i = 0; i < BLOCK && !(sum > 0); i++) weights[i] = 1;
}

/* Codes around `half`.  By the reference: the value of largest magnitude gets the code 0, which
 * stands for -half. */
static void encode_symmetric(const float *values, const float *importance, int half, uint8_t *scale,
                             uint8_t codes[BLOCK])
{
    if (!importance) {
        float unit = extreme_of(values) / (float)-half, inverse = inverse_of(unit);
        element_put_f16(unit, scale);
        for (int i = 0; i < BLOCK; i++)
            codes[i] = code_of(values[i] * inverse + ((float)half + 0.5f), 2 * half - 1);
        return;
    }
    float weights[BLOCK];
    weigh(values, importance, weights);
    float unit = element_fit_scale(&(struct element_fit){values, weights, BLOCK},
                                   &(struct element_codes){-half, half - 1, -half});
    element_round(
        values, BLOCK,
        &(struct element_rounding){element_put_f16(unit, scale), 0, -half, half - 1, half}, codes);
}

void element_q4_0_encode(const float *values, const float *importance, void *block)
{
    uint8_t codes[BLOCK], *bytes = block;
    encode_symmetric(values, importance, 8, bytes, codes);
    put_nibbles(codes, bytes + 2);
}

void element_q5_0_encode(const float *values, const float *importance, void *block)
{
    uint8_t codes[BLOCK], *bytes = block;
    encode_symmetric(values, importance, 16, bytes, codes);
    put_fifth_bits(codes, bytes + 2);
    put_nibbles(codes, bytes + 6);
}

/* ---- Scale and minimum ---- */

/* By the reference: the range is cut into `most` steps; a minimum may be positive there. */
static void encode_affine(const float *values, const float *importance, int most, uint8_t *scales,
                          uint8_t codes[BLOCK])
{
    float weights[BLOCK], least = values[0], greatest = values[0], minimum;
    if (!importance) {
        for (int i = 1; i < BLOCK; i++) {
            if (values[i] < least) least = values[i];
            if (values[i] > greatest) greatest = values[i];
        }
        float unit = (greatest - least) / (float)most, inverse = inverse_of(unit);
        element_put_f16(unit, scales);
        element_put_f16(least, scales + 2);
        for (int i = 0; i < BLOCK; i++)
            codes[i] = code_of((values[i] - least) * inverse + 0.5f, most);
        return;
    }
    weigh(values, importance, weights);
    float unit = element_fit_affine(&(struct element_fit){values, weights, BLOCK}, most, &minimum);
    struct element_rounding rounding = {element_put_f16(unit, scales),
                                        element_put_f16(minimum, scales + 2), 0, most, 0};
    element_round(values, BLOCK, &rounding, codes);
}

void element_q4_1_encode(const float *values, const float *importance, void *block)
{
    uint8_t codes[BLOCK], *bytes = block;
    encode_affine(values, importance, 15, bytes, codes);
    put_nibbles(codes, bytes + 4);
}

void element_q5_1_encode(const float *values, const float *importance, void *block)
{
    uint8_t codes[BLOCK], *bytes = block;
    encode_affine(values, importance, 31, bytes, codes);
    put_fifth_bits(codes, bytes + 4);
    put_nibbles(codes, bytes + 8);
}

/* ---- Tables ---- */

/* Without importance a number's own square is its weight: errors count relative to it. */
void element_iq4_nl_encode(const float *values, const float *importance, void *block)
{
    uint8_t codes[BLOCK], *bytes = block;
    float weights[BLOCK];
    if (importance)
        weigh(values, importance, weights);
    else
        for (int i = 0; i < BLOCK; i++) weights[i] = values[i] * values[i];
    float unit = element_fit_iq4(&(struct element_fit){values, weights, BLOCK});
    element_round_iq4(values, BLOCK, element_put_f16(unit, bytes), codes);
    put_nibbles(codes, bytes + 2);
}

uint8_t element_nearest_e2m1(float value, float half_scale)
{
    uint8_t best = 0;
    for (uint8_t code = 1; code < 16; code++) {
        float error = fabsf(half_scale * (float)element_e2m1_value(code) - value);
        if (error < fabsf(half_scale * (float)element_e2m1_value(best) - value)) best = code;
    }
    return best;
}

/* The exponent puts the largest magnitude between 4 and 8, of which 6 is the last that there is. */
void element_mxfp4_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    uint8_t codes[BLOCK], *bytes = block;
    float largest = fabsf(extreme_of(values));
    int exponent = 0;
    if (largest > 0 && isfinite(largest)) exponent = ilogbf(largest) - 2 + 127;
    bytes[0] = (uint8_t)(exponent > 0 ? exponent : 0);
    for (int i = 0; i < BLOCK; i++)
        codes[i] = element_nearest_e2m1(values[i], element_half_of_e8m0(bytes[0]));
    put_nibbles(codes, bytes + 1);
}
