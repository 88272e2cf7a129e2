/* Logs of lines: what was appended is read back, whatever was cut off is left out, damage is refused. */
#include "base/file.h"
#include "base/line_log.h"
#include "tests/check.h"

#include <sys/wait.h>
#include <unistd.h>

static const char log_path[] = HONE_BUILD_FOLDER "/tests/line-log/lines.jsonl",
                  mark[] = "{\"kind\":1,";
static const char *const objects[] = {"{\"kind\":1,\"of\":\"x\"}", "{\"a\":1}", "{\"b\":[1,2,3]}",
                                      "{\"c\":{\"d\":null}}"};
enum { OBJECTS = sizeof objects / sizeof *objects };

static void write_raw(const char *bytes, size_t count)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(file_write(log_path, bytes, count, &diagnostic));
}

/* A log of all objects; its bytes. */
static char *make_log(struct arena *arena, size_t *count)
{
    struct diagnostic diagnostic = {0};
    struct line_log *log;
    char *bytes;
    unlink(log_path);
    CHECK_OK(line_log_open(log_path, mark, arena, &log, &diagnostic));
    assert_int_equal(line_log_count(log), 0);
    for (int o = 0; o < OBJECTS; o++) CHECK_OK(line_log_append(log, objects[o], &diagnostic));
    line_log_close(log);
    CHECK_OK(file_read(log_path, 1 << 20, arena, &bytes, count, &diagnostic));
    return bytes;
}

static void check_lines(const struct line_log *log, int count)
{
    assert_int_equal(line_log_count(log), count);
    for (int i = 0; i < count; i++) CHECK_TEXT(line_log_line(log, i), objects[i]);
}

static int whole_lines(const char *bytes, size_t count)
{
    int lines = 0;
    for (size_t i = 0; i < count; i++) lines += bytes[i] == '\n';
    return lines;
}

/* Cut at every byte: the whole lines are there, and the log goes on behind them. */
static void a_log_that_was_cut_off_goes_on(void **state)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct line_log *log;
    size_t count;
    char *bytes = make_log(arena, &count);
    (void)state;
    for (size_t cut = 0; cut <= count; cut++) {
        int whole = whole_lines(bytes, cut);
        write_raw(bytes, cut);
        CHECK_OK(line_log_open(log_path, mark, arena, &log, &diagnostic));
        check_lines(log, whole);
        for (int o = whole; o < OBJECTS; o++)
            CHECK_OK(line_log_append(log, objects[o], &diagnostic));
        line_log_close(log);
        CHECK_OK(line_log_open(log_path, mark, arena, &log, &diagnostic));
        check_lines(log, OBJECTS);
        assert_int_equal(line_log_torn_bytes(log), 0);
        line_log_close(log);
    }
    arena_destroy(arena);
}

/* Each byte changed: the line is refused by its number, or left out where it is the last. */
static void damage_is_never_read(void **state)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct line_log *log;
    size_t count;
    char *bytes = make_log(arena, &count);
    int left_out = 0;
    (void)state;
    for (size_t at = 0; at < count; at++) {
        char old = bytes[at], words[24];
        int line = whole_lines(bytes, at);
        bytes[at] = (char)(old ^ 4);
        write_raw(bytes, count);
        bytes[at] = old;
        snprintf(words, sizeof words, "line %d ", line + 1);
        status code = line_log_open(log_path, mark, arena, &log, &diagnostic);
        if (code == STATUS_OK) {
            assert_int_equal(line, OBJECTS - 1);
            check_lines(log, OBJECTS - 1);
            line_log_close(log);
            left_out++;
        } else if (code != STATUS_BAD_INPUT ||
                   !strstr(diagnostic.text, line ? words : "another kind")) {
            CHECK_FAIL("byte %zu: %s: %s", at, status_name(code), diagnostic.text);
        }
        diagnostic = (struct diagnostic){0};
    }
    assert_true(left_out > 40);
    arena_destroy(arena);
}

static void other_files_are_left_alone(void **state)
{
    static const char *const others[] = {"a letter to a friend", "a\nb\n", "{\"kind\":2,\"x\":1}\n",
                                         "\n", "{\"kind\":1,\n\n"};
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct line_log *log;
    (void)state;
    for (size_t o = 0; o < sizeof others / sizeof *others; o++) {
        char *bytes;
        size_t count;
        write_raw(others[o], strlen(others[o]));
        CHECK_REFUSED(line_log_open(log_path, mark, arena, &log, &diagnostic), STATUS_BAD_INPUT,
                      "another kind");
        CHECK_OK(file_read(log_path, 100, arena, &bytes, &count, &diagnostic));
        CHECK_TEXT(bytes, others[o]);
    }
    CHECK_REFUSED(line_log_open(HONE_BUILD_FOLDER, mark, arena, &log, &diagnostic),
                  STATUS_INPUT_OUTPUT, "opening");
    CHECK_REFUSED(line_log_open("/dev/null", mark, arena, &log, &diagnostic), STATUS_BAD_INPUT,
                  "regular");
    arena_destroy(arena);
}

static void one_process_holds_a_log(void **state)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct line_log *log, *second;
    int result;
    (void)state;
    unlink(log_path);
    CHECK_OK(line_log_open(log_path, mark, arena, &log, &diagnostic));
    pid_t child = fork();
    if (child == 0) {
        status code = line_log_open(log_path, mark, arena, &second, &diagnostic);
        _exit(code == STATUS_FAILED && strstr(diagnostic.text, "in use") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    line_log_close(log);
    char *longest = arena_allocate(arena, LINE_LOG_LINE_MAX + 1, 1);
    memset(longest, 'x', LINE_LOG_LINE_MAX);
    CHECK_OK(line_log_open(log_path, mark, arena, &log, &diagnostic));
    CHECK_REFUSED(line_log_append(log, longest, &diagnostic), STATUS_FAILED, "too long");
    line_log_close(log);
    arena_destroy(arena);
}

#ifdef HONE_FAULTS
/* A system call that fails, as on a full disk, is told; what was on the disk before stays. */
static void failing_disks_are_told(void **state)
{
    struct arena *arena = arena_create(0);
    int failures = 0;
    (void)state;
    for (long n = 1;; n++) {
        struct diagnostic diagnostic = {0};
        struct line_log *log = NULL;
        size_t count;
        make_log(arena, &count);
        fault_set(0, n);
        status code = line_log_open(log_path, mark, arena, &log, &diagnostic);
        if (code == STATUS_OK) code = line_log_append(log, objects[1], &diagnostic);
        fault_set(0, 0);
        line_log_close(log);
        if (code == STATUS_OK) break;
        failures++;
        assert_true(diagnostic.text[0]);
        diagnostic = (struct diagnostic){0};
        CHECK_OK(line_log_open(log_path, mark, arena, &log, &diagnostic));
        assert_true(line_log_count(log) >= OBJECTS);
        line_log_close(log);
    }
    assert_true(failures >= 4);
    arena_destroy(arena);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_that_was_cut_off_goes_on), cmocka_unit_test(damage_is_never_read),
        cmocka_unit_test(other_files_are_left_alone),     cmocka_unit_test(one_process_holds_a_log),
#ifdef HONE_FAULTS
        cmocka_unit_test(failing_disks_are_told),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
