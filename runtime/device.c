/* Opening devices, counting their memory, and filling their queues; the rest is each kind's own. */
#include "base/fault.h"
#include "base/text.h"
#include "runtime/device_cuda.h"
#include "runtime/device_described.h"
#include "runtime/device_internal.h"
#include "runtime/device_rank.h"
#include "runtime/threads.h"

#include <string.h>

status device_prepare(struct device *device, const struct device_interface *interface,
                      struct arena *arena, const char *specification, struct diagnostic *diagnostic)
{
    *device = (struct device){.interface = interface, .arena = arena, .limit_bytes = INT64_MAX};
    device->watchdog = &device->own_watchdog;
    watchdog_start(device->watchdog, 0);
    device->specification = arena_text(arena, specification);
    device->command_arena = arena_create(0);
    if (device->specification && device->command_arena) return STATUS_OK;
    device_destroy(device);
    return fail_memory(diagnostic, 0);
}

void device_destroy(struct device *device)
{
    arena_destroy(device->command_arena);
    arena_destroy(device->arena);
}

static bool is_card(const struct device_specification *specification)
{
    return specification->kind == DEVICE_CUDA || specification->kind == DEVICE_EMULATED;
}

static bool computes_on_host(const struct device_specification *specification)
{
    return !is_card(specification) && specification->kind != DEVICE_DESCRIBED &&
           specification->kind != DEVICE_RANK;
}

/* All cards are opened together, before any device has threads: reading their facts forks. */
static status open_cards(const struct device_specification *specifications, int count,
                         const struct device_options *options, struct device **devices,
                         struct diagnostic *diagnostic)
{
    int cards = 0;
    for (int d = 0; d < count; d++) cards += is_card(&specifications[d]);
    if (cards == 0) return STATUS_OK;
#ifdef HONE_CUDA
    return device_cuda_open(specifications, count, options, devices, diagnostic);
#else
    (void)options;
    (void)devices;
    return fail(diagnostic, STATUS_DEVICE,
                "--devices: this build of Hone has no CUDA target: build it where the CUDA "
                "toolkit's cuda.h is, or use cpu or "
                "virtual:SIZE");
#endif
}

static status open_other(const struct device_specification *specification,
                         const struct device_options *options, struct device **device,
                         struct diagnostic *diagnostic)
{
    if (specification->kind == DEVICE_DESCRIBED)
        return device_described_open(specification, device, diagnostic);
    if (specification->kind == DEVICE_RANK)
        return device_rank_open(specification, options, device, diagnostic);
    return device_host_open(specification, options, device, diagnostic);
}

static status open_all(const struct device_specification *specifications, int count,
                       const struct device_options *options, struct device **devices,
                       struct diagnostic *diagnostic)
{
    TRY(open_cards(specifications, count, options, devices, diagnostic));
    for (int d = 0; d < count; d++) {
        if (is_card(&specifications[d])) continue;
        status code = open_other(&specifications[d], options, &devices[d], diagnostic);
        if (code == STATUS_OK) continue;
        for (int o = 0; o < count; o++) device_close(devices[o]);
        return code;
    }
    return STATUS_OK;
}

status device_open(const char *specification, const struct device_options *options,
                   struct device **device, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct device_specification parsed;
    struct device *opened = NULL;
    status code = device_specification_parse(specification, arena, &parsed, diagnostic);
    if (code == STATUS_OK) code = open_all(&parsed, 1, options, &opened, diagnostic);
    if (code == STATUS_OK) watchdog_start(opened->watchdog, options->watchdog_seconds);
    if (code == STATUS_OK) *device = opened;
    arena_destroy(arena);
    return code;
}

/* The stand-in driver is that much slower than a card. */
enum { WATCHDOG_EMULATED_SECONDS = 20 * WATCHDOG_DEFAULT_SECONDS };

static double watchdog_seconds(const struct device_specification *specifications, int count,
                               const struct device_options *options)
{
    bool emulated = false;
    for (int d = 0; d < count; d++)
        emulated = emulated || specifications[d].kind == DEVICE_EMULATED;
    return options->watchdog_seconds == 0 && emulated ? WATCHDOG_EMULATED_SECONDS
                                                      : options->watchdog_seconds;
}

status device_open_list(const char *list, const struct device_options *options, struct arena *arena,
                        struct device ***devices, int *count, struct diagnostic *diagnostic)
{
    struct device_specification *specifications;
    int found = 0, hosts = 0;
    TRY(device_list_parse(list, arena, &specifications, &found, diagnostic));
    struct device **opened;
    TRY_NEW(opened, arena, found, diagnostic);
    for (int d = 0; d < found; d++) hosts += computes_on_host(&specifications[d]);
    struct device_options share = *options;
    int threads = options->threads > 0 ? options->threads : thread_count_default();
    share.threads = hosts > 1 && threads / hosts > 1 ? threads / hosts : hosts > 1 ? 1 : threads;
    struct watchdog *watchdog;
    TRY_NEW(watchdog, arena, 1, diagnostic);
    TRY(open_all(specifications, found, &share, opened, diagnostic));
    watchdog_start(watchdog, watchdog_seconds(specifications, found, options));
    for (int d = 0; d < found; d++) {
        opened[d]->watchdog = watchdog;
        opened[d]->checks_copies = options->check_copies;
    }
    *devices = opened;
    *count = found;
    return STATUS_OK;
}

/* What a queue that was given up uses stays for as long as the process. */
void device_close(struct device *device)
{
    if (device && !device->hangs) device->interface->close(device);
}

bool device_hangs(const struct device *device)
{
    return device->hangs;
}

status device_give_up(struct device *device, const char *what, struct diagnostic *diagnostic)
{
    device->hangs = true;
    return fail(
        diagnostic, STATUS_DEVICE,
        "%s: %s has not ended, and nothing has moved for %g s; --watchdog TIME waits longer",
        device->specification, what, device->watchdog->bound_seconds);
}

status device_refuse_copy(const struct device *device, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_DEVICE,
                "%s: what is copied to it arrives damaged, again and again: its link or its memory "
                "cannot be trusted",
                device->specification);
}

status device_waited(const struct device *device, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_DEVICE,
                "%s: what another device was to give has not come, and nothing has moved for %g s; "
                "--watchdog TIME waits longer",
                device->specification, device->watchdog->bound_seconds);
}

const struct device_facts *device_facts(const struct device *device)
{
    return &device->facts;
}

status device_probe(struct device *device, struct diagnostic *diagnostic)
{
    return device->interface->probe(device, diagnostic);
}

status device_measure(struct device *device, struct device_rates *rates,
                      struct diagnostic *diagnostic)
{
    *rates = (struct device_rates){0};
    return device->interface->rates ? device->interface->rates(device, rates, diagnostic)
                                    : STATUS_OK;
}

status device_measure_peer(struct device *device, struct device *source, struct device_peer *peer,
                           struct diagnostic *diagnostic)
{
    *peer = (struct device_peer){0};
    if (!device->interface->peer_rate) return STATUS_OK;
    return device->interface->peer_rate(device, source, peer, diagnostic);
}

struct device_counts device_counts(const struct device *device)
{
    struct device_counts counts = {0};
    if (device->interface->counts) device->interface->counts(device, &counts);
    return counts;
}

status device_report(struct device *device, int launches, struct arena *arena, const char **report,
                     struct diagnostic *diagnostic)
{
    if (device->interface->report)
        return device->interface->report(device, launches, arena, report, diagnostic);
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "%s is no card of the stand-in driver: it counts nothing", device->specification);
}

status device_connect(struct device *device, struct device *source, struct diagnostic *diagnostic)
{
    return device->interface->connect ? device->interface->connect(device, source, diagnostic)
                                      : STATUS_OK;
}

status device_open_copies(struct device *device, struct device **copies,
                          struct diagnostic *diagnostic)
{
    *copies = NULL;
    if (!device->interface->open_copies) return STATUS_OK;
    return device->interface->open_copies(device, copies, diagnostic);
}

const char *device_specification(const struct device *device)
{
    return device->specification;
}

bool device_memory_is_host(const struct device *device)
{
    return device->interface->memory_is_host;
}

int device_threads(const struct device *device)
{
    return device->interface->threads(device);
}

int64_t device_memory_used(const struct device *device)
{
    return device->used_bytes;
}

int64_t device_memory_limit(const struct device *device)
{
    return device->limit_bytes;
}

status device_allocate(struct device *device, int64_t bytes, void **address,
                       struct diagnostic *diagnostic)
{
    if (bytes > device->limit_bytes - device->used_bytes) {
        char asked[32], used[32], limit[32];
        device->refused_bytes = bytes - (device->limit_bytes - device->used_bytes);
        return fail(diagnostic, STATUS_NO_MEMORY, "%s: %s are needed, %s of %s are in use",
                    device->specification, text_bytes((double)bytes, asked),
                    text_bytes((double)device->used_bytes, used),
                    text_bytes((double)device->limit_bytes, limit));
    }
    if (fault_device()) {
        device->refused_bytes = bytes > 0 ? bytes : 1;
        return fail(diagnostic, STATUS_NO_MEMORY, "%s: %lld bytes cannot be had",
                    device->specification, (long long)bytes);
    }
    status code = device->interface->allocate(device, bytes, address, diagnostic);
    if (code == STATUS_NO_MEMORY) device->refused_bytes = bytes > 0 ? bytes : 1;
    TRY(code);
    device->used_bytes += bytes;
    return STATUS_OK;
}

int64_t device_take_refusal(struct device *device)
{
    int64_t bytes = device->refused_bytes;
    device->refused_bytes = 0;
    return bytes;
}

void device_free(struct device *device, void *address, int64_t bytes)
{
    if (!address) return;
    device->interface->release(device, address, bytes);
    device->used_bytes -= bytes;
}

status device_store(struct device *device, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic)
{
    return bytes > 0 ? device->interface->store(device, to, from, bytes, diagnostic) : STATUS_OK;
}

status device_fetch(struct device *device, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic)
{
    return bytes > 0 ? device->interface->fetch(device, to, from, bytes, diagnostic) : STATUS_OK;
}

static status append(struct device *device, const struct command *command,
                     struct diagnostic *diagnostic)
{
    TRY_APPEND(device->commands, device->command_count, device->command_capacity,
               device->command_arena, diagnostic);
    device->commands[device->command_count - 1] = *command;
    return STATUS_OK;
}

status device_launch(struct device *device, const struct kernel *kernel, const struct run *run,
                     void *const *operands, struct diagnostic *diagnostic)
{
    struct command command = {.kind = COMMAND_LAUNCH, .kernel = kernel, .run = *run};
    int count = kernel->problem->input_count + kernel->problem->output_count;
    memcpy(command.operands, operands, (size_t)count * sizeof *operands);
    return append(device, &command, diagnostic);
}

static status append_copy(struct device *device, struct command command,
                          struct diagnostic *diagnostic)
{
    return command.bytes > 0 ? append(device, &command, diagnostic) : STATUS_OK;
}

status device_write(struct device *device, void *to, const void *from, int64_t bytes,
                    struct diagnostic *diagnostic)
{
    return append_copy(
        device, (struct command){.kind = COMMAND_WRITE, .to = to, .from = from, .bytes = bytes},
        diagnostic);
}

status device_read(struct device *device, void *to, const void *from, int64_t bytes,
                   struct diagnostic *diagnostic)
{
    return append_copy(
        device, (struct command){.kind = COMMAND_READ, .to = to, .from = from, .bytes = bytes},
        diagnostic);
}

status device_copy(struct device *device, void *to, struct device *source, const void *from,
                   int64_t bytes, struct diagnostic *diagnostic)
{
    return append_copy(
        device,
        (struct command){
            .kind = COMMAND_COPY, .to = to, .source = source, .from = from, .bytes = bytes},
        diagnostic);
}

status device_signal(struct device *device, struct event *event, struct diagnostic *diagnostic)
{
    struct command command = {.kind = COMMAND_SIGNAL, .event = event};
    return append(device, &command, diagnostic);
}

status device_wait(struct device *device, struct event *event, struct diagnostic *diagnostic)
{
    struct command command = {.kind = COMMAND_WAIT, .event = event};
    return append(device, &command, diagnostic);
}

void device_discard(struct device *device)
{
    device->command_count = 0;
}

void device_submit(struct device *device)
{
    watchdog_beat(device->watchdog);
    device->interface->submit(device);
}

status device_finish(struct device *device, struct diagnostic *diagnostic)
{
    return device->interface->finish(device, diagnostic);
}

status device_run(struct device *device, const struct kernel *kernel, const struct run *run,
                  void *const *operands, struct diagnostic *diagnostic)
{
    TRY(device_launch(device, kernel, run, operands, diagnostic));
    device_submit(device);
    return device_finish(device, diagnostic);
}

status device_time(struct device *device, const struct device_timing *timing, double *seconds,
                   struct diagnostic *diagnostic)
{
    return device->interface->time(device, timing, seconds, diagnostic);
}
