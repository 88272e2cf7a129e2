/* Reading plan files: the seal first, then every field with its bounds, then the plan as a whole (plan_verify). */
#include "base/bytes.h"
#include "base/file.h"
#include "planner/build.h"
#include "planner/plan_format.h"

#include <string.h>

/* Plans of the largest models have a few thousand kernels of some KiB. */
static const size_t PLAN_LIMIT_BYTES = (size_t)1 << 30;
enum { DEVICES_MOST = 256, EVENTS_MOST = 1 << 20, ARCHITECTURE_MOST = 999 };

bool plan_file_recognise(const char *path)
{
    return file_begins_with(path, plan_mark, PLAN_MARK_BYTES);
}

static struct hash get_hash(struct byte_reader *reader)
{
    struct hash hash = {.high = (uint64_t)bytes_get_integer(reader)};
    hash.low = (uint64_t)bytes_get_integer(reader);
    return hash;
}

static void get_header(struct byte_reader *reader, struct plan_header *header)
{
    header->model_path = bytes_get_text(reader);
    header->model_identity = get_hash(reader);
    header->cpu = bytes_get_text(reader);
    header->level = bytes_get_text(reader);
    header->features = bytes_get_text(reader);
    header->compiler = bytes_get_text(reader);
    header->layer_map = bytes_get_text(reader);
    header->settings = bytes_get_text(reader);
    if (!element_by_name(bytes_get_text(reader), &header->state_element))
        bytes_fail(reader, "the KV element type is not known");
    header->rotates_states = bytes_get_bounded(reader, 0, 1, "a flag is neither 0 nor 1");
    header->fast = bytes_get_bounded(reader, 0, 1, "a flag is neither 0 nor 1");
    header->references = bytes_get_bounded(reader, 0, 1, "a flag is neither 0 nor 1");
}

static void get_bounds(struct byte_reader *reader, struct plan_bounds *bounds)
{
    const int64_t most = INT32_MAX;
    bounds->tokens = bytes_get_bounded(reader, 1, most, "the bound of tokens is out of range");
    bounds->outputs = bytes_get_bounded(reader, 1, most, "the bound of outputs is out of range");
    bounds->sequences =
        bytes_get_bounded(reader, 1, most, "the bound of sequences is out of range");
    bounds->context =
        bytes_get_bounded(reader, 1, most, "the bound of the context is out of range");
    bounds->page_tokens = bytes_get_bounded(reader, 1, most, "the page size is out of range");
    bounds->pages = bytes_get_bounded(reader, 1, most, "the number of pages is out of range");
}

static status get_devices(struct byte_reader *reader, struct plan *plan,
                          struct diagnostic *diagnostic)
{
    plan->device_count =
        (int)bytes_get_bounded(reader, 1, DEVICES_MOST, "the number of devices is out of range");
    TRY(bytes_status(reader));
    TRY_NEW(plan->devices, plan->arena, plan->device_count, diagnostic);
    for (int d = 0; d < plan->device_count; d++) {
        struct plan_device *device = &plan->devices[d];
        device->specification = bytes_get_text(reader);
        device->class_name = bytes_get_text(reader);
        device->target =
            (enum target)bytes_get_bounded(reader, 0, TARGET_COUNT - 1, "the target is not known");
        device->architecture =
            (int)bytes_get_bounded(reader, 0, ARCHITECTURE_MOST, "the architecture is not known");
        device->arena_bytes = bytes_get_bounded(reader, 0, INT64_MAX, "a size is negative");
        device->weight_bytes = bytes_get_bounded(reader, 0, INT64_MAX, "a size is negative");
        device->state_bytes = bytes_get_bounded(reader, 0, INT64_MAX, "a size is negative");
    }
    return bytes_status(reader);
}

/* A value by its name; 0 after a failure, for graphs have values. */
static int get_value(struct byte_reader *reader, const struct graph *graph)
{
    const char *name = bytes_get_text(reader);
    int value = graph_find_value(graph, name);
    if (value != VALUE_NONE) return value;
    bytes_fail(reader, "a value is named that the graph does not have");
    return 0;
}

static status get_memory(struct byte_reader *reader, struct plan *plan,
                         struct diagnostic *diagnostic)
{
    int values = plan->graph->value_count;
    TRY_NEW(plan->memory.offsets, plan->arena, values, diagnostic);
    TRY_NEW(plan->memory.bytes, plan->arena, values, diagnostic);
    TRY_NEW(plan->memory.device_bytes, plan->arena, plan->device_count, diagnostic);
    for (int v = 0; v < values; v++) plan->memory.offsets[v] = -1;
    for (int n = 0; n < values; n++) {
        int v = get_value(reader, plan->graph);
        plan->memory.offsets[v] =
            bytes_get_bounded(reader, -1, INT64_MAX, "an offset is out of range");
        plan->memory.bytes[v] = bytes_get_bounded(reader, 0, INT64_MAX, "a size is negative");
    }
    for (int d = 0; d < plan->device_count; d++)
        plan->memory.device_bytes[d] =
            bytes_get_bounded(reader, 0, INT64_MAX, "a size is negative");
    return bytes_status(reader);
}

static void get_step(struct byte_reader *reader, const struct plan *plan, struct plan_step *step)
{
    const struct graph *graph = plan->graph;
    step->kind = (enum step_kind)bytes_get_bounded(reader, 0, STEP_RESOLVE,
                                                   "the kind of a step is not known");
    step->device =
        (int)bytes_get_bounded(reader, 0, plan->device_count - 1, "a step names no device");
    step->queue =
        (enum plan_queue)bytes_get_bounded(reader, 0, QUEUE_COUNT - 1, "a step names no queue");
    step->node = (int)bytes_get_bounded(reader, 0, graph->node_count - 1, "a step names no node");
    step->event = (int)bytes_get_bounded(reader, 0, plan->event_count ? plan->event_count - 1 : 0,
                                         "a step names no event");
    if (step->kind == STEP_COPY) {
        step->value = get_value(reader, graph);
        step->target = get_value(reader, graph);
    } else if (*bytes_get_text(reader) || *bytes_get_text(reader)) {
        bytes_fail(reader, "a step names values that it does not copy");
    }
}

static status get_steps(struct byte_reader *reader, struct plan *plan,
                        struct diagnostic *diagnostic)
{
    plan->event_count =
        (int)bytes_get_bounded(reader, 0, EVENTS_MOST, "the number of events is out of range");
    plan->step_count =
        (int)bytes_get_count(reader, 7 * sizeof(int64_t), "there are more steps than bytes");
    TRY(bytes_status(reader));
    TRY_NEW(plan->steps, plan->arena, plan->step_count, diagnostic);
    for (int s = 0; s < plan->step_count; s++) get_step(reader, plan, &plan->steps[s]);
    return bytes_status(reader);
}

static status get_image(struct byte_reader *reader, struct plan *plan, const struct op *const *ops,
                        struct plan_image *image, struct diagnostic *diagnostic)
{
    const char *text = bytes_get_text(reader);
    image->candidate = bytes_get_text(reader);
    image->artifact = get_hash(reader);
    image->source = get_hash(reader);
    image->seconds = bytes_get_real(reader);
    image->measured = bytes_get_bounded(reader, 0, 1, "a flag is neither 0 nor 1");
    image->spare = bytes_get_bounded(reader, 0, 1, "a flag is neither 0 nor 1");
    image->stands_for = (int)bytes_get_bounded(reader, 0, INT32_MAX, "an image stands for none");
    size_t count;
    const void *block = bytes_get_block(reader, &count);
    TRY(bytes_status(reader));
    struct problem *problem = NULL;
    TRY(problem_parse(text, ops, plan->arena, &problem, diagnostic));
    image->problem = problem;
    return image_decode(block, count, plan->arena, &image->image, diagnostic);
}

static status get_images(struct byte_reader *reader, struct plan *plan, const struct op *const *ops,
                         struct diagnostic *diagnostic)
{
    plan->image_count =
        (int)bytes_get_count(reader, 11 * sizeof(int64_t), "there are more kernels than bytes");
    TRY(bytes_status(reader));
    TRY_NEW(plan->images, plan->arena, plan->image_count, diagnostic);
    for (int i = 0; i < plan->image_count; i++)
        TRY(get_image(reader, plan, ops, &plan->images[i], diagnostic));
    return STATUS_OK;
}

static status get_choices(struct byte_reader *reader, struct plan *plan,
                          struct diagnostic *diagnostic)
{
    TRY_NEW(plan->choices, plan->arena, plan->graph->node_count, diagnostic);
    for (int n = 0; n < plan->graph->node_count; n++)
        for (int r = 0; r < BUCKET_ROW_COUNT; r++)
            for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++)
                plan->choices[n][r][c] = (int)bytes_get_bounded(reader, -1, plan->image_count - 1,
                                                                "a choice names no kernel");
    return bytes_status(reader);
}

static status get_schedule(struct byte_reader *reader, const struct op *const *ops,
                           struct plan *plan, struct diagnostic *diagnostic)
{
    const char *text = bytes_get_text(reader);
    TRY(bytes_status(reader));
    TRY(graph_parse(reader->file, text, ops, plan->arena, &plan->graph, diagnostic));
    TRY(graph_verify(plan->graph, diagnostic));
    if (plan->graph->node_count == 0)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: the graph is empty", reader->file);
    TRY(get_memory(reader, plan, diagnostic));
    TRY(get_steps(reader, plan, diagnostic));
    TRY(get_images(reader, plan, ops, diagnostic));
    return get_choices(reader, plan, diagnostic);
}

/* It has an arena of its own, as one that was built (plan_free). */
static status get_second(struct byte_reader *reader, const struct op *const *ops, struct plan *plan,
                         struct diagnostic *diagnostic)
{
    plan->prefill_tokens = bytes_get_bounded(reader, 0, INT32_MAX, "a number is out of range");
    TRY(bytes_status(reader));
    if (!plan->prefill_tokens) return STATUS_OK;
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    plan->prefill = arena_allocate(arena, 1, sizeof *plan->prefill);
    if (!plan->prefill) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *plan->prefill);
    }
    *plan->prefill = (struct plan){.arena = arena,
                                   .bounds = plan->bounds,
                                   .device_count = plan->device_count,
                                   .devices = plan->devices};
    return get_schedule(reader, ops, plan->prefill, diagnostic);
}

static status get_plan(struct byte_reader *reader, const struct op *const *ops,
                       struct plan_header *header, struct plan *plan, struct diagnostic *diagnostic)
{
    get_header(reader, header);
    get_bounds(reader, &plan->bounds);
    TRY(get_devices(reader, plan, diagnostic));
    TRY(get_schedule(reader, ops, plan, diagnostic));
    TRY(get_second(reader, ops, plan, diagnostic));
    if (reader->at != reader->count) bytes_fail(reader, "there are bytes behind the plan");
    TRY(bytes_status(reader));
    TRY(plan_verify(plan, diagnostic));
    if (!plan->prefill) return STATUS_OK;
    TRY(plan_verify(plan->prefill, diagnostic));
    return plan_verify_phases(plan, diagnostic);
}

/* Mark, version, length, seal: nothing behind them is looked at before they are right. */
static status check_head(const char *path, const uint8_t *bytes, size_t count, struct arena *arena,
                         const char **signer, struct diagnostic *diagnostic)
{
    struct byte_reader reader = {
        .file = path, .bytes = bytes, .count = count, .diagnostic = diagnostic};
    if (count < PLAN_HEAD_BYTES || memcmp(bytes, plan_mark, PLAN_MARK_BYTES) != 0)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: offset 0: this is no plan file", path);
    reader.at = PLAN_MARK_BYTES;
    int64_t version = bytes_get_integer(&reader), length = bytes_get_integer(&reader);
    if (version != PLAN_VERSION)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: offset 8: plan version %lld, this Hone reads version %d: build the plan "
                    "again with `hone compile`",
                    path, (long long)version, PLAN_VERSION);
    if (length != (int64_t)count)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: offset 16: the file should have %lld bytes and has %zu: it was cut or "
                    "damaged, build it again with `hone compile`",
                    path, (long long)length, count);
    return plan_seal_check(path, bytes + PLAN_HEAD_BYTES, count - PLAN_HEAD_BYTES,
                           bytes + reader.at, arena, signer, diagnostic);
}

static status read_file(const char *path, const struct op *const *ops, struct plan_header *header,
                        struct plan *plan, struct diagnostic *diagnostic)
{
    char *bytes;
    size_t count;
    TRY(file_read(path, PLAN_LIMIT_BYTES, plan->arena, &bytes, &count, diagnostic));
    const char *signer;
    TRY(check_head(path, (const uint8_t *)bytes, count, plan->arena, &signer, diagnostic));
    struct byte_reader reader = {.file = path,
                                 .bytes = (const uint8_t *)bytes,
                                 .count = count,
                                 .at = PLAN_HEAD_BYTES,
                                 .arena = plan->arena,
                                 .diagnostic = diagnostic};
    TRY(get_plan(&reader, ops, header, plan, diagnostic));
    header->signer = signer;
    return STATUS_OK;
}

status plan_file_read(const char *path, const struct op *const *ops, struct plan_header *header,
                      struct plan **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct plan *plan = arena_allocate(arena, 1, sizeof *plan);
    if (!plan) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *plan);
    }
    plan->arena = arena;
    status code = read_file(path, ops, header, plan, diagnostic);
    if (code != STATUS_OK) {
        plan_free(plan);
        /* A text inside that is refused by a parser is still a bad file. */
        return code == STATUS_USAGE ? STATUS_BAD_INPUT : code;
    }
    *result = plan;
    return STATUS_OK;
}

static bool has_feature(const char *features, const char *feature, size_t length)
{
    for (const char *at = features; *at;) {
        size_t run = strcspn(at, ",");
        if (run == length && strncmp(at, feature, length) == 0) return true;
        at += run + (at[run] == ',');
    }
    return false;
}

const char *plan_missing_features(const char *needed, const char *present, struct arena *arena)
{
    struct text missing = {.arena = arena};
    for (const char *at = needed; *at;) {
        size_t length = strcspn(at, ",");
        if (length && *at == '+' && !has_feature(present, at, length)) {
            if (missing.length) text_append(&missing, ", ");
            text_append_range(&missing, at + 1, length - 1);
        }
        at += length + (at[length] == ',');
    }
    return missing.length ? text_finish(&missing) : NULL;
}
