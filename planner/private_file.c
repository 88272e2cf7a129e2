/* A file is made whole before it has its name: a key that was cut off would shut its user out. */
#include "planner/private_file.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

status private_file_path(const char *name, struct arena *arena, const char **path,
                         struct diagnostic *diagnostic)
{
    const char *folder = file_config_folder(arena);
    *path = folder ? file_join(arena, folder, name) : NULL;
    if (*path) return STATUS_OK;
    return fail(diagnostic, STATUS_FAILED,
                "no home folder is known: set HOME or XDG_CONFIG_HOME, keys are kept there");
}

static bool fill(int file, const void *bytes, size_t count)
{
    return write(file, bytes, count) == (ssize_t)count && fsync(file) == 0;
}

static status create_in(struct arena *arena, const char *path, const void *bytes, size_t count,
                        bool *existed, struct diagnostic *diagnostic)
{
    const char *folder = file_folder_of(arena, path);
    char *draft = arena_print(arena, "%s.XXXXXX", path);
    TRY_MEMORY(folder && draft ? draft : NULL, diagnostic);
    TRY(file_make_folders(folder, diagnostic));
    int file = mkostemp(draft, O_CLOEXEC); /* 0600 */
    if (file < 0) return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s: %s", draft, strerror(errno));
    bool good = fill(file, bytes, count);
    int reason = errno;
    close(file);
    /* A link does not take the place of what is there, as a rename would. */
    if (good && link(draft, path) != 0) {
        reason = errno;
        *existed = reason == EEXIST;
        good = *existed;
    }
    unlink(draft);
    if (good) return STATUS_OK;
    return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s: %s", path, strerror(reason));
}

status private_file_create(const char *path, const void *bytes, size_t count, bool *existed,
                           struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    *existed = false;
    status code = create_in(arena, path, bytes, count, existed, diagnostic);
    arena_destroy(arena);
    return code;
}

status private_file_read(const char *path, void *bytes, size_t count, struct diagnostic *diagnostic)
{
    struct stat facts;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return fail(diagnostic, STATUS_BAD_INPUT, "%s: %s", path, strerror(errno));
    bool own = fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_uid == geteuid() &&
               (facts.st_mode & 077) == 0;
    bool good = own && read(file, bytes, count) == (ssize_t)count;
    close(file);
    if (good) return STATUS_OK;
    return fail(diagnostic, STATUS_FAILED, "%s is %s: remove it and make it again", path,
                own ? "too short" : "open to other users");
}
