/* Timing of the probe's loops over all threads of a pool. */
#include "runtime/cpu_probe.h"

#include "base/clock.h"
#include "base/memory.h"
#include "ir/ceiling.h"
#include "runtime/cpu_probe_loops.h"

#include <stdatomic.h>
#include <string.h>

/* Large against every last-level cache that desktops and small servers have, small enough to be
 * had. */
static const size_t MEMORY_BYTES = (size_t)256 << 20;
static const size_t CACHE_BYTES_DEFAULT = (size_t)512 << 10;
/* Many short samples, of which the best counts: other work on the machine makes samples slower,
 * never faster. */
enum {
    CACHE_PASSES = 50,
    ARITHMETIC_ROUNDS = 40000,
    EMPTY_RUNS = 40,
    ATTEMPTS = 12,
    EMPTY_ATTEMPTS = 50
};

struct cpu_probe {
    struct arena *arena;
    struct thread_pool *pool;
    struct probe_loops loops;
    uint8_t *memory;
    size_t cache_bytes; /* working set per thread of the cache measurement */
    int streams;
    atomic_ullong sink; /* keeps results alive */
};

status cpu_probe_create(struct thread_pool *pool, const struct device_facts *facts,
                        struct cpu_probe **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct cpu_probe *probe = arena_allocate(arena, 1, sizeof *probe);
    void *memory = NULL;
    status code = probe ? memory_map(MEMORY_BYTES, &memory, diagnostic)
                        : fail_memory(diagnostic, sizeof *probe);
    if (code != STATUS_OK) {
        arena_destroy(arena);
        return code;
    }
    memset(memory, 1, MEMORY_BYTES); /* untouched pages would all be the one page of zeros */
    const double *values = facts->values;
    probe->arena = arena;
    probe->pool = pool;
    probe->memory = memory;
    probe->cache_bytes =
        values[FACT_l2_bytes] > 0 ? (size_t)values[FACT_l2_bytes] / 2 : CACHE_BYTES_DEFAULT;
    const struct probe_families families = {.vector_bytes = (int)values[FACT_vector_bytes],
                                            .vnni = values[FACT_has_vnni] > 0,
                                            .avxvnni = values[FACT_has_avxvnni] > 0,
                                            .bf16 = values[FACT_has_bf16] > 0,
                                            .tiles = values[FACT_has_amx] > 0};
    probe->loops = probe_loops_for(&families);
    *result = probe;
    return STATUS_OK;
}

void cpu_probe_destroy(struct cpu_probe *probe)
{
    if (!probe) return;
    memory_unmap(probe->memory, MEMORY_BYTES);
    arena_destroy(probe->arena);
}

static double timed(struct cpu_probe *probe, void (*work)(void *context, int thread))
{
    double start = clock_seconds();
    thread_pool_run(probe->pool, work, probe);
    return clock_seconds() - start;
}

static double best_of(struct cpu_probe *probe, void (*work)(void *context, int thread))
{
    double best = timed(probe, work);
    for (int attempt = 1; attempt < ATTEMPTS; attempt++) {
        double seconds = timed(probe, work);
        if (seconds < best) best = seconds;
    }
    return best;
}

static void read_share(void *context, int thread)
{
    struct cpu_probe *probe = context;
    int64_t begin, end;
    thread_share((int64_t)MEMORY_BYTES, MEMORY_ALIGNMENT_BYTES, thread,
                 thread_pool_size(probe->pool), &begin, &end);
    /* The last prefetches would reach beyond the memory; they are hints and fault nothing. */
    probe->sink += probe->loops.read(probe->memory + begin, (size_t)(end - begin), probe->streams);
}

double cpu_probe_read_bandwidth(struct cpu_probe *probe)
{
    double best = 0;
    for (probe->streams = 1; probe->streams <= 8; probe->streams *= 2) {
        double rate = (double)MEMORY_BYTES / timed(probe, read_share);
        if (rate > best) best = rate;
    }
    return best;
}

static void read_cached(void *context, int thread)
{
    struct cpu_probe *probe = context;
    const uint8_t *set = probe->memory + (size_t)thread * probe->cache_bytes;
    for (int pass = 0; pass < CACHE_PASSES; pass++)
        probe->sink += probe->loops.read(set, probe->cache_bytes, 1);
}

double cpu_probe_cache_bandwidth(struct cpu_probe *probe)
{
    double bytes = (double)probe->cache_bytes * CACHE_PASSES * thread_pool_size(probe->pool);
    return bytes / best_of(probe, read_cached);
}

static void multiply_real(void *context, int thread)
{
    struct cpu_probe *probe = context;
    _Alignas(64) float operand[PROBE_OPERAND_BYTES / sizeof(float)] = {0};
    operand[thread] = 1;
    probe->sink += (unsigned long long)probe->loops.real(operand, ARITHMETIC_ROUNDS);
}

double cpu_probe_real_rate(struct cpu_probe *probe)
{
    double operations =
        probe->loops.real_operations * ARITHMETIC_ROUNDS * thread_pool_size(probe->pool);
    return operations / best_of(probe, multiply_real);
}

static void multiply_integers(void *context, int thread)
{
    struct cpu_probe *probe = context;
    _Alignas(64) int8_t operand[PROBE_OPERAND_BYTES] = {0};
    operand[thread] = 1;
    probe->sink += (unsigned long long)probe->loops.integer(operand, ARITHMETIC_ROUNDS);
}

double cpu_probe_integer_rate(struct cpu_probe *probe)
{
    double operations =
        probe->loops.integer_operations * ARITHMETIC_ROUNDS * thread_pool_size(probe->pool);
    return operations / best_of(probe, multiply_integers);
}

static void multiply_halves(void *context, int thread)
{
    struct cpu_probe *probe = context;
    _Alignas(64) int8_t operand[PROBE_OPERAND_BYTES] = {0};
    operand[thread] = 1;
    probe->loops.half(operand, ARITHMETIC_ROUNDS);
}

double cpu_probe_half_rate(struct cpu_probe *probe)
{
    if (!probe->loops.half) return cpu_probe_real_rate(probe);
    double operations =
        probe->loops.half_operations * ARITHMETIC_ROUNDS * thread_pool_size(probe->pool);
    return operations / best_of(probe, multiply_halves);
}

double cpu_probe_rate(struct cpu_probe *probe, const struct numerics *numerics)
{
    struct device_facts facts = {0};
    facts.values[FACT_real_rate] = cpu_probe_real_rate(probe);
    facts.values[FACT_half_rate] = cpu_probe_half_rate(probe);
    facts.values[FACT_integer_rate] = cpu_probe_integer_rate(probe);
    return ceiling_rate(numerics, &facts);
}

static void do_nothing(void *context, int thread)
{
    (void)thread;
    thread_pool_barrier(((struct cpu_probe *)context)->pool);
}

double cpu_probe_launch_seconds(struct cpu_probe *probe)
{
    double best = 1;
    for (int attempt = 0; attempt < EMPTY_ATTEMPTS; attempt++) {
        double start = clock_seconds();
        for (int run = 0; run < EMPTY_RUNS; run++) thread_pool_run(probe->pool, do_nothing, probe);
        double seconds = (clock_seconds() - start) / EMPTY_RUNS;
        if (seconds < best) best = seconds;
    }
    return best;
}

status cpu_probe_facts(struct thread_pool *pool, struct device_facts *facts,
                       struct diagnostic *diagnostic)
{
    struct cpu_probe *probe;
    TRY(cpu_probe_create(pool, facts, &probe, diagnostic));
    double bandwidth = cpu_probe_read_bandwidth(probe), again = cpu_probe_read_bandwidth(probe);
    facts->values[FACT_read_bandwidth] = again > bandwidth ? again : bandwidth;
    facts->values[FACT_cache_bandwidth] = cpu_probe_cache_bandwidth(probe);
    facts->values[FACT_real_rate] = cpu_probe_real_rate(probe);
    facts->values[FACT_integer_rate] = cpu_probe_integer_rate(probe);
    facts->values[FACT_half_rate] = cpu_probe_half_rate(probe);
    facts->values[FACT_launch_nanoseconds] = cpu_probe_launch_seconds(probe) * 1e9;
    cpu_probe_destroy(probe);
    return STATUS_OK;
}
