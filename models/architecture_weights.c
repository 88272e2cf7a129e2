/* Reading the weights of a description: names in files, shapes, and when they are there. */
#include "models/architecture_reader.h"

#include <string.h>

/* One name, or a list of names of which the first that is there counts. */
static status read_patterns(struct architecture_reader *reader, struct yaml *node,
                            struct weight_rule *weight)
{
    bool first = true;
    for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
        struct yaml *patterns = yaml_find(node, source_format_name((enum source_format)f));
        if (!patterns) continue;
        TRY(read_texts(reader, patterns, &weight->patterns[f], &weight->pattern_count[f]));
        for (int i = 0; i < weight->pattern_count[f]; i++, first = false) {
            bool per_layer = strstr(weight->patterns[f][i], "{layer}");
            if (!first && weight->per_layer != per_layer) {
                return yaml_fail(patterns, reader->diagnostic,
                                 "all names of '%s' must contain {layer}, or none", weight->name);
            }
            weight->per_layer = per_layer;
        }
    }
    return STATUS_OK;
}

static status read_shape(struct architecture_reader *reader, struct yaml *node,
                         struct weight_rule *weight)
{
    struct yaml *shape;
    TRY(yaml_require(node, "shape", YAML_LIST, &shape, reader->diagnostic));
    if (shape->count < 1 || shape->count > TENSOR_RANK_MAX) {
        return yaml_fail(shape, reader->diagnostic, "a shape has 1 to %d sizes", TENSOR_RANK_MAX);
    }
    weight->rank = shape->count;
    for (int d = 0; d < shape->count; d++) {
        TRY(read_formula(reader, &shape->items[d], FORMULA_INTEGER, weight->per_layer,
                         &weight->shape[d]));
    }
    return STATUS_OK;
}

static status read_conditions(struct architecture_reader *reader, struct yaml *node,
                              struct weight_rule *weight)
{
    struct yaml *when = yaml_find(node, "when"), *optional = yaml_find(node, "optional");
    struct yaml *otherwise = yaml_find(node, "otherwise"), *element = yaml_find(node, "element");
    enum element_type type;
    weight->otherwise = weight->element = -1;
    if (when) TRY(read_formula(reader, when, FORMULA_ANY, weight->per_layer, &weight->when));
    if (optional) {
        TRY(read_formula(reader, optional, FORMULA_ANY, weight->per_layer, &weight->optional));
    }
    if (otherwise) {
        const char *name = otherwise->kind == YAML_SCALAR ? otherwise->text : "";
        weight->otherwise = architecture_weight(reader->architecture, name);
        if (weight->otherwise < 0 ||
            reader->architecture->weights[weight->otherwise].per_layer != weight->per_layer) {
            return yaml_fail(otherwise, reader->diagnostic,
                             "'otherwise' must name a weight above, of a layer if this one is");
        }
    }
    if (element) {
        if (element->kind != YAML_SCALAR || !element_by_name(element->text, &type) ||
            type != ELEMENT_F32) {
            return yaml_fail(element, reader->diagnostic, "'element' can only be f32");
        }
        weight->element = ELEMENT_F32;
    }
    return STATUS_OK;
}

static status read_weight(struct architecture_reader *reader, struct yaml *node)
{
    struct architecture *architecture = reader->architecture;
    struct weight_rule *weight = &architecture->weights[architecture->weight_count];
    weight->name = node->key;
    TRY(check_name(reader, node, node->key, false));
    TRY(read_patterns(reader, node, weight));
    TRY(read_shape(reader, node, weight));
    TRY(read_conditions(reader, node, weight));
    const char *given = arena_print(reader->arena, "%s.given", weight->name);
    TRY_MEMORY(given, reader->diagnostic);
    TRY(add_slot(reader, node, given, SLOT_GIVEN, false, weight->per_layer, &weight->given_slot));
    architecture->weight_count++;
    return STATUS_OK;
}

static status read_ignored(struct architecture_reader *reader, struct yaml *root)
{
    struct architecture *architecture = reader->architecture;
    struct yaml *ignored = yaml_find(root, "ignored");
    if (!ignored) return STATUS_OK;
    TRY_NEW(architecture->ignored, reader->arena, ignored->count, reader->diagnostic);
    for (int i = 0; i < ignored->count; i++) {
        struct ignored_rule *rule = &architecture->ignored[architecture->ignored_count++];
        struct yaml *node = &ignored->items[i], *when = yaml_find(node, "when");
        for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
            const char *format = source_format_name((enum source_format)f);
            if (!yaml_find(node, format)) continue;
            TRY(yaml_text(node, format, &rule->patterns[f], reader->diagnostic));
        }
        if (when) TRY(read_formula(reader, when, FORMULA_ANY, false, &rule->when));
    }
    return STATUS_OK;
}

status read_weights(struct architecture_reader *reader, struct yaml *root)
{
    struct yaml *weights;
    TRY(yaml_require(root, "weights", YAML_MAP, &weights, reader->diagnostic));
    TRY_NEW(reader->architecture->weights, reader->arena, weights->count, reader->diagnostic);
    use_items(weights);
    for (int i = 0; i < weights->count; i++) TRY(read_weight(reader, &weights->items[i]));
    return read_ignored(reader, root);
}
