/* The cards that the stand-in pretends to have. */
#ifndef EMULATOR_CARDS_H
#define EMULATOR_CARDS_H

#include "base/status.h"
#include "emulator/cost.h"

enum { CARDS_MAX = 16 };

/* What an architecture's compute capability fixes (the programming guide's table, and
 * cuda_occupancy.h). */
struct architecture {
    int target;       /* 86 */
    const char *name; /* of a card that has it */
    uint32_t shared_per_multiprocessor, shared_per_block;
    uint32_t threads_per_multiprocessor, blocks_per_multiprocessor;
    uint32_t reserved_shared_per_block;
    uint32_t multiprocessors; /* of that card */
    uint32_t clock_kilohertz, memory_kilohertz, bus_bits;
    uint32_t cache_bytes;
    double memory_gigabytes_per_second;
    double matrix_operations_per_clock; /* f16 into f32, of one multiprocessor */
};

struct card {
    const struct architecture *architecture;
    uint64_t memory_bytes;
    struct cost_card cost;
};

struct cards {
    struct card cards[CARDS_MAX];
    int count;
};

/* "sm_86:24GiB,sm_89:16GiB:34"; NULL or "" is one sm_86 with 24 GiB. */
CHECKED status cards_read(const char *text, struct cards *cards, struct diagnostic *diagnostic);

/* Blocks of `threads`, `registers` each and `shared_bytes` that one multiprocessor holds. */
uint32_t card_blocks(const struct architecture *architecture, uint32_t threads, uint32_t registers,
                     uint64_t shared_bytes);

#endif
