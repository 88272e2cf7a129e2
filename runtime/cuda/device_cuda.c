/* CUDA cards as devices: opening, memory, and what becomes of errors. */
#include "runtime/device_cuda.h"

#include "base/process.h"
#include "base/text.h"
#include "ir/card.h"
#include "runtime/cuda/cuda_cublaslt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The driver needs memory of its own when kernels are loaded and launched. */
static const double kept_share = 1.0 / 32;
static const double kept_bytes_most = 256 << 20;

/* Describing all cards takes the driver's start, which is a second on a machine with many. */
static const double describe_seconds = 60;

/* ---- Using a card ---- */

static status create_streams(struct cuda_device *card, struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    const char *what = "creating its queues";
    TRY(cuda_answer(card, driver->cuStreamCreate(&card->stream, CU_STREAM_NON_BLOCKING), what,
                    diagnostic));
    TRY(cuda_answer(card, driver->cuStreamCreate(&card->side, CU_STREAM_NON_BLOCKING), what,
                    diagnostic));
    TRY(cuda_answer(card, driver->cuEventCreate(&card->side_done, CU_EVENT_DISABLE_TIMING), what,
                    diagnostic));
    for (int e = 0; e < 2; e++)
        TRY(cuda_answer(card, driver->cuEventCreate(&card->timing[e], CU_EVENT_DEFAULT), what,
                        diagnostic));
    return cuda_staging_create(card, diagnostic);
}

static status start(struct cuda_device *card, struct diagnostic *diagnostic)
{
    const struct cuda_driver *driver = &card->driver;
    if (!driver->library)
        TRY(cuda_driver_open(card->emulated_cards, card->base.arena, &card->driver, diagnostic));
    card->process = getpid();
    TRY(cuda_answer(card, driver->cuDeviceGet(&card->card, card->ordinal), "finding the card",
                    diagnostic));
    TRY(cuda_answer(card, driver->cuDevicePrimaryCtxRetain(&card->context, card->card),
                    "starting the card", diagnostic));
    TRY(cuda_answer(card, driver->cuCtxSetCurrent(card->context), "using the card", diagnostic));
    TRY(create_streams(card, diagnostic));
    card->started = true;
    return STATUS_OK;
}

static status enter_locked(struct cuda_device *card, struct diagnostic *diagnostic)
{
    if (card->fatal) return fail(diagnostic, card->failure.code, "%s", card->failure.text);
    if (card->started && card->process != getpid())
        return fail(
            diagnostic, STATUS_FAILED,
            "%s was started before this process was forked; a child must open the card itself",
            card->base.specification);
    return card->started ? STATUS_OK : start(card, diagnostic);
}

status cuda_enter(struct cuda_device *card, struct diagnostic *diagnostic)
{
    pthread_mutex_lock(&card->lock);
    status code = enter_locked(card, diagnostic);
    pthread_mutex_unlock(&card->lock);
    TRY(code);
    return cuda_answer(card, card->driver.cuCtxSetCurrent(card->context), "using the card",
                       diagnostic);
}

status cuda_answer(struct cuda_device *card, CUresult result, const char *what,
                   struct diagnostic *diagnostic)
{
    if (result == CUDA_SUCCESS) return STATUS_OK;
    struct diagnostic reason = {0};
    status code = cuda_check(&card->driver, result, card->base.specification, what, &reason);
    if (cuda_is_fatal(result)) {
        card->fatal = true;
        card->failure.code = code;
        snprintf(card->failure.text, sizeof card->failure.text,
                 "%.900s; the card cannot be used any more by this process", reason.text);
        return fail(diagnostic, code, "%s", card->failure.text);
    }
    return fail(diagnostic, code, "%s", reason.text);
}

static status allocate(struct device *device, int64_t bytes, void **address,
                       struct diagnostic *diagnostic)
{
    struct cuda_device *card = card_of(device);
    const struct cuda_driver *driver = &card->driver;
    size_t room = (size_t)(bytes > 0 ? bytes : 1);
    CUdeviceptr memory;
    char what[64], text[32];
    snprintf(what, sizeof what, "allocating %s", text_bytes((double)bytes, text));
    TRY(cuda_enter(card, diagnostic));
    TRY(cuda_answer(card, driver->cuMemAlloc(&memory, room), what, diagnostic));
    *address = (void *)(uintptr_t)memory;
    card->side_used = true;
    return cuda_answer(card, driver->cuMemsetD8Async(memory, 0, room, card->side), what,
                       diagnostic);
}

static void release(struct device *device, void *address, int64_t bytes)
{
    struct cuda_device *card = card_of(device);
    struct diagnostic ignored = {0}; /* of a card that is lost, memory is lost with it */
    (void)bytes;
    if (cuda_enter(card, &ignored) == STATUS_OK) card->driver.cuMemFree(card_address(address));
}

static int threads(const struct device *device)
{
    (void)device;
    return 1;
}

static void counts(const struct device *device, struct device_counts *result)
{
    const struct cuda_device *card = (const struct cuda_device *)device;
    *result = (struct device_counts){.translated_images = card->translated_images,
                                     .graph_launches = (int64_t)card->graph_launches,
                                     .chosen_algorithms = card->chosen_algorithms};
}

bool cuda_is_card(const struct device *device)
{
    return device->interface == &device_cuda_interface;
}

/* ---- Closing ---- */

static void destroy_parts(struct cuda_device *card)
{
    const struct cuda_driver *driver = &card->driver;
    if (!card->context || card->process != getpid()) return;
    driver->cuCtxSetCurrent(card->context);
    if (card->stream) driver->cuStreamSynchronize(card->stream);
    cuda_graphs_drop(card);
    cuda_cublaslt_close(card);
    if (card->scratch) device_free(&card->base, card->scratch, card->scratch_bytes);
    cuda_staging_destroy(card);
    for (int e = 0; e < 2; e++)
        if (card->timing[e]) driver->cuEventDestroy(card->timing[e]);
    if (card->side_done) driver->cuEventDestroy(card->side_done);
    if (card->side) driver->cuStreamDestroy(card->side);
    if (card->stream) driver->cuStreamDestroy(card->stream);
    driver->cuDevicePrimaryCtxRelease(card->card);
}

static void close_card(struct device *device)
{
    struct cuda_device *card = card_of(device);
    queue_thread_stop(&card->queue);
    destroy_parts(card);
    cuda_driver_close(&card->driver);
    pthread_cond_destroy(&card->slot_freed);
    pthread_mutex_destroy(&card->lock);
    device_destroy(device);
}

const struct device_interface device_cuda_interface = {
    .target = TARGET_CUDA,
    .close = close_card,
    .probe = cuda_probe,
    .threads = threads,
    .allocate = allocate,
    .release = release,
    .store = cuda_store,
    .fetch = cuda_fetch,
    .load = cuda_load,
    .unload = cuda_unload,
    .resolve = cuda_resolve,
    .submit = cuda_submit,
    .finish = cuda_finish,
    .time = cuda_time,
    .connect = cuda_connect,
    .rates = cuda_rates,
    .peer_rate = cuda_peer_rate,
    .counts = counts,
    .report = cuda_report,
    .mark_await = cuda_mark_await,
    .mark_destroy = cuda_mark_destroy,
};

/* ---- Opening ---- */

static bool is_card(const struct device_specification *specification)
{
    return specification->kind == DEVICE_CUDA || specification->kind == DEVICE_EMULATED;
}

/* "sm_86:24GiB,sm_89:16GiB": the stand-in driver's cards are all that the list names. */
static const char *list_emulated(const struct device_specification *specifications, int count,
                                 struct arena *arena)
{
    struct text text = {.arena = arena};
    for (int d = 0; d < count; d++)
        if (specifications[d].kind == DEVICE_EMULATED)
            text_print(&text, "%s%s", text.length ? "," : "",
                       specifications[d].text + strlen("emulated:"));
    return text_finish(&text);
}

struct describing {
    const struct device_specification *specifications;
    const int *ordinals;
    int count;
    const char *emulated_cards;
};

static void describe_all(const struct describing *describing, struct arena *arena,
                         struct card_description *descriptions)
{
    for (int d = 0; d < describing->count; d++) {
        const struct device_specification *own = &describing->specifications[d];
        struct card_description *description = &descriptions[d];
        if (is_card(own))
            description->code = cuda_describe(
                own->kind == DEVICE_EMULATED ? describing->emulated_cards : NULL,
                describing->ordinals[d], own->text, arena, description, &description->diagnostic);
    }
}

static status describe_in_child(void *context, struct arena *arena, void **result,
                                size_t *result_bytes, struct diagnostic *diagnostic)
{
    const struct describing *describing = context;
    struct card_description *descriptions;
    TRY_NEW(descriptions, arena, describing->count, diagnostic);
    describe_all(describing, arena, descriptions);
    *result = descriptions;
    *result_bytes = (size_t)describing->count * sizeof *descriptions;
    return STATUS_OK;
}

/* A driver that has been started cannot be used by children, and there may be children to come. */
static status describe(struct describing *describing, bool no_forks, struct arena *arena,
                       struct card_description **descriptions, struct diagnostic *diagnostic)
{
    size_t wanted = (size_t)describing->count * sizeof **descriptions, bytes;
    if (no_forks) {
        TRY_NEW(*descriptions, arena, describing->count, diagnostic);
        describe_all(describing, arena, *descriptions);
        return STATUS_OK;
    }
    void *answer;
    TRY(process_call(describe_in_child, describing,
                     (struct process_limits){.seconds = describe_seconds}, arena, &answer, &bytes,
                     diagnostic));
    if (bytes != wanted)
        return fail(diagnostic, STATUS_CRASHED,
                    "the process that looks at the cards sent a broken answer");
    *descriptions = answer;
    return STATUS_OK;
}

static status take_facts(struct cuda_device *card, const struct card_description *description,
                         struct diagnostic *diagnostic)
{
    struct device *base = &card->base;
    struct device_facts *facts = &base->facts;
    *facts = (struct device_facts){.target = TARGET_CUDA, .triple = "", .cpu = "", .features = ""};
    memcpy(facts->values, description->values, sizeof facts->values);
    facts->name = arena_text(base->arena, description->name);
    facts->class_name = card_class(facts, base->arena);
    /* What the stand-in measures says nothing about cards. */
    if (card->emulated && facts->class_name)
        facts->class_name = arena_print(base->arena, "emulated-%s", facts->class_name);
    TRY_MEMORY(facts->name, diagnostic);
    TRY_MEMORY(facts->class_name, diagnostic);
    double kept = facts->values[FACT_memory_bytes] * kept_share;
    if (kept > kept_bytes_most) kept = kept_bytes_most;
    base->limit_bytes = description->free_bytes - (int64_t)kept;
    return STATUS_OK;
}

static status create_card(const struct device_specification *specification, int ordinal,
                          const char *emulated_cards, const struct card_description *description,
                          struct device **result, struct diagnostic *diagnostic)
{
    if (description->code != STATUS_OK)
        return fail(diagnostic, description->code, "%s", description->diagnostic.text);
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct cuda_device *card = arena_allocate(arena, 1, sizeof *card);
    if (!card) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *card);
    }
    TRY(device_prepare(&card->base, &device_cuda_interface, arena, specification->text,
                       diagnostic));
    const char *blocking = getenv("HONE_CUDA_BLOCKING");
    pthread_mutex_init(&card->lock, NULL);
    pthread_cond_init(&card->slot_freed, NULL);
    card->ordinal = ordinal;
    card->emulated = specification->kind == DEVICE_EMULATED;
    card->blocking = blocking && *blocking && strcmp(blocking, "0") != 0;
    card->emulated_cards = card->emulated ? arena_text(arena, emulated_cards) : NULL;
    status code = take_facts(card, description, diagnostic);
    if (code != STATUS_OK) {
        device_close(&card->base);
        return code;
    }
    *result = &card->base;
    return STATUS_OK;
}

static status open_described(const struct describing *describing,
                             const struct card_description *descriptions, struct device **devices,
                             struct diagnostic *diagnostic)
{
    for (int d = 0; d < describing->count; d++) {
        if (!is_card(&describing->specifications[d])) continue;
        status code =
            create_card(&describing->specifications[d], describing->ordinals[d],
                        describing->emulated_cards, &descriptions[d], &devices[d], diagnostic);
        if (code == STATUS_OK) continue;
        while (d-- > 0) {
            if (!is_card(&describing->specifications[d])) continue;
            device_close(devices[d]);
            devices[d] = NULL;
        }
        return code;
    }
    return STATUS_OK;
}

static status open_cards(const struct device_specification *specifications, int count,
                         const struct device_options *options, struct arena *scratch,
                         struct device **devices, struct diagnostic *diagnostic)
{
    int *ordinals, emulated = 0;
    TRY_NEW(ordinals, scratch, count, diagnostic);
    for (int d = 0; d < count; d++)
        ordinals[d] =
            specifications[d].kind == DEVICE_EMULATED ? emulated++ : specifications[d].ordinal;
    struct describing describing = {.specifications = specifications,
                                    .ordinals = ordinals,
                                    .count = count,
                                    .emulated_cards =
                                        list_emulated(specifications, count, scratch)};
    TRY_MEMORY(describing.emulated_cards, diagnostic);
    struct card_description *descriptions;
    TRY(describe(&describing, options->no_forks, scratch, &descriptions, diagnostic));
    return open_described(&describing, descriptions, devices, diagnostic);
}

status device_cuda_open(const struct device_specification *specifications, int count,
                        const struct device_options *options, struct device **devices,
                        struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    status code = open_cards(specifications, count, options, scratch, devices, diagnostic);
    arena_destroy(scratch);
    return code;
}
