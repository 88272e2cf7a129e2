/* The table of element types, and rows of them. */
#include "ir/element.h"

#include "ir/element_decode_scaled.h"
#include "ir/element_decode_super.h"
#include "ir/element_encode.h"

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
    element_encode_weighted(type, values, NULL, columns, row);
}

void element_encode_weighted(enum element_type type, const float *values, const float *importance,
                             int64_t columns, void *row)
{
    const struct element *element = &elements[type];
    uint8_t *block = row;
    for (int64_t at = 0; at < columns; at += element->block_elements) {
        element->encode(values + at, importance ? importance + at : NULL, block);
        block += element->block_bytes;
    }
}
