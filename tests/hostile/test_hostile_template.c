/* Hostile chat templates: what asks for too much is refused within its budget, what reaches for more than its variables
 * finds nothing, and changed bytes of real ones are refused with line and column or rendered. */
#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "models/template.h"
#include "tests/check.h"

#include <stdlib.h>

#define TEMPLATES HONE_SOURCE_FOLDER "/tests/oracle/templates"

enum { MUTANTS = 400 };

static const char conversation[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\" s "
    "\"},{\"role\":\"user\",\"content\":\"q\"},"
    "{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{\"id\":\"abcdefghi\",\"type\":"
    "\"function\","
    "\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]},{\"role\":\"tool\",\"content\":\"1\","
    "\"tool_call_id\":\"1\"}],\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
    "\"description\":\"d\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":"
    "\"array\","
    "\"items\":{\"type\":\"string\"}}}}}}],\"bos_token\":\"<s>\",\"eos_token\":\"</s>\","
    "\"add_generation_prompt\":true}";

static status try_template(const char *source, size_t length, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    struct template *template;
    json_t *variables = json_loads(conversation, 0, NULL);
    char *text;
    size_t text_length;
    status code = template_parse("model.gguf", source, length, arena, &template, diagnostic);
    if (code == STATUS_OK)
        code = template_render(template, variables, 0, arena, &text, &text_length, diagnostic);
    json_decref(variables);
    arena_destroy(arena);
    return code;
}

static const struct {
    const char *source, *words;
} cases[] = {
    {"{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}", "steps"},
    {"{% for i in range(10**9) %}{% endfor %}", "range of more than"},
    {"{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}{% set ns.x = ns.x ~ "
     "ns.x %}{% endfor %}",
     "MiB"},
    {"{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "macros call one another"},
    {"{% macro m(n) %}{{ o(n) }}{% endmacro %}{% macro o(n) %}{{ m(n) }}{% endmacro %}{{ m(0) }}",
     "macros call one another"},
    {"{{ 'x' * 99999999 }}", "steps"},
    {"{{ [1] * 99999999 }}", "more than"},
    {"{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = [ns.l] %}{% endfor %}{{ "
     "ns.l }}",
     "levels"},
    {"{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor "
     "%}",
     "more than"},
    {"{{ 9223372036854775807 + 1 }}", "too large"},
    {"{{ 9223372036854775808 }}", "too large"},
    {"{{ 7 ** 9999 }}", "exponent"},
    {"{{ 1 // 0 }}", "division by zero"},
    {"{{ ''.__class__.__mro__ }}", "'__class__'"},
    {"{{ messages.__init__ }}", "'__init__'"},
    {"{{ cycler.__init__.__globals__.os.popen('id') }}", "undefined"},
    {"{{ self.__dict__ }}", "undefined"},
    {"{{ messages.append(1) }}", "'append'"},
    {"{{ messages[0].update({'role': 'x'}) }}", "'update'"},
    {"{% set messages[0].role = 'x' %}", "end of the tag"},
    {"{% set x = messages[0] %}{% set x.role = 'x' %}", "only a namespace"},
    {"{% include 'passwd' %}", "'include' is not known"},
    {"{% extends 'x' %}", "'extends' is not known"},
    {"{% import 'x' as y %}", "'import' is not known"},
    {"{% call x() %}{% endcall %}", "'call' is not known"},
    {"{% for x in y recursive %}{% endfor %}", "recursive"},
    {"{{ x|nosuch }}", "filter 'nosuch' is not known"},
    {"{{ x is nosuch }}", "test 'nosuch' is not known"},
    {"{{ messages|map('nosuch')|list }}", "filter 'nosuch' is not known"},
    {"text\n  {{ x", "2:3: the tag has no end"},
    {"{% if x %}", "endif"},
    {"{% endif %}", "'endif' is not known"},
    {"{{ 'x }}", "no closing quote"},
    {"{# x", "the comment has no end"},
    {"{% raw %}", "endraw"},
    {"{{ x $ y }}", "unexpected character"},
    {"{{ f(*x) }}", "calls with *"},
    {"{{ (1, 2 }}", "closes nothing"},
    {"{{ raise_exception('no\nthanks') }}", "refuses this conversation: no thanks"},
    {"{% break %}", "not within a loop"},
    {"{{ messages.role.x }}", "'role' is undefined"},
    {"{{ '\\ud800' }}", "escape"},
    {"{{ 0x10 }}", "decimal"},
    {"\xff", "not UTF-8"},
};

static void test_cases(void **state)
{
    size_t count = sizeof cases / sizeof *cases;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        struct diagnostic diagnostic = {0};
        double begin = clock_seconds();
        CHECK_REFUSED(try_template(cases[i].source, strlen(cases[i].source), &diagnostic),
                      STATUS_BAD_INPUT, cases[i].words);
        if (clock_seconds() - begin > 2) CHECK_FAIL("%s took longer than 2 s", cases[i].source);
    }
    print_message("%zu hostile templates refused\n", count);
}

/* `count` times `unit`, between a beginning and an end. */
static void check_long(const char *begin, const char *unit, size_t count, const char *end,
                       const char *words)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct text text = {.arena = arena};
    text_append(&text, begin);
    for (size_t i = 0; i < count; i++) text_append(&text, unit);
    text_append(&text, end);
    assert_non_null(text_finish(&text));
    CHECK_REFUSED(try_template(text.bytes, text.length, &diagnostic), STATUS_BAD_INPUT, words);
    arena_destroy(arena);
}

static void test_long(void **state)
{
    (void)state;
    check_long("{{ ", "(", 200000, "", "brackets within one another");
    check_long("{{ ", "not ", 200000, "x }}", "levels within one another");
    check_long("{{ ", "-", 200000, "1 }}", "levels within one another");
    check_long("{{ 1", " + 1", 100000, " }}", "operations depend on one another");
    check_long("{{ x", ".x", 100000, " }}", "operations depend on one another");
    check_long("{{ x", "|trim", 100000, " }}", "operations depend on one another");
    check_long("{{ 1", " if 1 else 1", 70000, " }}", "levels within one another");
    check_long("", "{% if 1 %}", 80000, "", "levels within one another");
    check_long("", "{% for x in y %}", 60000, "", "levels within one another");
    check_long("", "x", (1 << 20) + 1, "", "at most 1048576 are read");
    check_long("{{ 1", "0", 100000, " }}", "decimal");
    check_long("{% macro m(n) %}{{ ", "[", 50, "m(n)", "has no end");
}

static void mutate(const char *name, char *bytes, size_t length, size_t *rendered, size_t *refused)
{
    static const char others[] = "{}%#-+'\"()[]|.,:=~* \n0a\\_";
    for (uint64_t i = 0; i < MUTANTS; i++) {
        struct diagnostic diagnostic = {0};
        size_t at = (size_t)(random_bits(11, i, length) % length);
        size_t cut = i % 16 == 0 ? at : length;
        char old = bytes[at];
        bytes[at] = others[random_bits(12, i, length) % (sizeof others - 1)];
        status code = try_template(bytes, cut, &diagnostic);
        bytes[at] = old;
        *rendered += code == STATUS_OK;
        *refused += code != STATUS_OK;
        if (code != STATUS_OK && (code != STATUS_BAD_INPUT || strchr(diagnostic.text, '\n') ||
                                  strncmp(diagnostic.text, "model.gguf:", 11) != 0))
            CHECK_FAIL("%s: %s '%s'", name, status_name(code), diagnostic.text);
    }
}

static void test_mutations(void **state)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    const char **names;
    size_t rendered = 0, refused = 0;
    int count;
    (void)state;
    CHECK_OK(file_list(TEMPLATES, ".jinja", arena, &names, &count, &diagnostic));
    for (int i = 0; i < count; i++) {
        char *bytes;
        size_t length;
        CHECK_OK(file_read(file_join(arena, TEMPLATES, names[i]), 1 << 20, arena, &bytes, &length,
                           &diagnostic));
        mutate(names[i], bytes, length, &rendered, &refused);
    }
    print_message("%zu changed templates rendered, %zu refused\n", rendered, refused);
    assert_true(count >= 9 && rendered > 100 && refused > 100);
    arena_destroy(arena);
}

/* Whatever allocation fails, the failure is reported as that and nothing is lost. */
static void test_memory(void **state)
{
#ifdef HONE_FAULTS
    static const char source[] =
        "{% macro m(a, b=[1]) %}{{ a|upper ~ b }}{% endmacro %}{% for x in "
        "messages|map(attribute='role')|list|sort %}"
        "{{ m(x) }}{{ loop.index }}{% endfor %}{{ tools|tojson(indent=1) }}";
    (void)state;
    status code = STATUS_NO_MEMORY;
    for (long point = 1; code != STATUS_OK; point++) {
        struct diagnostic diagnostic = {0};
        json_t *variables = json_loads(conversation, 0, NULL);
        struct arena *arena = arena_create(0);
        struct template *template;
        char *text;
        size_t length;
        fault_set(point, 0);
        code = template_parse("t", source, strlen(source), arena, &template, &diagnostic);
        if (code == STATUS_OK)
            code = template_render(template, variables, 0, arena, &text, &length, &diagnostic);
        fault_set(0, 0);
        if (code != STATUS_OK && code != STATUS_NO_MEMORY) CHECK_FAIL("%s", diagnostic.text);
        arena_destroy(arena);
        json_decref(variables);
    }
#else
    (void)state;
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_mutations),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
