/* The inner loops of the probe, compiled once per instruction family (runtime/cpu_probe_loops.c). */
#ifndef RUNTIME_CPU_PROBE_LOOPS_H
#define RUNTIME_CPU_PROBE_LOOPS_H

#include <stddef.h>
#include <stdint.h>

enum { PROBE_OPERAND_BYTES = 8192 }; /* fits every first-level cache */

struct probe_loops {
    /* XOR of `bytes` read as `streams` far-apart streams; the result only keeps the reads alive. */
    uint64_t (*read)(const uint8_t *memory, size_t bytes, int streams);
    /* `rounds` passes over the operand; returns a value that depends on all. */
    float (*real)(const float *operand, int64_t rounds);
    int32_t (*integer)(const int8_t *operand, int64_t rounds);
    /* Tiles of bf16, loaded for every block of products as kernels do; NULL where there are none. */
    void (*half)(const int8_t *operand, int64_t rounds);
    double real_operations, integer_operations, half_operations; /* per round */
};

/* `vector_bytes` 64, 32 or less; `vnni`: AVX-512 VNNI may be used; `tiles`: AMX may. */
struct probe_loops probe_loops_for(int vector_bytes, int vnni, int avxvnni, int tiles);

#endif
