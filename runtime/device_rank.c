/* A device that another rank serves.  Its queue is a thread here, which sends launches in batches and carries copies by way
 * of this process's memory; addresses and kernels are the other rank's, and mean nothing here. */
#include "runtime/device_rank.h"

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/queue_thread.h"
#include "runtime/ranks_internal.h"

#include <string.h>

struct rank_device {
    struct device base;
    struct ranks *ranks;
    int rank, threads;
    bool locked;          /* the lock was made */
    pthread_mutex_t lock; /* one request at a time, from the queue's thread and the caller's */
    struct queue_thread queue;
    struct diagnostic failure; /* of the queue: told by finish */
    struct arena *batch;
};

struct rank_kernel {
    struct kernel base;
    int64_t handle;
};

/* ---- Requests ---- */

static status refused(const struct rank_device *device, const struct rank_head *head,
                      struct diagnostic *diagnostic)
{
    char text[sizeof diagnostic->text] = {0};
    if (head->bytes >= (int64_t)sizeof text)
        return fail(diagnostic, STATUS_DEVICE, "rank %d sent an error of %lld bytes", device->rank,
                    (long long)head->bytes);
    TRY(ranks_receive(device->ranks, device->rank, head, text, device->base.watchdog, diagnostic));
    return fail(diagnostic, (status)head->kind, "rank %d: %s", device->rank, text);
}

/* The reply's payload goes to `to`, which must have room for exactly that, or, where it is NULL, into `arena`. */
struct answer {
    void *to;
    int64_t bytes;
    struct arena *arena;
    int64_t value;
};

static status receive_answer(struct rank_device *device, struct answer *answer,
                             struct diagnostic *diagnostic)
{
    struct rank_head head;
    struct watchdog *watchdog = device->base.watchdog;
    TRY(ranks_receive_head(device->ranks, device->rank, &head, watchdog, diagnostic));
    if (head.kind != STATUS_OK) return refused(device, &head, diagnostic);
    answer->value = head.first;
    if (!answer->to && answer->arena) {
        answer->bytes = head.bytes;
        answer->to = arena_allocate(answer->arena, (size_t)head.bytes + 1, 1);
        TRY_MEMORY(answer->to, diagnostic);
    }
    if (head.bytes != answer->bytes)
        return fail(diagnostic, STATUS_DEVICE, "rank %d sent %lld bytes, not %lld", device->rank,
                    (long long)head.bytes, (long long)answer->bytes);
    return ranks_receive(device->ranks, device->rank, &head, answer->to, watchdog, diagnostic);
}

static status ask(struct rank_device *device, const struct rank_head *head, const void *payload,
                  struct answer *answer, struct diagnostic *diagnostic)
{
    struct watchdog *watchdog = device->base.watchdog;
    struct diagnostic reason = {0};
    status code = STATUS_TIMEOUT;
    pthread_mutex_lock(&device->lock);
    watchdog_beat(watchdog);
    if (!device->base.hangs)
        code = ranks_send(device->ranks, device->rank, head, payload, watchdog, &reason);
    if (code == STATUS_OK) code = receive_answer(device, answer, &reason);
    if (code == STATUS_TIMEOUT) device->base.hangs = true;
    pthread_mutex_unlock(&device->lock);
    if (code == STATUS_OK) return STATUS_OK;
    if (code != STATUS_TIMEOUT) return fail(diagnostic, code, "%s", reason.text);
    return device_give_up(&device->base, "a request to its process", diagnostic);
}

static status ask_with(struct rank_device *device, enum rank_request kind,
                       const struct byte_writer *payload, struct answer *answer,
                       struct diagnostic *diagnostic)
{
    if (payload->failed) return fail_memory(diagnostic, payload->count);
    const struct rank_head head = {.kind = kind, .bytes = (int64_t)payload->count};
    return ask(device, &head, payload->bytes, answer, diagnostic);
}

/* ---- Memory and kernels ---- */

static status allocate(struct device *device, int64_t bytes, void **address,
                       struct diagnostic *diagnostic)
{
    struct answer answer = {0};
    const struct rank_head head = {.kind = RANK_ALLOCATE, .first = bytes};
    TRY(ask((struct rank_device *)device, &head, NULL, &answer, diagnostic));
    *address = (void *)(intptr_t)answer.value;
    return STATUS_OK;
}

static void release(struct device *device, void *address, int64_t bytes)
{
    struct diagnostic ignored = {0};
    struct answer answer = {0};
    const struct rank_head head = {
        .kind = RANK_RELEASE, .first = (int64_t)(intptr_t)address, .second = bytes};
    status code = ask((struct rank_device *)device, &head, NULL, &answer, &ignored);
    (void)code; /* what cannot be reached holds nothing any more */
}

static status store(struct device *device, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic)
{
    struct answer answer = {0};
    const struct rank_head head = {
        .kind = RANK_STORE, .first = (int64_t)(intptr_t)to, .bytes = bytes};
    return ask((struct rank_device *)device, &head, from, &answer, diagnostic);
}

static status fetch(struct device *device, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic)
{
    struct answer answer = {.to = to, .bytes = bytes};
    const struct rank_head head = {
        .kind = RANK_FETCH, .first = (int64_t)(intptr_t)from, .second = bytes};
    return ask((struct rank_device *)device, &head, NULL, &answer, diagnostic);
}

static status send_kernel(struct rank_device *device, struct rank_kernel *kernel,
                          const struct image *image, struct diagnostic *diagnostic)
{
    struct byte_writer writer = {.arena = kernel->base.arena};
    struct answer answer = {0};
    void *bytes;
    size_t count;
    TRY(image_encode(image, kernel->base.arena, &bytes, &count, diagnostic));
    bytes_put_text(&writer, kernel->base.problem->text);
    bytes_put_block(&writer, bytes, count);
    TRY(ask_with(device, RANK_LOAD, &writer, &answer, diagnostic));
    kernel->handle = answer.value;
    return STATUS_OK;
}

static status load(struct device *device, const struct problem *problem, const struct image *image,
                   struct kernel **result, struct diagnostic *diagnostic)
{
    struct kernel *kernel;
    int64_t scratch_bytes;
    TRY(kernel_create(device, problem, image, sizeof(struct rank_kernel), &kernel, &scratch_bytes,
                      diagnostic));
    status code =
        send_kernel((struct rank_device *)device, (struct rank_kernel *)kernel, image, diagnostic);
    if (code != STATUS_OK) {
        kernel_destroy(kernel);
        return code;
    }
    *result = kernel;
    return STATUS_OK;
}

static void unload(struct kernel *kernel)
{
    struct diagnostic ignored = {0};
    struct answer answer = {0};
    const struct rank_head head = {.kind = RANK_UNLOAD,
                                   .first = ((struct rank_kernel *)kernel)->handle};
    status code = ask((struct rank_device *)kernel->device, &head, NULL, &answer, &ignored);
    (void)code; /* what cannot be reached holds nothing any more */
    kernel_destroy(kernel);
}

/* ---- The queue ---- */

static void put_launch(struct byte_writer *writer, const struct command *command)
{
    const struct problem *problem = command->kernel->problem;
    int operands = problem->input_count + problem->output_count;
    bytes_put_integer(writer, ((const struct rank_kernel *)command->kernel)->handle);
    for (int s = 0; s < SYMBOL_COUNT; s++) bytes_put_integer(writer, command->run.symbols[s]);
    bytes_put_integer(writer, command->run.context);
    bytes_put_integer(writer, operands);
    for (int o = 0; o < operands; o++)
        bytes_put_integer(writer, (int64_t)(intptr_t)command->operands[o]);
}

/* All launches from `*at` to the next command of another kind. */
static status run_batch(struct rank_device *device, int *at, struct diagnostic *diagnostic)
{
    arena_reset(device->batch);
    struct byte_writer writer = {.arena = device->batch};
    struct answer answer = {0};
    const struct command *commands = device->base.commands;
    for (; *at < device->base.command_count && commands[*at].kind == COMMAND_LAUNCH; ++*at)
        put_launch(&writer, &commands[*at]);
    return ask_with(device, RANK_RUN, &writer, &answer, diagnostic);
}

static status run_copy(struct rank_device *device, const struct command *command,
                       struct diagnostic *diagnostic)
{
    if (command->source == &device->base) {
        arena_reset(device->batch);
        struct byte_writer writer = {.arena = device->batch};
        struct answer answer = {0};
        bytes_put_integer(&writer, (int64_t)(intptr_t)command->to);
        bytes_put_integer(&writer, (int64_t)(intptr_t)command->from);
        bytes_put_integer(&writer, command->bytes);
        return ask_with(device, RANK_MOVE, &writer, &answer, diagnostic);
    }
    void *staged;
    TRY(memory_map((size_t)command->bytes, &staged, diagnostic));
    status code = device_fetch(command->source, staged, command->from, command->bytes, diagnostic);
    if (code == STATUS_OK)
        code = store(&device->base, command->to, staged, command->bytes, diagnostic);
    if (!device->base.hangs) memory_unmap(staged, (size_t)command->bytes);
    return code;
}

static status run_one(struct rank_device *device, const struct command *command,
                      struct diagnostic *diagnostic)
{
    switch (command->kind) {
    case COMMAND_WRITE:
        return store(&device->base, command->to, command->from, command->bytes, diagnostic);
    case COMMAND_READ:
        return fetch(&device->base, command->to, command->from, command->bytes, diagnostic);
    case COMMAND_COPY: return run_copy(device, command, diagnostic);
    default: return STATUS_OK;
    }
}

static status await_event(struct rank_device *device, struct event *event,
                          struct diagnostic *diagnostic)
{
    void *mark;
    return event_await(event, &device->base, &mark) == EVENT_UNMARKED
               ? device_waited(&device->base, diagnostic)
               : STATUS_OK;
}

/* After a failure events are still waited for and marked, so that nobody waits for them forever. */
static void run_commands(void *context)
{
    struct rank_device *device = context;
    struct diagnostic *failure = &device->failure;
    for (int c = 0; c < device->base.command_count;) {
        const struct command *command = &device->base.commands[c];
        status code = failure->code;
        if (command->kind == COMMAND_SIGNAL)
            event_mark(command->event);
        else if (command->kind == COMMAND_WAIT)
            code = await_event(device, command->event, failure);
        else if (command->kind == COMMAND_LAUNCH && code == STATUS_OK)
            code = run_batch(device, &c, failure);
        else if (code == STATUS_OK)
            code = run_one(device, command, failure);
        if (command->kind != COMMAND_LAUNCH || code != STATUS_OK) c++;
    }
    device->base.command_count = 0;
}

static void submit(struct device *device)
{
    queue_thread_submit(&((struct rank_device *)device)->queue);
}

static status finish(struct device *device, struct diagnostic *diagnostic)
{
    struct rank_device *own = (struct rank_device *)device;
    if (!queue_thread_await(&own->queue, device->watchdog))
        return device_give_up(device, "work of another process", diagnostic);
    if (own->failure.code == STATUS_OK) return STATUS_OK;
    struct diagnostic failure = own->failure;
    own->failure = (struct diagnostic){0};
    return fail(diagnostic, failure.code, "%s", failure.text);
}

static status time_runs(struct device *device, const struct device_timing *timing, double *seconds,
                        struct diagnostic *diagnostic)
{
    double start = clock_seconds();
    for (int n = 0; n < timing->count; n++)
        TRY(device_run(device, timing->kernel, timing->run,
                       timing->operands[(timing->first + n) % timing->operand_sets], diagnostic));
    *seconds = clock_seconds() - start;
    return STATUS_OK;
}

/* ---- Opening ---- */

static status probe(struct device *device, struct diagnostic *diagnostic)
{
    (void)device; /* what the other rank knows of its device has come with its facts */
    (void)diagnostic;
    return STATUS_OK;
}

static int threads(const struct device *device)
{
    return ((const struct rank_device *)device)->threads;
}

static void close_rank(struct device *device)
{
    struct rank_device *own = (struct rank_device *)device;
    queue_thread_stop(&own->queue);
    if (own->locked) pthread_mutex_destroy(&own->lock);
    arena_destroy(own->batch);
    device_destroy(device);
}

static const struct device_interface rank_interface = {
    .target = TARGET_CPU,
    .close = close_rank,
    .probe = probe,
    .threads = threads,
    .allocate = allocate,
    .release = release,
    .store = store,
    .fetch = fetch,
    .load = load,
    .unload = unload,
    .submit = submit,
    .finish = finish,
    .time = time_runs,
};

static status read_facts(struct rank_device *device, const struct answer *answer,
                         struct diagnostic *diagnostic)
{
    struct byte_reader reader = {.file = device->base.specification,
                                 .bytes = answer->to,
                                 .count = (size_t)answer->bytes,
                                 .arena = device->base.arena,
                                 .diagnostic = diagnostic};
    struct device_facts *facts = &device->base.facts;
    facts->target = (enum target)bytes_get_bounded(&reader, 0, TARGET_COUNT - 1, "targets");
    facts->name = bytes_get_text(&reader);
    facts->triple = bytes_get_text(&reader);
    facts->cpu = bytes_get_text(&reader);
    facts->features = bytes_get_text(&reader);
    facts->class_name = bytes_get_text(&reader);
    for (int f = 0; f < FACT_COUNT; f++) facts->values[f] = bytes_get_real(&reader);
    device->threads = (int)bytes_get_bounded(&reader, 1, INT16_MAX, "threads");
    device->base.limit_bytes = bytes_get_integer(&reader);
    TRY(bytes_status(&reader));
    if (facts->target == TARGET_CPU) return STATUS_OK;
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "%s: ranks serve the host and virtual cards; a card of a rank cannot be used yet",
                device->base.specification);
}

static status open_parts(struct rank_device *device, struct diagnostic *diagnostic)
{
    const struct rank_head head = {.kind = RANK_OPEN};
    device->batch = arena_create(0);
    TRY_MEMORY(device->batch, diagnostic);
    device->locked = pthread_mutex_init(&device->lock, NULL) == 0;
    struct answer answer = {.arena = device->batch};
    TRY(ask(device, &head, NULL, &answer, diagnostic));
    TRY(read_facts(device, &answer, diagnostic));
    return queue_thread_start(&device->queue, run_commands, device, device->base.specification,
                              diagnostic);
}

status device_rank_open(const struct device_specification *specification,
                        const struct device_options *options, struct device **result,
                        struct diagnostic *diagnostic)
{
    struct ranks *ranks = options->ranks;
    if (!ranks || specification->ordinal < 1 || specification->ordinal >= ranks_count(ranks))
        return fail(diagnostic, STATUS_USAGE,
                    "--devices: there is no %s: ranks are started by `mpirun -n 2 hone run ...`",
                    specification->text);
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct rank_device *device = arena_allocate(arena, 1, sizeof *device);
    if (!device) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *device);
    }
    TRY(device_prepare(&device->base, &rank_interface, arena, specification->text, diagnostic));
    watchdog_start(device->base.watchdog, options->watchdog_seconds);
    device->ranks = ranks;
    device->rank = specification->ordinal;
    status code = open_parts(device, diagnostic);
    if (code != STATUS_OK) {
        close_rank(&device->base);
        return code;
    }
    *result = &device->base;
    return STATUS_OK;
}
