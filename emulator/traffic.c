/* What one instruction of a warp asks of the memories: sectors of 32 bytes from global memory, and
 * the waves in which 32 banks of 4 bytes serve shared memory. */
#include "emulator/traffic.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    SECTOR_SHIFT = 5,
    LINEAR_COUNT_BITS = 1 << 20, /* of traffic_map: 1% error up to some million sectors */
    BANKS = 32,
};

_Static_assert(LINEAR_COUNT_BITS / 64 == TRAFFIC_MAP_WORDS, "the map has that many bits");

static void map_sector(struct warp *warp, uint64_t sector)
{
    uint64_t hash = sector * UINT64_C(0x9e3779b97f4a7c15); /* Fibonacci hashing */
    uint32_t bit = (uint32_t)(hash >> 44);
    _Atomic uint64_t *word = &machine_traffic_map(warp->block->gang->machine)[bit / 64];
    uint64_t mask = UINT64_C(1) << bit % 64;
    if (!(atomic_load_explicit(word, memory_order_relaxed) & mask))
        atomic_fetch_or_explicit(word, mask, memory_order_relaxed);
}

static struct access_counts *accesses_of(const struct warp *warp)
{
    return &warp->block->gang->accesses[warp->pc];
}

void count_global(struct warp *warp, const uint64_t addresses[static WARP_LANES], uint32_t mask,
                  uint32_t bytes)
{
    struct hone_emulator_counters *counters = &warp->block->gang->counters;
    uint64_t seen[WARP_LANES * 2];
    uint32_t count = 0;
    counters->global_accesses++;
    counters->global_bytes += (uint64_t)(unsigned)__builtin_popcount(mask) * bytes;
    for (uint32_t left = mask; left; left &= left - 1) {
        uint64_t address = addresses[__builtin_ctz(left)];
        uint64_t last = (address + bytes - 1) >> SECTOR_SHIFT;
        for (uint64_t sector = address >> SECTOR_SHIFT; sector <= last; sector++) {
            uint32_t at = count;
            while (at && seen[at - 1] != sector) at--; /* the latest is the likeliest */
            if (at || count == WARP_LANES * 2) continue;
            seen[count++] = sector;
            map_sector(warp, sector);
        }
    }
    counters->global_sectors += count;
    struct access_counts *own = accesses_of(warp);
    own->global_sectors += count;
    own->global_bytes += (uint64_t)(unsigned)__builtin_popcount(mask) * bytes;
}

void count_range(struct warp *warp, uint64_t address, uint64_t bytes)
{
    struct hone_emulator_counters *counters = &warp->block->gang->counters;
    if (!bytes || !(warp->block->gang->launch->checks & CHECK_COUNTERS)) return;
    uint64_t first = address >> SECTOR_SHIFT, last = (address + bytes - 1) >> SECTOR_SHIFT;
    counters->global_bytes += bytes;
    counters->global_sectors += last - first + 1;
    accesses_of(warp)->global_bytes += bytes;
    accesses_of(warp)->global_sectors += last - first + 1;
    for (uint64_t sector = first; sector <= last; sector++) map_sector(warp, sector);
}

double traffic_unique_sectors(const _Atomic uint64_t *map)
{
    uint64_t set = 0;
    for (size_t i = 0; i < TRAFFIC_MAP_WORDS; i++)
        set += (uint64_t)__builtin_popcountll(atomic_load_explicit(&map[i], memory_order_relaxed));
    double clear = (double)LINEAR_COUNT_BITS - (double)set;
    if (clear < 1) clear = 1;
    return -(double)LINEAR_COUNT_BITS * log(clear / (double)LINEAR_COUNT_BITS);
}

/* Waves for the lanes [first, end) that go together. */
static uint32_t bank_waves(const uint64_t addresses[static WARP_LANES], uint32_t mask,
                           unsigned first, unsigned end, uint32_t bytes)
{
    uint32_t words[BANKS][WARP_LANES], counts[BANKS] = {0}, most = 0;
    for (unsigned lane = first; lane < end; lane++) {
        if (!(mask >> lane & 1)) continue;
        uint32_t last = (uint32_t)(addresses[lane] + bytes - 1) / 4;
        for (uint32_t word = (uint32_t)addresses[lane] / 4; word <= last; word++) {
            uint32_t bank = word % BANKS, i = 0;
            while (i < counts[bank] && words[bank][i] != word) i++;
            if (i < counts[bank] || i == WARP_LANES) continue;
            words[bank][counts[bank]++] = word;
            if (counts[bank] > most) most = counts[bank];
        }
    }
    return most;
}

void count_shared(struct warp *warp, const uint64_t addresses[static WARP_LANES], uint32_t mask,
                  uint32_t bytes)
{
    struct hone_emulator_counters *counters = &warp->block->gang->counters;
    /* 128 bytes go at a time: half the lanes for 8 bytes each, a quarter for 16. */
    unsigned together = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
    uint32_t waves = 0, phases = 0;
    for (unsigned first = 0; first < WARP_LANES; first += together) {
        uint32_t most = bank_waves(addresses, mask, first, first + together, bytes);
        waves += most;
        phases += most > 0;
    }
    counters->shared_accesses += phases;
    counters->shared_waves += waves;
    accesses_of(warp)->shared_accesses += phases;
    accesses_of(warp)->shared_waves += waves;
}

/* Waves and sectors that the instruction's accesses could have done without. */
static uint64_t lost(const struct access_counts *counts)
{
    uint64_t needed = (counts->global_bytes + (1 << SECTOR_SHIFT) - 1) >> SECTOR_SHIFT;
    uint64_t sectors = counts->global_sectors > needed ? counts->global_sectors - needed : 0;
    return sectors + counts->shared_waves - counts->shared_accesses;
}

void traffic_worst(const struct module *module, const struct access_counts *accesses,
                   struct hone_emulator_counters *counters)
{
    uint32_t worst[EMULATOR_LINES], count = 0;
    for (uint32_t pc = 0; pc < module->code_count; pc++) {
        uint32_t at = count;
        if (!lost(&accesses[pc])) continue;
        while (at && lost(&accesses[pc]) > lost(&accesses[worst[at - 1]])) at--;
        if (at == EMULATOR_LINES) continue;
        if (count < EMULATOR_LINES) count++;
        memmove(&worst[at + 1], &worst[at], (count - 1 - at) * sizeof *worst);
        worst[at] = pc;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct access_counts *from = &accesses[worst[i]];
        struct hone_emulator_line *line = &counters->lines[i];
        char text[128];
        line->line = module->code[worst[i]].line;
        snprintf(line->text, sizeof line->text, "%.*s", (int)sizeof line->text - 1,
                 module_line(module, line->line, text));
        line->shared_accesses = from->shared_accesses;
        line->shared_waves = from->shared_waves;
        line->global_bytes = from->global_bytes;
        line->global_sectors = from->global_sectors;
    }
    counters->line_count = count;
}
