/* Files of compiled images. */
#include "tuner/artifact.h"

#include "base/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Far above any kernel: the largest seen is below 100 KiB. */
enum { LIMIT_BYTES = 16 << 20, MARK_SECONDS = 24 * 3600 };

static const char *artifact_path(const char *folder, struct hash key, struct arena *arena)
{
    char text[HASH_TEXT_BYTES];
    hash_print(key, text);
    return arena_print(arena, "%s/%.2s/%s" ARTIFACT_SUFFIX, folder, text, text);
}

/* Says that the file is in use (tuner/artifact_sweep.h), once a day: a start reads a hundred of them. */
static void mark_used(const char *path)
{
    struct stat facts;
    if (stat(path, &facts) == 0 && time(NULL) - facts.st_mtim.tv_sec > MARK_SECONDS)
        (void)utimensat(AT_FDCWD, path, NULL, 0);
}

bool artifact_read(const char *folder, struct hash key, struct arena *arena, void **encoded,
                   size_t *byte_count)
{
    struct diagnostic ignored = {0};
    const char *path = artifact_path(folder, key, arena);
    char *bytes;
    size_t count;
    struct hash stored;
    if (!path || !file_exists(path) ||
        file_read(path, LIMIT_BYTES, arena, &bytes, &count, &ignored) != STATUS_OK ||
        count <= sizeof stored)
        return false;
    memcpy(&stored, bytes, sizeof stored);
    *encoded = bytes + sizeof stored;
    *byte_count = count - sizeof stored;
    if (!hash_equal(stored, hash_bytes(*encoded, *byte_count))) return false;
    mark_used(path);
    return true;
}

status artifact_write(const char *folder, struct hash key, const void *encoded, size_t byte_count,
                      struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    const char *path = artifact_path(folder, key, scratch);
    struct hash hash = hash_bytes(encoded, byte_count);
    char *bytes = arena_allocate(scratch, 1, sizeof hash + byte_count);
    status code = STATUS_NO_MEMORY;
    if (path && bytes) {
        memcpy(bytes, &hash, sizeof hash);
        memcpy(bytes + sizeof hash, encoded, byte_count);
        code = file_write(path, bytes, sizeof hash + byte_count, diagnostic);
    } else {
        code = fail_memory(diagnostic, byte_count);
    }
    arena_destroy(scratch);
    return code;
}
