/* The table of CUDA architectures. */
#include "ir/card.h"

enum { REGISTERS_PER_CORE = 65536 }; /* of every architecture here */

/* Shared memory in KiB; operations per clock and multiprocessor, a multiply-add being two. */
static const struct architecture {
    int sm;
    int shared_per_block, shared_per_core, threads_per_core, blocks_per_core;
    int real, half, half_half, integer, fp8;
} architectures[] = {
    {61, 48, 96, 2048, 32, 256, 0, 0, 1024, 0},
    {70, 96, 96, 2048, 32, 128, 1024, 1024, 512, 0},
    {75, 64, 64, 1024, 16, 128, 1024, 1024, 2048, 0},
    {80, 163, 164, 2048, 32, 128, 2048, 2048, 4096, 0},
    {86, 99, 100, 1536, 16, 256, 512, 1024, 2048, 0},
    {87, 163, 164, 1536, 16, 256, 1024, 1024, 2048, 0},
    {89, 99, 100, 1536, 24, 256, 512, 1024, 2048, 1024},
    {90, 227, 228, 2048, 32, 256, 4096, 4096, 8192, 8192},
    {100, 227, 228, 2048, 32, 256, 8192, 8192, 16384, 16384},
    {103, 227, 228, 2048, 32, 256, 8192, 8192, 16384, 16384},
    {120, 99, 100, 1536, 24, 256, 512, 1024, 2048, 1024},
    {121, 99, 100, 1536, 24, 256, 512, 1024, 2048, 1024},
};

static const struct architecture *find(double sm)
{
    for (size_t a = 0; a < sizeof architectures / sizeof *architectures; a++)
        if (architectures[a].sm == sm) return &architectures[a];
    return NULL;
}

static void settle(struct device_facts *facts, enum fact fact, double value)
{
    if (facts->values[fact] == 0) facts->values[fact] = value;
}

status card_complete(struct device_facts *facts, double clock_hertz, struct diagnostic *diagnostic)
{
    const struct architecture *row = find(facts->values[FACT_sm]);
    if (!row)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "sm_%.0f is no CUDA architecture that Hone knows; ir/card.c lists them",
                    facts->values[FACT_sm]);
    settle(facts, FACT_shared_bytes_per_block, row->shared_per_block * 1024.0);
    settle(facts, FACT_shared_bytes_per_core, row->shared_per_core * 1024.0);
    settle(facts, FACT_registers_per_core, REGISTERS_PER_CORE);
    settle(facts, FACT_threads_per_core, row->threads_per_core);
    settle(facts, FACT_blocks_per_core, row->blocks_per_core);
    double clocks = clock_hertz * facts->values[FACT_cores];
    settle(facts, FACT_real_rate, clocks * row->real);
    settle(facts, FACT_half_rate, clocks * row->half);
    settle(facts, FACT_half_half_rate, clocks * row->half_half);
    settle(facts, FACT_integer_rate, clocks * row->integer);
    settle(facts, FACT_fp8_rate, clocks * row->fp8);
    return STATUS_OK;
}

const char *card_class(const struct device_facts *facts, struct arena *arena)
{
    const double gibibyte = 1 << 30;
    return arena_print(arena, "sm_%.0f-%.0fc-%.0fg", facts->values[FACT_sm],
                       facts->values[FACT_cores], facts->values[FACT_memory_bytes] / gibibyte);
}
