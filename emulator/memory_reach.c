/* Accesses of lanes, in any space. */
#include "emulator/memory_reach.h"

static unsigned char *fault_bounds(struct warp *warp, const struct instruction *instruction,
                                   unsigned lane, uint64_t address, uint32_t bytes,
                                   const char *where, uint64_t have)
{
    warp_fault(warp, instruction, MACHINE_ILLEGAL_ADDRESS,
               "thread %u touches %u bytes at byte %llu of its %llu bytes of %s",
               warp->index * WARP_LANES + lane, bytes, (unsigned long long)address,
               (unsigned long long)have, where);
    return NULL;
}

static unsigned char *reach_local(struct warp *warp, const struct instruction *instruction,
                                  unsigned lane, uint64_t address, uint32_t bytes)
{
    uint64_t have = warp->block->gang->launch->module->local_bytes;
    if (bytes > have || address > have - bytes)
        return fault_bounds(warp, instruction, lane, address, bytes, "local memory", have);
    return warp->local + have * lane + address;
}

static unsigned char *reach_parameter(struct warp *warp, const struct instruction *instruction,
                                      unsigned lane, uint64_t address, uint32_t bytes)
{
    const struct launch *launch = warp->block->gang->launch;
    uint64_t have = launch->function->parameter_bytes;
    if (bytes > have || address > have - bytes)
        return fault_bounds(warp, instruction, lane, address, bytes, "parameters", have);
    /* Parameters are only read; the caller checks that. */
    return (unsigned char *)(uintptr_t)(launch->parameters + address);
}

static unsigned char *reach_shared(struct warp *warp, const struct instruction *instruction,
                                   unsigned lane, uint64_t address, uint32_t bytes, int how)
{
    uint32_t offset;
    struct block *block = shared_at(warp, instruction, lane, address, bytes, bytes, &offset);
    if (!block) return NULL;
    if ((how & REACH_READ) && !shadow_read(warp, instruction, lane, block, offset, bytes))
        return NULL;
    if ((how & REACH_WRITE) && !shadow_write(warp, instruction, lane, block, offset, bytes))
        return NULL;
    return block->shared + offset;
}

unsigned char *memory_reach(struct warp *warp, const struct instruction *instruction,
                            enum space space, unsigned lane, uint64_t address, uint32_t bytes,
                            int how)
{
    if (space == SPACE_GENERIC) {
        space = address & TAG_SHARED      ? SPACE_SHARED
                : address & TAG_LOCAL     ? SPACE_LOCAL
                : address & TAG_PARAMETER ? SPACE_PARAMETER
                                          : SPACE_GLOBAL;
        if (space != SPACE_GLOBAL) address &= ~TAG_MASK;
    }
    switch (space) {
    case SPACE_SHARED: return reach_shared(warp, instruction, lane, address, bytes, how);
    case SPACE_LOCAL: return reach_local(warp, instruction, lane, address, bytes);
    case SPACE_PARAMETER: return reach_parameter(warp, instruction, lane, address, bytes);
    default: return global_at(warp, instruction, lane, address, bytes, bytes);
    }
}

void memory_count(struct warp *warp, enum space space, const uint64_t addresses[static WARP_LANES],
                  uint32_t bytes)
{
    if (!(warp->block->gang->launch->checks & CHECK_COUNTERS)) return;
    if (space == SPACE_GENERIC) {
        uint64_t first = addresses[__builtin_ctz(warp->mask)];
        space = first & TAG_SHARED                    ? SPACE_SHARED
                : first & (TAG_LOCAL | TAG_PARAMETER) ? SPACE_LOCAL
                                                      : SPACE_GLOBAL;
    }
    if (space == SPACE_GLOBAL) count_global(warp, addresses, warp->mask, bytes);
    if (space == SPACE_SHARED) count_shared(warp, addresses, warp->mask, bytes);
}
