/* Reads the spaces that were compiled in, and those of the user's folder. */
#include "ops/catalogue.h"

#include "base/embedded.h"
#include "base/file.h"
#include "ops/op_table.h"

#include <string.h>

extern const struct embedded_file embedded_spaces[]; /* made by cmake/embed.cmake */

struct catalogue_reader {
    struct arena *arena;
    struct arena *scratch; /* YAML trees */
    struct diagnostic *diagnostic;
    const struct space **spaces;
    int count;
    size_t capacity;
};

static const struct space *find(const struct catalogue_reader *reader, const char *variant,
                                int *index)
{
    for (int s = 0; s < reader->count; s++) {
        if (strcmp(reader->spaces[s]->variant, variant) != 0) continue;
        *index = s;
        return reader->spaces[s];
    }
    return NULL;
}

static status read_space(struct catalogue_reader *reader, struct yaml *root, struct hash source,
                         bool replaces)
{
    struct space *space;
    TRY(space_read(root, op_table(), reader->arena, &space, reader->diagnostic));
    int index = 0;
    const struct space *known = find(reader, space->variant, &index);
    if (known && !replaces)
        return yaml_fail(root, reader->diagnostic, "the variant '%s' is there twice",
                         space->variant);
    space->source = known ? hash_combine(known->source, source) : source;
    if (!known) {
        TRY_APPEND(reader->spaces, reader->count, reader->capacity, reader->arena,
                   reader->diagnostic);
        index = reader->count - 1;
    }
    reader->spaces[index] = space;
    return STATUS_OK;
}

static status read_embedded(struct catalogue_reader *reader)
{
    for (const struct embedded_file *file = embedded_spaces; file->path; file++) {
        struct yaml *root;
        TRY(yaml_parse(file->path, file->bytes, file->byte_count, reader->scratch, &root,
                       reader->diagnostic));
        TRY(read_space(reader, root, hash_text(file->fingerprint), false));
    }
    return STATUS_OK;
}

/* The folder's space may come with the source of its kernel; a CPU variant's emitter is compiled
 * in. */
static status folder_source(struct catalogue_reader *reader, const char *path, struct hash *source)
{
    enum { LIMIT_BYTES = 16 << 20 };
    char *bytes;
    size_t byte_count;
    TRY(file_read(path, LIMIT_BYTES, reader->scratch, &bytes, &byte_count, reader->diagnostic));
    *source = hash_bytes(bytes, byte_count);
    const char *kernel =
        arena_print(reader->scratch, "%.*s.cu", (int)(strlen(path) - strlen(".yaml")), path);
    TRY_MEMORY(kernel, reader->diagnostic);
    if (!file_exists(kernel)) return STATUS_OK;
    TRY(file_read(kernel, LIMIT_BYTES, reader->scratch, &bytes, &byte_count, reader->diagnostic));
    *source = hash_combine(*source, hash_bytes(bytes, byte_count));
    return STATUS_OK;
}

static status read_folder(struct catalogue_reader *reader, const char *folder)
{
    const char **names;
    int count;
    TRY(file_list(folder, ".yaml", reader->scratch, &names, &count, reader->diagnostic));
    for (int n = 0; n < count; n++) {
        const char *path = file_join(reader->scratch, folder, names[n]);
        TRY_MEMORY(path, reader->diagnostic);
        struct yaml *root;
        struct hash source;
        TRY(yaml_read(path, reader->scratch, &root, reader->diagnostic));
        TRY(folder_source(reader, path, &source));
        TRY(read_space(reader, root, source, true));
    }
    return STATUS_OK;
}

static status read_all(struct catalogue_reader *reader, const char *folder)
{
    TRY(read_embedded(reader));
    if (folder) TRY(read_folder(reader, folder));
    if (reader->count) /* the list ends with NULL; growing keeps what is there */
        TRY_APPEND(reader->spaces, reader->count, reader->capacity, reader->arena,
                   reader->diagnostic);
    return STATUS_OK;
}

status catalogue_read(const char *folder, struct arena *arena, struct catalogue *catalogue,
                      struct diagnostic *diagnostic)
{
    static const struct space *const none[] = {NULL};
    struct catalogue_reader reader = {
        .arena = arena, .scratch = arena_create(0), .diagnostic = diagnostic};
    *catalogue = (struct catalogue){.spaces = none};
    TRY_MEMORY(reader.scratch, diagnostic);
    status code = read_all(&reader, folder);
    arena_destroy(reader.scratch);
    if (code == STATUS_OK && reader.count)
        *catalogue = (struct catalogue){.spaces = reader.spaces, .count = reader.count - 1};
    return code;
}
