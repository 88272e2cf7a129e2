/* Reading the parameters of a description: where files keep them, bounds, defaults, and the values
 * derived from them. */
#include "models/architecture_reader.h"

#include <string.h>

/* How the file's value becomes the parameter's. */
static status read_reading(struct architecture_reader *reader, struct yaml *node,
                           struct parameter *parameter)
{
    struct yaml *listed = yaml_find(node, "listed"), *unit = yaml_find(node, "unit");
    if (unit) TRY(yaml_real(unit, &parameter->unit, reader->diagnostic));
    if (unit && !(parameter->unit > 0)) {
        return yaml_fail(unit, reader->diagnostic, "a unit is above 0");
    }
    parameter->listed = listed;
    bool layers = listed && listed->kind == YAML_SCALAR && !strcmp(listed->text, "layers");
    if (!listed || (layers && parameter->per_layer)) return STATUS_OK;
    return yaml_fail(listed, reader->diagnostic,
                     "'listed' can only be 'layers', beside per: layer");
}

static status read_type(struct architecture_reader *reader, struct yaml *node,
                        struct parameter *parameter)
{
    static const char *const names[] = {"integer", "real", "boolean", "choice"};
    struct yaml *type = yaml_find(node, "type"), *per = yaml_find(node, "per");
    if (per) {
        parameter->per_layer = per->kind == YAML_SCALAR && !strcmp(per->text, "layer");
        if (!parameter->per_layer) {
            return yaml_fail(per, reader->diagnostic, "'per' can only be 'layer'");
        }
    }
    TRY(read_reading(reader, node, parameter));
    if (!type) return STATUS_OK;
    for (int i = 0; type->kind == YAML_SCALAR && i <= PARAMETER_CHOICE; i++) {
        if (strcmp(type->text, names[i]) != 0) continue;
        parameter->type = (enum parameter_type)i;
        return STATUS_OK;
    }
    return yaml_fail(type, reader->diagnostic, "a type is integer, real, boolean or choice");
}

static status read_keys(struct architecture_reader *reader, struct yaml *node,
                        struct parameter *parameter)
{
    for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
        struct yaml *keys = yaml_find(node, source_format_name((enum source_format)f));
        if (!keys) continue;
        TRY(read_texts(reader, keys, &parameter->keys[f], &parameter->key_count[f]));
    }
    return STATUS_OK;
}

/* choices: {spelling in files: word}; an empty list of spellings is no choice at all. */
static status read_choices(struct architecture_reader *reader, struct yaml *node,
                           struct parameter *parameter)
{
    struct yaml *choices;
    if (parameter->type != PARAMETER_CHOICE) return STATUS_OK;
    TRY(yaml_require(node, "choices", YAML_MAP, &choices, reader->diagnostic));
    TRY_NEW(parameter->choices, reader->arena, choices->count, reader->diagnostic);
    TRY_NEW(parameter->choice_slots, reader->arena, choices->count, reader->diagnostic);
    use_items(choices);
    for (int i = 0; i < choices->count; i++) {
        struct yaml *word = &choices->items[i];
        if (word->kind != YAML_SCALAR) {
            return yaml_fail(word, reader->diagnostic, "a word is needed here");
        }
        parameter->choices[i] = word->key;
        TRY(add_slot(reader, word, word->text, SLOT_WORD, false, false,
                     &parameter->choice_slots[i]));
    }
    parameter->choice_count = choices->count;
    return STATUS_OK;
}

static status read_bounds(struct architecture_reader *reader, struct yaml *node,
                          struct parameter *parameter)
{
    struct yaml *least = yaml_find(node, "least"), *most = yaml_find(node, "most");
    parameter->bounded_below = least;
    parameter->bounded_above = most;
    if (least) TRY(yaml_real(least, &parameter->least, reader->diagnostic));
    if (most) TRY(yaml_real(most, &parameter->most, reader->diagnostic));
    return STATUS_OK;
}

/* default: EXPRESSION, or {gguf: EXPRESSION, huggingface: EXPRESSION}. */
static status read_defaults(struct architecture_reader *reader, struct yaml *node,
                            struct parameter *parameter)
{
    struct yaml *otherwise = yaml_find(node, "default");
    enum formula_kind kind = parameter->type == PARAMETER_REAL ? FORMULA_REAL : FORMULA_INTEGER;
    for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
        struct yaml *own = otherwise;
        if (own && own->kind == YAML_MAP) {
            own = yaml_find(own, source_format_name((enum source_format)f));
        }
        if (own) {
            TRY(read_formula(reader, own, kind, parameter->per_layer, &parameter->otherwise[f]));
        } else if (reader->architecture->name_count[f] && !parameter->key_count[f]) {
            return yaml_fail(node, reader->diagnostic, "'%s' needs a key or a default for %s",
                             parameter->name, source_format_name((enum source_format)f));
        }
    }
    return STATUS_OK;
}

static status read_parameter(struct architecture_reader *reader, struct yaml *node)
{
    struct architecture *architecture = reader->architecture;
    struct parameter *parameter = &architecture->parameters[architecture->parameter_count];
    parameter->name = node->key;
    TRY(check_name(reader, node, node->key, false));
    if (node->kind != YAML_MAP) {
        return yaml_fail(node, reader->diagnostic, "a parameter is a map: {gguf: KEY, ...}");
    }
    TRY(read_type(reader, node, parameter));
    TRY(read_keys(reader, node, parameter));
    TRY(read_choices(reader, node, parameter));
    TRY(read_bounds(reader, node, parameter));
    TRY(read_defaults(reader, node, parameter));
    const char *given = arena_print(reader->arena, "%s.given", parameter->name);
    TRY_MEMORY(given, reader->diagnostic);
    bool real = parameter->type == PARAMETER_REAL;
    TRY(add_slot(reader, node, given, SLOT_GIVEN, false, false, &parameter->given_slot));
    TRY(add_slot(reader, node, parameter->name, SLOT_PARAMETER, real, parameter->per_layer,
                 &parameter->slot));
    architecture->parameter_count++; /* only now: a default uses the parameters above it */
    return STATUS_OK;
}

status read_lets(struct architecture_reader *reader, struct yaml *root)
{
    struct architecture *architecture = reader->architecture;
    struct yaml *lets = yaml_find(root, "let");
    if (!lets) return STATUS_OK;
    if (lets->kind != YAML_MAP) {
        return yaml_fail(lets, reader->diagnostic, "'let' must be a map of expressions");
    }
    TRY_NEW(architecture->lets, reader->arena, lets->count, reader->diagnostic);
    use_items(lets);
    for (int i = 0; i < lets->count; i++) {
        struct let_rule *let = &architecture->lets[i];
        struct yaml *node = &lets->items[i];
        TRY(check_name(reader, node, node->key, false));
        TRY(read_formula(reader, node, FORMULA_ANY, true, &let->value));
        TRY(add_slot(reader, node, node->key, SLOT_LET, let->value.real, let->value.per_layer,
                     &let->slot));
        architecture->let_count++;
    }
    return STATUS_OK;
}

/* What the rest of Hone asks a model for. */
status check_parameters(struct architecture_reader *reader, const struct yaml *root)
{
    static const char *const required[] = {"layers", "vocabulary", "context"};
    for (size_t i = 0; i < sizeof required / sizeof required[0]; i++) {
        int index = architecture_parameter(reader->architecture, required[i]);
        const struct parameter *parameter =
            &reader->architecture->parameters[index < 0 ? 0 : index];
        if (index >= 0 && parameter->type == PARAMETER_INTEGER && !parameter->per_layer &&
            parameter->bounded_below && parameter->least >= 1 && parameter->bounded_above) {
            continue;
        }
        return yaml_fail(root, reader->diagnostic,
                         "the parameter '%s', a whole number with least (1 or more) and most, is "
                         "needed",
                         required[i]);
    }
    return STATUS_OK;
}

status read_parameters(struct architecture_reader *reader, struct yaml *root)
{
    struct yaml *parameters;
    TRY(yaml_require(root, "parameters", YAML_MAP, &parameters, reader->diagnostic));
    TRY_NEW(reader->architecture->parameters, reader->arena, parameters->count, reader->diagnostic);
    use_items(parameters);
    for (int i = 0; i < parameters->count; i++) {
        TRY(read_parameter(reader, &parameters->items[i]));
    }
    return STATUS_OK;
}
