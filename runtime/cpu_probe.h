/* What the host really does: memory bandwidth and arithmetic ceilings, measured.
 *
 * The figures are rates of all threads of the pool together.  Other work on the machine lowers them, so whoever divides by
 * them samples them in the same run, next to what is divided. */
#ifndef RUNTIME_CPU_PROBE_H
#define RUNTIME_CPU_PROBE_H

#include "ir/device_facts.h"
#include "ir/numerics.h"
#include "runtime/threads.h"

struct cpu_probe;

/* Takes 256 MiB of memory for reading from; the instruction families are those of `facts`. */
CHECKED status cpu_probe_create(struct thread_pool *pool, const struct device_facts *facts,
                                struct cpu_probe **probe, struct diagnostic *diagnostic);
void cpu_probe_destroy(struct cpu_probe *probe);

/* Bytes per second: the best over 1, 2, 4 and 8 prefetched streams per thread, each read once (about 50 ms). */
double cpu_probe_read_bandwidth(struct cpu_probe *probe);
/* Bytes per second from a working set of half a second-level cache per thread. */
double cpu_probe_cache_bandwidth(struct cpu_probe *probe);
/* f32 operations per second of fused multiply-adds with one operand loaded from the first-level cache. */
double cpu_probe_real_rate(struct cpu_probe *probe);
/* 8-bit integer operations per second of the widest dot-product instruction, one operand loaded from the first-level
 * cache. */
double cpu_probe_integer_rate(struct cpu_probe *probe);
/* bf16 operations per second on tiles, which are loaded from the first-level cache as kernels load them, or else on vectors;
 * those of f32 where no instruction multiplies halves. */
double cpu_probe_half_rate(struct cpu_probe *probe);
/* The rate of the family that a kernel of these numerics multiplies with (ir/ceiling.h). */
double cpu_probe_rate(struct cpu_probe *probe, const struct numerics *numerics);
/* Seconds of an empty run of the pool with one barrier. */
double cpu_probe_launch_seconds(struct cpu_probe *probe);

/* Fills the measured facts; under two seconds. */
CHECKED status cpu_probe_facts(struct thread_pool *pool, struct device_facts *facts,
                               struct diagnostic *diagnostic);

#endif
