/* What is given up when a device runs out of memory: the ladder's next rung (planner/demotion.h), said to the user and kept,
 * so that every plan from here on is made with it. */
#include "base/text.h"
#include "engine/engine_internal.h"

#include <string.h>

void demote_apply(const struct engine *engine, struct build_options *build,
                  struct build_device *devices)
{
    const struct given_up *given_up = &engine->given_up;
    if (given_up->chunk > 0) {
        build->bounds.tokens = given_up->chunk;
        if (build->bounds.outputs > given_up->chunk) build->bounds.outputs = given_up->chunk;
    }
    if (given_up->expert_slots) build->expert_slots = given_up->expert_slots;
    if (given_up->streams) build->stream = given_up->stream;
    if (given_up->split) build->share = (struct share_choice){.kind = SHARE_LAYERS};
    for (int d = 0; d < engine->device_count; d++) {
        devices[d].host_states = given_up->host_states[d];
        if (given_up->limited[d]) devices[d].memory_bytes = given_up->room_bytes[d];
    }
}

bool demote_find_shortage(const struct engine *engine, struct build_shortage *shortage)
{
    *shortage = (struct build_shortage){0};
    for (int d = 0; d < engine->device_count; d++) {
        int64_t missing = device_take_refusal(engine->devices[d]);
        if (missing <= 0 || shortage->found) continue;
        const struct plan_device *device = &engine->plan->devices[d];
        *shortage = (struct build_shortage){.found = true,
                                            .device = d,
                                            .missing_bytes = missing,
                                            .held_bytes = device->weight_bytes +
                                                          device->state_bytes + device->arena_bytes,
                                            .state_bytes = device->state_bytes};
    }
    return shortage->found;
}

static bool has_host(const struct engine *engine)
{
    for (int d = 0; d < engine->device_count; d++)
        if (device_is_host(engine->devices[d])) return true;
    return false;
}

/* The device that ran out, as the ladder sees it. */
static struct demotion describe(const struct engine *engine, const struct engine_options *options,
                                const struct build_shortage *shortage)
{
    const struct given_up *given_up = &engine->given_up;
    const struct plan_bounds bounds = engine_choose_bounds(engine, options);
    int d = shortage->device;
    struct demotion now = {.chunk = given_up->chunk > 0 ? given_up->chunk : bounds.tokens,
                           .chunk_least = bounds.sequences,
                           .missing_bytes = shortage->missing_bytes};
    if (d < 0) return now;
    now.relieved = has_host(engine) && !device_is_host(engine->devices[d]);
    now.slots =
        engine->expert_slots > 1 ? engine->expert_slots : 0; /* without any all are at home */
    now.stream = engine->stream;
    now.state_bytes = given_up->host_states[d] ? 0 : shortage->state_bytes;
    now.room_bytes = shortage->held_bytes;
    if (given_up->limited[d] && given_up->room_bytes[d] < now.room_bytes)
        now.room_bytes = given_up->room_bytes[d];
    return now;
}

static void keep(struct given_up *given_up, const struct engine_demotion *demotion, int device,
                 enum share_kind kind)
{
    const struct demotion *next = &demotion->after;
    switch (demotion->rung) {
    case DEMOTION_STREAM:
        given_up->streams = true;
        given_up->stream = next->stream;
        break;
    case DEMOTION_SLOTS: given_up->expert_slots = next->slots; break;
    case DEMOTION_STATES: given_up->host_states[device] = true; break;
    case DEMOTION_CHUNK: given_up->chunk = next->chunk; break;
    case DEMOTION_LAYERS:
        given_up->split |= kind == SHARE_TENSOR || kind == SHARE_EXPERTS;
        given_up->limited[device] = true;
        given_up->room_bytes[device] = next->room_bytes;
        break;
    case DEMOTION_NOTHING: break;
    }
}

static const char *explain_stream(struct arena *arena, const struct engine_demotion *demotion)
{
    const struct stream_choice *before = &demotion->before.stream, *after = &demotion->after.stream;
    return arena_print(
        arena, "%s%d weights are fetched ahead of their use, not %d",
        after->kind == before->kind ? "" : "the host keeps and sends all weights of its layers; ",
        after->ahead, before->ahead);
}

/* What is given up, in the user's words. */
static const char *explain(struct arena *arena, const struct engine_demotion *demotion,
                           bool unsplit)
{
    char room[32];
    switch (demotion->rung) {
    case DEMOTION_STREAM: return explain_stream(arena, demotion);
    case DEMOTION_STATES:
        return "the KV cache of its layers is kept by the host, which computes attention";
    case DEMOTION_CHUNK:
        return arena_print(arena, "tokens of a prompt that are read in one step: %lld, not %lld",
                           (long long)demotion->after.chunk, (long long)demotion->before.chunk);
    case DEMOTION_LAYERS:
        return arena_print(arena, "layers move to the host%s; what stays takes %s at most",
                           unsplit ? ", and are no longer split" : "",
                           text_bytes((double)demotion->after.room_bytes, room));
    case DEMOTION_SLOTS:
        return arena_print(arena, "routed experts that cards keep of each layer: %lld, not %lld",
                           (long long)demotion->after.slots, (long long)demotion->before.slots);
    case DEMOTION_NOTHING: break;
    }
    return "";
}

/* Where nothing is left: what would be needed, to the byte. */
static status refuse(const struct engine *engine, const struct build_shortage *shortage,
                     const struct diagnostic *reason, struct diagnostic *diagnostic)
{
    bool advised = shortage->device < 0 || has_host(engine);
    return fail(diagnostic, STATUS_NO_MEMORY,
                "%.700s; %lld bytes more are needed, and nothing is left to give up%s",
                reason->text, (long long)shortage->missing_bytes,
                advised ? "" : ": add the host to the devices (--devices ...,cpu)");
}

/* The last entry, if this goes on with what it began; else a new one. */
static status find_entry(struct engine *engine, const struct engine_demotion *demotion,
                         struct engine_demotion **result, struct diagnostic *diagnostic)
{
    struct engine_report *report = &engine->report;
    struct engine_demotion *last =
        report->demotion_count ? &report->demotions[report->demotion_count - 1] : NULL;
    bool same = last && last->rung == demotion->rung && strcmp(last->device, demotion->device) == 0;
    if (!same) {
        TRY_APPEND(report->demotions, report->demotion_count, engine->demotion_capacity,
                   engine->arena, diagnostic);
        last = &report->demotions[report->demotion_count - 1];
        *last = *demotion;
        last->reason = arena_text(engine->arena, demotion->reason);
        TRY_MEMORY(last->reason, diagnostic);
    }
    last->after = demotion->after;
    *result = last;
    return STATUS_OK;
}

static status write_down(struct engine *engine, const struct engine_demotion *demotion,
                         struct diagnostic *diagnostic)
{
    struct engine_demotion *entry;
    TRY(find_entry(engine, demotion, &entry, diagnostic));
    entry->text = explain(engine->arena, entry, engine->given_up.split);
    TRY_MEMORY(entry->text, diagnostic);
    return STATUS_OK;
}

void demote_tell(struct engine *engine, const struct progress *progress)
{
    const struct engine_report *report = &engine->report;
    host_budget_tell(engine, progress);
    for (; engine->demotions_told < report->demotion_count; engine->demotions_told++) {
        const struct engine_demotion *demotion = &report->demotions[engine->demotions_told];
        progress_warn(progress, "out of memory (%.400s): %s", demotion->reason, demotion->text);
    }
}

status demote(struct engine *engine, const struct engine_options *options,
              const struct build_shortage *shortage, const struct diagnostic *reason,
              struct diagnostic *diagnostic)
{
    int d = shortage->device;
    struct engine_demotion demotion = {.before = describe(engine, options, shortage),
                                       .device =
                                           d < 0 ? "" : device_specification(engine->devices[d]),
                                       .reason = reason->text};
    demotion.rung = demotion_next(&demotion.before, &demotion.after);
    if (demotion.rung == DEMOTION_NOTHING) return refuse(engine, shortage, reason, diagnostic);
    keep(&engine->given_up, &demotion, d, engine->share);
    return write_down(engine, &demotion, diagnostic);
}

/* A reason that was gathered apart, because it may not have been the last word. */
static status pass_on(const struct diagnostic *reason, status code, struct diagnostic *diagnostic)
{
    return code == STATUS_OK ? STATUS_OK : fail(diagnostic, code, "%s", reason->text);
}

status demote_until_planned(struct engine *engine, const struct engine_options *options,
                            enum purpose purpose, struct diagnostic *diagnostic)
{
    for (;;) {
        struct diagnostic reason = {0};
        status code = engine_build_plan(engine, options, purpose, &reason);
        if (code != STATUS_NO_MEMORY || purpose != PURPOSE_RUN || !engine->shortage.found)
            return pass_on(&reason, code, diagnostic);
        TRY(demote(engine, options, &engine->shortage, &reason, diagnostic));
    }
}

/* Images of the first plan serve those that follow. */
static status plan_again(struct engine *engine, const struct engine_options *options,
                         struct diagnostic *diagnostic)
{
    struct plan *before = engine->plan;
    if (!engine->first_plan) engine->first_plan = before;
    engine->plan = NULL;
    engine->report.kernels = engine->report.kernels_packed = 0;
    status code = demote_until_planned(engine, options, PURPOSE_RUN, diagnostic);
    if (before != engine->first_plan) plan_free(before);
    return code;
}

/* The host's memory first, which no device counts. */
static status bind(struct engine *engine, const struct engine_options *options,
                   struct build_shortage *shortage, struct diagnostic *diagnostic)
{
    TRY(host_budget_check(engine, options, shortage, diagnostic));
    status code = executor_create(engine->plan, engine->devices, &engine->model->weights,
                                  options->progress, &engine->executor, diagnostic);
    if (code == STATUS_NO_MEMORY && !demote_find_shortage(engine, shortage))
        *shortage = (struct build_shortage){0};
    return code;
}

status demote_until_bound(struct engine *engine, const struct engine_options *options,
                          struct diagnostic *diagnostic)
{
    for (;;) {
        struct diagnostic reason = {0};
        struct build_shortage shortage;
        status code = bind(engine, options, &shortage, &reason);
        if (code != STATUS_NO_MEMORY || !shortage.found) return pass_on(&reason, code, diagnostic);
        if (engine->fixed_plan)
            return fail(diagnostic, code,
                        "%.700s; a plan cannot be changed: run its model, which gives up what does "
                        "not fit",
                        reason.text);
        TRY(demote(engine, options, &shortage, &reason, diagnostic));
        TRY(plan_again(engine, options, diagnostic));
    }
}
