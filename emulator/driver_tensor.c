/* Tensor maps, for the copies of sm_90 and newer. */
#include "emulator/driver.h"
#include "emulator/tensor_map.h"

#include <string.h>

enum {
    ADDRESS_ALIGNMENT = 16,
    MAP_ALIGNMENT = 64,
    BOX_MAX = 256,
    CHUNK_BYTES = 16,
};

static const uint64_t size_most = UINT64_C(1) << 32, stride_end = UINT64_C(1) << 40;

static uint32_t bytes_of(CUtensorMapDataType type)
{
    switch (type) {
    case CU_TENSOR_MAP_DATA_TYPE_UINT8: return 1;
    case CU_TENSOR_MAP_DATA_TYPE_UINT16:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT16:
    case CU_TENSOR_MAP_DATA_TYPE_BFLOAT16: return 2;
    case CU_TENSOR_MAP_DATA_TYPE_UINT32:
    case CU_TENSOR_MAP_DATA_TYPE_INT32:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT32_FTZ:
    case CU_TENSOR_MAP_DATA_TYPE_TFLOAT32:
    case CU_TENSOR_MAP_DATA_TYPE_TFLOAT32_FTZ: return 4;
    case CU_TENSOR_MAP_DATA_TYPE_UINT64:
    case CU_TENSOR_MAP_DATA_TYPE_INT64:
    case CU_TENSOR_MAP_DATA_TYPE_FLOAT64: return 8;
    default: return 0; /* packed types of sm_100 */
    }
}

static CUresult take_swizzle(CUtensorMapSwizzle swizzle, struct tensor_map *map)
{
    uint32_t row = (uint32_t)map->box[0] * map->element_bytes;
    switch (swizzle) {
    case CU_TENSOR_MAP_SWIZZLE_NONE: return CUDA_SUCCESS;
    case CU_TENSOR_MAP_SWIZZLE_32B: map->swizzle_bytes = 32; break;
    case CU_TENSOR_MAP_SWIZZLE_64B: map->swizzle_bytes = 64; break;
    case CU_TENSOR_MAP_SWIZZLE_128B: map->swizzle_bytes = 128; break;
    default: return CUDA_ERROR_NOT_SUPPORTED;
    }
    if (row > map->swizzle_bytes) return CUDA_ERROR_INVALID_VALUE;
    /* How a card lays narrower rows is not known here. */
    return row == map->swizzle_bytes ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED;
}

static CUresult take_sizes(struct tensor_map *map, const cuuint64_t *sizes,
                           const cuuint64_t *strides, const cuuint32_t *box,
                           const cuuint32_t *steps)
{
    for (uint32_t axis = 0; axis < TENSOR_DIMENSIONS_MAX; axis++) map->sizes[axis] = 1;
    for (uint32_t axis = 0; axis < map->rank; axis++) {
        if (!sizes[axis] || sizes[axis] > size_most || !box[axis] || box[axis] > BOX_MAX)
            return CUDA_ERROR_INVALID_VALUE;
        if (steps[axis] != 1) return CUDA_ERROR_NOT_SUPPORTED;
        map->sizes[axis] = sizes[axis];
        map->box[axis] = (uint16_t)box[axis];
        if (!axis) continue;
        map->strides[axis] = strides[axis - 1];
        if (map->strides[axis] % ADDRESS_ALIGNMENT || map->strides[axis] >= stride_end)
            return CUDA_ERROR_INVALID_VALUE;
    }
    if (map->rank > 1 && map->strides[1] < map->sizes[0] * map->element_bytes)
        return CUDA_ERROR_INVALID_VALUE;
    return (uint32_t)map->box[0] * map->element_bytes % CHUNK_BYTES ? CUDA_ERROR_INVALID_VALUE
                                                                    : CUDA_SUCCESS;
}

CUresult cuTensorMapEncodeTiled(CUtensorMap *tensor_map, CUtensorMapDataType type, cuuint32_t rank,
                                void *address, const cuuint64_t *sizes, const cuuint64_t *strides,
                                const cuuint32_t *box, const cuuint32_t *steps,
                                CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill)
{
    struct tensor_map map = {.magic = TENSOR_MAP_MAGIC,
                             .address = (uint64_t)(uintptr_t)address,
                             .rank = (uint8_t)rank,
                             .element_bytes = (uint8_t)bytes_of(type),
                             .fill_nan = fill != CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE};
    CUcontext context;
    (void)promotion;
    TRY_CUDA(driver_enter(&context));
    if (driver_state.cards.cards[context->device].architecture->target < 90)
        return CUDA_ERROR_NOT_SUPPORTED;
    if (!tensor_map || (uintptr_t)tensor_map % MAP_ALIGNMENT || !sizes || !box || !steps || !rank ||
        rank > TENSOR_DIMENSIONS_MAX || (rank > 1 && !strides) || !map.address ||
        map.address % ADDRESS_ALIGNMENT)
        return CUDA_ERROR_INVALID_VALUE;
    if (!map.element_bytes || interleave != CU_TENSOR_MAP_INTERLEAVE_NONE)
        return CUDA_ERROR_NOT_SUPPORTED;
    TRY_CUDA(take_sizes(&map, sizes, strides, box, steps));
    TRY_CUDA(take_swizzle(swizzle, &map));
    memset(tensor_map, 0, sizeof *tensor_map);
    memcpy(tensor_map, &map, sizeof map);
    return CUDA_SUCCESS;
}

CUresult cuTensorMapReplaceAddress(CUtensorMap *tensor_map, void *address)
{
    struct tensor_map map;
    TRY_CUDA(driver_enter(NULL));
    if (!tensor_map || (uintptr_t)address % ADDRESS_ALIGNMENT) return CUDA_ERROR_INVALID_VALUE;
    memcpy(&map, tensor_map, sizeof map);
    if (map.magic != TENSOR_MAP_MAGIC) return CUDA_ERROR_INVALID_VALUE;
    map.address = (uint64_t)(uintptr_t)address;
    memcpy(tensor_map, &map, sizeof map);
    return CUDA_SUCCESS;
}
