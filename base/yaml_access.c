/* Typed access to the tree, with messages that name file, line and column. */
#include "base/text.h"
#include "base/yaml.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {"one value", "a list", "a map"};

status(yaml_fail)(const struct yaml *node, struct diagnostic *diagnostic, const char *format, ...)
{
    char message[DIAGNOSTIC_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    for (char *c = message; *c; c++) { /* of texts over several lines */
        if (*c == '\n') *c = ' ';
    }
    if (!node || !node->file) return fail(diagnostic, STATUS_BAD_INPUT, "%s", message);
    return fail(diagnostic, STATUS_BAD_INPUT, "%.500s:%d:%d: %s", node->file, node->line,
                node->column, message);
}

struct yaml *yaml_find(struct yaml *map, const char *key)
{
    if (!map || map->kind != YAML_MAP) return NULL;
    for (int i = 0; i < map->count; i++) {
        if (strcmp(map->items[i].key, key) == 0) {
            map->items[i].used = true;
            return &map->items[i];
        }
    }
    return NULL;
}

status yaml_require(struct yaml *map, const char *key, enum yaml_kind kind, struct yaml **value,
                    struct diagnostic *diagnostic)
{
    struct yaml *found = yaml_find(map, key);
    if (!found && map && map->kind != YAML_MAP) {
        return yaml_fail(map, diagnostic, "expected a map with the key '%s', found %s", key,
                         kind_names[map->kind]);
    }
    if (!found) return yaml_fail(map, diagnostic, "the key '%s' is missing", key);
    if (found->kind != kind) {
        return yaml_fail(found, diagnostic, "'%s' must be %s, not %s", key, kind_names[kind],
                         kind_names[found->kind]);
    }
    *value = found;
    return STATUS_OK;
}

status yaml_text(struct yaml *map, const char *key, const char **value,
                 struct diagnostic *diagnostic)
{
    struct yaml *scalar;
    TRY(yaml_require(map, key, YAML_SCALAR, &scalar, diagnostic));
    if (scalar->plain && !*scalar->text) {
        return yaml_fail(scalar, diagnostic, "'%s' has no value; write \"\" for an empty text",
                         key);
    }
    *value = scalar->text;
    return STATUS_OK;
}

/* "'key' must be WANTED, not 'text'". */
static status fail_type(const struct yaml *node, const char *wanted, struct diagnostic *diagnostic)
{
    const char *name = node && node->key ? node->key : "the value";
    if (!node) return yaml_fail(node, diagnostic, "%s is missing; expected %s", name, wanted);
    if (node->kind != YAML_SCALAR) {
        return yaml_fail(node, diagnostic, "'%s' must be %s, not %s", name, wanted,
                         kind_names[node->kind]);
    }
    return yaml_fail(node, diagnostic, "'%s' must be %s, not '%.60s'%s", name, wanted, node->text,
                     node->plain ? "" : " in quotes");
}

static bool is_plain_scalar(const struct yaml *node)
{
    return node && node->kind == YAML_SCALAR && node->plain;
}

status yaml_integer(const struct yaml *scalar, int64_t *value, struct diagnostic *diagnostic)
{
    if (is_plain_scalar(scalar) && text_to_integer(scalar->text, value)) return STATUS_OK;
    return fail_type(scalar, "a whole number below 2^63 in plain digits", diagnostic);
}

status yaml_real(const struct yaml *scalar, double *value, struct diagnostic *diagnostic)
{
    if (is_plain_scalar(scalar) && text_to_real(scalar->text, value)) return STATUS_OK;
    return fail_type(scalar, "a number such as 3, 0.5 or 1e-5", diagnostic);
}

status yaml_boolean(const struct yaml *scalar, bool *value, struct diagnostic *diagnostic)
{
    if (is_plain_scalar(scalar)) {
        bool is_true = strcmp(scalar->text, "true") == 0;
        if (is_true || strcmp(scalar->text, "false") == 0) {
            *value = is_true;
            return STATUS_OK;
        }
    }
    return fail_type(scalar, "true or false", diagnostic);
}

/* Recursion ends with the tree, which yaml_parse keeps within 64 levels. */
status yaml_check_used(const struct yaml *root, const char *const *known,
                       struct diagnostic *diagnostic)
{
    for (int i = 0; i < root->count; i++) {
        const struct yaml *child = &root->items[i];
        if (root->kind == YAML_MAP && !child->used) {
            struct yaml place = *child;
            place.line = child->key_line;
            place.column = child->key_column;
            const char *nearest = text_nearest(child->key, known);
            if (!nearest) return yaml_fail(&place, diagnostic, "unknown key '%s'", child->key);
            return yaml_fail(&place, diagnostic, "unknown key '%s'; did you mean '%s'?", child->key,
                             nearest);
        }
        TRY(yaml_check_used(child, known, diagnostic));
    }
    return STATUS_OK;
}

void yaml_use_all(struct yaml *node)
{
    if (!node) return;
    node->used = true;
    for (int i = 0; i < node->count; i++) yaml_use_all(&node->items[i]);
}
