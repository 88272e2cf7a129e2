/* YAML: the tree with its positions, the typed readers, and everything that must be refused. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <sys/stat.h>
#include <unistd.h>

static const char sample[] = "# a comment\n"
                             "name: tile\n"
                             "tunables:\n"
                             "  - {name: rows, values: [1, 2, 4]}\n"
                             "  - name: columns\n"
                             "    values: [8, -16]\n"
                             "ratio: 2.5e-1\n"
                             "quoted: \"5\"\n"
                             "on: true\n"
                             "text: |\n"
                             "  two\n"
                             "  lines\n"
                             "empty: []\n"
                             "unicode: \"\\u00e9\xc3\xa9\"\n";

static struct arena *arena;
static struct diagnostic diagnostic;

static int set_up(void **state)
{
    (void)state;
    arena = arena_create(0);
    diagnostic = (struct diagnostic){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

static struct yaml *parse(const char *text)
{
    struct yaml *root = NULL;
    CHECK_OK(yaml_parse("t.yaml", text, strlen(text), arena, &root, &diagnostic));
    return root;
}

static void refuse_bytes(const char *bytes, size_t byte_count, const char *words)
{
    struct yaml *root = NULL;
    CHECK_REFUSED(yaml_parse("t.yaml", bytes, byte_count, arena, &root, &diagnostic),
                  STATUS_BAD_INPUT, words);
    assert_null(root);
}

static void refuse(const char *text, const char *words)
{
    refuse_bytes(text, strlen(text), words);
}

static void the_tree_has_values_and_positions(void **state)
{
    (void)state;
    struct yaml *root = parse(sample), *node, *inner;
    assert_int_equal(root->kind, YAML_MAP);
    assert_int_equal(root->count, 8);
    CHECK_OK(yaml_require(root, "tunables", YAML_LIST, &node, &diagnostic));
    assert_int_equal(node->count, 2);
    assert_int_equal(node->key_line, 3);
    assert_int_equal(node->line, 4);
    assert_int_equal(node->column, 3);
    CHECK_OK(yaml_require(&node->items[1], "values", YAML_LIST, &inner, &diagnostic));
    assert_int_equal(inner->line, 6);
    assert_int_equal(inner->column, 13);
    assert_null(inner->items[0].key);
    int64_t integer;
    CHECK_OK(yaml_integer(&inner->items[1], &integer, &diagnostic));
    assert_int_equal(integer, -16);
    double real;
    CHECK_OK(yaml_real(yaml_find(root, "ratio"), &real, &diagnostic));
    assert_true(real == 0.25);
    bool flag = false;
    CHECK_OK(yaml_boolean(yaml_find(root, "on"), &flag, &diagnostic));
    assert_true(flag);
    const char *text;
    CHECK_OK(yaml_text(root, "text", &text, &diagnostic));
    CHECK_TEXT(text, "two\nlines\n");
    CHECK_OK(yaml_text(root, "unicode", &text, &diagnostic));
    CHECK_TEXT(text, "\xc3\xa9\xc3\xa9");
    CHECK_OK(yaml_text(root, "quoted", &text, &diagnostic));
    CHECK_TEXT(text, "5");
    assert_int_equal(yaml_find(root, "empty")->count, 0);
    assert_null(yaml_find(root, "absent"));
    assert_null(yaml_find(node, "absent"));
    assert_null(yaml_find(NULL, "absent"));
}

static void a_byte_order_mark_is_accepted(void **state)
{
    (void)state;
    struct yaml *root = parse("\xef\xbb\xbf"
                              "a: 1\n");
    assert_int_equal(root->items[0].line, 1);
    assert_int_equal(root->items[0].key_column, 1);
}

/* Y1, Y2, M2 */
static void anchors_and_aliases_are_refused(void **state)
{
    (void)state;
    refuse("a: &x 1\nb: *x\n", "t.yaml:1:4: anchors and aliases are not allowed");
    refuse("b: *x\n", "t.yaml:1:4: anchors and aliases");
    refuse("&a [*a]\n", "anchors and aliases");
    refuse("&a {b: *a}\n", "anchors and aliases");
    refuse("&k a: 1\n", "anchors and aliases");
    struct text bomb = {.arena = arena};
    text_append(&bomb, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 15; i++) {
        text_print(&bomb, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++) text_print(&bomb, "%s*a%d", j ? "," : "", i - 1);
        text_append(&bomb, "]\n");
    }
    refuse(text_finish(&bomb), "t.yaml:1:5: anchors and aliases");
}

static char *repeated(const char *unit, size_t times, const char *end)
{
    struct text text = {.arena = arena};
    for (size_t i = 0; i < times; i++) text_append(&text, unit);
    text_append(&text, end);
    return (char *)(uintptr_t)text_finish(&text);
}

static char *nested(int depth)
{
    struct text text = {.arena = arena};
    for (int i = 0; i < depth; i++) text_append(&text, "[");
    for (int i = 0; i < depth; i++) text_append(&text, "]");
    return (char *)(uintptr_t)text_finish(&text);
}

/* Y3, M1 */
static void depth_is_limited_and_costs_no_time(void **state)
{
    (void)state;
    parse(nested(64));
    refuse(nested(65), "t.yaml:1:65: nested more than 64 levels");
    const char *const openings[] = {"[", "{", "- ", "? ", "{a: ", "[a, "};
    for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
        char *text = repeated(openings[i], 60000, "");
        double start = clock_seconds();
        struct yaml *root;
        status result = yaml_parse("t.yaml", text, strlen(text), arena, &root, &diagnostic);
        double seconds = clock_seconds() - start;
        assert_int_equal(result, STATUS_BAD_INPUT);
        diagnostic = (struct diagnostic){0};
        if (seconds > 0.1) CHECK_FAIL("'%s' took %.3f s", openings[i], seconds);
    }
    struct text blocks = {.arena = arena};
    for (int i = 0; i < 70; i++) text_print(&blocks, "%*sk:\n", i, "");
    refuse(text_finish(&blocks), "nested more than 64 levels");
}

/* Y4, M3 */
static void duplicate_keys_are_refused_with_both_places(void **state)
{
    (void)state;
    refuse("a: 1\nb: 2\n\"a\": 3\n",
           "t.yaml:3:1: the key 'a' was already given at line 1, column 1");
    refuse("- {x: 1, y: 2, x: 3}\n",
           "t.yaml:1:16: the key 'x' was already given at line 1, column 4");
    struct text many = {.arena = arena};
    for (int i = 0; i < 40000; i++) text_print(&many, "key%d: %d\n", i * 7919 % 40000, i);
    struct yaml *root = parse(text_finish(&many));
    assert_int_equal(root->count, 40000);
    CHECK_TEXT(root->items[1].key, "key7919");
    text_append(&many, "key777: 0\n");
    refuse(text_finish(&many), "t.yaml:40001:1: the key 'key777' was already given at line");
}

/* Y5 */
static void tags_and_merge_keys_are_refused(void **state)
{
    (void)state;
    refuse("a: !!python/object:os.system x\n", "tags are not allowed");
    refuse("a: !foo [1]\n", "t.yaml:1:4: tags are not allowed");
    refuse("!foo {a: 1}\n", "tags are not allowed");
    refuse("a: !!str 5\n", "tags are not allowed");
    refuse("a: ! 5\n", "tags are not allowed");
    refuse("%TAG ! tag:x,2000:\n---\na: 1\n", "directives");
    refuse("%YAML 1.1\n---\na: 1\n", "directives");
    refuse("a: {<<: {b: 1}}\n", "merge keys are not allowed");
}

/* Y6 */
static void only_one_document_in_utf8(void **state)
{
    (void)state;
    refuse("a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document");
    refuse("", "t.yaml: the file is empty");
    refuse("# nothing\n# at all\n", "the file is empty");
    refuse("---\n", "the file is empty");
    refuse("\xef\xbb\xbf", "the file is empty");
    refuse_bytes("\xff\xfe"
                 "a\0:\0 \0001\0",
                 10, "t.yaml:1:1: ");
    refuse_bytes("\xfe\xff\0a\0:\0 \0001", 10, "t.yaml:1:1: ");
    refuse("a: 1\nb: \xff\n", "t.yaml:2:4: ");
    refuse("a: \xc3\n", "t.yaml:1:5: ");
    refuse("a: \xed\xa0\x80\n", "t.yaml:1:4: "); /* a surrogate */
    refuse("a: \xc0\xaf\n", "t.yaml:1:4: ");     /* an overlong form */
    refuse_bytes("a: b\0c\n", 7, "t.yaml:1:5: ");
    refuse("a: \"b\\0c\"\n", "t.yaml:1:4: a zero byte");
    refuse("a: \x1b[31m\n", "t.yaml:1:4: ");
    refuse("a:\n\tb: 1\n", "t.yaml:2:1: ");
    refuse("\ta: 1\n", "t.yaml:1:1: ");
}

/* Y7 */
static void sizes_are_limited(void **state)
{
    (void)state;
    char *large = repeated("# comment\n", 104857, "a: 1\n");
    assert_int_equal(strlen(large), 1048575);
    parse(large);
    refuse(repeated("# comment\n", 104857, "a: 100\n"), "t.yaml: 1048577 bytes; at most 1048576");
    parse(repeated("- 1\n", 99999, ""));
    refuse(repeated("- 1\n", 100000, ""), "more than 100000 values");
    char *scalar = repeated("x", 65536, "");
    parse(arena_print(arena, "a: %s\n", scalar));
    refuse(arena_print(arena, "a: %sx\n", scalar), "t.yaml:1:4: a text of 65537 bytes");
    char *key = repeated("k", 128, "");
    parse(arena_print(arena, "%s: 1\n", key));
    refuse(arena_print(arena, "%sk: 1\n", key), "t.yaml:1:1: a key of 129 bytes");
    refuse("? [a]\n: 1\n", "t.yaml:1:3: a list or map as a key");
    refuse("{{}: 1}\n", "a list or map as a key");
    refuse("\"\": 1\n", "an empty key");
    refuse(": 1\n", "t.yaml:1:1: ");
}

/* Y8 */
static void unknown_keys_are_refused(void **state)
{
    (void)state;
    const char *const known[] = {"name", "values", NULL};
    struct yaml *root = parse("name: x\nlist:\n  - {valeus: 1}\n  - {name: 2}\n");
    const char *text;
    CHECK_OK(yaml_text(root, "name", &text, &diagnostic));
    CHECK_REFUSED(yaml_check_used(root, known, &diagnostic), STATUS_BAD_INPUT,
                  "t.yaml:2:1: unknown key 'list'");
    struct yaml *list = yaml_find(root, "list");
    CHECK_REFUSED(yaml_check_used(root, known, &diagnostic), STATUS_BAD_INPUT,
                  "t.yaml:3:6: unknown key 'valeus'; did you mean 'values'?");
    CHECK_REFUSED(yaml_check_used(root, NULL, &diagnostic), STATUS_BAD_INPUT,
                  "unknown key 'valeus'");
    yaml_use_all(&list->items[0]);
    CHECK_REFUSED(yaml_check_used(root, known, &diagnostic), STATUS_BAD_INPUT, "t.yaml:4:6:");
    yaml_use_all(list);
    CHECK_OK(yaml_check_used(root, known, &diagnostic));
    yaml_use_all(NULL);
}

/* Y9, Y10 */
static void only_plainly_written_values_convert(void **state)
{
    (void)state;
    const char *const not_integers[] = {
        "no", "1_000",      "0o17", "017",   "0x10", "1e3", "3.0",    ".inf", "1:30",
        "~",  "2024-01-01", "+5",   "\"5\"", "'5'",  "[5]", "{a: 5}", "",     "9223372036854775808",
        "1 2"};
    for (size_t i = 0; i < sizeof not_integers / sizeof *not_integers; i++) {
        struct yaml *root = parse(arena_print(arena, "key: %s\n", not_integers[i]));
        int64_t value = 77;
        CHECK_REFUSED(yaml_integer(&root->items[0], &value, &diagnostic), STATUS_BAD_INPUT,
                      "'key' must be a whole number");
        assert_int_equal(value, 77);
    }
    const char *const not_reals[] = {".inf", "-.inf",   ".nan", "inf", "nan",   "1_0.5", "0x1p3",
                                     "yes",  "\"1.5\"", "1,5",  ".5",  "1e999", "[1]"};
    for (size_t i = 0; i < sizeof not_reals / sizeof *not_reals; i++) {
        struct yaml *root = parse(arena_print(arena, "key: %s\n", not_reals[i]));
        double value;
        CHECK_REFUSED(yaml_real(&root->items[0], &value, &diagnostic), STATUS_BAD_INPUT,
                      "'key' must be a number");
    }
    const char *const not_booleans[] = {"no", "yes", "on",       "off", "True", "TRUE",
                                        "1",  "0",   "\"true\"", "y",   "n"};
    for (size_t i = 0; i < sizeof not_booleans / sizeof *not_booleans; i++) {
        struct yaml *root = parse(arena_print(arena, "key: %s\n", not_booleans[i]));
        bool value;
        CHECK_REFUSED(yaml_boolean(&root->items[0], &value, &diagnostic), STATUS_BAD_INPUT,
                      "'key' must be true or false");
    }
    int64_t integer;
    CHECK_OK(yaml_integer(parse("9223372036854775807\n"), &integer, &diagnostic));
    assert_true(integer == INT64_MAX);
    CHECK_REFUSED(yaml_integer(NULL, &integer, &diagnostic), STATUS_BAD_INPUT, "missing");
}

static void what_is_required_must_be_there(void **state)
{
    (void)state;
    struct yaml *root = parse("a: [1]\nb:\nc: \"\"\n"), *value;
    const char *text;
    CHECK_REFUSED(yaml_require(root, "x", YAML_LIST, &value, &diagnostic), STATUS_BAD_INPUT,
                  "t.yaml:1:1: the key 'x' is missing");
    CHECK_REFUSED(yaml_require(root, "a", YAML_MAP, &value, &diagnostic), STATUS_BAD_INPUT,
                  "t.yaml:1:4: 'a' must be a map, not a list");
    CHECK_REFUSED(yaml_require(&root->items[0], "x", YAML_MAP, &value, &diagnostic),
                  STATUS_BAD_INPUT, "t.yaml:1:4: expected a map with the key 'x', found a list");
    CHECK_REFUSED(yaml_require(NULL, "x", YAML_MAP, &value, &diagnostic), STATUS_BAD_INPUT,
                  "missing");
    CHECK_REFUSED(yaml_text(root, "b", &text, &diagnostic), STATUS_BAD_INPUT, "'b' has no value");
    CHECK_REFUSED(yaml_text(root, "a", &text, &diagnostic), STATUS_BAD_INPUT,
                  "'a' must be one value");
    CHECK_OK(yaml_text(root, "c", &text, &diagnostic));
    CHECK_TEXT(text, "");
}

/* Y17 */
static void only_regular_files_are_read(void **state)
{
    (void)state;
    char folder[SCRATCH_BYTES];
    assert_int_equal(scratch_create(folder), 0);
    const char *fifo = arena_print(arena, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const char *const paths[] = {folder, fifo, "/dev/zero"};
    struct yaml *root;
    for (size_t i = 0; i < 3; i++) {
        CHECK_REFUSED(yaml_read(paths[i], arena, &root, &diagnostic), STATUS_BAD_INPUT,
                      "not a regular file");
    }
    const char *plain = arena_print(arena, "%s/plain.yaml", folder);
    CHECK_OK(file_write(plain, sample, sizeof sample - 1, &diagnostic));
    CHECK_OK(yaml_read(plain, arena, &root, &diagnostic));
    assert_int_equal(root->count, 8);
    CHECK_TEXT(root->file, plain);
    assert_int_equal(scratch_remove(folder), 0);
}

static void messages_carry_no_control_characters(void **state)
{
    (void)state;
    struct yaml *root = parse("\"\\e[31mred\": 1\n");
    status result = yaml_check_used(root, NULL, &diagnostic);
    assert_int_equal(result, STATUS_BAD_INPUT);
    CHECK_TEXT(diagnostic.text, "t.yaml:1:1: unknown key '?[31mred'");
}

/* Every truncation of a file, and every single changed byte, is taken or refused with a message. */
static void damaged_files_are_handled(void **state)
{
    (void)state;
    const char replacements[] = "\0\t\n \"#&*-:?[]{}\xff";
    struct arena *inner = arena_create(0);
    for (size_t length = 0; length < sizeof sample; length++) {
        char *exact = arena_copy(inner, sample, length); /* the sanitizer guards its end */
        struct yaml *root;
        status result = yaml_parse("t.yaml", exact, length, inner, &root, &diagnostic);
        assert_true(result == STATUS_OK || (result == STATUS_BAD_INPUT && *diagnostic.text));
        diagnostic = (struct diagnostic){0};
        arena_reset(inner);
    }
    for (size_t i = 0; i < (sizeof sample - 1) * (sizeof replacements - 1); i++) {
        char *changed = arena_copy(inner, sample, sizeof sample - 1);
        changed[i / (sizeof replacements - 1)] = replacements[i % (sizeof replacements - 1)];
        struct yaml *root;
        status result = yaml_parse("t.yaml", changed, sizeof sample - 1, inner, &root, &diagnostic);
        assert_true(result == STATUS_OK || (result == STATUS_BAD_INPUT && *diagnostic.text));
        diagnostic = (struct diagnostic){0};
        arena_reset(inner);
    }
    arena_destroy(inner);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
#ifdef HONE_FAULTS
    int failures = 0;
    for (long point = 1;; point++) {
        struct yaml *root = NULL;
        fault_set(point, 0);
        status result = yaml_parse("t.yaml", sample, sizeof sample - 1, arena, &root, &diagnostic);
        fault_set(0, 0);
        if (result == STATUS_OK) break;
        assert_int_equal(result, STATUS_NO_MEMORY);
        assert_int_equal(diagnostic.code, STATUS_NO_MEMORY);
        assert_null(root);
        diagnostic = (struct diagnostic){0};
        failures++;
    }
    assert_true(failures > 30);
#else
    skip();
#endif
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_tree_has_values_and_positions),
        TEST(a_byte_order_mark_is_accepted),
        TEST(anchors_and_aliases_are_refused),
        TEST(depth_is_limited_and_costs_no_time),
        TEST(duplicate_keys_are_refused_with_both_places),
        TEST(tags_and_merge_keys_are_refused),
        TEST(only_one_document_in_utf8),
        TEST(sizes_are_limited),
        TEST(unknown_keys_are_refused),
        TEST(only_plainly_written_values_convert),
        TEST(what_is_required_must_be_there),
        TEST(only_regular_files_are_read),
        TEST(messages_carry_no_control_characters),
        TEST(damaged_files_are_handled),
        TEST(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
