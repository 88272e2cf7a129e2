/* Files by their endings, sorted by name within each, so that equal folders have equal hashes. */
#include "engine/experiment_folder.h"

#include "base/file.h"

#include <string.h>

static const char *const endings[] = {".yaml", ".c", ".ll", ".cu", ".cuh"};
enum { ENDINGS = sizeof endings / sizeof *endings, FILE_BYTES_MAX = 16 << 20, FILES_MAX = 256 };

static status add_file(struct folder_content *content, const char *folder, const char *name,
                       struct arena *arena, struct diagnostic *diagnostic)
{
    size_t capacity = content->capacity, same = content->capacity;
    int count = content->count, again = content->count;
    const char *path = file_join(arena, folder, name);
    TRY_MEMORY(path, diagnostic);
    if (content->count == FILES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: more than %d files of variants", folder,
                    FILES_MAX);
    TRY_APPEND(content->names, content->count, content->capacity, arena, diagnostic);
    TRY_APPEND(content->bytes, count, capacity, arena, diagnostic);
    TRY_APPEND(content->byte_counts, again, same, arena, diagnostic);
    content->names[count - 1] = name;
    TRY(file_read(path, FILE_BYTES_MAX, arena, &content->bytes[count - 1],
                  &content->byte_counts[count - 1], diagnostic));
    content->hash =
        hash_combine(hash_combine(content->hash, hash_text(name)),
                     hash_bytes(content->bytes[count - 1], content->byte_counts[count - 1]));
    return STATUS_OK;
}

status folder_read(const char *folder, struct arena *arena, struct folder_content *content,
                   struct diagnostic *diagnostic)
{
    *content = (struct folder_content){.hash = hash_text("variants")};
    for (int e = 0; e < ENDINGS; e++) {
        const char **names;
        int count;
        TRY(file_list(folder, endings[e], arena, &names, &count, diagnostic));
        for (int n = 0; n < count; n++) TRY(add_file(content, folder, names[n], arena, diagnostic));
    }
    return STATUS_OK;
}

status folder_write(const char *folder, const struct folder_content *content, struct arena *arena,
                    struct diagnostic *diagnostic)
{
    TRY(file_make_folders(folder, diagnostic));
    for (int f = 0; f < content->count; f++) {
        const char *path = file_join(arena, folder, content->names[f]);
        TRY_MEMORY(path, diagnostic);
        TRY(file_write(path, content->bytes[f], content->byte_counts[f], diagnostic));
    }
    return STATUS_OK;
}

static bool has_file(const struct folder_content *content, const char *name)
{
    for (int f = 0; f < content->count; f++)
        if (strcmp(content->names[f], name) == 0) return true;
    return false;
}

status folder_restore(const char *folder, const struct folder_content *content, struct arena *arena,
                      struct diagnostic *diagnostic)
{
    for (int e = 0; e < ENDINGS; e++) {
        const char **names;
        int count;
        TRY(file_list(folder, endings[e], arena, &names, &count, diagnostic));
        for (int n = 0; n < count; n++) {
            const char *path = file_join(arena, folder, names[n]);
            TRY_MEMORY(path, diagnostic);
            if (!has_file(content, names[n])) file_remove(path);
        }
    }
    return folder_write(folder, content, arena, diagnostic);
}
