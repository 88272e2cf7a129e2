/* Encoding of the blocks of ir/element_decode_scaled.h.  Files bring such blocks along; encoding serves tests and
 * synthetic models, so the scale is the one that just reaches the extremes, without a fit. */
#include "ir/element_decode_scaled.h"
#include "ir/element_encode.h"

#include <math.h>

enum { WIDE = 128, PIECE = 32, HALF = 16, HEAD_BYTES = 4, NVFP4_HEAD_BYTES = 12 };

static float largest_of(const float *values, int count)
{
    float largest = 0.0f;
    for (int i = 0; i < count; i++) largest = fmaxf(largest, fabsf(values[i]));
    return largest;
}

/* Writes the scale that takes `most` to the largest magnitude; what numbers are multiplied with to become codes. */
static float put_wide_scale(const float *values, float most, void *block)
{
    float largest = largest_of(values, WIDE);
    float scale = largest / most;
    memcpy(block, &scale, sizeof scale);
    return scale > 0.0f ? 1.0f / scale : 0.0f;
}

static void encode_wide(const float *values, float most,
                        void (*encode)(const float *, const float *, void *), void *block)
{
    uint8_t *codes = (uint8_t *)block + HEAD_BYTES;
    float inverse = put_wide_scale(values, most, block);
    for (int i = 0; i < WIDE; i++) {
        float code = values[i] * inverse;
        encode(&code, NULL, codes + i);
    }
}

void element_f8_e4m3_128_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    encode_wide(values, 448.0f, element_f8_e4m3_encode, block);
}

void element_f8_e5m2_128_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    encode_wide(values, 57344.0f, element_f8_e5m2_encode, block);
}

void element_i8_128_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    encode_wide(values, 127.0f, element_i8_encode, block);
}

static float nearest_code(float value)
{
    return fminf(fmaxf(roundf(value), 0.0f), 15.0f); /* NaN becomes 0 */
}

/* Number i of nibbles that are filled in order. */
static void put_nibble(uint8_t *pairs, int i, uint8_t code)
{
    uint8_t *pair = pairs + i / PIECE * HALF + i % HALF;
    *pair = i % PIECE < HALF ? code : (uint8_t)(*pair | code << 4);
}

/* The scale spans the numbers and zero, which has a code of its own. */
static void encode_nibbles(const float *values, int count, uint8_t *block)
{
    float low = 0.0f, high = 0.0f;
    for (int i = 0; i < count; i++) {
        low = fminf(low, values[i]);
        high = fmaxf(high, values[i]);
    }
    float scale = element_put_f16((high - low) / 15.0f, block);
    float inverse = scale > 0.0f ? 1.0f / scale : 0.0f, zero = nearest_code(-low * inverse);
    block[2] = (uint8_t)zero;
    block[3] = 0;
    for (int i = 0; i < count; i++)
        put_nibble(block + HEAD_BYTES, i, (uint8_t)nearest_code(values[i] * inverse + zero));
}

void element_i4_128_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    encode_nibbles(values, WIDE, block);
}

void element_i4_32_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    encode_nibbles(values, PIECE, block);
}

/* The block's scale takes the largest magnitude to the largest of both formats, 6 and 448. */
void element_nvfp4_128_encode(const float *values, const float *importance, void *block)
{
    (void)importance;
    uint8_t *bytes = block;
    float inverse = put_wide_scale(values, 6.0f * 448.0f, block);
    for (int group = 0; group < WIDE / HALF; group++) {
        const float *from = values + group * HALF;
        float scale = largest_of(from, HALF) * inverse / 6.0f; /* up to 448 */
        element_f8_e4m3_encode(&scale, NULL, bytes + HEAD_BYTES + group);
        float half_scale = element_nvfp4_128_group(bytes, group).scale;
        for (int i = 0; i < HALF; i++)
            put_nibble(bytes + NVFP4_HEAD_BYTES, group * HALF + i,
                       element_nearest_e2m1(from[i], half_scale));
    }
}
