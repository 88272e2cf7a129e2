/* The key file is refused when others can read or write it: its seal would mean nothing. */
#include "planner/plan_seal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_BYTES = crypto_generichash_KEYBYTES };

static status key_path(struct arena *arena, const char **path, struct diagnostic *diagnostic)
{
    const char *folder = file_config_folder(arena);
    *path = folder ? file_join(arena, folder, "plan.key") : NULL;
    if (*path) return STATUS_OK;
    return fail(
        diagnostic, STATUS_FAILED,
        "no home folder is known: set HOME or XDG_CONFIG_HOME, plans are sealed with a key there");
}

static status make_key(const char *path, struct arena *arena, struct diagnostic *diagnostic)
{
    uint8_t key[KEY_BYTES];
    randombytes_buf(key, sizeof key);
    const char *folder = file_folder_of(arena, path);
    TRY_MEMORY(folder, diagnostic);
    TRY(file_make_folders(folder, diagnostic));
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0 && errno == EEXIST) return STATUS_OK; /* another process was quicker */
    bool good =
        file >= 0 && write(file, key, sizeof key) == (ssize_t)sizeof key && fsync(file) == 0;
    int reason = errno;
    if (file >= 0) close(file);
    sodium_memzero(key, sizeof key);
    if (good) return STATUS_OK;
    return fail(diagnostic, STATUS_INPUT_OUTPUT, "%s: %s", path, strerror(reason));
}

static status read_key(const char *path, uint8_t key[KEY_BYTES], struct diagnostic *diagnostic)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "no plan was built by this user here (%s: %s): build it with `hone compile`",
                    path, strerror(errno));
    struct stat facts;
    bool private_file = fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) &&
                        facts.st_uid == geteuid() && (facts.st_mode & 077) == 0;
    bool good = private_file && read(file, key, KEY_BYTES) == KEY_BYTES;
    close(file);
    if (good) return STATUS_OK;
    return fail(diagnostic, STATUS_FAILED, "%s is %s: remove it and build your plans again", path,
                private_file ? "too short" : "open to other users");
}

status plan_seal(const void *bytes, size_t count, bool create, uint8_t seal[PLAN_SEAL_BYTES],
                 struct diagnostic *diagnostic)
{
    if (sodium_init() < 0) return fail(diagnostic, STATUS_FAILED, "libsodium could not be started");
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    const char *path;
    uint8_t key[KEY_BYTES];
    status code = key_path(arena, &path, diagnostic);
    if (code == STATUS_OK && create && !file_exists(path)) code = make_key(path, arena, diagnostic);
    if (code == STATUS_OK) code = read_key(path, key, diagnostic);
    if (code == STATUS_OK) crypto_generichash(seal, PLAN_SEAL_BYTES, bytes, count, key, sizeof key);
    sodium_memzero(key, sizeof key);
    arena_destroy(arena);
    return code;
}
