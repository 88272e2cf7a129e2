/* From T1 to YAML; Hone's own reader of spaces then has the last word on all of it. */
#include "engine/space_t1.h"

#include "base/file.h"
#include "base/text.h"
#include "engine/python_rule.h"
#include "ir/space.h"
#include "models/json_read.h"
#include "ops/op_table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { FILE_BYTES_MAX = 16 << 20, NAME_BYTES = 64 };

struct t1_document {
    const char *path;
    const json_t *root;
    struct arena *arena;
    struct space_t1 *space;
    struct text text;
    struct diagnostic *diagnostic;
};

#define t1_fail(document, ...)                                                                     \
    certain_failure(fail((document)->diagnostic, STATUS_BAD_INPUT, __VA_ARGS__))

/* Letters, digits and _: what stands for itself in YAML and in expressions. */
static bool is_name(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    if (!length || length >= NAME_BYTES || isdigit((unsigned char)*name)) return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && name[i] != '_') return false;
    return true;
}

/* ---- Values: a Python list, tuple or range in a text ---- */

struct values {
    const char *text;
    const char *name; /* of the parameter */
    int count;
};

static status refuse_values(const struct t1_document *document, const struct values *values)
{
    return t1_fail(document,
                   "%.256s: the values of '%.64s' must be a list of whole numbers or words, or "
                   "range(...); they are '%.80s'",
                   document->path, values->name, values->text);
}

static status add_value(struct t1_document *document, struct values *values, const char *value)
{
    if (values->count++ == SPACE_VALUES_MAX)
        return t1_fail(document, "%.256s: '%.64s' has more than %d values", document->path,
                       values->name, SPACE_VALUES_MAX);
    text_print(&document->text, "%s%s", values->count > 1 ? ", " : "", value);
    return STATUS_OK;
}

/* Whole numbers, True, False, and words in quotes. */
static bool plain_value(const char *begin, size_t length, char value[static NAME_BYTES])
{
    int64_t whole;
    bool quoted = length >= 2 && (*begin == '\'' || *begin == '"') && begin[length - 1] == *begin;
    if (length >= NAME_BYTES) return false;
    memcpy(value, begin + quoted, length - 2 * (size_t)quoted);
    value[length - 2 * (size_t)quoted] = 0;
    if (quoted) return is_name(value);
    if (strcmp(value, "True") == 0) strcpy(value, "1");
    if (strcmp(value, "False") == 0) strcpy(value, "0");
    return text_to_integer(value, &whole);
}

static status add_list(struct t1_document *document, struct values *values, const char *begin,
                       const char *end)
{
    while (begin < end) {
        char value[NAME_BYTES];
        const char *comma = memchr(begin, ',', (size_t)(end - begin)), *last = comma ? comma : end;
        while (begin < last && isspace((unsigned char)*begin)) begin++;
        const char *stop = last;
        while (stop > begin && isspace((unsigned char)stop[-1])) stop--;
        if (stop == begin && !comma && values->count) break; /* a comma at the end */
        if (!plain_value(begin, (size_t)(stop - begin), value))
            return refuse_values(document, values);
        TRY(add_value(document, values, value));
        begin = comma ? comma + 1 : end;
    }
    return values->count ? STATUS_OK : refuse_values(document, values);
}

static status add_range(struct t1_document *document, struct values *values, const char *arguments)
{
    long long first = 0, last, step = 1;
    char closing = 0;
    int read = sscanf(arguments, "%18lld , %18lld , %18lld %c", &first, &last, &step, &closing);
    if (read == 1) {
        last = first;
        first = 0;
    }
    if (read < 1 || step == 0) return refuse_values(document, values);
    for (long long value = first; step > 0 ? value < last : value > last; value += step) {
        char text[32];
        snprintf(text, sizeof text, "%lld", value);
        TRY(add_value(document, values, text));
    }
    return values->count ? STATUS_OK : refuse_values(document, values);
}

static status add_values(struct t1_document *document, struct values *values)
{
    const char *text = values->text;
    while (isspace((unsigned char)*text)) text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1])) length--;
    bool listed = length > 6 && strncmp(text, "list(", 5) == 0 && text[length - 1] == ')';
    if (listed) {
        text += 5;
        length -= 6;
    }
    if (length > 7 && strncmp(text, "range(", 6) == 0 && text[length - 1] == ')')
        return add_range(document, values, text + 6);
    bool list = length >= 2 && ((*text == '[' && text[length - 1] == ']') ||
                                (*text == '(' && text[length - 1] == ')'));
    if (!list) return refuse_values(document, values);
    return add_list(document, values, text + 1, text + length - 1);
}

/* ---- The document ---- */

static status add_parameters(struct t1_document *document, const json_t *configuration)
{
    const json_t *list = json_object_get(configuration, "TuningParameters");
    size_t count = json_array_size(list);
    if (!count || count > SPACE_TUNABLES_MAX)
        return t1_fail(document, "%.256s: \"TuningParameters\" must be a list of 1 to %d",
                       document->path, SPACE_TUNABLES_MAX);
    text_append(&document->text, "tunables:\n");
    for (size_t p = 0; p < count; p++) {
        const json_t *parameter = json_array_get(list, p);
        struct values values = {.name = json_string_value(json_object_get(parameter, "Name")),
                                .text = json_string_value(json_object_get(parameter, "Values"))};
        if (!is_name(values.name) || !values.text)
            return t1_fail(document,
                           "%.256s: tuning parameter %zu needs a \"Name\" of letters, digits and "
                           "_, and \"Values\" in a text",
                           document->path, p + 1);
        text_print(&document->text, "  %s: {values: [", values.name);
        TRY(add_values(document, &values));
        text_append(&document->text, "]}\n");
    }
    document->space->parameter_count = (int)count;
    return STATUS_OK;
}

static status add_conditions(struct t1_document *document, const json_t *configuration)
{
    const json_t *list = json_object_get(configuration, "Conditions");
    size_t count = json_array_size(list);
    if (count > SPACE_RULES_MAX)
        return t1_fail(document, "%.256s: more than %d \"Conditions\"", document->path,
                       SPACE_RULES_MAX);
    if (count) text_append(&document->text, "rules:\n");
    for (size_t c = 0; c < count; c++) {
        const char *expression =
            json_string_value(json_object_get(json_array_get(list, c), "Expression"));
        char where[320];
        const char *rule;
        snprintf(where, sizeof where, "%.256s: condition %zu", document->path, c + 1);
        if (!expression) return t1_fail(document, "%s needs an \"Expression\" in a text", where);
        TRY(python_rule_translate(expression, where, document->arena, &rule, document->diagnostic));
        text_print(
            &document->text,
            "  - {require: \"%s\", class: algorithm, reason: condition %zu of the T1 file}\n", rule,
            c + 1);
    }
    document->space->rule_count = (int)count;
    return STATUS_OK;
}

static const char *print_space(const struct space_t1 *space, const char *op, struct arena *arena)
{
    return arena_print(arena,
                       "variant: %s_imported_cpu\nop: %s\ntarget: cpu\n"
                       "numerics: {operands: exact, accumulation: f32}\n%sestimate: 1\n",
                       op, op, space->body);
}

/* Rules read nothing but tunables, so any problem counts as well as any other. */
static status count_configs(struct t1_document *document)
{
    static const char problem_text[] = "add(f32[rows,1], f32[rows,1]) -> f32[rows,1] rows<=1";
    const struct device_facts facts = {.target = TARGET_CPU, .class_name = ""};
    struct yaml *root;
    struct space *space;
    struct problem *problem;
    struct bound_space *bound;
    const char *yaml = print_space(document->space, "add", document->arena), *reason;
    TRY_MEMORY(yaml, document->diagnostic);
    TRY(yaml_parse(document->path, yaml, strlen(yaml), document->arena, &root,
                   document->diagnostic));
    TRY(space_read(root, op_table(), document->arena, &space, document->diagnostic));
    TRY(problem_parse(problem_text, op_table(), document->arena, &problem, document->diagnostic));
    TRY_NEW(bound, document->arena, 1, document->diagnostic);
    document->space->raw_count = space_raw_count(space);
    if (!space_bind(space, problem, &facts, document->arena, bound, &reason))
        return t1_fail(document, "%.256s: no config follows all conditions: %s", document->path,
                       reason);
    document->space->legal_count = space_count(bound);
    return STATUS_OK;
}

static status read_document(struct t1_document *document)
{
    const json_t *configuration = json_object_get(document->root, "ConfigurationSpace");
    const json_t *kernel = json_object_get(document->root, "KernelSpecification");
    const char *name = json_string_value(json_object_get(kernel, "KernelName"));
    document->space->kernel = is_name(name) ? arena_text(document->arena, name) : "";
    TRY(add_parameters(document, configuration));
    TRY(add_conditions(document, configuration));
    document->space->body = text_finish(&document->text);
    TRY_MEMORY(document->space->body, document->diagnostic);
    return count_configs(document);
}

status space_t1_read(const char *path, struct arena *arena, struct space_t1 **space,
                     struct diagnostic *diagnostic)
{
    char *bytes;
    size_t count, at = 0;
    json_t *root;
    *space = NULL;
    TRY(file_read(path, FILE_BYTES_MAX, arena, &bytes, &count, diagnostic));
    while (at < count && isspace((unsigned char)bytes[at])) at++;
    if (at == count || bytes[at] != '{' || !memmem(bytes, count, "\"ConfigurationSpace\"", 20))
        return STATUS_OK;
    TRY(json_read(path, bytes, count, &root, diagnostic));
    struct t1_document document = {.path = path,
                                   .root = root,
                                   .arena = arena,
                                   .text = {.arena = arena},
                                   .diagnostic = diagnostic,
                                   .space = arena_allocate(arena, 1, sizeof **space)};
    status code = STATUS_OK;
    if (json_is_object(json_object_get(root, "ConfigurationSpace")))
        code = document.space ? read_document(&document) : fail_memory(diagnostic, sizeof **space);
    else
        document.space = NULL;
    json_decref(root);
    *space = document.space;
    return code;
}

status space_t1_write(const struct space_t1 *space, const char *op, const char *path,
                      struct arena *arena, struct diagnostic *diagnostic)
{
    if (!op_by_name(op_table(), op))
        return fail(diagnostic, STATUS_USAGE, "there is no operator '%s'", op);
    const char *yaml = print_space(space, op, arena);
    TRY_MEMORY(yaml, diagnostic);
    const char *text = arena_print(
        arena, "# From a T1 file%s%s.  What launches the kernel is yours to add (ir/space.h).\n%s",
        *space->kernel ? " of the kernel " : "", space->kernel, yaml);
    TRY_MEMORY(text, diagnostic);
    return file_write(path, text, strlen(text), diagnostic);
}
