/* Status codes, diagnostics, clocks and progress. */
#include "base/clock.h"
#include "base/progress.h"
#include "base/status.h"
#include "tests/check.h"

#include <errno.h>
#include <time.h>

static void the_first_failure_is_kept(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    assert_int_equal(fail(&diagnostic, STATUS_BAD_INPUT, "line %d", 7), STATUS_BAD_INPUT);
    assert_int_equal(fail(&diagnostic, STATUS_FAILED, "later"), STATUS_FAILED);
    assert_int_equal(fail_memory(&diagnostic, 10), STATUS_NO_MEMORY);
    assert_int_equal(diagnostic.code, STATUS_BAD_INPUT);
    CHECK_TEXT(diagnostic.text, "line 7");
    diagnostic = (struct diagnostic){0};
    assert_int_equal(fail_memory(&diagnostic, 10), STATUS_NO_MEMORY);
    CHECK_TEXT(diagnostic.text, "out of memory: 10 bytes could not be had");
    diagnostic = (struct diagnostic){0};
    assert_int_not_equal(fail(&diagnostic, STATUS_OK, "no success"), STATUS_OK);
}

static void messages_are_cut_and_cleaned(void **state)
{
    (void)state;
    struct diagnostic diagnostic = {0};
    assert_int_equal(fail(&diagnostic, STATUS_FAILED, "a\x1b[2J\a\x7f\n\t\xc3\xa9%*d", 5000, 1),
                     STATUS_FAILED);
    assert_int_equal(strlen(diagnostic.text), DIAGNOSTIC_TEXT_BYTES - 1);
    assert_memory_equal(diagnostic.text, "a?[2J??\n\t\xc3\xa9   ", 14);
    diagnostic = (struct diagnostic){0};
    assert_int_equal(fail(&diagnostic, STATUS_BAD_INPUT, "f: name 'a\nhone: b'"), STATUS_BAD_INPUT);
    CHECK_TEXT(diagnostic.text, "f: name 'a?hone: b'");
}

/* The exit statuses are a contract with scripts. */
static void exit_statuses_are_as_documented(void **state)
{
    (void)state;
    const struct {
        status code;
        int exit_status;
        const char *name;
    } rows[] = {
        {STATUS_OK, 0, "OK"},
        {STATUS_FAILED, 1, "FAILED"},
        {STATUS_USAGE, 2, "USAGE"},
        {STATUS_BAD_INPUT, 3, "BAD_INPUT"},
        {STATUS_DEVICE, 4, "DEVICE"},
        {STATUS_COMPILE, 4, "COMPILE"},
        {STATUS_NO_MEMORY, 5, "NO_MEMORY"},
        {STATUS_MISMATCH, 6, "MISMATCH"},
        {STATUS_INTERRUPTED, 130, "INTERRUPTED"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(status_exit(rows[i].code), rows[i].exit_status);
        CHECK_TEXT(status_name(rows[i].code), rows[i].name);
    }
    for (int code = 0; code < STATUS_COUNT; code++) {
        assert_true(strlen(status_message((status)code)) > 0);
    }
}

static void clocks_go_forward(void **state)
{
    (void)state;
    int64_t before = clock_nanoseconds();
    double seconds = clock_seconds();
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    int64_t passed = clock_nanoseconds() - before;
    assert_true(passed >= 20000000);
    assert_true(clock_seconds() - seconds >= 0.0199);
    assert_true(clock_wall_seconds() > 1700000000); /* November 2023 */
}

struct heard {
    double done;
    char warning[64];
};

static void hear_update(void *context, const struct progress_state *progress_state)
{
    ((struct heard *)context)->done = progress_state->done;
}

static void hear_warning(void *context, const char *message)
{
    snprintf(((struct heard *)context)->warning, 64, "%s", message);
}

static bool is_interrupted(void *context)
{
    (void)context;
    return true;
}

static void progress_may_lack_any_part(void **state)
{
    (void)state;
    struct heard heard = {0};
    const struct progress_state half = {.stage = "tuning", .done = 0.5, .total = 1};
    const struct progress deaf = {0};
    const struct progress whole = {&heard, hear_update, hear_warning, is_interrupted};
    progress_update(NULL, &half);
    progress_update(&deaf, &half);
    progress_warn(NULL, "%d", 1);
    progress_warn(&deaf, "%d", 1);
    assert_false(progress_interrupted(NULL));
    assert_false(progress_interrupted(&deaf));
    progress_update(&whole, &half);
    progress_warn(&whole, "%d of %s", 3, "four");
    assert_true(heard.done == 0.5);
    CHECK_TEXT(heard.warning, "3 of four");
    assert_true(progress_interrupted(&whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_failure_is_kept),
        cmocka_unit_test(messages_are_cut_and_cleaned),
        cmocka_unit_test(exit_statuses_are_as_documented),
        cmocka_unit_test(clocks_go_forward),
        cmocka_unit_test(progress_may_lack_any_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
