/* Collecting architectures, and choosing the one that describes a model. */
#include "models/architecture_catalogue.h"

#include "base/text.h"
#include "models/architecture_bind.h"
#include "models/architecture_extend.h"
#include "models/architecture_reader.h"

#include <string.h>

/* Files of the models folder that describe no architecture. */
static bool is_architecture(const char *path)
{
    const char *name = file_name_of(path);
    return strcmp(name, "harmless.yaml") != 0 && strcmp(name, "presets.yaml") != 0;
}

status embedded_yaml(const char *name, struct arena *arena, struct yaml **root,
                     struct diagnostic *diagnostic)
{
    size_t length = strlen(name);
    for (const struct embedded_file *file = embedded_architectures; file->path; file++) {
        const char *own = file_name_of(file->path);
        if (strncmp(own, name, length) != 0 || strcmp(own + length, ".yaml") != 0) continue;
        return yaml_parse(file->path, file->bytes, file->byte_count, arena, root, diagnostic);
    }
    return fail(diagnostic, STATUS_NOT_FOUND, "%.100s.yaml was not compiled in", name);
}

/* A description that another one extends: of the folder (`context`, may be NULL) or embedded. */
static status find_description(const void *context, const char *name, struct arena *arena,
                               struct yaml **root, struct diagnostic *diagnostic)
{
    const char *file = arena_print(arena, "%s.yaml", name);
    TRY_MEMORY(file, diagnostic);
    if (context && !strchr(name, '/')) {
        const char *path = file_join(arena, context, file);
        TRY_MEMORY(path, diagnostic);
        if (file_exists(path)) return yaml_read(path, arena, root, diagnostic);
    }
    return embedded_yaml(name, arena, root, diagnostic);
}

static status add_architecture(struct architecture_catalogue *catalogue, const char *folder,
                               struct yaml *root, const struct op *const *ops, struct arena *arena,
                               struct diagnostic *diagnostic)
{
    const struct architecture_files files = {folder, find_description};
    TRY(architecture_extend(&files, root, 0, arena, &root, diagnostic));
    TRY_APPEND(catalogue->items, catalogue->count, catalogue->capacity, arena, diagnostic);
    return architecture_read(root, ops, arena, &catalogue->items[catalogue->count - 1], diagnostic);
}

static status read_folder(struct architecture_catalogue *catalogue, const char *folder,
                          const struct op *const *ops, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    const char **names;
    int count;
    TRY(file_list(folder, ".yaml", arena, &names, &count, diagnostic));
    for (int i = 0; i < count; i++) {
        struct yaml *root;
        const char *path = file_join(arena, folder, names[i]);
        TRY_MEMORY(path, diagnostic);
        TRY(yaml_read(path, arena, &root, diagnostic));
        TRY(add_architecture(catalogue, folder, root, ops, arena, diagnostic));
    }
    return STATUS_OK;
}

static status read_harmless(struct architecture_catalogue *catalogue, struct arena *arena,
                            struct diagnostic *diagnostic)
{
    struct architecture_reader reader = {.arena = arena, .diagnostic = diagnostic};
    struct yaml *root;
    TRY(embedded_yaml("harmless", arena, &root, diagnostic));
    for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
        struct yaml *keys;
        TRY(yaml_require(root, source_format_name((enum source_format)f), YAML_LIST, &keys,
                         diagnostic));
        TRY(read_texts(&reader, keys, &catalogue->harmless[f], &catalogue->harmless_count[f]));
    }
    return STATUS_OK;
}

status architectures_read(const char *folder, const struct op *const *ops, struct arena *arena,
                          struct architecture_catalogue *catalogue, struct diagnostic *diagnostic)
{
    *catalogue = (struct architecture_catalogue){0};
    TRY(read_harmless(catalogue, arena, diagnostic));
    if (folder) TRY(read_folder(catalogue, folder, ops, arena, diagnostic));
    for (const struct embedded_file *file = embedded_architectures; file->path; file++) {
        struct yaml *root;
        if (!is_architecture(file->path)) continue;
        TRY(yaml_parse(file->path, file->bytes, file->byte_count, arena, &root, diagnostic));
        TRY(add_architecture(catalogue, folder, root, ops, arena, diagnostic));
    }
    return STATUS_OK;
}

/* "llama, qwen2, mixtral", and the nearest name. */
static status fail_unknown(const struct architecture_catalogue *catalogue,
                           const struct model_source *source, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    const char **names = NULL;
    int count = 0;
    size_t capacity = 0;
    for (int i = 0; i < catalogue->count; i++) {
        const struct architecture *item = catalogue->items[i];
        for (int n = 0; n < item->name_count[source->format]; n++) {
            TRY_APPEND(names, count, capacity, arena, diagnostic);
            names[count - 1] = item->names[source->format][n];
            text_print(&text, "%s%s", text.length ? ", " : "", names[count - 1]);
        }
    }
    TRY_APPEND(names, count, capacity, arena, diagnostic); /* NULL, the end */
    const char *known = text_finish(&text), *nearest = text_nearest(source->name, names);
    TRY_MEMORY(known, diagnostic);
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.300s: the architecture '%.64s' is not known%s%s%s; known are %.400s. A file "
                "NAME.yaml in a folder of your own can describe it",
                source->path, source->name, nearest ? " (did you mean " : "",
                nearest ? nearest : "", nearest ? "?)" : "", known);
}

status architecture_choose(const struct architecture_catalogue *catalogue,
                           struct model_source *source, struct arena *arena,
                           const struct architecture **architecture, struct diagnostic *diagnostic)
{
    const char *condition = NULL;
    for (int i = 0; i < catalogue->count; i++) {
        const struct architecture *item = catalogue->items[i];
        bool matches;
        if (!architecture_answers(item, source->format, source->name)) continue;
        TRY(bind_matches(item, source, arena, &matches, diagnostic));
        if (matches) {
            *architecture = item;
            return STATUS_OK;
        }
        condition = item->when.expression->text;
    }
    if (!condition) return fail_unknown(catalogue, source, arena, diagnostic);
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.400s: no description of '%.64s' fits: the last one requires %.200s",
                source->path, source->name, condition);
}
