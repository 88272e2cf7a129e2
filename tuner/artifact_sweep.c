/* The time of a file's last change is that of its last use, to a day (artifact_read). */
#include "tuner/artifact_sweep.h"

#include "base/file.h"
#include "tuner/artifact.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* No write takes as long: a file that has no name yet and is older belongs to nobody. */
static const double stray_seconds = 3600;

struct swept_file {
    const char *path;
    uint64_t bytes;
    double used; /* seconds since the epoch */
    bool stray;
};

struct sweeping {
    struct arena *arena;
    struct swept_file *files;
    int count;
    size_t capacity;
};

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

static status add_file(struct sweeping *sweeping, const char *folder, const char *name,
                       struct diagnostic *diagnostic)
{
    struct stat facts;
    const char *path = file_join(sweeping->arena, folder, name);
    TRY_MEMORY(path, diagnostic);
    if (lstat(path, &facts) != 0 || !S_ISREG(facts.st_mode))
        return STATUS_OK; /* gone, or no file of ours */
    struct swept_file file = {.path = path,
                              .bytes = (uint64_t)facts.st_size,
                              .used = (double)facts.st_mtim.tv_sec +
                                      1e-9 * (double)facts.st_mtim.tv_nsec,
                              .stray = !ends_with(name, ARTIFACT_SUFFIX)};
    if (file.stray && (double)time(NULL) - file.used < stray_seconds) return STATUS_OK;
    TRY_APPEND(sweeping->files, sweeping->count, sweeping->capacity, sweeping->arena, diagnostic);
    sweeping->files[sweeping->count - 1] = file;
    return STATUS_OK;
}

static status list_shelf(struct sweeping *sweeping, const char *folder,
                         struct diagnostic *diagnostic)
{
    status code = STATUS_OK;
    DIR *shelf = opendir(folder);
    if (!shelf) return STATUS_OK;
    for (const struct dirent *entry; code == STATUS_OK && (entry = readdir(shelf));)
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            code = add_file(sweeping, folder, entry->d_name, diagnostic);
    closedir(shelf);
    return code;
}

/* Shelves are named by the first two digits of what is on them; other folders are not looked into. */
static status list_shelves(struct sweeping *sweeping, const char *folder,
                           struct diagnostic *diagnostic)
{
    static const char digits[] = "0123456789abcdef";
    for (int first = 0; first < 16; first++)
        for (int second = 0; second < 16; second++) {
            const char *shelf =
                arena_print(sweeping->arena, "%s/%c%c", folder, digits[first], digits[second]);
            TRY_MEMORY(shelf, diagnostic);
            TRY(list_shelf(sweeping, shelf, diagnostic));
        }
    return STATUS_OK;
}

/* Strays, then by last use. */
static int compare_files(const void *a, const void *b)
{
    const struct swept_file *x = a, *y = b;
    if (x->stray != y->stray) return y->stray - x->stray;
    if (x->used != y->used) return x->used < y->used ? -1 : 1;
    return strcmp(x->path, y->path);
}

static status remove_files(const struct sweeping *sweeping, uint64_t limit_bytes,
                           struct artifact_sweep *sweep, struct diagnostic *diagnostic)
{
    for (int f = 0; f < sweeping->count; f++) sweep->kept_bytes += sweeping->files[f].bytes;
    sweep->kept = sweeping->count;
    for (int f = 0; f < sweeping->count; f++) {
        const struct swept_file *file = &sweeping->files[f];
        if (!file->stray && sweep->kept_bytes <= limit_bytes) break;
        if (unlink(file->path) != 0 && errno != ENOENT)
            return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s: %s", file->path, strerror(errno));
        sweep->kept--;
        sweep->removed++;
        sweep->kept_bytes -= file->bytes;
        sweep->removed_bytes += file->bytes;
    }
    return STATUS_OK;
}

status artifact_sweep(const char *folder, uint64_t limit_bytes, struct artifact_sweep *sweep,
                      struct diagnostic *diagnostic)
{
    struct sweeping sweeping = {.arena = arena_create(0)};
    *sweep = (struct artifact_sweep){.kept = 0};
    TRY_MEMORY(sweeping.arena, diagnostic);
    status code = list_shelves(&sweeping, folder, diagnostic);
    if (code == STATUS_OK && sweeping.count) {
        qsort(sweeping.files, (size_t)sweeping.count, sizeof *sweeping.files, compare_files);
        code = remove_files(&sweeping, limit_bytes, sweep, diagnostic);
    }
    arena_destroy(sweeping.arena);
    return code;
}
