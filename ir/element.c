/* The table of element types, and encoding.  Block formats are quantised exactly as GGUF's
 * reference quantisers do it, so that a file written here equals one written by them, byte for
 * byte. */
#include "ir/element.h"

#include "ir/element_decode.h"

#include <math.h>

static void element_f32_encode(const float *values, void *block)
{
    memcpy(block, values, sizeof *values);
}

static void element_f16_encode(const float *values, void *block)
{
    uint16_t half = element_f16_of_float(*values);
    memcpy(block, &half, sizeof half);
}

static void element_bf16_encode(const float *values, void *block)
{
    uint16_t brain = element_bf16_of_float(*values);
    memcpy(block, &brain, sizeof brain);
}

/* Ties away from zero, as the reference quantisers round; saturates, and NaN becomes 0. */
static int8_t saturate_i8(float value)
{
    if (isnan(value)) return 0;
    return (int8_t)fminf(fmaxf(roundf(value), -128.0f), 127.0f);
}

static void element_i8_encode(const float *values, void *block)
{
    int8_t integer = saturate_i8(*values);
    memcpy(block, &integer, sizeof integer);
}

static void element_i32_encode(const float *values, void *block)
{
    int32_t integer = 0;
    if (*values >= 0x1p31f)
        integer = INT32_MAX;
    else if (*values <= -0x1p31f)
        integer = INT32_MIN;
    else if (!isnan(*values))
        integer = (int32_t)roundf(*values);
    memcpy(block, &integer, sizeof integer);
}

/* scale = largest magnitude / 127, kept as f16; the quants are made with the scale before that
 * rounding. */
static void element_q8_0_encode(const float *values, void *block)
{
    float largest = 0.0f;
    for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(values[i]));
    float scale = largest / 127.0f;
    float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    int8_t *quants = (int8_t *)block + 2;
    element_f16_encode(&scale, block);
    for (int i = 0; i < 32; i++) quants[i] = saturate_i8(values[i] * inverse);
}

/* Truncation after adding 8.5 rounds what lies in [-8, 7] to nearest; above, 15 is the last code.
 */
static unsigned q4_0_code(float scaled)
{
    if (isnan(scaled)) return 8;
    return (unsigned)fminf(fmaxf(scaled + 8.5f, 0.0f), 15.0f);
}

/* scale = the value of largest magnitude / -8: that value gets the code 0, which stands for -8. */
static void element_q4_0_encode(const float *values, void *block)
{
    float extreme = 0.0f;
    for (int i = 0; i < 32; i++)
        if (fabsf(values[i]) > fabsf(extreme)) extreme = values[i];
    float scale = extreme / -8.0f;
    float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    uint8_t *pairs = (uint8_t *)block + 2;
    element_f16_encode(&scale, block);
    for (int i = 0; i < 16; i++)
        pairs[i] =
            (uint8_t)(q4_0_code(values[i] * inverse) | q4_0_code(values[16 + i] * inverse) << 4);
}

static const struct element elements[ELEMENT_COUNT] = {
#define ELEMENT(NAME, name, block_elements, block_bytes)                                           \
    [ELEMENT_##NAME] = {#name, (block_elements), (block_bytes), element_##name##_decode,           \
                        element_##name##_encode},
#include "ir/element.def"
#undef ELEMENT
};

const struct element *element_of(enum element_type type)
{
    return &elements[type];
}

bool element_by_name(const char *name, enum element_type *type)
{
    for (int i = 0; i < ELEMENT_COUNT; i++) {
        if (strcmp(name, elements[i].name)) continue;
        *type = (enum element_type)i;
        return true;
    }
    return false;
}

int64_t element_row_bytes(enum element_type type, int64_t columns)
{
    return columns / elements[type].block_elements * elements[type].block_bytes;
}

/* A switch with a loop per type, so that the compiler inlines the decoders into their loops. */
void element_decode_row(enum element_type type, const void *row, int64_t columns, float *values)
{
    const uint8_t *bytes = row;
    switch (type) {
#define ELEMENT(NAME, name, block_elements, block_bytes)                                           \
    case ELEMENT_##NAME:                                                                           \
        for (int64_t i = 0; i < columns / (block_elements); i++)                                   \
            element_##name##_decode(bytes + i * (block_bytes), values + i * (block_elements));     \
        break;
#include "ir/element.def"
#undef ELEMENT
    case ELEMENT_COUNT: break;
    }
}

void element_encode_row(enum element_type type, const float *values, int64_t columns, void *row)
{
    uint8_t *bytes = row;
    switch (type) {
#define ELEMENT(NAME, name, block_elements, block_bytes)                                           \
    case ELEMENT_##NAME:                                                                           \
        for (int64_t i = 0; i < columns / (block_elements); i++)                                   \
            element_##name##_encode(values + i * (block_elements), bytes + i * (block_bytes));     \
        break;
#include "ir/element.def"
#undef ELEMENT
    case ELEMENT_COUNT: break;
    }
}
