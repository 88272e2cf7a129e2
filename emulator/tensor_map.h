/* What cuTensorMapEncodeTiled writes into the 128 bytes of a CUtensorMap, for this driver's own
 * kernels; a card's format is not public. */
#ifndef EMULATOR_TENSOR_MAP_H
#define EMULATOR_TENSOR_MAP_H

#include "emulator/warp.h"

#define TENSOR_MAP_MAGIC UINT64_C(0x70616d726f736e65)

struct tensor_map {
    uint64_t magic, address;
    uint64_t strides[TENSOR_DIMENSIONS_MAX]; /* in bytes, of dimension 1 and on; [0] is not used */
    uint64_t sizes[TENSOR_DIMENSIONS_MAX];   /* of the tensor, innermost first; 1 beyond the rank */
    uint16_t box[TENSOR_DIMENSIONS_MAX];
    uint8_t rank, element_bytes;
    uint8_t
        swizzle_bytes; /* 0, 32, 64 or 128: the width of rows whose 16-byte chunks are permuted */
    uint8_t fill_nan;  /* what lies outside of the tensor is NaN instead of zero */
};

_Static_assert(sizeof(struct tensor_map) <= 128, "it takes the place of a CUtensorMap");

/* Chunks of 16 bytes change places by the address bits above them. */
static inline uint32_t swizzled(uint32_t offset, uint32_t swizzle_bytes)
{
    uint32_t mask = swizzle_bytes ? swizzle_bytes / 16 - 1 : 0;
    return offset ^ (offset >> 7 & mask) << 4;
}

static inline uint32_t tensor_row_bytes(const struct tensor_map *map)
{
    return (uint32_t)map->box[0] * map->element_bytes;
}

static inline uint32_t tensor_rows(const struct tensor_map *map)
{
    uint32_t rows = 1;
    for (uint32_t axis = 1; axis < map->rank; axis++) rows *= map->box[axis];
    return rows;
}

/* One innermost row of a box: `bytes` at `address`, behind `lead` bytes that are outside. */
struct tensor_row {
    uint64_t address;
    uint32_t lead, bytes;
};
struct tensor_row tensor_row_at(const struct tensor_map *map, const int32_t *coordinates,
                                uint32_t index);

#endif
