/* Encoding of blocks of 256: each group of 16 or 32 is fitted by itself, the groups' scales (and
 * minima) are then fitted with whole numbers, and the codes made with what those stand for. */
#include "ir/element_decode_super.h"
#include "ir/element_encode.h"
#include "ir/element_fit.h"

#include <math.h>

enum { SUPER = 256, GROUPS_MAX = 16 };

/* The groups of a block while it is made. */
struct super {
    const float *values, *importance;
    int group_count, group_size;
    float mean_square;
    float weights[ELEMENT_FIT_MAX];  /* of the group at hand */
    float group_weights[GROUPS_MAX]; /* their sums */
    float scales[GROUPS_MAX], minima[GROUPS_MAX];
    uint8_t codes[SUPER];
};

static void super_begin(struct super *super, const float *values, const float *importance,
                        int group_size)
{
    super->values = values;
    super->importance = importance;
    super->group_size = group_size;
    super->group_count = SUPER / group_size;
    super->mean_square = 0;
    for (int i = 0; i < SUPER; i++) super->mean_square += values[i] * values[i] / SUPER;
}

/* What an error costs when nothing is known of the activations. */
enum plain_weight {
    WEIGHT_SQUARE,  /* the number's square */
    WEIGHT_PLATEAU, /* its magnitude, and as much for all: zeros count too */
};

static void weigh_plainly(struct super *super, const float *x, enum plain_weight kind)
{
    float mean = 0;
    for (int i = 0; i < super->group_size; i++) mean += x[i] * x[i] / (float)super->group_size;
    for (int i = 0; i < super->group_size; i++)
        super->weights[i] = kind == WEIGHT_SQUARE ? x[i] * x[i] : sqrtf(mean) + fabsf(x[i]);
}

/* Weights for the group at hand; importance that is all zero says nothing. */
static struct element_fit group_fit(struct super *super, int group, enum plain_weight kind)
{
    const float *x = super->values + group * super->group_size;
    float sum = 0;
    for (int i = 0; super->importance && i < super->group_size; i++) {
        float importance = super->importance[group * super->group_size + i];
        super->weights[i] = importance * sqrtf(super->mean_square + x[i] * x[i]);
        sum += super->weights[i];
    }
    if (!(sum > 0)) weigh_plainly(super, x, kind);
    super->group_weights[group] = 0;
    for (int i = 0; i < super->group_size; i++) super->group_weights[group] += super->weights[i];
    return (struct element_fit){x, super->weights, super->group_size};
}

/* ---- Scales of the groups ---- */

/* `numbers` of the groups as unit * whole number: returns the unit. */
static float fit_unit(const struct super *super, const float *numbers,
                      const struct element_codes *codes)
{
    struct element_fit fit = {numbers, super->group_weights, super->group_count};
    return element_fit_scale(&fit, codes);
}

/* The unit as f16 to `to`, and the whole numbers plus `offset`; `numbers` become what is stored. */
static void store_numbers(struct super *super, float *numbers, const struct element_codes *codes,
                          int offset, uint8_t *to, uint8_t *whole)
{
    float unit = element_put_f16(fit_unit(super, numbers, codes), to);
    element_round(numbers, super->group_count,
                  &(struct element_rounding){unit, 0, codes->low, codes->high, offset}, whole);
    for (int g = 0; g < super->group_count; g++) numbers[g] = unit * (float)(whole[g] - offset);
}

/* Codes of all groups with the scales and minima that are stored. */
static void round_groups(struct super *super, int low, int high, int offset)
{
    for (int g = 0; g < super->group_count; g++) {
        struct element_rounding rounding = {super->scales[g], -super->minima[g], low, high, offset};
        int first = g * super->group_size;
        element_round(super->values + first, super->group_size, &rounding, super->codes + first);
    }
}

/* ---- Packing ---- */

/* The inverse of element_plane_code: `width` bits of each code, from bit `shift` on. */
static void put_plane(const uint8_t *codes, int shift, int width, uint8_t *plane)
{
    int per_byte = 8 / width;
    memset(plane, 0, (size_t)(SUPER / per_byte));
    for (int i = 0; i < SUPER; i++) {
        int part = i / 32, bits = codes[i] >> shift & ((1 << width) - 1);
        plane[part / per_byte * 32 + i % 32] |= (uint8_t)(bits << part % per_byte * width);
    }
}

/* The inverse of element_q4_K_scale. */
static void put_q4_K_scales(const uint8_t *scales, const uint8_t *minima, uint8_t *to)
{
    for (int g = 0; g < 4; g++) {
        to[g] = (uint8_t)(scales[g] | scales[g + 4] >> 4 << 6);
        to[4 + g] = (uint8_t)(minima[g] | minima[g + 4] >> 4 << 6);
        to[8 + g] = (uint8_t)((scales[g + 4] & 15) | (minima[g + 4] & 15) << 4);
    }
}

/* The inverse of element_q3_K_scale, for scales plus 32. */
static void put_q3_K_scales(const uint8_t *scales, uint8_t *to)
{
    memset(to, 0, 12);
    for (int g = 0; g < GROUPS_MAX; g++) {
        to[g % 8] |= (uint8_t)((scales[g] & 15) << g / 8 * 4);
        to[8 + g % 4] |= (uint8_t)(scales[g] >> 4 << g / 4 * 2);
    }
}

/* ---- Types with minima ---- */

/* Minima are subtracted, so they are kept as what is subtracted. */
static void fit_affine_groups(struct super *super, int most)
{
    for (int g = 0; g < super->group_count; g++) {
        struct element_fit fit = group_fit(super, g, WEIGHT_PLATEAU);
        super->scales[g] = element_fit_affine(&fit, most, &super->minima[g]);
        super->minima[g] = -super->minima[g];
    }
}

void element_q2_K_encode(const float *values, const float *importance, void *block)
{
    static const struct element_codes whole = {0, 15, 15};
    struct super super;
    uint8_t *bytes = block, scales[GROUPS_MAX], minima[GROUPS_MAX];
    super_begin(&super, values, importance, 16);
    fit_affine_groups(&super, 3);
    store_numbers(&super, super.scales, &whole, 0, bytes + 80, scales);
    store_numbers(&super, super.minima, &whole, 0, bytes + 82, minima);
    round_groups(&super, 0, 3, 0);
    for (int g = 0; g < GROUPS_MAX; g++) bytes[g] = (uint8_t)(scales[g] | minima[g] << 4);
    put_plane(super.codes, 0, 2, bytes + 16);
}

/* What q4_K and q5_K share: units, scales, and codes up to `most`. */
static void encode_q4_K(struct super *super, int most, uint8_t *bytes)
{
    static const struct element_codes whole = {0, 63, 63};
    uint8_t scales[GROUPS_MAX], minima[GROUPS_MAX];
    fit_affine_groups(super, most);
    store_numbers(super, super->scales, &whole, 0, bytes, scales);
    store_numbers(super, super->minima, &whole, 0, bytes + 2, minima);
    round_groups(super, 0, most, 0);
    put_q4_K_scales(scales, minima, bytes + 4);
}

void element_q4_K_encode(const float *values, const float *importance, void *block)
{
    struct super super;
    super_begin(&super, values, importance, 32);
    encode_q4_K(&super, 15, block);
    put_plane(super.codes, 0, 4, (uint8_t *)block + 16);
}

void element_q5_K_encode(const float *values, const float *importance, void *block)
{
    struct super super;
    super_begin(&super, values, importance, 32);
    encode_q4_K(&super, 31, block);
    put_plane(super.codes, 4, 1, (uint8_t *)block + 16);
    put_plane(super.codes, 0, 4, (uint8_t *)block + 48);
}

/* ---- Types around zero ---- */

static void fit_symmetric_groups(struct super *super, int half)
{
    const struct element_codes codes = {-half, half - 1, -half};
    for (int g = 0; g < super->group_count; g++) {
        struct element_fit fit = group_fit(super, g, WEIGHT_SQUARE);
        super->scales[g] = element_fit_scale(&fit, &codes);
        super->minima[g] = 0;
    }
}

void element_q3_K_encode(const float *values, const float *importance, void *block)
{
    static const struct element_codes whole = {-32, 31, -32};
    struct super super;
    uint8_t *bytes = block, scales[GROUPS_MAX];
    super_begin(&super, values, importance, 16);
    fit_symmetric_groups(&super, 4);
    store_numbers(&super, super.scales, &whole, 32, bytes + 108, scales);
    round_groups(&super, -4, 3, 4);
    put_plane(super.codes, 2, 1, bytes);
    put_plane(super.codes, 0, 2, bytes + 32);
    put_q3_K_scales(scales, bytes + 96);
}

/* Nibbles of 64 neighbours share a place in 64 bytes. */
static void put_q6_K_nibbles(const uint8_t *codes, uint8_t *to)
{
    for (int i = 0; i < SUPER / 2; i++) {
        const uint8_t *low = codes + i / 64 * 128 + i % 64;
        to[i] = (uint8_t)((low[0] & 15) | (low[64] & 15) << 4);
    }
}

void element_q6_K_encode(const float *values, const float *importance, void *block)
{
    static const struct element_codes whole = {-128, 127, -128};
    struct super super;
    uint8_t *bytes = block, scales[GROUPS_MAX];
    super_begin(&super, values, importance, 16);
    fit_symmetric_groups(&super, 32);
    store_numbers(&super, super.scales, &whole, 128, bytes + 208, scales);
    round_groups(&super, -32, 31, 32);
    put_q6_K_nibbles(super.codes, bytes);
    put_plane(super.codes, 4, 2, bytes + 128);
    for (int g = 0; g < GROUPS_MAX; g++) bytes[192 + g] = (uint8_t)(scales[g] - 128);
}

void element_iq4_xs_encode(const float *values, const float *importance, void *block)
{
    static const struct element_codes whole = {-32, 31, -32};
    struct super super;
    uint8_t *bytes = block, scales[GROUPS_MAX];
    uint16_t upper = 0;
    super_begin(&super, values, importance, 32);
    for (int g = 0; g < super.group_count; g++) {
        struct element_fit fit = group_fit(&super, g, WEIGHT_SQUARE);
        super.scales[g] = element_fit_iq4(&fit);
    }
    store_numbers(&super, super.scales, &whole, 32, bytes, scales);
    for (int g = 0; g < super.group_count; g++) {
        uint8_t *codes = super.codes + 32 * g, *pairs = bytes + 8 + 16 * g;
        element_round_iq4(values + 32 * g, 32, super.scales[g], codes);
        for (int i = 0; i < 16; i++) pairs[i] = (uint8_t)(codes[i] | codes[16 + i] << 4);
        upper = (uint16_t)(upper | scales[g] >> 4 << 2 * g);
    }
    for (int i = 0; i < 4; i++)
        bytes[4 + i] = (uint8_t)((scales[2 * i] & 15) | (scales[2 * i + 1] & 15) << 4);
    memcpy(bytes + 2, &upper, sizeof upper);
}
