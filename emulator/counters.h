/* What a launch is counted as: figures that do not depend on the host. */
#ifndef EMULATOR_COUNTERS_H
#define EMULATOR_COUNTERS_H

#include <stdint.h>

enum { EMULATOR_LINES = 8, EMULATOR_LINE_BYTES = 100 };

/* One instruction, and what its accesses to memory cost. */
struct hone_emulator_line {
    uint32_t line;                          /* of the PTX */
    char text[EMULATOR_LINE_BYTES];         /* as far as it fits */
    uint64_t shared_accesses, shared_waves; /* as below */
    uint64_t global_bytes, global_sectors;
};

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
    uint64_t matrix_work; /* the same as those of f16 into f32 that would take as long */
    uint64_t barriers;
    double seconds;                   /* modelled */
    char fault[EMULATOR_FAULT_BYTES]; /* why it failed; the counts then end there */
    /* Those that lose most to bank conflicts and to sectors that are not used, the worst first. */
    struct hone_emulator_line lines[EMULATOR_LINES];
    uint32_t line_count;
};

#endif
