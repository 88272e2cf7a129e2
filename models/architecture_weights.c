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

static status read_sizes(struct architecture_reader *reader, struct yaml *node, const char *key,
                         bool per_layer, struct formula sizes[TENSOR_RANK_MAX], int *rank)
{
    struct yaml *list;
    TRY(yaml_require(node, key, YAML_LIST, &list, reader->diagnostic));
    if (list->count < 1 || list->count > TENSOR_RANK_MAX) {
        return yaml_fail(list, reader->diagnostic, "a shape has 1 to %d sizes", TENSOR_RANK_MAX);
    }
    *rank = list->count;
    for (int d = 0; d < list->count; d++) {
        TRY(read_formula(reader, &list->items[d], FORMULA_INTEGER, per_layer, &sizes[d]));
    }
    return STATUS_OK;
}

static status read_view(struct architecture_reader *reader, struct yaml *node,
                        const struct weight_rule *weight, struct tensor_view *view)
{
    struct yaml *start = yaml_find(node, "start"), *strides = yaml_find(node, "strides");
    int rank = weight->rank;
    if (node->kind != YAML_MAP) {
        return yaml_fail(node, reader->diagnostic, "a view is a map: {stored: [SIZES], ...}");
    }
    TRY(read_sizes(reader, node, "stored", weight->per_layer, view->stored, &view->stored_rank));
    if (start) {
        TRY(read_formula(reader, start, FORMULA_INTEGER, weight->per_layer, &view->start));
    }
    if (strides) {
        TRY(read_sizes(reader, node, "strides", weight->per_layer, view->strides, &rank));
    }
    if (rank == weight->rank) return STATUS_OK;
    return yaml_fail(strides, reader->diagnostic, "a stride for each of the %d sizes is needed",
                     weight->rank);
}

/* view: {stored: ..}, or {gguf: {stored: ..}, huggingface: {stored: ..}} */
static status read_views(struct architecture_reader *reader, struct yaml *node,
                         struct weight_rule *weight)
{
    struct yaml *view = yaml_find(node, "view"), *values = yaml_find(node, "values");
    if (values && (values->kind != YAML_MAP || weight->per_layer)) {
        return yaml_fail(values, reader->diagnostic,
                         "'values' is a map {FORMAT: KEY}, for weights outside of layers");
    }
    for (int f = 0; f < SOURCE_FORMAT_COUNT; f++) {
        const char *format = source_format_name((enum source_format)f);
        bool each = view && view->kind == YAML_MAP && !yaml_find(view, "stored");
        struct yaml *own = each ? yaml_find(view, format) : view;
        struct yaml *keys = values ? yaml_find(values, format) : NULL;
        if (own) TRY(read_view(reader, own, weight, &weight->views[f]));
        for (int i = 0; own && i < weight->pattern_count[f]; i++) {
            if (!strstr(weight->patterns[f][i], "{expert}")) continue;
            return yaml_fail(own, reader->diagnostic, "a view is of one tensor, not of {expert}");
        }
        if (keys) {
            TRY(read_texts(reader, keys, &weight->value_keys[f], &weight->value_key_count[f]));
        }
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
    struct yaml *turned = yaml_find(node, "turned");
    if (when) TRY(read_formula(reader, when, FORMULA_ANY, weight->per_layer, &weight->when));
    if (turned)
        TRY(read_formula(reader, turned, FORMULA_INTEGER, weight->per_layer, &weight->turned));
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
    TRY(read_sizes(reader, node, "shape", weight->per_layer, weight->shape, &weight->rank));
    TRY(read_views(reader, node, weight));
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
