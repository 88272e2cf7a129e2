/* Whether the host has the memory that a plan takes of it: said before anything is loaded, in place of being killed later. */
#include "base/host_memory.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "ir/layout.h"

/* Part of what is there that stays free: page tables, stacks, what others take meanwhile. */
enum { HOST_MARGIN_PART = 32 };

/* What a plan takes: memory of its own, which nobody can take back, and weights that stay in their file. */
struct host_need {
    int64_t own_bytes, mapped_bytes;
};

static void count_value(const struct engine *engine, const struct value *value,
                        const int64_t *symbols, struct host_need *need)
{
    const struct device *device = engine->devices[value->device];
    if (value->kind != VALUE_WEIGHT && value->kind != VALUE_STATE) return;
    if (!device_memory_is_host(device)) return;
    int64_t bytes = tensor_bytes(&value->type, symbols);
    bool mapped =
        value->kind == VALUE_WEIGHT && device_is_host(device) && value->type.layout == LAYOUT_ROWS;
    *(mapped ? &need->mapped_bytes : &need->own_bytes) += bytes;
}

static struct host_need count_need(const struct engine *engine)
{
    const struct plan *plan = engine->plan;
    struct host_need need = {0};
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    for (int v = 0; v < plan->graph->value_count; v++)
        count_value(engine, &plan->graph->values[v], symbols, &need);
    for (int d = 0; d < plan->device_count; d++)
        if (device_memory_is_host(engine->devices[d]))
            need.own_bytes += plan->devices[d].arena_bytes;
    return need;
}

/* What is free now and was said to be usable. */
static int64_t budget(const struct engine_options *options)
{
    struct arena *scratch = arena_create(0);
    int64_t available = scratch ? host_memory_available("", scratch) : INT64_MAX;
    arena_destroy(scratch);
    if (available < INT64_MAX) available -= available / HOST_MARGIN_PART;
    bool capped = options->host_memory_bytes > 0 && options->host_memory_bytes < available;
    return capped ? options->host_memory_bytes : available;
}

status host_budget_check(struct engine *engine, const struct engine_options *options,
                         struct build_shortage *shortage, struct diagnostic *diagnostic)
{
    char needed[32], there[32];
    const struct host_need need = count_need(engine);
    int64_t bytes = budget(options);
    *shortage = (struct build_shortage){0};
    if (need.own_bytes <= bytes) {
        engine->crowded = need.mapped_bytes > bytes - need.own_bytes;
        return STATUS_OK;
    }
    *shortage = (struct build_shortage){
        .found = true, .device = -1, .missing_bytes = need.own_bytes - bytes};
    return fail(diagnostic, STATUS_NO_MEMORY,
                "the host has %s of memory to give, and %s are needed beside the model's file; "
                "lower --context or --sequences, or take a smaller --kv type",
                text_bytes((double)bytes, there), text_bytes((double)need.own_bytes, needed));
}

void host_budget_tell(const struct engine *engine, const struct progress *progress)
{
    if (engine->crowded)
        progress_warn(progress,
                      "the weights that the host uses are larger than its free memory: they are "
                      "read from the disk again in every step");
}
