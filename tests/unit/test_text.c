/* Text building, numbers in text, "did you mean", units. */
#include "base/text.h"
#include "tests/check.h"

#include <locale.h>
#include <math.h>

static void text_grows(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct text text = {.arena = arena};
    CHECK_TEXT(text_finish(&text), "");
    for (int i = 0; i < 5000; i++) text_print(&text, "%d,", i);
    text_append(&text, "end");
    text_append_range(&text, "...!", 3);
    text_append_range(&text, NULL, 0);
    const char *whole = text_finish(&text), *position = whole;
    assert_int_equal(strlen(whole), text.length);
    for (int i = 0; i < 5000; i++) {
        char *end;
        assert_int_equal(strtol(position, &end, 10), i);
        assert_int_equal(*end, ',');
        position = end + 1;
    }
    CHECK_TEXT(position, "end...");
    arena_destroy(arena);
}

static void text_fails_once_and_for_all(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(1000);
    struct text text = {.arena = arena};
    text_append(&text, "start");
    text_print(&text, "%*d", 2000, 1);
    assert_true(text.failed);
    text_append(&text, "more");
    assert_null(text_finish(&text));
    assert_int_equal(text.length, 5);
    arena_destroy(arena);
}

static void names_are_suggested(void **unused)
{
    (void)unused;
    const char *const names[] = {"threads", "tokens", "temperature", "top-k", "kv", NULL};
    CHECK_TEXT(text_nearest("token", names), "tokens");
    CHECK_TEXT(text_nearest("thraeds", names), "threads");
    CHECK_TEXT(text_nearest("tempratur", names), "temperature");
    CHECK_TEXT(text_nearest("tokens", names), "tokens");
    assert_null(text_nearest("seed", names));
    assert_null(text_nearest("xy", names)); /* two edits from "kv", and from everything short */
    CHECK_TEXT(text_nearest("k", names), "kv");
    assert_null(text_nearest("", names));
    assert_null(text_nearest("token", NULL));
    char longest[200];
    memset(longest, 'a', sizeof longest);
    longest[199] = 0;
    assert_null(text_nearest(longest, names));
    const char *const one[] = {longest, NULL};
    assert_null(text_nearest("aaa", one));
}

static void integers_are_read_strictly(void **unused)
{
    (void)unused;
    const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"7", 7},
        {"-12", -12},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t value = 99;
        assert_true(text_to_integer(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    const char *const bad[] = {"",
                               "-",
                               "+1",
                               " 1",
                               "1 ",
                               "1_000",
                               "0x10",
                               "0o17",
                               "017",
                               "1e3",
                               "1.0",
                               "--1",
                               "9223372036854775808",
                               "-9223372036854775809",
                               "1a",
                               "nan"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 99;
        if (text_to_integer(bad[i], &value)) CHECK_FAIL("'%s' was taken", bad[i]);
        assert_int_equal(value, 99);
    }
}

static void reals_are_read_strictly(void **unused)
{
    (void)unused;
    setlocale(LC_ALL, "de_DE.UTF-8"); /* where it exists, decimals have a comma there */
    const struct {
        const char *text;
        double value;
    } good[] = {
        {"0", 0},       {"1", 1},        {"-1.5", -1.5}, {"1e3", 1000},
        {"1e-5", 1e-5}, {"2.5E+2", 250}, {"0.1", 0.1},   {"1e-400", 0},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = 99;
        if (!text_to_real(good[i].text, &value)) CHECK_FAIL("'%s' was refused", good[i].text);
        assert_true(value == good[i].value);
    }
    const char *const bad[] = {"",     ".",    ".5",   "5.",    "1e",    "1e+",
                               "inf",  ".inf", "nan",  "0x1p3", "1e999", "1,5",
                               "+1.0", "01.5", "1.5 ", "1_0.0", "1.5f"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 99;
        if (text_to_real(bad[i], &value)) CHECK_FAIL("'%s' was taken", bad[i]);
        assert_true(value == 99);
    }
    setlocale(LC_ALL, "C");
}

static void sizes_are_read_with_units(void **unused)
{
    (void)unused;
    const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"100", 100},           {"100B", 100},           {"512KiB", 524288},
        {"24GiB", 25769803776}, {"2TiB", 2199023255552}, {"4GB", 4000000000},
        {"1KB", 1000},          {"1.5GiB", 1610612736},  {"0", 0},
        {"1MiB", 1048576},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t value = 99;
        if (!text_to_bytes(good[i].text, &value)) CHECK_FAIL("'%s' was refused", good[i].text);
        assert_true(value == good[i].value);
    }
    const char *const bad[] = {"",        "GiB",    "-1",    "-1GiB",  "24 GiB", "24G",
                               "24gib",   "24GIB",  "24XiB", "1.5",    "1.5B",   "99999999999TiB",
                               "1e30GiB", "24GiBx", "24iB",  "24KiB/s"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value = 99;
        if (text_to_bytes(bad[i], &value)) CHECK_FAIL("'%s' was taken", bad[i]);
        assert_true(value == 99);
    }
}

static void quantities_are_printed_shortly(void **unused)
{
    (void)unused;
    char buffer[32];
    CHECK_TEXT(text_bytes(0, buffer), "0 B");
    CHECK_TEXT(text_bytes(1023, buffer), "1023 B");
    CHECK_TEXT(text_bytes(393216, buffer), "384 KiB");
    CHECK_TEXT(text_bytes(1.5 * (1 << 30), buffer), "1.5 GiB");
    CHECK_TEXT(text_bytes(1048575, buffer), "1 MiB");
    CHECK_TEXT(text_bytes(-2048, buffer), "-2 KiB");
    CHECK_TEXT(text_bytes(1e30, buffer), "867361737988.4 EiB");
    CHECK_TEXT(text_seconds(0, buffer), "0 ns");
    CHECK_TEXT(text_seconds(0.0012, buffer), "1.2 ms");
    CHECK_TEXT(text_seconds(3.4, buffer), "3.4 s");
    CHECK_TEXT(text_seconds(250e-9, buffer), "250 ns");
    CHECK_TEXT(text_seconds(0.99999, buffer), "1 s");
    CHECK_TEXT(text_seconds(59.99, buffer), "1 min 0 s");
    CHECK_TEXT(text_seconds(125, buffer), "2 min 5 s");
    CHECK_TEXT(text_seconds(3599.6, buffer), "1 h 0 min");
    CHECK_TEXT(text_seconds(7380, buffer), "2 h 3 min");
    assert_int_equal(strlen(text_bytes(NAN, buffer)) < 32, 1);
    assert_int_equal(strlen(text_seconds(1e300, buffer)) < 32, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(text_fails_once_and_for_all),
        cmocka_unit_test(names_are_suggested),
        cmocka_unit_test(integers_are_read_strictly),
        cmocka_unit_test(reals_are_read_strictly),
        cmocka_unit_test(sizes_are_read_with_units),
        cmocka_unit_test(quantities_are_printed_shortly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
