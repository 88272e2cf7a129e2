/* The machine that runs a decoded module: launches, gangs of blocks that run together, blocks,
 * warps.
 *
 * A launch's blocks are shared out to host threads.  Each thread runs one gang at a time: a block,
 * the blocks of a cluster, or the whole grid of a cooperative launch.  Within a gang warps take
 * turns; within a warp the lanes at the lowest address run first, so that lanes that parted meet
 * again as early as they can. */
#ifndef EMULATOR_MACHINE_H
#define EMULATOR_MACHINE_H

#include "emulator/counters.h"
#include "emulator/ptx.h"

#include <stdatomic.h>

enum {
    WARP_LANES = 32,
    BLOCK_WARPS_MAX = 32,
    BLOCK_BARRIERS = 16,
    GANG_BLOCKS_MAX = 1024,
};

#define ALL_LANES UINT32_MAX

/* Generic addresses have a tag: pinned host memory none, the rest one bit each.  No tagged address
 * can be touched by the host, which finds memory of a card only through copies. */
#define TAG_DEVICE    (UINT64_C(1) << 56)
#define TAG_SHARED    (UINT64_C(1) << 57)
#define TAG_LOCAL     (UINT64_C(1) << 58)
#define TAG_PARAMETER (UINT64_C(1) << 59)
#define TAG_MASK      (UINT64_C(0xff) << 56)

enum { SHARED_RANK_SHIFT = 24 }; /* the block's rank within its cluster, above its own offset */

/* Checks that can be left out (HONE_EMULATOR_CHECKS). */
enum {
    CHECK_INITIALISED = 1,
    CHECK_RACES = 2,
    CHECK_COUNTERS = 4, /* bank conflicts, sectors */
    CHECK_ALL = 7,
};

/* Memory that kernels may touch, sorted by address. */
struct extent {
    uint64_t address; /* with its tag */
    uint64_t bytes;
    unsigned char *host;
};

/* Why a launch failed.  The first reason wins. */
enum machine_error {
    MACHINE_FINE,
    MACHINE_ILLEGAL_ADDRESS,
    MACHINE_MISALIGNED,
    MACHINE_ILLEGAL_INSTRUCTION,
    MACHINE_HAZARD,     /* a race, uninitialised memory, a missing wait */
    MACHINE_DIVERGENCE, /* of a barrier or a warp-wide operation */
    MACHINE_DEADLOCK,
    MACHINE_TRAP,
    MACHINE_ASSERT,
    MACHINE_RESOURCES,
};

struct machine_fault {
    enum machine_error error;
    char text[512];
};

struct launch {
    const struct module *module;
    const struct function *function;
    uint32_t grid[3], block[3], cluster[3];
    uint32_t dynamic_shared_bytes;
    bool cooperative;
    const unsigned char *parameters; /* function->parameter_bytes of them */
    const struct extent *extents;
    size_t extent_count;
    uint32_t multiprocessors;
    unsigned checks;
    int threads; /* of the host */
};

struct launch_result {
    struct machine_fault fault;
    struct hone_emulator_counters counters;
    double seconds; /* modelled (cost.h) */
};

/* Runs the launch; only lack of memory makes the call itself fail. */
struct cost_card;
CHECKED status machine_launch(const struct launch *launch, const struct cost_card *card,
                              struct launch_result *result, struct diagnostic *diagnostic);

#endif
