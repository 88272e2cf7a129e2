/* The inner loops of the probe, compiled once per instruction family (runtime/cpu_probe_loops.c). */
#ifndef RUNTIME_CPU_PROBE_LOOPS_H
#define RUNTIME_CPU_PROBE_LOOPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROBE_OPERAND_BYTES = 8192 }; /* fits every first-level cache */

struct probe_loops {
    /* XOR of `bytes` read as `streams` far-apart streams; the result only keeps the reads alive. */
    uint64_t (*read)(const uint8_t *memory, size_t bytes, int streams);
    /* `rounds` passes over the operand; returns a value that depends on all. */
    float (*real)(const float *operand, int64_t rounds);
    int32_t (*integer)(const int8_t *operand, int64_t rounds);
    /* Of bf16: tiles, loaded for every block of products as kernels do, or vectors; NULL: multiplied as f32. */
    void (*half)(const int8_t *operand, int64_t rounds);
    double real_operations, integer_operations, half_operations; /* per round */
};

/* Which instructions may be used; `vector_bytes`: 64, 32 or less. */
struct probe_families {
    int vector_bytes;
    bool vnni, avxvnni, bf16, tiles; /* vnni, bf16: of AVX-512; tiles: AMX */
};
struct probe_loops probe_loops_for(const struct probe_families *families);

#endif
