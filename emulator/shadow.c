/* What is known of shared memory: which bytes were written, and which warp touched a word last.
 *
 * Happens-before is kept as vector clocks: each warp counts its own time and knows how far it has
 * seen every other warp of its block (barriers, transaction barriers).  Two accesses to a word race
 * when one of them writes and neither warp has seen the other's.  A word remembers its last writer
 * and its last reader; accesses of less than a word race only where their bytes meet. */
#include "emulator/warp.h"

#include <string.h>

/* A shadow word: clock (19 bits), written by an asynchronous copy (1), atomic (1), in flight (1),
 * bytes of the word (4), warp (5) + 1. */
enum {
    WARP_BITS = 6,
    BYTES_SHIFT = WARP_BITS,
    FLIGHT = 1 << 10,
    ATOMIC = 1 << 11,
    COPIED = 1 << 12,
    CLOCK_SHIFT = 13,
    CLOCK_MAX = (1 << 19) - 1,
};

static uint32_t shadow_entry(uint32_t warp, uint32_t clock, uint32_t bytes, uint32_t flags)
{
    if (clock > CLOCK_MAX) clock = CLOCK_MAX;
    return (warp + 1) | bytes << BYTES_SHIFT | clock << CLOCK_SHIFT | flags;
}

static uint32_t entry_warp(uint32_t entry)
{
    return (entry & ((1u << WARP_BITS) - 1)) - 1;
}

static bool entry_is_seen(const struct warp *warp, uint32_t entry)
{
    return entry_warp(entry) == warp->index ||
           entry >> CLOCK_SHIFT <= warp->clock[entry_warp(entry)];
}

void shadow_reset(struct block *block)
{
    size_t words = (block->shared_bytes + 3u) / 4u;
    memset(block->shadow, 0, words * sizeof *block->shadow);
    memset(block->initialised, 0, words);
    for (uint32_t w = 0; w < block->warp_count; w++) {
        memset(block->warps[w].clock, 0, sizeof block->warps[w].clock);
        memset(block->warps[w].fenced, 0, sizeof block->warps[w].fenced);
        block->warps[w].clock[w] = 1;
    }
}

/* Bytes of word `word` that [offset, offset + bytes) covers. */
static uint32_t covered(uint32_t word, uint32_t offset, uint32_t bytes)
{
    uint32_t begin = word * 4 > offset ? 0 : offset - word * 4;
    uint32_t end = offset + bytes - word * 4;
    if (end > 4) end = 4;
    return ((1u << end) - 1) & ~((1u << begin) - 1);
}

static bool fault_race(struct warp *warp, const struct instruction *instruction, unsigned lane,
                       uint32_t offset, const char *now, const char *then, uint32_t entry)
{
    warp_fault(warp, instruction, MACHINE_HAZARD,
               "race: thread %u %s shared byte %u, which warp %u %s, with no barrier between them",
               warp->index * WARP_LANES + lane, now, offset, entry_warp(entry), then);
    return false;
}

static bool fault_unwritten(struct warp *warp, const struct instruction *instruction, unsigned lane,
                            uint32_t offset, uint32_t entry)
{
    warp_fault(warp, instruction, MACHINE_HAZARD,
               entry & FLIGHT ? "thread %u uses shared byte %u before the copy to it was waited for"
                              : "thread %u reads shared byte %u, which nobody has written",
               warp->index * WARP_LANES + lane, offset);
    return false;
}

static bool races(const struct warp *warp, uint32_t entry, uint32_t bytes, bool ordered)
{
    if (!entry || !(entry >> BYTES_SHIFT & bytes) || entry_is_seen(warp, entry)) return false;
    return !(ordered && entry & ATOMIC);
}

bool shadow_read(struct warp *warp, const struct instruction *instruction, unsigned lane,
                 struct block *block, uint32_t offset, uint32_t bytes)
{
    unsigned checks = block->gang->launch->checks;
    bool remote = block != warp->block, ordered = instruction->flags & FLAG_VOLATILE;
    uint32_t clock = warp->clock[warp->index];
    for (uint32_t word = offset / 4; word * 4 < offset + bytes; word++) {
        struct shadow *shadow = &block->shadow[word];
        uint32_t mask = covered(word, offset, bytes);
        if ((checks & CHECK_INITIALISED) && (mask & ~block->initialised[word]))
            return fault_unwritten(warp, instruction, lane, word * 4, shadow->written);
        if (!(checks & CHECK_RACES) || remote) continue;
        if (races(warp, shadow->written, mask, ordered))
            return fault_race(warp, instruction, lane, word * 4, "reads", "wrote", shadow->written);
        shadow->read = shadow_entry(warp->index, clock, mask, ordered ? ATOMIC : 0);
    }
    return true;
}

bool shadow_write(struct warp *warp, const struct instruction *instruction, unsigned lane,
                  struct block *block, uint32_t offset, uint32_t bytes)
{
    unsigned checks = block->gang->launch->checks;
    bool remote = block != warp->block, ordered = instruction->flags & FLAG_VOLATILE;
    uint32_t clock = warp->clock[warp->index];
    for (uint32_t word = offset / 4; word * 4 < offset + bytes; word++) {
        struct shadow *shadow = &block->shadow[word];
        uint32_t mask = covered(word, offset, bytes);
        if ((checks & CHECK_INITIALISED) && (shadow->written & FLIGHT))
            return fault_unwritten(warp, instruction, lane, word * 4, shadow->written);
        block->initialised[word] |= (unsigned char)mask;
        if (!(checks & CHECK_RACES) || remote) continue;
        if (races(warp, shadow->written, mask, ordered))
            return fault_race(warp, instruction, lane, word * 4, "writes", "wrote",
                              shadow->written);
        if (races(warp, shadow->read, mask, ordered))
            return fault_race(warp, instruction, lane, word * 4, "writes", "read", shadow->read);
        uint32_t same = shadow_entry(warp->index, clock, 0, ordered ? ATOMIC : 0);
        uint32_t kept = shadow->written & ~(uint32_t)(15 << BYTES_SHIFT);
        uint32_t before = kept == same ? shadow->written >> BYTES_SHIFT & 15 : 0;
        shadow->written = same | (mask | before) << BYTES_SHIFT;
    }
    return true;
}

bool shadow_expect(struct warp *warp, const struct instruction *instruction, unsigned lane,
                   struct block *block, uint32_t offset, uint32_t bytes)
{
    unsigned checks = block->gang->launch->checks;
    for (uint32_t word = offset / 4; word * 4 < offset + bytes; word++) {
        struct shadow *shadow = &block->shadow[word];
        uint32_t mask = covered(word, offset, bytes);
        if ((checks & CHECK_RACES) && block == warp->block) {
            if (races(warp, shadow->written, mask, false))
                return fault_race(warp, instruction, lane, word * 4, "copies to", "wrote",
                                  shadow->written);
            if (races(warp, shadow->read, mask, false))
                return fault_race(warp, instruction, lane, word * 4, "copies to", "read",
                                  shadow->read);
        }
        block->initialised[word] &= (unsigned char)~mask;
        shadow->written = shadow_entry(warp->index, warp->clock[warp->index], mask, FLIGHT);
    }
    return true;
}

void shadow_arrive(struct block *block, uint32_t offset, uint32_t bytes, uint32_t warp,
                   uint32_t clock, bool bulk)
{
    for (uint32_t word = offset / 4; word * 4 < offset + bytes; word++) {
        uint32_t mask = covered(word, offset, bytes);
        block->initialised[word] |= (unsigned char)mask;
        block->shadow[word].written =
            warp == SHADOW_NOBODY ? 0 : shadow_entry(warp, clock, mask, bulk ? COPIED : 0);
        block->shadow[word].read = 0;
    }
}

static bool fault_unfenced(struct warp *warp, const struct instruction *instruction,
                           uint32_t offset, uint32_t writer)
{
    warp_fault(warp, instruction, MACHINE_HAZARD,
               "shared byte %u, which warp %u wrote with an ordinary store, is read "
               "asynchronously without a fence.proxy.async in between",
               offset, writer);
    return false;
}

bool shadow_read_async(struct warp *warp, const struct instruction *instruction, uint32_t offset,
                       uint32_t bytes)
{
    struct block *block = warp->block;
    unsigned lane = (unsigned)__builtin_ctz(warp->mask);
    if (!shadow_read(warp, instruction, lane, block, offset, bytes)) return false;
    if (!(block->gang->launch->checks & CHECK_RACES)) return true;
    for (uint32_t word = offset / 4; word * 4 < offset + bytes; word++) {
        uint32_t entry = block->shadow[word].written, writer = entry_warp(entry);
        if (!entry || entry & COPIED) continue;
        const uint32_t *own = block->warps[writer].fenced;
        uint32_t clock = entry >> CLOCK_SHIFT;
        if (clock > own[writer] && clock > warp->fenced[writer])
            return fault_unfenced(warp, instruction, word * 4, writer);
    }
    return true;
}

void shadow_fence(struct warp *warp)
{
    memcpy(warp->fenced, warp->clock, sizeof warp->fenced);
    warp->clock[warp->index]++;
}

void shadow_join(struct block *block, uint32_t warps)
{
    uint32_t all[BLOCK_WARPS_MAX] = {0};
    for (uint32_t w = 0; w < block->warp_count; w++)
        if (warps >> w & 1) shadow_release(&block->warps[w], all);
    for (uint32_t w = 0; w < block->warp_count; w++)
        if (warps >> w & 1) shadow_acquire(&block->warps[w], all);
}

void shadow_release(struct warp *warp, uint32_t *clock)
{
    for (uint32_t w = 0; w < BLOCK_WARPS_MAX; w++)
        if (warp->clock[w] > clock[w]) clock[w] = warp->clock[w];
    warp->clock[warp->index]++;
}

void shadow_acquire(struct warp *warp, const uint32_t *clock)
{
    for (uint32_t w = 0; w < BLOCK_WARPS_MAX; w++)
        if (clock[w] > warp->clock[w]) warp->clock[w] = clock[w];
}
