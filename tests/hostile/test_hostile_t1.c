/* T1 files by strangers: what has no counterpart is refused with its place, and nothing in a text gets
 * out of its place in the YAML. */
#include "base/file.h"
#include "base/random.h"
#include "engine/python_rule.h"
#include "engine/space_t1.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

static const char good[] =
    "{\"ConfigurationSpace\": {\"TuningParameters\": [\n"
    "{\"Name\": \"a\", \"Type\": \"int\", \"Values\": \"[1, 2, 4]\"},\n"
    "{\"Name\": \"b\", \"Type\": \"string\", \"Values\": \"['x', 'y']\"}],\n"
    "\"Conditions\": [{\"Parameters\": [\"a\"], \"Expression\": \"a * 2 <= 4 or b == 'y'\"}]},\n"
    "\"KernelSpecification\": {\"KernelName\": \"k\"}}";

static status read_bytes(const struct scratch *scratch, const char *bytes, size_t count,
                         struct arena *arena, struct space_t1 **space,
                         struct diagnostic *diagnostic)
{
    const char *path = file_join(arena, scratch->folder, "space.json");
    TRY(file_write(path, bytes, count, diagnostic));
    return space_t1_read(path, arena, space, diagnostic);
}

/* A file with these values and this condition. */
static status read_with(const struct scratch *scratch, const char *values, const char *condition,
                        struct space_t1 **space, struct diagnostic *diagnostic)
{
    const char *text = arena_print(
        scratch->arena,
        "{\"ConfigurationSpace\": {\"TuningParameters\": [{\"Name\": \"a\", \"Values\": \"%s\"}], "
        "\"Conditions\": [{\"Expression\": \"%s\"}]}}",
        values, condition);
    return read_bytes(scratch, text, strlen(text), scratch->arena, space, diagnostic);
}

static void a_good_file_is_counted(void **state)
{
    struct diagnostic diagnostic = {0};
    struct scratch *scratch = *state;
    struct space_t1 *space;
    CHECK_OK(read_bytes(scratch, good, strlen(good), scratch->arena, &space, &diagnostic));
    assert_int_equal(space->raw_count, 6);
    assert_int_equal(space->legal_count, 5);
    CHECK_TEXT(space->kernel, "k");
    CHECK_OK(read_with(scratch, "range(5, 0, -2)", "True", &space, &diagnostic));
    assert_int_equal(space->raw_count, 3);
    CHECK_OK(read_bytes(scratch, "{\"cache\": {}}", 13, scratch->arena, &space, &diagnostic));
    assert_null(space);
}

static void values_without_sense_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"[1.5]", "must be a list"},
        {"[]", "must be a list"},
        {"[1,,2]", "must be a list"},
        {"[2**i for i in range(4)]", "must be a list"},
        {"range(1, 2, 0)", "must be a list"},
        {"range(0)", "must be a list"},
        {"range(1000000000000)", "more than 256"},
        {"['a: 1}]}\\n  evil: {values: [1']", "must be a list"},
        {"['no word']", "must be a list"},
        {"__import__('os')", "must be a list"},
        {"[99999999999999999999]", "must be a list"},
    };
    struct diagnostic diagnostic = {0};
    struct scratch *scratch = *state;
    struct space_t1 *space;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        CHECK_REFUSED(read_with(scratch, cases[c][0], "True", &space, &diagnostic),
                      STATUS_BAD_INPUT, cases[c][1]);
}

static void conditions_without_counterpart_are_refused(void **state)
{
    static const char *const cases[][2] = {
        {"", "column 1: a value is missing"},
        {"a ** 2 == 4", "'**'"},
        {"a / 2 + a // 2 > 1", "'/' and '//'"},
        {"(a,) in {(1,),(2,)}", "column 4: a list of configs"},
        {"len(a) == 1", "a call other than"},
        {"a == 1)", "left over"},
        {"(a == 1", "')' is missing"},
        {"a == 'x y'", "a word must be"},
        {"a == 0x10", "no plain number"},
        {"a == 1; import os", "left over"},
        {"lambda: 1", "a value is missing"},
        {"a in b", "'in' takes a list"},
        {"1 if a", "'else' is missing"},
        {"nobody == 1", "nobody"},
        {"a == 1\\\", class: soft, reason: \\\"x", "left over"},
    };
    struct diagnostic diagnostic = {0};
    struct scratch *scratch = *state;
    struct space_t1 *space;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        CHECK_REFUSED(read_with(scratch, "[1, 2]", cases[c][0], &space, &diagnostic),
                      STATUS_BAD_INPUT, cases[c][1]);
    char deep[3000];
    memset(deep, '(', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    CHECK_REFUSED(read_with(scratch, "[1]", deep, &space, &diagnostic), STATUS_BAD_INPUT,
                  "nested too deeply");
}

static void rules_mean_what_they_meant(void **state)
{
    static const char *const cases[][2] = {
        {"a", "a"},
        {"a<b<=c", "(a < b and b <= c)"},
        {"not a&&b||c", "(((not a) and b) or c)"},
        {"a-b-c", "((a - b) - c)"},
        {"-a % 3 != --b", "(((-a) % 3) != b)"},
        {"a not in (1, 2)", "(not (a == 1 or a == 2))"},
        {"x == \"word\"", "(x == word)"},
        {"max(a, b//c)", "max(a, (b / c))"},
        {"a / b", "(a * 1.0 / b)"},
    };
    struct diagnostic diagnostic = {0};
    struct scratch *scratch = *state;
    const char *rule;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        CHECK_OK(python_rule_translate(cases[c][0], "here", scratch->arena, &rule, &diagnostic));
        CHECK_TEXT(rule, cases[c][1]);
    }
}

/* One byte of the good file changed, taken out, or the end cut off: read, or refused, never worse. */
static void broken_files_end_in_one_error(void **state)
{
    struct scratch *scratch = *state;
    struct arena *arena = arena_create(0);
    int refused = 0, rounds = 250;
    for (int n = 0; n < rounds; n++) {
        struct diagnostic diagnostic = {0};
        struct space_t1 *space;
        char bytes[sizeof good];
        size_t count = sizeof good - 1;
        uint64_t bits = random_bits(4, 1, (uint64_t)n);
        memcpy(bytes, good, sizeof good);
        if (n % 3 == 0) bytes[bits % count] = "(){}[],:\"'*/0a \\"[bits >> 40 & 15];
        if (n % 3 == 1)
            memmove(bytes + bits % count, bytes + bits % count + 1, count - bits % count);
        if (n % 3 == 2) count = bits % count;
        arena_reset(arena);
        status code = read_bytes(scratch, bytes, count - (n % 3 == 1), arena, &space, &diagnostic);
        refused += code != STATUS_OK;
        if (code != STATUS_OK) assert_int_equal(code, STATUS_BAD_INPUT);
        if (code != STATUS_OK) assert_true(strlen(diagnostic.text) > 10);
    }
    print_message("%d of %d files were refused\n", refused, rounds);
    assert_true(refused > rounds / 2);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_file_is_counted, scratch_set_up, scratch_tear_down),
        cmocka_unit_test_setup_teardown(values_without_sense_are_refused, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(conditions_without_counterpart_are_refused, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(rules_mean_what_they_meant, scratch_set_up,
                                        scratch_tear_down),
        cmocka_unit_test_setup_teardown(broken_files_end_in_one_error, scratch_set_up,
                                        scratch_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
