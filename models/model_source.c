/* What the readers of all formats share: finding entries by name, and closing. */
#include "models/model_source.h"

#include "models/gguf.h"
#include "models/huggingface.h"

#include <stdlib.h>
#include <string.h>

static const char *const format_names[SOURCE_FORMAT_COUNT] = {"gguf", "huggingface"};

const char *source_format_name(enum source_format format)
{
    return format_names[format];
}

const char *metadata_kind_name(enum metadata_kind kind)
{
    static const char *const names[] = {"null",      "a whole number", "a real number",
                                        "a boolean", "a text",         "a list"};
    return names[kind];
}

status source_open(const char *path, struct arena *arena, const struct progress *progress,
                   struct model_source *source, struct diagnostic *diagnostic)
{
    static const char suffix[] = ".safetensors";
    size_t length = strlen(path);
    *source = (struct model_source){.arena = arena, .path = path};
    if (file_is_folder(path)) return huggingface_open(path, progress, source, diagnostic);
    if (length >= sizeof suffix && !strcmp(path + length - (sizeof suffix - 1), suffix)) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.700s: name the folder that holds this file and its config.json", path);
    }
    return gguf_open(path, progress, source, diagnostic);
}

status source_map(struct model_source *source, const char *path, struct mapped_file *file,
                  struct diagnostic *diagnostic)
{
    TRY(file_map(path, source->arena, file, diagnostic));
    void *grown = arena_grow(source->arena, source->files, (size_t)source->file_count,
                             &source->file_capacity, sizeof *source->files);
    if (!grown) {
        file_unmap(file);
        return fail_memory(diagnostic, sizeof *source->files);
    }
    source->files = grown;
    source->files[source->file_count++] = *file;
    return STATUS_OK;
}

void source_close(struct model_source *source)
{
    for (int i = 0; i < source->file_count; i++) file_unmap(&source->files[i]);
    source->file_count = 0;
    deferred_close(&source->deferred);
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(((const struct metadata *)a)->key, ((const struct metadata *)b)->key);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct stored_tensor *)a)->name, ((const struct stored_tensor *)b)->name);
}

status source_index(struct model_source *source, struct diagnostic *diagnostic)
{
    struct metadata *metadata = source->metadata;
    struct stored_tensor *tensors = source->tensors;
    if (metadata) {
        qsort(metadata, (size_t)source->metadata_count, sizeof *metadata, compare_keys);
    }
    if (tensors) qsort(tensors, (size_t)source->tensor_count, sizeof *tensors, compare_names);
    for (int i = 1; i < source->metadata_count; i++) {
        if (strcmp(metadata[i - 1].key, metadata[i].key) != 0) continue;
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: the key '%.200s' is there twice",
                    source->path, metadata[i].key);
    }
    for (int i = 1; i < source->tensor_count; i++) {
        if (strcmp(tensors[i - 1].name, tensors[i].name) != 0) continue;
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.400s: byte %llu: the tensor '%.200s' is there twice", tensors[i].file,
                    (unsigned long long)tensors[i].offset, tensors[i].name);
    }
    return STATUS_OK;
}

struct metadata *source_metadata(const struct model_source *source, const char *key)
{
    struct metadata wanted = {.key = key};
    if (!source->metadata_count) return NULL;
    return bsearch(&wanted, source->metadata, (size_t)source->metadata_count, sizeof wanted,
                   compare_keys);
}

struct stored_tensor *source_tensor(const struct model_source *source, const char *name)
{
    struct stored_tensor wanted = {.name = name};
    if (!source->tensor_count) return NULL;
    return bsearch(&wanted, source->tensors, (size_t)source->tensor_count, sizeof wanted,
                   compare_names);
}

bool metadata_item(const struct metadata *list, int64_t index, struct metadata *item)
{
    if (list->raw) return gguf_item(list, index, item);
    if (list->kind != METADATA_LIST || index < 0 || index >= list->length) return false;
    *item = list->items[index];
    return true;
}

bool metadata_is_text(const struct metadata *entry, const char *text)
{
    return entry->kind == METADATA_TEXT && entry->length == (int64_t)strlen(text) &&
           !memcmp(entry->text, text, (size_t)entry->length);
}
