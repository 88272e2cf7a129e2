/* Making and removing folders. */
#include "tests/scratch_harness.h"

#include "tests/check.h"

#include <ftw.h>
#include <sys/stat.h>

enum { OPEN_FOLDERS = 16 };

int scratch_create(char folder[SCRATCH_BYTES])
{
    const char *place = getenv("TMPDIR");
    int length =
        snprintf(folder, SCRATCH_BYTES, "%s/hone_test_XXXXXX", place && *place ? place : "/tmp");
    return length < SCRATCH_BYTES && mkdtemp(folder) ? 0 : -1;
}

static int open_folder(const char *path, const struct stat *facts, int kind, struct FTW *walk)
{
    (void)walk;
    return kind == FTW_D || kind == FTW_DNR ? chmod(path, facts->st_mode | S_IRWXU) : 0;
}

static int remove_entry(const char *path, const struct stat *facts, int kind, struct FTW *walk)
{
    (void)facts, (void)kind, (void)walk;
    return remove(path);
}

int scratch_remove(const char *folder)
{
    if (nftw(folder, open_folder, OPEN_FOLDERS, FTW_PHYS)) return -1;
    return nftw(folder, remove_entry, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

int scratch_set_up(void **state)
{
    struct scratch *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(0);
    *state = scratch;
    return scratch_create(scratch->folder);
}

int scratch_tear_down(void **state)
{
    struct scratch *scratch = *state;
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}
