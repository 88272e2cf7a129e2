/* Opening devices, their memory, and the calls that fill their queues. */
#include "runtime/device_internal.h"

#include "base/memory.h"
#include "base/text.h"
#include "runtime/cpu_facts.h"
#include "runtime/cpu_probe.h"
#include "runtime/cpu_rates.h"
#include "runtime/device_specification.h"

#include <string.h>

static status open_parts(struct device *device, const struct device_options *options,
                         struct diagnostic *diagnostic)
{
    TRY(cpu_facts_read(options->cpu, device->arena, &device->facts, diagnostic));
    int threads = options->threads > 0 ? options->threads : thread_count_default();
    device->facts.values[FACT_cores] = threads;
    if (options->rates_folder) cpu_rates_load(options->rates_folder, device->arena, &device->facts);
    device->command_arena = arena_create(0);
    TRY_MEMORY(device->command_arena, diagnostic);
    TRY(thread_pool_create(threads, &device->pool, diagnostic));
    if (!device->host) TRY(queue_start_thread(device, diagnostic));
    return STATUS_OK;
}

static status open_specified(const struct device_specification *specification,
                             const struct device_options *options, struct device **result,
                             struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct device *device = arena_allocate(arena, 1, sizeof *device);
    char *text = arena_text(arena, specification->text);
    if (!device || !text) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *device);
    }
    device->arena = arena;
    device->specification = text;
    device->host = specification->kind == DEVICE_CPU;
    device->computes = specification->kind != DEVICE_NULL;
    device->limit_bytes = specification->memory_bytes;
    device->operations_per_second = specification->operations_per_second;
    device->link_bytes_per_second = specification->link_bytes_per_second;
    status code = open_parts(device, options, diagnostic);
    if (code != STATUS_OK) {
        device_close(device);
        return code;
    }
    *result = device;
    return STATUS_OK;
}

status device_open(const char *specification, const struct device_options *options,
                   struct device **device, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct device_specification parsed;
    status code = device_specification_parse(specification, arena, &parsed, diagnostic);
    if (code == STATUS_OK) code = open_specified(&parsed, options, device, diagnostic);
    arena_destroy(arena);
    return code;
}

status device_open_list(const char *list, const struct device_options *options,
                        struct arena *arena, struct device ***devices, int *count,
                        struct diagnostic *diagnostic)
{
    struct device_specification *specifications;
    int found = 0;
    TRY(device_list_parse(list, arena, &specifications, &found, diagnostic));
    struct device **opened;
    TRY_NEW(opened, arena, found, diagnostic);
    struct device_options share = *options;
    int threads = options->threads > 0 ? options->threads : thread_count_default();
    share.threads = threads / found > 1 ? threads / found : 1;
    for (int d = 0; d < found; d++) {
        status code = open_specified(&specifications[d], &share, &opened[d], diagnostic);
        if (code == STATUS_OK) continue;
        while (d-- > 0) device_close(opened[d]);
        return code;
    }
    *devices = opened;
    *count = found;
    return STATUS_OK;
}

void device_close(struct device *device)
{
    if (!device) return;
    queue_stop_thread(device);
    thread_pool_destroy(device->pool);
    if (device->scratch) memory_unmap(device->scratch, (size_t)device->scratch_bytes);
    arena_destroy(device->command_arena);
    arena_destroy(device->arena);
}

const struct device_facts *device_facts(const struct device *device) { return &device->facts; }

status device_probe(struct device *device, struct diagnostic *diagnostic)
{
    return cpu_probe_facts(device->pool, &device->facts, diagnostic);
}

const char *device_specification(const struct device *device) { return device->specification; }

bool device_is_host(const struct device *device) { return device->host; }

int device_threads(const struct device *device) { return thread_pool_size(device->pool); }

int64_t device_memory_used(const struct device *device) { return device->used_bytes; }

int64_t device_memory_limit(const struct device *device) { return device->limit_bytes; }

status device_allocate(struct device *device, int64_t bytes, void **address,
                       struct diagnostic *diagnostic)
{
    if (bytes > device->limit_bytes - device->used_bytes) {
        char asked[32], used[32], limit[32];
        return fail(diagnostic, STATUS_NO_MEMORY, "%s: %s are needed, %s of %s are in use",
                    device->specification, text_bytes((double)bytes, asked),
                    text_bytes((double)device->used_bytes, used),
                    text_bytes((double)device->limit_bytes, limit));
    }
    TRY(memory_map((size_t)(bytes > 0 ? bytes : 1), address, diagnostic));
    device->used_bytes += bytes;
    return STATUS_OK;
}

void device_free(struct device *device, void *address, int64_t bytes)
{
    if (!address) return;
    memory_unmap(address, (size_t)(bytes > 0 ? bytes : 1));
    device->used_bytes -= bytes;
}

status device_launch(struct device *device, const struct kernel *kernel, const struct run *run,
                     void *const *operands, struct diagnostic *diagnostic)
{
    struct command command = {.kind = COMMAND_LAUNCH, .kernel = kernel, .run = *run};
    int count = kernel->problem->input_count + kernel->problem->output_count;
    memcpy(command.operands, operands, (size_t)count * sizeof *operands);
    return queue_append(device, &command, diagnostic);
}

status device_copy(struct device *device, void *to, const void *from, int64_t bytes,
                   struct diagnostic *diagnostic)
{
    struct command command = {.kind = COMMAND_COPY, .to = to, .from = from, .bytes = bytes};
    return queue_append(device, &command, diagnostic);
}

status device_signal(struct device *device, struct event *event, struct diagnostic *diagnostic)
{
    struct command command = {.kind = COMMAND_SIGNAL, .event = event};
    return queue_append(device, &command, diagnostic);
}

status device_wait(struct device *device, struct event *event, struct diagnostic *diagnostic)
{
    struct command command = {.kind = COMMAND_WAIT, .event = event};
    return queue_append(device, &command, diagnostic);
}

void device_discard(struct device *device) { device->command_count = 0; }

void device_submit(struct device *device)
{
    struct queue_thread *queue = &device->queue;
    if (!queue->started) return;
    pthread_mutex_lock(&queue->lock);
    queue->submitted = true;
    pthread_cond_broadcast(&queue->changed);
    pthread_mutex_unlock(&queue->lock);
}

status device_finish(struct device *device, struct diagnostic *diagnostic)
{
    struct queue_thread *queue = &device->queue;
    (void)diagnostic; /* host kernels cannot fail; a card's queue can */
    if (!queue->started) {
        queue_run(device);
        return STATUS_OK;
    }
    pthread_mutex_lock(&queue->lock);
    while (queue->submitted) pthread_cond_wait(&queue->changed, &queue->lock);
    pthread_mutex_unlock(&queue->lock);
    return STATUS_OK;
}

status device_run(struct device *device, const struct kernel *kernel, const struct run *run,
                  void *const *operands, struct diagnostic *diagnostic)
{
    TRY(device_launch(device, kernel, run, operands, diagnostic));
    device_submit(device);
    return device_finish(device, diagnostic);
}
