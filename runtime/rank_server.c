/* The side of a rank that serves its device: requests in their order, each answered when it is done. */
#include "runtime/device_specification.h"
#include "runtime/ranks_internal.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

struct server {
    struct ranks *ranks;
    const struct op *const *ops;
    struct device *device;
    struct arena *arena;   /* of problems, which kernels need as long as they live */
    struct arena *scratch; /* of one request */
    void *payload;
    int64_t payload_bytes;
    pthread_t beats;
    bool beating;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool busy, ending; /* under the lock */
};

struct reply {
    int64_t value;
    const void *bytes;
    int64_t byte_count;
};

static status reply_facts(struct server *server, struct reply *reply, struct diagnostic *diagnostic)
{
    const struct device_facts *facts = device_facts(server->device);
    struct byte_writer writer = {.arena = server->scratch};
    const char *const texts[] = {facts->name, facts->triple, facts->cpu, facts->features,
                                 facts->class_name};
    bytes_put_integer(&writer, facts->target);
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        bytes_put_text(&writer, texts[t] ? texts[t] : "");
    for (int f = 0; f < FACT_COUNT; f++) bytes_put_real(&writer, facts->values[f]);
    bytes_put_integer(&writer, device_threads(server->device));
    bytes_put_integer(&writer, device_memory_limit(server->device));
    if (writer.failed) return fail_memory(diagnostic, writer.count);
    *reply = (struct reply){.bytes = writer.bytes, .byte_count = (int64_t)writer.count};
    return STATUS_OK;
}

static struct byte_reader read_payload(const struct server *server, struct arena *arena,
                                       struct diagnostic *diagnostic)
{
    return (struct byte_reader){.file = "a message of rank 0",
                                .bytes = server->payload,
                                .count = (size_t)server->payload_bytes,
                                .arena = arena,
                                .diagnostic = diagnostic};
}

static status load(struct server *server, struct reply *reply, struct diagnostic *diagnostic)
{
    struct byte_reader reader = read_payload(server, server->scratch, diagnostic);
    const char *text = bytes_get_text(&reader);
    size_t count;
    const void *bytes = bytes_get_block(&reader, &count);
    struct problem *problem;
    struct image *image;
    struct kernel *kernel;
    TRY(bytes_status(&reader));
    TRY(problem_parse(text, server->ops, server->arena, &problem, diagnostic));
    TRY_NEW(image, server->scratch, 1, diagnostic);
    TRY(image_decode(bytes, count, server->scratch, image, diagnostic));
    TRY(kernel_load(server->device, problem, image, &kernel, diagnostic));
    reply->value = (int64_t)(intptr_t)kernel;
    return STATUS_OK;
}

static status enqueue_launch(struct server *server, struct byte_reader *reader,
                             struct diagnostic *diagnostic)
{
    void *operands[OP_OPERANDS_MAX] = {NULL};
    struct run run;
    const struct kernel *kernel = (const struct kernel *)(intptr_t)bytes_get_integer(reader);
    for (int s = 0; s < SYMBOL_COUNT; s++) run.symbols[s] = bytes_get_integer(reader);
    run.context = bytes_get_integer(reader);
    int64_t count = bytes_get_bounded(reader, 0, OP_OPERANDS_MAX, "operands");
    for (int64_t o = 0; o < count; o++) operands[o] = (void *)(intptr_t)bytes_get_integer(reader);
    TRY(bytes_status(reader));
    return device_launch(server->device, kernel, &run, operands, diagnostic);
}

static status run_launches(struct server *server, struct diagnostic *diagnostic)
{
    struct byte_reader reader = read_payload(server, server->scratch, diagnostic);
    while (reader.at < reader.count) TRY(enqueue_launch(server, &reader, diagnostic));
    device_submit(server->device);
    return device_finish(server->device, diagnostic);
}

static status move(struct server *server, struct diagnostic *diagnostic)
{
    struct byte_reader reader = read_payload(server, server->scratch, diagnostic);
    void *to = (void *)(intptr_t)bytes_get_integer(&reader);
    const void *from = (const void *)(intptr_t)bytes_get_integer(&reader);
    int64_t bytes = bytes_get_integer(&reader);
    TRY(bytes_status(&reader));
    TRY(device_copy(server->device, to, server->device, from, bytes, diagnostic));
    device_submit(server->device);
    return device_finish(server->device, diagnostic);
}

static status fetch(struct server *server, const struct rank_head *head, struct reply *reply,
                    struct diagnostic *diagnostic)
{
    void *bytes = arena_allocate(server->scratch, (size_t)head->second, 1);
    TRY_MEMORY(bytes, diagnostic);
    *reply = (struct reply){.bytes = bytes, .byte_count = head->second};
    return device_fetch(server->device, bytes, (const void *)(intptr_t)head->first, head->second,
                        diagnostic);
}

static status carry_out(struct server *server, const struct rank_head *head, struct reply *reply,
                        struct diagnostic *diagnostic)
{
    void *address = (void *)(intptr_t)head->first;
    switch ((enum rank_request)head->kind) {
    case RANK_OPEN: return reply_facts(server, reply, diagnostic);
    case RANK_ALLOCATE:
        TRY(device_allocate(server->device, head->first, &address, diagnostic));
        reply->value = (int64_t)(intptr_t)address;
        return STATUS_OK;
    case RANK_RELEASE: device_free(server->device, address, head->second); return STATUS_OK;
    case RANK_STORE:
        return device_store(server->device, address, server->payload, head->bytes, diagnostic);
    case RANK_FETCH: return fetch(server, head, reply, diagnostic);
    case RANK_MOVE: return move(server, diagnostic);
    case RANK_LOAD: return load(server, reply, diagnostic);
    case RANK_UNLOAD: kernel_unload(address); return STATUS_OK;
    case RANK_RUN: return run_launches(server, diagnostic);
    case RANK_END: break;
    }
    return fail(diagnostic, STATUS_FAILED, "rank 0 asks for something unknown (%lld)",
                (long long)head->kind);
}

/* ---- Beats ---- */

/* While a request is carried out rank 0 hears every second that this process lives; never behind the reply. */
static void *send_beats(void *context)
{
    struct server *server = context;
    const struct rank_head beat = {.kind = RANK_BEAT};
    struct diagnostic ignored = {0};
    pthread_mutex_lock(&server->lock);
    while (!server->ending) {
        struct timespec time;
        clock_gettime(CLOCK_MONOTONIC, &time);
        time.tv_sec += RANK_BEAT_SECONDS;
        int waited = pthread_cond_timedwait(&server->changed, &server->lock, &time);
        if (waited == ETIMEDOUT && server->busy)
            server->ending = ranks_send(server->ranks, 0, &beat, NULL, NULL, &ignored) != STATUS_OK;
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

static void set_busy(struct server *server, bool busy)
{
    pthread_mutex_lock(&server->lock);
    server->busy = busy;
    pthread_mutex_unlock(&server->lock);
}

static status start_beats(struct server *server, struct diagnostic *diagnostic)
{
    pthread_mutex_init(&server->lock, NULL);
    watchdog_condition(&server->changed);
    if (pthread_create(&server->beats, NULL, send_beats, server))
        return fail(diagnostic, STATUS_FAILED, "the thread that sends beats could not be started");
    server->beating = true;
    return STATUS_OK;
}

static void stop_beats(struct server *server)
{
    if (!server->beating) return;
    pthread_mutex_lock(&server->lock);
    server->ending = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->beats, NULL);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
}

static status answer(struct server *server, status code, const struct reply *reply,
                     const struct diagnostic *reason, struct diagnostic *diagnostic)
{
    bool good = code == STATUS_OK;
    const struct rank_head head = {.kind = code,
                                   .first = good ? reply->value : 0,
                                   .bytes =
                                       good ? reply->byte_count : (int64_t)strlen(reason->text)};
    return ranks_send(server->ranks, 0, &head, good ? reply->bytes : reason->text, NULL,
                      diagnostic);
}

/* `open`: why there is no device, if so; that is the answer to everything then. */
static status serve_one(struct server *server, const struct diagnostic *open, bool *ended,
                        struct diagnostic *diagnostic)
{
    struct rank_head head;
    struct reply reply = {0};
    struct diagnostic reason = *open;
    arena_reset(server->scratch);
    TRY(ranks_receive_head(server->ranks, 0, &head, NULL, diagnostic));
    *ended = head.kind == RANK_END;
    if (*ended) return STATUS_OK;
    server->payload_bytes = head.bytes;
    server->payload = arena_allocate(server->scratch, (size_t)head.bytes + 1, 1);
    TRY_MEMORY(server->payload, diagnostic);
    struct diagnostic damaged = {0};
    if (ranks_receive(server->ranks, 0, &head, server->payload, NULL, &damaged) != STATUS_OK)
        reason = damaged;
    status code = reason.code;
    set_busy(server, true);
    if (code == STATUS_OK) code = carry_out(server, &head, &reply, &reason);
    set_busy(server, false);
    return answer(server, code, &reply, &reason, diagnostic);
}

static status open_first(struct server *server, const char *own,
                         const struct device_options *options, struct diagnostic *diagnostic)
{
    struct device_specification *specifications;
    const char *list;
    int count;
    TRY(ranks_device_list(server->ranks, own, server->arena, &list, diagnostic));
    TRY(device_list_parse(list, server->arena, &specifications, &count, diagnostic));
    return device_open(specifications[0].text, options, &server->device, diagnostic);
}

status ranks_serve(struct ranks *ranks, const char *own, const struct device_options *options,
                   const struct op *const *ops, struct diagnostic *diagnostic)
{
    struct server server = {
        .ranks = ranks, .ops = ops, .arena = arena_create(0), .scratch = arena_create(0)};
    struct diagnostic open = {0};
    status code = server.arena && server.scratch ? STATUS_OK : fail_memory(diagnostic, 0);
    if (code == STATUS_OK && open_first(&server, own, options, &open) != STATUS_OK)
        server.device = NULL;
    if (code == STATUS_OK) code = start_beats(&server, diagnostic);
    for (bool ended = false; !ended && code == STATUS_OK;)
        code = serve_one(&server, &open, &ended, diagnostic);
    stop_beats(&server);
    device_close(server.device);
    arena_destroy(server.scratch);
    arena_destroy(server.arena);
    return code;
}
