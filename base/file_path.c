/* Paths: joining, splitting, and the folders of the XDG base directory standard. */
#include "base/file.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *file_join(struct arena *arena, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] != '/' ? "/" : "";
    return arena_print(arena, "%s%s%s", folder, slash, name);
}

const char *file_name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *file_folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return arena_text(arena, ".");
    while (slash > path && slash[-1] == '/') slash--;
    if (slash == path) return arena_text(arena, "/");
    return arena_text_range(arena, path, (size_t)(slash - path));
}

/* $variable/hone, or ~/fallback/hone. */
static const char *xdg_folder(struct arena *arena, const char *variable, const char *fallback)
{
    const char *folder = getenv(variable);
    if (folder && *folder == '/') return file_join(arena, folder, "hone");
    const char *home = getenv("HOME");
    if (!home || *home != '/') return NULL;
    const char *base = file_join(arena, home, fallback);
    return base ? file_join(arena, base, "hone") : NULL;
}

const char *file_cache_folder(struct arena *arena)
{
    return xdg_folder(arena, "XDG_CACHE_HOME", ".cache");
}

const char *file_config_folder(struct arena *arena)
{
    return xdg_folder(arena, "XDG_CONFIG_HOME", ".config");
}

const char *file_absolute(struct arena *arena, const char *path)
{
    char buffer[PATH_MAX];
    return realpath(path, buffer) ? arena_text(arena, buffer) : NULL;
}
