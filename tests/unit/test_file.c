/* Files: reading, mapping, writing all or nothing, folders, large memory. */
#include "base/file.h"
#include "base/memory.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int entries(const char *folder)
{
    int count = 0;
    DIR *directory = opendir(folder);
    while (directory && readdir(directory)) count++;
    if (directory) closedir(directory);
    return count - 2;
}

static void check_content(const char *path, const void *content, size_t size, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t byte_count;
    CHECK_OK(file_read(path, size, arena, &bytes, &byte_count, &diagnostic));
    assert_int_equal(byte_count, size);
    assert_memory_equal(bytes, content, size);
    assert_int_equal(bytes[byte_count], 0);
    struct mapped_file mapped;
    CHECK_OK(file_map(path, arena, &mapped, &diagnostic));
    assert_int_equal(mapped.byte_count, size);
    assert_memory_equal(mapped.bytes, content, size);
    file_forget(mapped.bytes + (size ? 1 : 0), size ? size - 1 : 0);
    assert_memory_equal(mapped.bytes, content, size);
    CHECK_TEXT(mapped.path, path);
    file_unmap(&mapped);
    file_unmap(&mapped);
    if (!size) return;
    CHECK_REFUSED(file_read(path, size - 1, arena, &bytes, &byte_count, &diagnostic),
                  STATUS_BAD_INPUT, "larger than");
}

static void what_is_written_is_read(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "a/b/c.bin");
    const char *folder = file_folder_of(scratch->arena, path);
    const size_t sizes[] = {0, 1, 4095, 4096, 4097, 1000003};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *content = arena_allocate(scratch->arena, sizes[i], 1);
        for (size_t j = 0; j < sizes[i]; j++) content[j] = (unsigned char)(j * 31 + i);
        CHECK_OK(file_write(path, content, sizes[i], &diagnostic));
        assert_int_equal(entries(folder), 1); /* no temporary file is left */
        check_content(path, content, sizes[i], scratch->arena);
    }
}

static void only_regular_files_are_read(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *fifo = file_join(scratch->arena, scratch->folder, "fifo");
    const char *missing = file_join(scratch->arena, scratch->folder, "missing");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const char *const refused[] = {fifo, scratch->folder, "/dev/zero", "/dev/null"};
    char *bytes;
    size_t byte_count;
    struct mapped_file mapped;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        CHECK_REFUSED(file_read(refused[i], 100, scratch->arena, &bytes, &byte_count, &diagnostic),
                      STATUS_BAD_INPUT, "not a regular file");
        CHECK_REFUSED(file_map(refused[i], scratch->arena, &mapped, &diagnostic), STATUS_BAD_INPUT,
                      "not a regular file");
    }
    CHECK_REFUSED(file_read(missing, 100, scratch->arena, &bytes, &byte_count, &diagnostic),
                  STATUS_BAD_INPUT, "No such file");
    CHECK_REFUSED(file_map(missing, scratch->arena, &mapped, &diagnostic), STATUS_BAD_INPUT,
                  missing);
}

static void files_that_hide_their_size_are_read(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t byte_count;
    CHECK_OK(
        file_read("/proc/self/maps", 1 << 24, scratch->arena, &bytes, &byte_count, &diagnostic));
    assert_true(byte_count > 100);
    assert_int_equal(strlen(bytes), byte_count);
    CHECK_REFUSED(
        file_read("/proc/self/maps", 50, scratch->arena, &bytes, &byte_count, &diagnostic),
        STATUS_BAD_INPUT, "larger than the 50 bytes");
}

static void unwritable_places_are_reported(void **state)
{
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *plain = file_join(scratch->arena, scratch->folder, "plain");
    CHECK_OK(file_write(plain, "x", 1, &diagnostic));
    CHECK_REFUSED(file_write(file_join(scratch->arena, plain, "below"), "x", 1, &diagnostic),
                  STATUS_INPUT_OUTPUT, "plain");
    CHECK_REFUSED(file_make_folders(plain, &diagnostic), STATUS_INPUT_OUTPUT, "cannot be made");
    CHECK_REFUSED(file_make_folders("", &diagnostic), STATUS_INPUT_OUTPUT, "folder name");
    CHECK_REFUSED(file_write(scratch->folder, "x", 1, &diagnostic), STATUS_INPUT_OUTPUT,
                  "writing failed");
    char longest[6000];
    memset(longest, 'a', sizeof longest);
    longest[5999] = 0;
    CHECK_REFUSED(file_write(longest, "x", 1, &diagnostic), STATUS_INPUT_OUTPUT, "writing failed");
    longest[5000] = '/';
    CHECK_REFUSED(file_write(longest, "x", 1, &diagnostic), STATUS_INPUT_OUTPUT, "too long");
    assert_int_equal(entries(scratch->folder), 1);
}

/* A failure at any point of writing leaves the old content or the new, and no temporary file. */
static void failed_writing_leaves_old_or_new(void **state)
{
#ifdef HONE_FAULTS
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "file");
    CHECK_OK(file_write(path, "old", 3, &diagnostic));
    int failures = 0;
    for (long point = 1;; point++) {
        fault_set(0, point);
        status result = file_write(path, "newer", 5, &diagnostic);
        fault_set(0, 0);
        if (result == STATUS_OK) break;
        failures++;
        assert_int_equal(result, STATUS_INPUT_OUTPUT);
        assert_non_null(strstr(diagnostic.text, "No space left"));
        diagnostic = (struct diagnostic){0};
        assert_int_equal(entries(scratch->folder), 1);
        char *bytes;
        size_t byte_count;
        CHECK_OK(file_read(path, 100, scratch->arena, &bytes, &byte_count, &diagnostic));
        assert_true(strcmp(bytes, "old") == 0 || strcmp(bytes, "newer") == 0);
        if (strcmp(bytes, "newer") == 0) CHECK_OK(file_write(path, "old", 3, &diagnostic));
    }
    assert_true(failures >= 4); /* open, write, sync, rename */
#else
    (void)state;
    skip();
#endif
}

static void failed_reading_is_reported(void **state)
{
#ifdef HONE_FAULTS
    struct scratch *scratch = *state;
    struct diagnostic diagnostic = {0};
    char *bytes;
    size_t byte_count;
    fault_set(0, 2);
    CHECK_REFUSED(
        file_read("/proc/self/maps", 1 << 20, scratch->arena, &bytes, &byte_count, &diagnostic),
        STATUS_INPUT_OUTPUT, "reading failed");
    struct mapped_file mapped;
    fault_set(0, 2);
    CHECK_REFUSED(file_map("/proc/self/exe", scratch->arena, &mapped, &diagnostic),
                  STATUS_INPUT_OUTPUT, "cannot be mapped");
    fault_set(1, 0);
    CHECK_REFUSED(
        file_read("/proc/self/maps", 1 << 20, scratch->arena, &bytes, &byte_count, &diagnostic),
        STATUS_NO_MEMORY, "out of memory");
    fault_set(0, 0);
#else
    (void)state;
    skip();
#endif
}

static void paths_are_taken_apart(void **state)
{
    struct arena *arena = ((struct scratch *)*state)->arena;
    CHECK_TEXT(file_join(arena, "a", "b"), "a/b");
    CHECK_TEXT(file_join(arena, "a/", "b"), "a/b");
    CHECK_TEXT(file_join(arena, "", "b"), "b");
    CHECK_TEXT(file_folder_of(arena, "a/b/c"), "a/b");
    CHECK_TEXT(file_folder_of(arena, "a//c"), "a");
    CHECK_TEXT(file_folder_of(arena, "c"), ".");
    CHECK_TEXT(file_folder_of(arena, "/c"), "/");
    CHECK_TEXT(file_name_of("a/b/c.x"), "c.x");
    CHECK_TEXT(file_name_of("c"), "c");
    CHECK_TEXT(file_name_of("a/"), "");
    assert_true(file_exists("/proc/self/maps"));
    assert_true(file_is_folder("/proc"));
    assert_false(file_is_folder("/proc/self/maps"));
    assert_false(file_exists("/nowhere/at/all"));
}

static void xdg_folders_follow_the_standard(void **state)
{
    struct arena *arena = ((struct scratch *)*state)->arena;
    const char *home = getenv("HOME");
    char *saved = home ? strdup(home) : NULL;
    setenv("HOME", "/home/someone", 1);
    unsetenv("XDG_CACHE_HOME");
    setenv("XDG_CONFIG_HOME", "/etc/xdg", 1);
    CHECK_TEXT(file_cache_folder(arena), "/home/someone/.cache/hone");
    CHECK_TEXT(file_config_folder(arena), "/etc/xdg/hone");
    setenv("XDG_CONFIG_HOME", "relative", 1);
    CHECK_TEXT(file_config_folder(arena), "/home/someone/.config/hone");
    unsetenv("HOME");
    assert_null(file_config_folder(arena));
    unsetenv("XDG_CONFIG_HOME");
    if (saved) setenv("HOME", saved, 1);
    free(saved);
}

static void large_memory_is_aligned_and_zeroed(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    const size_t sizes[] = {0, 1, 4096, 5000, 2 << 20, (2 << 20) + 1, 9 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *memory;
        CHECK_OK(memory_map(sizes[i], &memory, &diagnostic));
        size_t alignment = sizes[i] > 2 << 20 ? 2 << 20 : MEMORY_ALIGNMENT_BYTES;
        assert_int_equal((uintptr_t)memory % alignment, 0);
        unsigned char *bytes = memory;
        for (size_t j = 0; j < sizes[i]; j++) {
            if (bytes[j]) CHECK_FAIL("byte %zu of %zu is not zero", j, sizes[i]);
        }
        if (sizes[i]) memset(memory, 1, sizes[i]);
        memory_unmap(memory, sizes[i]);
    }
    void *memory;
    CHECK_REFUSED(memory_map(SIZE_MAX - 5000, &memory, &diagnostic), STATUS_NO_MEMORY, "bytes");
    CHECK_REFUSED(memory_map(SIZE_MAX, &memory, &diagnostic), STATUS_NO_MEMORY, "bytes");
    memory_unmap(NULL, 100);
}

/* In a child: touching the fences ends it. */
static bool survives(const volatile char *address)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* sanitizers report otherwise */
        _exit(*address ? 1 : 0);
    }
    int state;
    assert_int_equal(waitpid(pid, &state, 0), pid);
    return WIFEXITED(state);
}

static void fences_keep_strays_out(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    const size_t fence = 8 << 20, sizes[] = {1, 5000, (6 << 20) + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        void *memory;
        CHECK_OK(memory_map_fenced(sizes[i], fence, &memory, &diagnostic));
        char *bytes = memory;
        memset(bytes, 1, sizes[i]);
        memset(bytes, 0, sizes[i]);
        assert_true(survives(bytes) && survives(bytes + sizes[i] - 1));
        assert_false(survives(bytes - 1) || survives(bytes - fence));
        assert_false(survives(bytes + sizes[i] + MEMORY_ALIGNMENT_BYTES));
        assert_false(survives(bytes + sizes[i] + fence - 1));
        memory_unmap_fenced(memory, sizes[i], fence);
    }
    void *memory;
    CHECK_REFUSED(memory_map_fenced(SIZE_MAX, fence, &memory, &diagnostic), STATUS_NO_MEMORY,
                  "bytes");
    CHECK_REFUSED(memory_map_fenced(1, SIZE_MAX / 2, &memory, &diagnostic), STATUS_NO_MEMORY,
                  "bytes");
}

#ifdef __x86_64__
static void machine_code_runs_and_cannot_be_written(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov eax, 42; ret */
    void *memory;
    CHECK_OK(memory_map_code(code, sizeof code, &memory, &diagnostic));
    int (*function)(void);
    memcpy(&function, &memory, sizeof function);
    assert_int_equal(function(), 42);
    int file = open("/dev/zero", O_RDONLY);
    assert_int_equal(read(file, memory, 1), -1); /* the system refuses to write there */
    assert_int_equal(errno, EFAULT);
    close(file);
    memory_unmap(memory, sizeof code);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(only_regular_files_are_read, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(files_that_hide_their_size_are_read, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(unwritable_places_are_reported, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(failed_writing_leaves_old_or_new, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(failed_reading_is_reported, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(paths_are_taken_apart, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(xdg_folders_follow_the_standard, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test(large_memory_is_aligned_and_zeroed),
        cmocka_unit_test(fences_keep_strays_out),
#ifdef __x86_64__
        cmocka_unit_test(machine_code_runs_and_cannot_be_written),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
