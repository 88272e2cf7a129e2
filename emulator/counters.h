/* What a launch is counted as: figures that do not depend on the host. */
#ifndef EMULATOR_COUNTERS_H
#define EMULATOR_COUNTERS_H

#include <stdint.h>

enum { EMULATOR_CATEGORIES = 17, EMULATOR_NAME_BYTES = 128, EMULATOR_FAULT_BYTES = 512 };

struct hone_emulator_counters {
    char kernel[EMULATOR_NAME_BYTES];
    uint32_t grid[3], block[3], shared_bytes;
    uint64_t instructions[EMULATOR_CATEGORIES]; /* of warps; names: hone_emulator_category */
    uint64_t lanes;                             /* of all instructions: 32 * instructions at best */
    uint64_t global_accesses;                   /* instructions */
    uint64_t global_bytes;                      /* that lanes asked for */
    uint64_t global_sectors;                    /* of 32 bytes, per instruction */
    uint64_t unique_sectors;                    /* of the whole launch; an estimate within 1% */
    uint64_t shared_accesses, shared_waves;     /* equal without bank conflicts */
    uint64_t matrix_operations;                 /* multiplications and additions of mma and wgmma */
    uint64_t barriers;
    double seconds;                   /* modelled */
    char fault[EMULATOR_FAULT_BYTES]; /* why it failed; the counts then end there */
};

#endif
