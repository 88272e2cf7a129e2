/* Reading Hugging Face folders. */
#include "models/huggingface.h"

#include "models/json_read.h"
#include "models/safetensors.h"
#include "models/scaled_tensors.h"

#include <string.h>

enum { CONFIG_BYTES_MAX = 1 << 20 };

static status add_value(struct model_source *source, json_t *value, struct metadata *entry,
                        struct diagnostic *diagnostic);

static status add_list(struct model_source *source, json_t *list, struct metadata *entry,
                       struct diagnostic *diagnostic)
{
    struct metadata *items;
    size_t index;
    json_t *value;
    TRY_NEW(items, source->arena, json_array_size(list), diagnostic);
    entry->kind = METADATA_LIST;
    entry->length = (int64_t)json_array_size(list);
    entry->items = items;
    json_array_foreach(list, index, value)
    {
        items[index].key = entry->key;
        TRY(add_value(source, value, &items[index], diagnostic));
    }
    return STATUS_OK;
}

static status add_value(struct model_source *source, json_t *value, struct metadata *entry,
                        struct diagnostic *diagnostic)
{
    switch (json_typeof(value)) {
    case JSON_NULL: entry->kind = METADATA_NOTHING; break;
    case JSON_TRUE:
    case JSON_FALSE:
        entry->kind = METADATA_BOOLEAN;
        entry->integer = json_is_true(value);
        break;
    case JSON_INTEGER:
        entry->kind = METADATA_INTEGER;
        entry->integer = json_integer_value(value);
        entry->real = (double)entry->integer;
        break;
    case JSON_REAL:
        entry->kind = METADATA_REAL;
        entry->real = json_real_value(value);
        break;
    case JSON_STRING:
        entry->kind = METADATA_TEXT;
        entry->length = (int64_t)json_string_length(value);
        entry->text = arena_text(source->arena, json_string_value(value));
        TRY_MEMORY(entry->text, diagnostic);
        break;
    case JSON_ARRAY: TRY(add_list(source, value, entry, diagnostic)); break;
    case JSON_OBJECT: /* inside a list: no known key has that; the key is kept, so it is refused */
        entry->kind = METADATA_LIST;
        break;
    }
    return STATUS_OK;
}

/* Recursion is bounded: json_read allows 64 levels. */
static status add_object(struct model_source *source, json_t *object, const char *prefix,
                         struct diagnostic *diagnostic)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        const char *key = arena_print(source->arena, "%s%s", prefix, name);
        TRY_MEMORY(key, diagnostic);
        if (json_is_object(value)) {
            const char *inner = arena_print(source->arena, "%s.", key);
            TRY_MEMORY(inner, diagnostic);
            TRY(add_object(source, value, inner, diagnostic));
            continue;
        }
        TRY_APPEND(source->metadata, source->metadata_count, source->metadata_capacity,
                   source->arena, diagnostic);
        struct metadata *entry = &source->metadata[source->metadata_count - 1];
        entry->key = key;
        TRY(add_value(source, value, entry, diagnostic));
    }
    return STATUS_OK;
}

static status read_config(struct model_source *source, const char *path,
                          struct diagnostic *diagnostic)
{
    char *bytes;
    size_t byte_count;
    json_t *root;
    TRY(file_read(path, CONFIG_BYTES_MAX, source->arena, &bytes, &byte_count, diagnostic));
    TRY(json_read(path, bytes, byte_count, &root, diagnostic));
    source->identity = hash_combine(source->identity, hash_bytes(bytes, byte_count));
    status result = add_object(source, root, "", diagnostic);
    json_decref(root);
    return result;
}

static status read_tensors(const char *folder, struct model_source *source,
                           struct diagnostic *diagnostic)
{
    const char *whole = file_join(source->arena, folder, "model.safetensors");
    const char *index = file_join(source->arena, folder, "model.safetensors.index.json");
    if (!whole || !index) return fail_memory(diagnostic, strlen(folder));
    if (file_exists(index)) return safetensors_open_index(folder, index, source, diagnostic);
    if (file_exists(whole)) return safetensors_open(whole, source, diagnostic);
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.700s: holds neither model.safetensors nor model.safetensors.index.json "
                "(pickled models are not loaded: convert them)",
                folder);
}

static void warn_of_code(const struct model_source *source, const struct progress *progress)
{
    for (int i = 0; i < source->metadata_count; i++) {
        if (strncmp(source->metadata[i].key, "auto_map.", 9) != 0) continue;
        progress_warn(progress, "%.500s: names custom code (auto_map), which is never run",
                      source->path);
        return;
    }
}

status huggingface_open(const char *folder, const struct progress *progress,
                        struct model_source *source, struct diagnostic *diagnostic)
{
    source->format = SOURCE_HUGGINGFACE;
    const char *config = file_join(source->arena, folder, "config.json");
    TRY_MEMORY(config, diagnostic);
    TRY(read_config(source, config, diagnostic));
    TRY(read_tensors(folder, source, diagnostic));
    TRY(source_index(source, diagnostic));
    struct weight_scheme scheme;
    TRY(weight_scheme_read(source, &scheme, diagnostic));
    TRY(scaled_tensors_join(source, &scheme, diagnostic));
    struct metadata *name = source_metadata(source, "model_type");
    if (!name || name->kind != METADATA_TEXT || !name->length) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: model_type, a text, is missing", config);
    }
    source->name = name->text;
    name->used = true;
    warn_of_code(source, progress);
    return STATUS_OK;
}
