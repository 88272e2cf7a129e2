/* The devices that a plan from a file runs on: its own, those given in their place, or, for cards that it knew by their
 * profiles only, the cards that are here, in order. */
#include "codegen/compile.h"
#include "engine/engine_internal.h"
#include "runtime/cpu_facts.h"
#include "runtime/device_specification.h"

#include <string.h>

static status is_profile(const char *specification, struct arena *arena, bool *profile,
                         struct diagnostic *diagnostic)
{
    struct device_specification parsed;
    TRY(device_specification_parse(specification, arena, &parsed, diagnostic));
    *profile = parsed.kind == DEVICE_DESCRIBED;
    return STATUS_OK;
}

status engine_plan_devices(struct engine *engine, bool runs, const char **list,
                           struct diagnostic *diagnostic)
{
    struct text text = {.arena = engine->arena};
    int cards = 0;
    for (int d = 0; d < engine->plan->device_count; d++) {
        const char *specification = engine->plan->devices[d].specification;
        bool profile;
        TRY(is_profile(specification, engine->arena, &profile, diagnostic));
        if (d) text_append(&text, ",");
        if (profile && runs)
            text_print(&text, "cuda:%d", cards++);
        else
            text_append(&text, specification);
    }
    *list = text_finish(&text);
    TRY_MEMORY(*list, diagnostic);
    return STATUS_OK;
}

/* Kernels of a card's architecture run on every card of it; how many multiprocessors it has changes their speed only. */
static status check_card(const struct engine *engine, const char *path, int d,
                         struct diagnostic *diagnostic)
{
    const struct plan_device *planned = &engine->plan->devices[d];
    const struct device *device = engine->devices[d];
    const struct device_facts *facts = device_facts(device);
    int64_t needed = planned->arena_bytes + planned->weight_bytes + planned->state_bytes;
    char needed_text[32], limit[32];
    if (planned->architecture != (int)facts->values[FACT_sm])
        return fail(diagnostic, STATUS_DEVICE,
                    "%s: the plan was made for a card of sm_%d (%s); %s (%s) is of sm_%.0f: build "
                    "it for this card with "
                    "`hone compile`",
                    path, planned->architecture, planned->specification,
                    device_specification(device), facts->name, facts->values[FACT_sm]);
    if (needed > device_memory_limit(device))
        return fail(diagnostic, STATUS_NO_MEMORY,
                    "%s: the plan needs %s on %s, which has %s to give: build it for this card "
                    "with `hone compile`",
                    path, text_bytes((double)needed, needed_text), device_specification(device),
                    text_bytes((double)device_memory_limit(device), limit));
    return STATUS_OK;
}

/* Kernels of a plan may use every instruction family that it was compiled for. */
static status check_host(struct engine *engine, const char *path, const struct plan_header *header,
                         int d, struct diagnostic *diagnostic)
{
    const struct device_facts *facts = device_facts(engine->devices[d]);
    const char *missing = plan_missing_features(header->features, facts->features, engine->arena);
    if (!missing) return STATUS_OK;
    return fail(diagnostic, STATUS_DEVICE,
                "%s: the plan was made for a CPU with %s, which this one lacks: build it again "
                "here with `hone compile`, or "
                "for such CPUs with --cpu",
                path, missing);
}

static status check_level(struct engine *engine, const char *path, const struct plan_header *header,
                          struct diagnostic *diagnostic)
{
    struct device_facts level;
    struct diagnostic reason = {0};
    if (strncmp(header->level, "x86-64-", 7) != 0 ||
        cpu_facts_read(header->level, engine->arena, &level, &reason) == STATUS_OK)
        return STATUS_OK;
    return fail(diagnostic, STATUS_DEVICE, "%s: the plan was made for a CPU of level %s: %s", path,
                header->level, reason.text);
}

status engine_check_plan(struct engine *engine, const char *path, const struct plan_header *header,
                         struct diagnostic *diagnostic)
{
    const struct plan *plan = engine->plan;
    TRY(check_level(engine, path, header, diagnostic));
    if (engine->device_count != plan->device_count)
        return fail(diagnostic, STATUS_USAGE, "--devices: %s was made for %d devices, %d are given",
                    path, plan->device_count, engine->device_count);
    for (int d = 0; d < engine->device_count; d++) {
        enum target target = device_facts(engine->devices[d])->target;
        if (target != plan->devices[d].target)
            return fail(diagnostic, STATUS_USAGE,
                        "--devices: %s stands in the place of %s, for which %s has other kernels",
                        device_specification(engine->devices[d]), plan->devices[d].specification,
                        path);
        TRY(target == TARGET_CPU ? check_host(engine, path, header, d, diagnostic)
                                 : check_card(engine, path, d, diagnostic));
    }
    engine_count_kernels(engine);
    return STATUS_OK;
}

const char *engine_compiler(const struct engine *engine, enum target target)
{
    return target == TARGET_CUDA && engine->card_compiler ? engine->card_compiler
                                                          : compile_identity(target);
}
