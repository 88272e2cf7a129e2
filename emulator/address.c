/* From addresses to host memory, with the checks that every access goes through. */
#include "emulator/warp.h"

static const struct extent *find_extent(const struct launch *launch, uint64_t address)
{
    size_t low = 0, high = launch->extent_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (launch->extents[middle].address > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low ? &launch->extents[low - 1] : NULL;
}

static unsigned char *fault_address(struct warp *warp, const struct instruction *instruction,
                                    unsigned lane, uint64_t address, uint64_t bytes,
                                    const struct extent *extent)
{
    unsigned thread = warp->index * WARP_LANES + lane;
    if (extent && address - extent->address < extent->bytes + (64u << 20))
        warp_fault(warp, instruction, MACHINE_ILLEGAL_ADDRESS,
                   "thread %u touches %llu bytes at byte %llu of an allocation of %llu", thread,
                   (unsigned long long)bytes, (unsigned long long)(address - extent->address),
                   (unsigned long long)extent->bytes);
    else
        warp_fault(warp, instruction, MACHINE_ILLEGAL_ADDRESS,
                   "thread %u touches %llu bytes at %#llx, where nothing is allocated", thread,
                   (unsigned long long)bytes, (unsigned long long)address);
    return NULL;
}

static unsigned char *global_far(struct warp *warp, const struct instruction *instruction,
                                 unsigned lane, uint64_t address, uint64_t bytes)
{
    const struct extent *extent = find_extent(warp->block->gang->launch, address);
    if (!extent || bytes > extent->bytes || address - extent->address > extent->bytes - bytes)
        return fault_address(warp, instruction, lane, address, bytes, extent);
    warp->near = *extent;
    return extent->host + (address - extent->address);
}

unsigned char *global_at(struct warp *warp, const struct instruction *instruction, unsigned lane,
                         uint64_t address, uint64_t bytes, uint64_t alignment)
{
    if (address & (alignment - 1)) {
        warp_fault(warp, instruction, MACHINE_MISALIGNED,
                   "thread %u touches %llu bytes at %#llx, which is no multiple of %llu",
                   warp->index * WARP_LANES + lane, (unsigned long long)bytes,
                   (unsigned long long)(address & ~TAG_MASK), (unsigned long long)alignment);
        return NULL;
    }
    uint64_t offset = address - warp->near.address;
    if (offset < warp->near.bytes && bytes <= warp->near.bytes - offset)
        return warp->near.host + offset;
    return global_far(warp, instruction, lane, address, bytes);
}

struct block *shared_at(struct warp *warp, const struct instruction *instruction, unsigned lane,
                        uint64_t address, uint32_t bytes, uint32_t alignment, uint32_t *offset)
{
    const uint32_t *cluster = warp->block->gang->launch->cluster;
    uint64_t rank = address >> SHARED_RANK_SHIFT;
    *offset = (uint32_t)address & ((1u << SHARED_RANK_SHIFT) - 1);
    if (*offset & (alignment - 1)) {
        warp_fault(warp, instruction, MACHINE_MISALIGNED,
                   "thread %u touches %u shared bytes at %u, which is no multiple of %u",
                   warp->index * WARP_LANES + lane, bytes, *offset, alignment);
        return NULL;
    }
    if (rank < cluster[0] * cluster[1] * cluster[2]) {
        struct block *block = warp->block - warp->block->rank + rank;
        if (bytes <= block->shared_bytes && *offset <= block->shared_bytes - bytes) return block;
    }
    warp_fault(warp, instruction, MACHINE_ILLEGAL_ADDRESS,
               "thread %u touches %u shared bytes at %#llx; the block has %u bytes",
               warp->index * WARP_LANES + lane, bytes, (unsigned long long)address,
               warp->block->shared_bytes);
    return NULL;
}
