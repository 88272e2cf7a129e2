/* Devices that compute on the host: the CPU itself, virtual cards (a queue thread, a size limit, a modelled speed), and the
 * null device. */
#include "runtime/device_host.h"

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/cpu_facts.h"
#include "runtime/cpu_families.h"
#include "runtime/cpu_probe.h"
#include "runtime/cpu_rates.h"

#include <string.h>

static status open_parts(struct host_device *device, const struct device_options *options,
                         struct diagnostic *diagnostic)
{
    struct device *base = &device->base;
    TRY(cpu_facts_read(options->cpu, base->arena, &base->facts, diagnostic));
    int threads = options->threads > 0 ? options->threads : thread_count_default();
    base->facts.values[FACT_cores] = threads;
    base->facts.values[FACT_link_bandwidth] = device->link_bytes_per_second;
    base->facts.values[FACT_modelled_rate] = device->operations_per_second;
    if (options->rates_folder) cpu_rates_load(options->rates_folder, base->arena, &base->facts);
    TRY(thread_pool_create(threads, &device->pool, diagnostic));
    TRY(work_claims_create(device->pool,
                           options->chunks > 0 ? options->chunks : WORK_CHUNKS_DEFAULT, base->arena,
                           &device->claims, diagnostic));
    if (base->facts.values[FACT_has_amx] > 0) TRY(cpu_tiles_request(diagnostic));
    if (!device->host) TRY(host_queue_start(device, diagnostic));
    return STATUS_OK;
}

status device_host_open(const struct device_specification *specification,
                        const struct device_options *options, struct device **result,
                        struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct host_device *device = arena_allocate(arena, 1, sizeof *device);
    if (!device) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *device);
    }
    TRY(device_prepare(&device->base, &device_host_interface, arena, specification->text,
                       diagnostic));
    device->host = specification->kind == DEVICE_CPU;
    device->computes = specification->kind != DEVICE_NULL;
    device->base.limit_bytes = specification->memory_bytes;
    device->operations_per_second = specification->operations_per_second;
    device->link_bytes_per_second = specification->link_bytes_per_second;
    status code = open_parts(device, options, diagnostic);
    if (code != STATUS_OK) {
        device_close(&device->base);
        return code;
    }
    *result = &device->base;
    return STATUS_OK;
}

/* A thread that does nothing but copy, over the card's modelled link. */
static status start_copies(struct host_device *queue, const struct host_device *card,
                           struct diagnostic *diagnostic)
{
    queue->computes = card->computes;
    queue->link_bytes_per_second = card->link_bytes_per_second;
    queue->base.facts = card->base.facts;
    queue->base.watchdog = card->base.watchdog;
    queue->base.checks_copies = card->base.checks_copies;
    TRY(thread_pool_create(1, &queue->pool, diagnostic));
    TRY(work_claims_create(queue->pool, WORK_CHUNKS_DEFAULT, queue->base.arena, &queue->claims,
                           diagnostic));
    return host_queue_start(queue, diagnostic);
}

static status open_copies(struct device *device, struct device **copies,
                          struct diagnostic *diagnostic)
{
    const struct host_device *card = (const struct host_device *)device;
    if (card->host) return STATUS_OK;
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct host_device *queue = arena_allocate(arena, 1, sizeof *queue);
    if (!queue) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *queue);
    }
    TRY(device_prepare(&queue->base, &device_host_interface, arena, device->specification,
                       diagnostic));
    status code = start_copies(queue, card, diagnostic);
    if (code != STATUS_OK) {
        device_close(&queue->base);
        return code;
    }
    *copies = &queue->base;
    return STATUS_OK;
}

static void close_host(struct device *device)
{
    struct host_device *own = (struct host_device *)device;
    queue_thread_stop(&own->queue);
    thread_pool_destroy(own->pool);
    if (own->scratch) memory_unmap(own->scratch, (size_t)own->scratch_bytes);
    device_destroy(device);
}

static status probe(struct device *device, struct diagnostic *diagnostic)
{
    return cpu_probe_facts(((struct host_device *)device)->pool, &device->facts, diagnostic);
}

static int threads(const struct device *device)
{
    return thread_pool_size(((const struct host_device *)device)->pool);
}

static status allocate(struct device *device, int64_t bytes, void **address,
                       struct diagnostic *diagnostic)
{
    (void)device;
    return memory_map((size_t)(bytes > 0 ? bytes : 1), address, diagnostic);
}

static void release(struct device *device, void *address, int64_t bytes)
{
    (void)device;
    memory_unmap(address, (size_t)(bytes > 0 ? bytes : 1));
}

static status move(struct device *device, void *to, const void *from, int64_t bytes,
                   struct diagnostic *diagnostic)
{
    (void)device;
    (void)diagnostic;
    memcpy(to, from, (size_t)bytes);
    return STATUS_OK;
}

static status time_runs(struct device *device, const struct device_timing *timing, double *seconds,
                        struct diagnostic *diagnostic)
{
    int64_t start = clock_nanoseconds();
    for (int n = 0; n < timing->count; n++)
        TRY(device_run(device, timing->kernel, timing->run,
                       timing->operands[(timing->first + n) % timing->operand_sets], diagnostic));
    *seconds = (double)(clock_nanoseconds() - start) * 1e-9;
    return STATUS_OK;
}

bool device_is_host(const struct device *device)
{
    return device->interface == &device_host_interface &&
           ((const struct host_device *)device)->host;
}

bool device_runs_apart(const struct device *device)
{
    return device->interface == &device_host_interface &&
           ((const struct host_device *)device)->queue.started;
}

const struct device_interface device_host_interface = {
    .target = TARGET_CPU,
    .memory_is_host = true,
    .close = close_host,
    .probe = probe,
    .threads = threads,
    .allocate = allocate,
    .release = release,
    .store = move,
    .fetch = move,
    .load = host_load,
    .unload = host_unload,
    .submit = host_submit,
    .finish = host_finish,
    .time = time_runs,
    .open_copies = open_copies,
};
