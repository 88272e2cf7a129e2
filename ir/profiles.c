/* Finds profiles among the files that were compiled in. */
#include "ir/profiles.h"

#include "base/embedded.h"
#include "base/text.h"

#include <string.h>

extern const struct embedded_file embedded_profiles[]; /* made by cmake/embed.cmake, sorted */

static const char suffix[] = ".yaml";

/* "rtx3090" of "ir/profiles/rtx3090.yaml". */
static const char *stem_of(const struct embedded_file *file, size_t *length)
{
    const char *slash = strrchr(file->path, '/');
    const char *name = slash ? slash + 1 : file->path;
    *length = strlen(name) - strlen(suffix);
    return name;
}

const char *const *profile_names(struct arena *arena)
{
    int count = 0;
    while (embedded_profiles[count].path) count++;
    const char **names = arena_allocate(arena, (size_t)count + 1, sizeof *names);
    for (int i = 0; names && i < count; i++) {
        size_t length;
        const char *stem = stem_of(&embedded_profiles[i], &length);
        names[i] = arena_text_range(arena, stem, length);
        if (!names[i]) return NULL;
    }
    return names;
}

static status unknown_profile(const char *name, struct arena *arena, struct diagnostic *diagnostic)
{
    const char *const *names = profile_names(arena);
    const char *nearest = names ? text_nearest(name, names) : NULL;
    if (nearest)
        return fail(diagnostic, STATUS_NOT_FOUND,
                    "there is no profile of a device '%.80s'; did you mean '%s'?", name, nearest);
    struct text text = {.arena = arena};
    for (int i = 0; names && names[i]; i++) text_print(&text, "%s%s", i ? ", " : "", names[i]);
    const char *list = text_finish(&text);
    return fail(diagnostic, STATUS_NOT_FOUND,
                "there is no profile of a device '%.80s'; known are %s", name,
                list ? list : "others");
}

status profile_read(const char *name, struct arena *arena, struct device_facts *facts,
                    struct diagnostic *diagnostic)
{
    for (const struct embedded_file *file = embedded_profiles; file->path; file++) {
        size_t length;
        const char *stem = stem_of(file, &length);
        if (strlen(name) != length || memcmp(name, stem, length) != 0) continue;
        struct yaml *root;
        TRY(yaml_parse(file->path, file->bytes, file->byte_count, arena, &root, diagnostic));
        return device_facts_read(root, arena, facts, diagnostic);
    }
    return unknown_profile(name, arena, diagnostic);
}
