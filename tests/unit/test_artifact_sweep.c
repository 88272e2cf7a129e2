/* Artifacts that are used stay, others go, and what is no artifact is left alone. */
#include "base/file.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"
#include "tuner/artifact.h"
#include "tuner/artifact_sweep.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 8, CONTENT_BYTES = 1000, FILE_BYTES = CONTENT_BYTES + 16, DAY = 24 * 3600 };

static struct hash key_of(int file)
{
    return (struct hash){.high = (uint64_t)file << 60, .low = 7};
}

static const char *path_of(struct scratch *scratch, int file)
{
    char text[HASH_TEXT_BYTES];
    hash_print(key_of(file), text);
    return arena_print(scratch->arena, "%s/%.2s/%s" ARTIFACT_SUFFIX, scratch->folder, text, text);
}

static void set_age(const char *path, int64_t seconds)
{
    const struct timespec at = {.tv_sec = time(NULL) - seconds};
    const struct timespec times[2] = {at, at};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* File f was used f + 2 days ago. */
static void write_files(struct scratch *scratch)
{
    struct diagnostic diagnostic = {0};
    char content[CONTENT_BYTES] = {0};
    for (int f = 0; f < FILES; f++) {
        CHECK_OK(artifact_write(scratch->folder, key_of(f), content, sizeof content, &diagnostic));
        set_age(path_of(scratch, f), (f + 2) * (int64_t)DAY);
    }
}

static void those_not_used_for_longest_go(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct artifact_sweep sweep;
    void *encoded;
    size_t count;
    write_files(scratch);
    assert_true(
        artifact_read(scratch->folder, key_of(FILES - 1), scratch->arena, &encoded, &count));
    CHECK_OK(artifact_sweep(scratch->folder, 3 * FILE_BYTES + 1, &sweep, &diagnostic));
    assert_int_equal(sweep.kept, 3);
    assert_int_equal(sweep.removed, FILES - 3);
    assert_int_equal(sweep.kept_bytes, 3 * FILE_BYTES);
    assert_int_equal(sweep.removed_bytes, (FILES - 3) * FILE_BYTES);
    for (int f = 0; f < FILES; f++)
        assert_int_equal(file_exists(path_of(scratch, f)), f < 2 || f == FILES - 1);
    CHECK_OK(artifact_sweep(scratch->folder, UINT64_MAX, &sweep, &diagnostic));
    assert_int_equal(sweep.removed, 0);
    CHECK_OK(artifact_sweep(scratch->folder, 0, &sweep, &diagnostic));
    assert_int_equal(sweep.removed, 3);
    CHECK_OK(artifact_sweep(scratch->folder, 0, &sweep, &diagnostic));
    assert_int_equal(sweep.removed + sweep.kept, 0);
}

static void strays_go_once_they_are_old(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct artifact_sweep sweep;
    write_files(scratch);
    const char *old = arena_print(scratch->arena, "%s.old", path_of(scratch, 0));
    const char *young = arena_print(scratch->arena, "%s.young", path_of(scratch, 0));
    const char *other = file_join(scratch->arena, scratch->folder, "notes/mine.txt");
    CHECK_OK(file_write(old, "half", 4, &diagnostic));
    CHECK_OK(file_write(young, "half", 4, &diagnostic));
    CHECK_OK(file_write(other, "mine", 4, &diagnostic));
    set_age(old, DAY);
    set_age(other, DAY);
    CHECK_OK(artifact_sweep(scratch->folder, UINT64_MAX, &sweep, &diagnostic));
    assert_int_equal(sweep.removed, 1);
    assert_false(file_exists(old));
    CHECK_OK(artifact_sweep(scratch->folder, 0, &sweep, &diagnostic));
    assert_true(file_exists(young) && file_exists(other));
}

/* A link could lead anywhere. */
static void links_are_not_followed(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct artifact_sweep sweep;
    write_files(scratch);
    const char *target = file_join(scratch->arena, scratch->folder, "target");
    const char *link = arena_print(scratch->arena, "%s/00/link.image", scratch->folder);
    CHECK_OK(file_write(target, "mine", 4, &diagnostic));
    assert_int_equal(symlink(target, link), 0);
    CHECK_OK(artifact_sweep(scratch->folder, 0, &sweep, &diagnostic));
    assert_true(file_exists(target) && file_exists(link));
    CHECK_OK(artifact_sweep("/nowhere", 0, &sweep, &diagnostic));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_set_up, scratch_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(those_not_used_for_longest_go),
        TEST(strays_go_once_they_are_old),
        TEST(links_are_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
