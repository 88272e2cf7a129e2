/* The files of a folder. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), suffix_length = strlen(suffix);
    return length > suffix_length && strcmp(name + length - suffix_length, suffix) == 0;
}

static int compare_names(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static status collect(DIR *folder, const char *suffix, struct arena *arena, const char ***names,
                      int *count, struct diagnostic *diagnostic)
{
    const char **found = NULL;
    size_t capacity = 0;
    *count = 0;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, suffix)) continue;
        TRY_APPEND(found, *count, capacity, arena, diagnostic);
        found[*count - 1] = arena_text(arena, entry->d_name);
        TRY_MEMORY(found[*count - 1], diagnostic);
    }
    if (*count) qsort(found, (size_t)*count, sizeof *found, compare_names);
    *names = found;
    return STATUS_OK;
}

status file_list(const char *folder, const char *suffix, struct arena *arena, const char ***names,
                 int *count, struct diagnostic *diagnostic)
{
    DIR *handle = opendir(folder);
    if (!handle) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: the folder cannot be read: %s", folder,
                    strerror(errno));
    }
    status code = collect(handle, suffix, arena, names, count, diagnostic);
    closedir(handle);
    return code;
}
