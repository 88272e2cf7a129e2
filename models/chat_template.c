/* Where files keep a model's chat template. */
#include "models/chat_template.h"

#include "models/json_read.h"
#include "models/model_source.h"
#include "models/template.h"

#include <string.h>

enum { CONFIG_BYTES_MAX = 16 << 20 }; /* tokenizer_config.json repeats the added tokens */

static status copy(struct arena *arena, const char *bytes, size_t byte_count, const char **text,
                   size_t *length, struct diagnostic *diagnostic)
{
    *text = arena_text_range(arena, bytes, byte_count);
    TRY_MEMORY(*text, diagnostic);
    *length = byte_count;
    return STATUS_OK;
}

static status find_in_gguf(struct model_source *source, struct arena *arena, const char **text,
                           size_t *length, struct diagnostic *diagnostic)
{
    struct metadata *entry = source_metadata(source, "tokenizer.chat_template");
    if (!entry) return STATUS_OK;
    entry->used = true;
    if (entry->kind != METADATA_TEXT)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: tokenizer.chat_template is %s; it must be text", source->path,
                    metadata_kind_name(entry->kind));
    if (entry->length > TEMPLATE_BYTES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: tokenizer.chat_template has %lld bytes; at most %d are read",
                    source->path, (long long)entry->length, TEMPLATE_BYTES_MAX);
    return copy(arena, entry->text, (size_t)entry->length, text, length, diagnostic);
}

/* A text, or a list of {"name", "template"}. */
static const json_t *default_template(const json_t *value)
{
    size_t index;
    json_t *item;
    if (!json_is_array(value)) return value;
    json_array_foreach(value, index, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));
        if (name && !strcmp(name, "default")) return json_object_get(item, "template");
    }
    return NULL;
}

static status find_in_config(const char *path, struct arena *arena, const char **text,
                             size_t *length, struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    char *bytes;
    size_t byte_count;
    json_t *root = NULL;
    TRY_MEMORY(scratch, diagnostic);
    status code = file_read(path, CONFIG_BYTES_MAX, scratch, &bytes, &byte_count, diagnostic);
    if (code == STATUS_OK) code = json_read(path, bytes, byte_count, &root, diagnostic);
    const json_t *value = default_template(json_object_get(root, "chat_template"));
    if (json_is_string(value))
        code = copy(arena, json_string_value(value), json_string_length(value), text, length,
                    diagnostic);
    else if (code == STATUS_OK && value && !json_is_null(value))
        code = fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: chat_template must be a text, or a list of them with names", path);
    json_decref(root);
    arena_destroy(scratch);
    return code;
}

status chat_template_find(struct model_source *source, struct arena *arena, const char **text,
                          size_t *length, struct diagnostic *diagnostic)
{
    *text = NULL;
    *length = 0;
    if (source->format == SOURCE_GGUF) return find_in_gguf(source, arena, text, length, diagnostic);
    const char *file = file_join(arena, source->path, "chat_template.jinja");
    const char *config = file_join(arena, source->path, "tokenizer_config.json");
    if (!file || !config) return fail_memory(diagnostic, strlen(source->path));
    if (file_exists(file)) {
        char *bytes;
        TRY(file_read(file, TEMPLATE_BYTES_MAX, arena, &bytes, length, diagnostic));
        *text = bytes;
        return STATUS_OK;
    }
    if (!file_exists(config)) return STATUS_OK;
    return find_in_config(config, arena, text, length, diagnostic);
}
