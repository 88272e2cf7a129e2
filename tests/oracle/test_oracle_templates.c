/* Chat templates as python's jinja2 renders them (tests/oracle/README.md): templates with the constructs of each family of
 * models over conversations of all kinds, and generated ones.  What jinja2 refuses has to be refused.  HONE_ORACLE_DIR names
 * a folder of fresh vectors. */
#include "models/template.h"
#include "tests/check.h"

#include <time.h>

struct counts {
    int renderings, refusals, failures;
};

static json_t *read_vectors(void)
{
    const char *fresh = getenv("HONE_ORACLE_DIR");
    char path[4096];
    json_error_t error;
    snprintf(path, sizeof path, "%s/templates/templates.json",
             fresh ? fresh : HONE_SOURCE_FOLDER "/tests/oracle/vectors");
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!root) CHECK_FAIL("%s: %s", path, error.text);
    return root;
}

static status render(const char *name, const json_t *source, json_t *variables, int64_t now,
                     struct arena *arena, char **text, size_t *length,
                     struct diagnostic *diagnostic)
{
    struct template *template;
    TRY(template_parse(name, json_string_value(source), json_string_length(source), arena,
                       &template, diagnostic));
    return template_render(template, variables, now, arena, text, length, diagnostic);
}

static void check(const char *name, const json_t *source, json_t *variables, int64_t now,
                  const json_t *expected, struct counts *counts)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    char *text = NULL;
    size_t length = 0;
    status code = render(name, source, variables, now, arena, &text, &length, &diagnostic);
    bool refused = json_is_null(expected);
    bool right = refused ? code == STATUS_BAD_INPUT
                         : code == STATUS_OK && length == json_string_length(expected) &&
                               memcmp(text, json_string_value(expected), length) == 0;
    counts->renderings++;
    counts->refusals += refused;
    counts->failures += !right;
    if (!right)
        print_error("%s: template\n%s\nexpected\n%s\ngot\n%s\n", name, json_string_value(source),
                    refused ? "(refused)" : json_string_value(expected),
                    code == STATUS_OK ? text : diagnostic.text);
    arena_destroy(arena);
}

static void test_families(void **state)
{
    json_t *root = read_vectors(), *family, *expected;
    int64_t now = json_integer_value(json_object_get(root, "now"));
    size_t i;
    struct counts counts = {0};
    (void)state;
    json_array_foreach(json_object_get(root, "families"), i, family)
    {
        const char *talk;
        json_object_foreach(json_object_get(family, "outputs"), talk, expected)
        {
            json_t *variables = json_object_get(json_object_get(root, "conversations"), talk);
            char name[256];
            snprintf(name, sizeof name, "%s with %s",
                     json_string_value(json_object_get(family, "name")), talk);
            check(name, json_object_get(family, "template"), variables, now, expected, &counts);
        }
    }
    print_message("%zu templates, %d renderings, %d of them refused\n", i, counts.renderings,
                  counts.refusals);
    assert_int_equal(counts.failures, 0);
    assert_true(counts.renderings >= 100);
    json_decref(root);
}

static void test_generated(void **state)
{
    json_t *root = read_vectors(), *pair;
    size_t i;
    struct counts counts = {0};
    (void)state;
    json_array_foreach(json_object_get(root, "generated"), i, pair)
    {
        char name[32];
        snprintf(name, sizeof name, "generated %zu", i);
        check(name, json_array_get(pair, 0), json_object_get(root, "variables"), 0,
              json_array_get(pair, 1), &counts);
    }
    print_message("%d generated templates, %d of them refused\n", counts.renderings,
                  counts.refusals);
    assert_int_equal(counts.failures, 0);
    assert_true(counts.renderings >= 500);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_families),
                                       cmocka_unit_test(test_generated)};
    setenv("TZ", "UTC", 1);
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
