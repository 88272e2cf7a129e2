/* Rendering a chat template: budgets, texts and the way in. */
#include "models/template_render.h"

#include "models/template.h"

#include <string.h>

status render_refuse(struct rendering *rendering, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    status code = template_refuse(rendering->template, rendering->offset, rendering->diagnostic,
                                  format, arguments);
    va_end(arguments);
    return code;
}

status render_charge(struct rendering *rendering, size_t bytes)
{
    rendering->steps += 1 + (int64_t)(bytes / RENDER_BYTES_PER_STEP);
    if (rendering->steps <= RENDER_STEPS_MAX) return STATUS_OK;
    return RENDER_REFUSE(rendering, "the template takes more than %d steps", RENDER_STEPS_MAX);
}

static status charge_memory(struct rendering *rendering, size_t bytes)
{
    rendering->memory_bytes += bytes;
    if (rendering->memory_bytes <= RENDER_MEMORY_MAX) return STATUS_OK;
    return RENDER_REFUSE(rendering, "the template takes more than %d MiB of memory",
                         RENDER_MEMORY_MAX >> 20);
}

status render_allocate(struct rendering *rendering, size_t count, size_t item_bytes, void **room)
{
    *room = NULL;
    if (count == 0) return STATUS_OK;
    if (count > RENDER_MEMORY_MAX)
        return RENDER_REFUSE(rendering, "the template makes %zu values at once", count);
    TRY(charge_memory(rendering, count * item_bytes));
    *room = arena_allocate(rendering->arena, count, item_bytes);
    TRY_MEMORY(*room, rendering->diagnostic);
    return STATUS_OK;
}

status render_start_text(struct rendering *rendering, struct text *text)
{
    *text = (struct text){.arena = rendering->arena};
    return render_charge(rendering, 0);
}

status render_append(struct rendering *rendering, struct text *text, const char *bytes,
                     size_t length)
{
    size_t capacity = text->capacity;
    if (length > RENDER_OUTPUT_MAX || text->length + length > RENDER_OUTPUT_MAX)
        return RENDER_REFUSE(rendering, "a text of the template has more than %d MiB",
                             RENDER_OUTPUT_MAX >> 20);
    TRY(render_charge(rendering, length));
    text_append_range(text, bytes, length);
    if (text->failed) return fail_memory(rendering->diagnostic, length);
    return text->capacity == capacity ? STATUS_OK : charge_memory(rendering, text->capacity);
}

status render_finish_text(struct rendering *rendering, const struct text *text,
                          struct datum *result)
{
    if (text->failed) return fail_memory(rendering->diagnostic, text->length);
    *result = datum_text(text->bytes ? text->bytes : "", text->length);
    return STATUS_OK;
}

static status take_variables(struct rendering *rendering, json_t *variables)
{
    struct datum all;
    if (!json_is_object(variables))
        return fail(rendering->diagnostic, STATUS_USAGE,
                    "the variables of a chat template are a JSON object");
    TRY(datum_from_json(rendering, variables, &all));
    rendering->scope->variables = *all.map;
    return STATUS_OK;
}

static status render(struct rendering *rendering, json_t *variables)
{
    const struct template_node *body = rendering->template->body;
    TRY(render_start_text(rendering, rendering->output));
    TRY(render_enter_scope(rendering, NULL));
    TRY(take_variables(rendering, variables));
    return render_body(rendering, body->items, body->count);
}

status template_render(const struct template *template, json_t *variables, int64_t now,
                       struct arena *arena, char **text, size_t *length,
                       struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct text output = {0};
    struct rendering rendering = {.template = template,
                                  .arena = scratch,
                                  .diagnostic = diagnostic,
                                  .output = &output,
                                  .now = now};
    status code = render(&rendering, variables);
    if (code == STATUS_OK) {
        *length = output.length;
        *text = arena_text_range(arena, output.bytes ? output.bytes : "", output.length);
        if (!*text) code = fail_memory(diagnostic, output.length);
    }
    arena_destroy(scratch);
    return code;
}
