/* A queue's commands, executed by a pool of host threads.
 *
 * All threads walk the list together: each does its share of a launch's work items, and a barrier ends every launch and
 * every copy.  So a step of hundreds of launches wakes the pool once. */
#include "base/clock.h"
#include "runtime/device_host.h"

#include <string.h>
#include <time.h>

static void resolve_arguments(const struct host_device *device, const struct command *command,
                              const struct launch *launch, void **pointers)
{
    for (int a = 0; a < launch->argument_count; a++) {
        const struct argument *argument = &launch->arguments[a];
        if (argument->kind == ARGUMENT_OPERAND)
            pointers[a] = command->operands[argument->index];
        else if (argument->kind == ARGUMENT_NULL)
            pointers[a] = NULL;
        else
            pointers[a] =
                (char *)device->scratch + command->kernel->workspace_offsets[argument->index];
    }
}

static void run_reference(const struct command *command, struct work_walk *walk)
{
    const struct problem *problem = command->kernel->problem;
    int64_t begin, end;
    walk->items = problem->op->reference_items
                      ? problem->op->reference_items(problem, &command->run)
                      : command->run.symbols[SYMBOL_ROWS];
    walk->unit = 1;
    while (work_next(walk, &begin, &end))
        problem->op->reference(problem, &command->run, command->operands, begin, end);
}

static void run_compiled(const struct host_device *device, const struct command *command,
                         const struct launch *launch, struct work_walk *walk)
{
    void *pointers[LAUNCH_ARGUMENTS_MAX];
    resolve_arguments(device, command, launch, pointers);
    const struct run *run = &command->run;
    const int64_t integers[KERNEL_INTEGER_COUNT] = {
        [KERNEL_ROWS] = run->symbols[SYMBOL_ROWS],
        [KERNEL_CONTEXT] = run->context,
        [KERNEL_STRIDE] = run->symbols[SYMBOL_STRIDE],
        [KERNEL_SEQUENCES] = run->symbols[SYMBOL_SEQUENCES],
    };
    walk->items = launch_items(launch, run->symbols[SYMBOL_ROWS]);
    walk->unit = launch->geometry.unit;
    /* ISO C has no conversion from an object pointer to a function pointer; POSIX guarantees it. */
    void *entry = (char *)((const struct host_kernel *)command->kernel)->code + launch->offset;
    kernel_function *function;
    memcpy(&function, &entry, sizeof function);
    for (int64_t begin, end; work_next(walk, &begin, &end);)
        function(pointers, integers, begin, end);
}

static void zero_workspaces(const struct host_device *device, const struct command *command,
                            int thread)
{
    const struct kernel *kernel = command->kernel;
    bool any = false;
    for (int w = 0; w < kernel->image.workspace_count; w++) {
        const struct workspace *workspace = &kernel->image.workspaces[w];
        if (!workspace->zeroed) continue;
        int64_t bytes =
            workspace->per_row_bytes * command->run.symbols[SYMBOL_ROWS] + workspace->fixed_bytes;
        int64_t begin, end;
        thread_share(bytes, 64, thread, thread_pool_size(device->pool), &begin, &end);
        memset((char *)device->scratch + kernel->workspace_offsets[w] + begin, 0,
               (size_t)(end - begin));
        any = true;
    }
    if (any) thread_pool_barrier(device->pool);
}

/* `generation` counts the launches that this thread has come by; all threads come by the same. */
static void run_launches(const struct host_device *device, const struct command *command,
                         int thread, unsigned *generation)
{
    zero_workspaces(device, command, thread);
    const struct image *image = &command->kernel->image;
    for (int l = 0; l < image->launch_count; l++) {
        struct work_walk walk = {
            .claims = device->claims, .generation = ++*generation, .thread = thread};
        if (image->launches[l].offset < 0)
            run_reference(command, &walk);
        else
            run_compiled(device, command, &image->launches[l], &walk);
        thread_pool_barrier(device->pool);
    }
}

/* A card's own kind moves what is in its memory; that failure is told by `finish`. */
static void fetch_copy(struct host_device *device, const struct command *command)
{
    struct diagnostic reason = {0};
    if (device_fetch(command->source, command->to, command->from, command->bytes, &reason) !=
            STATUS_OK &&
        device->failure.code == STATUS_OK)
        device->failure = reason;
}

static void run_copy(struct host_device *device, const struct command *command, int thread)
{
    int64_t begin, end;
    if (thread == 0) host_stall_copy(device);
    if (command->source && !device_memory_is_host(command->source)) {
        if (thread == 0) fetch_copy(device, command);
        thread_pool_barrier(device->pool);
        return;
    }
    thread_share(command->bytes, 4096, thread, thread_pool_size(device->pool), &begin, &end);
    memcpy((char *)command->to + begin, (const char *)command->from + begin, (size_t)(end - begin));
    if (command->kind == COMMAND_COPY) host_check_copy(device, command, begin, end);
    thread_pool_barrier(device->pool);
}

/* Of the link that a copy between virtual cards, or from one to the host, takes longest over; 0: none is modelled. */
static double link_rate(const struct host_device *device, const struct command *command)
{
    double own = device->link_bytes_per_second;
    if (command->kind != COMMAND_COPY || command->source->interface != &device_host_interface)
        return own;
    double other = ((const struct host_device *)command->source)->link_bytes_per_second;
    if (command->source == &device->base) return 0;
    return own > 0 && (other <= 0 || own < other) ? own : other;
}

/* How long the command takes at least on the card that is modelled. */
static double modelled_seconds(const struct host_device *device, const struct command *command)
{
    bool copies = command->kind == COMMAND_WRITE || command->kind == COMMAND_READ ||
                  command->kind == COMMAND_COPY;
    double rate = copies ? link_rate(device, command) : 0;
    if (rate > 0) return (double)command->bytes / rate;
    if (command->kind != COMMAND_LAUNCH || device->operations_per_second <= 0) return 0;
    struct problem bounded = *command->kernel->problem;
    bounded.rows = command->run.symbols[SYMBOL_ROWS];
    if (bounded.context) bounded.context = command->run.context;
    return problem_cost(&bounded).operations / device->operations_per_second;
}

static void sleep_until(double deadline)
{
    for (double left; (left = deadline - clock_seconds()) > 0;) {
        struct timespec pause = {.tv_sec = (time_t)left,
                                 .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
        nanosleep(&pause, NULL);
    }
}

/* Nothing comes any more: told by `finish`, unless the other device does. */
static void await_event(struct host_device *device, struct event *event)
{
    struct diagnostic reason = {0};
    void *mark;
    if (event_await(event, &device->base, &mark) != EVENT_UNMARKED) return;
    (void)!device_waited(&device->base, &reason);
    if (device->failure.code == STATUS_OK) device->failure = reason;
}

/* Thread 0 tells how far the queue is. */
static double begin_command(struct host_device *device, int c)
{
    double modelled = modelled_seconds(device, &device->running[c]);
    atomic_store_explicit(&device->at, c, memory_order_relaxed);
    watchdog_expect(device->base.watchdog, modelled);
    return modelled;
}

static void walk(void *context, int thread)
{
    struct host_device *device = context;
    unsigned generation = device->generation;
    for (int c = 0; c < device->running_count; c++) {
        const struct command *command = &device->running[c];
        double modelled = thread == 0 ? begin_command(device, c) : 0;
        double start = modelled > 0 ? clock_seconds() : 0;
        switch (command->kind) {
        case COMMAND_LAUNCH: run_launches(device, command, thread, &generation); break;
        case COMMAND_WRITE:
        case COMMAND_READ:
        case COMMAND_COPY: run_copy(device, command, thread); break;
        case COMMAND_SIGNAL:
            if (thread == 0) event_mark(command->event);
            break;
        case COMMAND_WAIT:
            if (thread == 0) await_event(device, command->event);
            thread_pool_barrier(device->pool);
            break;
        }
        if (modelled > 0) sleep_until(start + modelled);
    }
    if (thread == 0) device->walked = generation;
}

static void run_commands(void *context)
{
    struct host_device *device = context;
    if (device->running_count && device->computes) thread_pool_run(device->pool, walk, device);
    device->generation = device->walked;
    device->running_count = 0;
}

/* What was gathered becomes what runs; the room of the other is used for what comes next. */
static void take_commands(struct host_device *device)
{
    struct device *base = &device->base;
    struct command *room = device->running;
    size_t capacity = device->running_capacity;
    device->running = base->commands;
    device->running_count = base->command_count;
    device->running_capacity = base->command_capacity;
    base->commands = room;
    base->command_count = 0;
    base->command_capacity = capacity;
}

/* The pool pins its other threads; the queue's is thread 0 of its own pool. */
status host_queue_start(struct host_device *device, struct diagnostic *diagnostic)
{
    return queue_thread_start(&device->queue, run_commands, device, device->base.specification,
                              diagnostic);
}

void host_submit(struct device *device)
{
    struct host_device *own = (struct host_device *)device;
    if (!own->queue.started || device->command_count == 0) return;
    if (!queue_thread_await(&own->queue, device->watchdog)) return; /* as `finish` tells */
    take_commands(own);
    queue_thread_submit(&own->queue);
}

/* Kernels of the host cannot fail; copies from cards can. */
static status take_failure(struct host_device *device, struct diagnostic *diagnostic)
{
    if (atomic_exchange(&device->damaged, false))
        return device_refuse_copy(&device->base, diagnostic);
    if (device->failure.code == STATUS_OK) return STATUS_OK;
    struct diagnostic failure = device->failure;
    device->failure = (struct diagnostic){0};
    return fail(diagnostic, failure.code, "%s", failure.text);
}

status host_finish(struct device *device, struct diagnostic *diagnostic)
{
    struct host_device *own = (struct host_device *)device;
    char activity[256];
    if (own->queue.started) {
        if (!queue_thread_await(&own->queue, device->watchdog))
            return device_give_up(device, host_activity(own, activity, sizeof activity),
                                  diagnostic);
    } else {
        take_commands(own);
        run_commands(own);
    }
    return take_failure(own, diagnostic);
}
