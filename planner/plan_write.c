/* Writing plan files. */
#include "base/bytes.h"
#include "base/file.h"
#include "planner/plan_format.h"

#include <string.h>

static void put_hash(struct byte_writer *writer, struct hash hash)
{
    bytes_put_integer(writer, (int64_t)hash.high);
    bytes_put_integer(writer, (int64_t)hash.low);
}

static void put_header(struct byte_writer *writer, const struct plan_header *header)
{
    bytes_put_text(writer, header->model_path);
    put_hash(writer, header->model_identity);
    bytes_put_text(writer, header->cpu);
    bytes_put_text(writer, header->level);
    bytes_put_text(writer, header->features);
    bytes_put_text(writer, header->compiler ? header->compiler : "");
    bytes_put_text(writer, header->layer_map ? header->layer_map : "");
    bytes_put_text(writer, header->settings ? header->settings : "");
    bytes_put_text(writer, element_of(header->state_element)->name);
    bytes_put_integer(writer, header->rotates_states);
    bytes_put_integer(writer, header->fast);
    bytes_put_integer(writer, header->references);
}

static void put_bounds(struct byte_writer *writer, const struct plan_bounds *bounds)
{
    bytes_put_integer(writer, bounds->tokens);
    bytes_put_integer(writer, bounds->outputs);
    bytes_put_integer(writer, bounds->sequences);
    bytes_put_integer(writer, bounds->context);
    bytes_put_integer(writer, bounds->page_tokens);
    bytes_put_integer(writer, bounds->pages);
}

static void put_devices(struct byte_writer *writer, const struct plan *plan)
{
    bytes_put_integer(writer, plan->device_count);
    for (int d = 0; d < plan->device_count; d++) {
        const struct plan_device *device = &plan->devices[d];
        bytes_put_text(writer, device->specification);
        bytes_put_text(writer, device->class_name);
        bytes_put_integer(writer, device->target);
        bytes_put_integer(writer, device->architecture);
        bytes_put_integer(writer, device->arena_bytes);
        bytes_put_integer(writer, device->weight_bytes);
        bytes_put_integer(writer, device->state_bytes);
    }
}

static void put_steps(struct byte_writer *writer, const struct plan *plan)
{
    bytes_put_integer(writer, plan->event_count);
    bytes_put_integer(writer, plan->step_count);
    for (int s = 0; s < plan->step_count; s++) {
        const struct plan_step *step = &plan->steps[s];
        const int fields[] = {(int)step->kind, step->device, (int)step->queue, step->node,
                              step->event};
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++)
            bytes_put_integer(writer, fields[f]);
        bool copies = step->kind == STEP_COPY;
        bytes_put_text(writer, copies ? plan->graph->values[step->value].name : "");
        bytes_put_text(writer, copies ? plan->graph->values[step->target].name : "");
    }
}

static void put_memory(struct byte_writer *writer, const struct plan *plan)
{
    for (int v = 0; v < plan->graph->value_count; v++) {
        bytes_put_text(writer, plan->graph->values[v].name);
        bytes_put_integer(writer, plan->memory.offsets[v]);
        bytes_put_integer(writer, plan->memory.bytes[v]);
    }
    for (int d = 0; d < plan->device_count; d++)
        bytes_put_integer(writer, plan->memory.device_bytes[d]);
}

static status put_images(struct byte_writer *writer, const struct plan *plan,
                         struct diagnostic *diagnostic)
{
    bytes_put_integer(writer, plan->image_count);
    for (int i = 0; i < plan->image_count; i++) {
        const struct plan_image *image = &plan->images[i];
        void *bytes;
        size_t count;
        TRY(image_encode(&image->image, writer->arena, &bytes, &count, diagnostic));
        bytes_put_text(writer, image->problem->text);
        bytes_put_text(writer, image->candidate);
        put_hash(writer, image->artifact);
        put_hash(writer, image->source);
        bytes_put_real(writer, image->seconds);
        bytes_put_integer(writer, image->measured);
        bytes_put_integer(writer, image->spare);
        bytes_put_integer(writer, image->stands_for);
        bytes_put_block(writer, bytes, count);
    }
    return STATUS_OK;
}

static void put_choices(struct byte_writer *writer, const struct plan *plan)
{
    for (int n = 0; n < plan->graph->node_count; n++)
        for (int r = 0; r < BUCKET_ROW_COUNT; r++)
            for (int c = 0; c < BUCKET_CONTEXT_COUNT; c++)
                bytes_put_integer(writer, plan->choices[n][r][c]);
}

static status put_schedule(struct byte_writer *writer, const struct plan *plan,
                           struct diagnostic *diagnostic)
{
    struct text text = {.arena = writer->arena};
    graph_print(plan->graph, &text);
    const char *graph = text_finish(&text);
    TRY_MEMORY(graph, diagnostic);
    bytes_put_text(writer, graph);
    put_memory(writer, plan);
    put_steps(writer, plan);
    TRY(put_images(writer, plan, diagnostic));
    put_choices(writer, plan);
    return STATUS_OK;
}

static status put_plan(struct byte_writer *writer, const struct plan_header *header,
                       const struct plan *plan, struct diagnostic *diagnostic)
{
    put_header(writer, header);
    put_bounds(writer, &plan->bounds);
    put_devices(writer, plan);
    TRY(put_schedule(writer, plan, diagnostic));
    bytes_put_integer(writer, plan->prefill ? plan->prefill_tokens : 0);
    if (plan->prefill) TRY(put_schedule(writer, plan->prefill, diagnostic));
    return writer->failed ? fail_memory(diagnostic, writer->count) : STATUS_OK;
}

static status seal_and_write(const char *path, const char *signer, const struct byte_writer *body,
                             struct arena *arena, struct diagnostic *diagnostic)
{
    uint8_t seal[PLAN_SEAL_BYTES];
    TRY(plan_seal_make(body->bytes, body->count, signer, seal, diagnostic));
    struct byte_writer file = {.arena = arena};
    bytes_put(&file, plan_mark, PLAN_MARK_BYTES);
    bytes_put_integer(&file, PLAN_VERSION);
    bytes_put_integer(&file, (int64_t)(PLAN_HEAD_BYTES + body->count));
    bytes_put(&file, seal, sizeof seal);
    bytes_put(&file, body->bytes, body->count);
    if (file.failed) return fail_memory(diagnostic, body->count);
    return file_write(path, file.bytes, file.count, diagnostic);
}

status plan_file_write(const char *path, const struct plan_header *header, const struct plan *plan,
                       struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct byte_writer body = {.arena = arena};
    status code = put_plan(&body, header, plan, diagnostic);
    if (code == STATUS_OK) code = seal_and_write(path, header->signer, &body, arena, diagnostic);
    arena_destroy(arena);
    return code;
}
