/* Building a model's graph from the lines of its description: once what is before the layers, then
 * the layer's lines per layer, then what is after them. */
#include "models/architecture_bind.h"

#include <inttypes.h>
#include <string.h>

enum { LOCALS_MAX = 256 };

/* A name of the lines and the value that it stands for now. */
struct local {
    const char *name;
    int value;
    bool lasting; /* made before the layers: the layers pass it on to each other */
};

struct builder {
    struct bound_architecture *bound;
    const struct graph_options *options;
    struct graph *graph;
    int64_t layer; /* -1 outside */
    int local_count;
    struct local locals[LOCALS_MAX];
};

static const char *value_name(struct builder *builder, const char *name)
{
    if (builder->layer < 0) return name;
    return arena_print(builder->bound->arena, "%s.%" PRId64, name, builder->layer);
}

/* A line may give a name a new value; the graph tells the values apart: down.3, down_2.3. */
static status result_name(struct builder *builder, const char *name, const char **result)
{
    int value;
    *result = value_name(builder, name);
    for (int i = 2; *result && (value = graph_find_value(builder->graph, *result)) != VALUE_NONE &&
                    builder->graph->values[value].kind == VALUE_RESULT;
         i++) {
        const char *again = arena_print(builder->bound->arena, "%s_%d", name, i);
        *result = again ? value_name(builder, again) : NULL;
    }
    TRY_MEMORY(*result, builder->bound->diagnostic);
    return STATUS_OK;
}

static int find_local(const struct builder *builder, const char *name)
{
    for (int i = 0; i < builder->local_count; i++) {
        if (!strcmp(builder->locals[i].name, name)) return i;
    }
    return -1;
}

static status set_local(struct builder *builder, const struct statement *statement,
                        const char *name, int value)
{
    int index = find_local(builder, name);
    if (index < 0 && builder->local_count == LOCALS_MAX) {
        return yaml_fail(statement->node, builder->bound->diagnostic,
                         "more than %d names in a graph's lines", LOCALS_MAX);
    }
    if (index < 0) {
        index = builder->local_count++;
        builder->locals[index] = (struct local){name, value, builder->layer < 0};
    }
    builder->locals[index].value = value;
    return STATUS_OK;
}

/* What a layer made for itself is gone when it ends. */
static void drop_locals(struct builder *builder)
{
    int kept = 0;
    for (int i = 0; i < builder->local_count; i++) {
        if (builder->locals[i].lasting) builder->locals[kept++] = builder->locals[i];
    }
    builder->local_count = kept;
}

static status add_inputs(struct builder *builder)
{
    static const struct {
        const char *name;
        int rank;
        enum symbol rows, columns;
    } inputs[] = {
        {"tokens", 1, SYMBOL_TOKENS, SYMBOL_NONE},    {"positions", 1, SYMBOL_TOKENS, SYMBOL_NONE},
        {"sequences", 1, SYMBOL_TOKENS, SYMBOL_NONE}, {"pages", 2, SYMBOL_SEQUENCES, SYMBOL_STRIDE},
        {"outputs", 1, SYMBOL_OUTPUTS, SYMBOL_NONE},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        struct tensor_type type = {.element = ELEMENT_I32, .rank = inputs[i].rank};
        int value;
        type.shape[0] = dimension_of(inputs[i].rows, 1);
        if (type.rank == 2) type.shape[1] = dimension_of(inputs[i].columns, 1);
        TRY(graph_add_value(builder->graph, VALUE_INPUT, inputs[i].name, &type, -1, &value,
                            builder->bound->diagnostic));
    }
    return STATUS_OK;
}

/* A weight enters the graph when a line first uses it. */
static status weight_value(struct builder *builder, int index, int *value)
{
    struct bound_architecture *bound = builder->bound;
    bool per_layer = bound->architecture->weights[index].per_layer;
    const struct bound_weight *weight = &bound->weights[index][per_layer ? builder->layer : 0];
    *value = VALUE_NONE;
    if (!weight->name) return STATUS_OK;
    *value = graph_find_value(builder->graph, weight->name);
    if (*value != VALUE_NONE) return STATUS_OK;
    return graph_add_value(builder->graph, VALUE_WEIGHT, weight->name, &weight->stored.type,
                           per_layer ? (int)builder->layer : -1, value, bound->diagnostic);
}

/* Each layer's state, paged: ELEMENT[pages, page_tokens, width]. */
static status state_value(struct builder *builder, const struct state_rule *state, int *value)
{
    struct bound_architecture *bound = builder->bound;
    struct tensor_type type = {.element = builder->options->state_element, .rank = 3};
    int64_t width;
    const char *name = value_name(builder, state->name);
    TRY_MEMORY(name, bound->diagnostic);
    *value = graph_find_value(builder->graph, name);
    if (*value != VALUE_NONE) return STATUS_OK;
    TRY(bind_integer(bound, &state->width, &width));
    const struct element *element = element_of(type.element);
    if (width % element->block_elements != 0)
        return fail(bound->diagnostic, STATUS_BAD_INPUT,
                    "%.300s: rows of %s hold %" PRId64 " numbers, which are no whole blocks of %d "
                    "as %s has them: choose f16, bf16 or f32 for the KV cache",
                    bound->source->path, name, width, element->block_elements, element->name);
    type.shape[0] = dimension_of(SYMBOL_PAGES, 1);
    type.shape[1] = dimension_fixed(builder->options->page_tokens);
    type.shape[2] = dimension_fixed(width);
    return graph_add_value(builder->graph, VALUE_STATE, name, &type, (int)builder->layer, value,
                           bound->diagnostic);
}

/* Results of earlier lines, weights, states, inputs: in this order. */
static status operand_value(struct builder *builder, const struct statement *statement,
                            const char *name, int *value)
{
    const struct architecture *architecture = builder->bound->architecture;
    int local = find_local(builder, name), weight = architecture_weight(architecture, name);
    if (local >= 0) {
        *value = builder->locals[local].value;
        return STATUS_OK;
    }
    if (weight >= 0 && (builder->layer >= 0 || !architecture->weights[weight].per_layer)) {
        return weight_value(builder, weight, value);
    }
    for (int i = 0; i < architecture->state_count && builder->layer >= 0; i++) {
        if (strcmp(architecture->states[i].name, name) != 0) continue;
        return state_value(builder, &architecture->states[i], value);
    }
    *value = graph_find_value(builder->graph, name);
    if (*value != VALUE_NONE && builder->graph->values[*value].kind == VALUE_INPUT) {
        return STATUS_OK;
    }
    return yaml_fail(statement->node, builder->bound->diagnostic,
                     "'%s' is no result of a line above, weight, state or input", name);
}

/* Attributes that the line does not name keep their defaults. */
static status set_attributes(struct builder *builder, const struct statement *statement,
                             struct node *node)
{
    struct bound_architecture *bound = builder->bound;
    attributes_default(node->op, node->attributes);
    for (int a = 0; a < op_attribute_count(node->op); a++) {
        const struct attribute_rule *rule = &node->op->attributes[a];
        const struct formula *formula = &statement->attributes[a];
        int64_t integer, choice = 0;
        if (!formula->expression) continue;
        if (rule->kind == ATTRIBUTE_REAL) {
            TRY(bind_real(bound, formula, &node->attributes[a].real));
            continue;
        }
        TRY(bind_integer(bound, formula, &integer));
        node->attributes[a].integer = integer;
        if (rule->kind != ATTRIBUTE_CHOICE) continue;
        bool word = integer >= 0 && integer < bound->architecture->slot_count;
        const char *text = word ? bound->architecture->slots[integer].name : "";
        while (rule->choices[choice] && strcmp(rule->choices[choice], text) != 0) choice++;
        if (!rule->choices[choice]) {
            return yaml_fail(statement->node, bound->diagnostic, "%s: '%s' is no choice for '%s'",
                             node->op->name, text, rule->name);
        }
        node->attributes[a].integer = choice;
    }
    return STATUS_OK;
}

static status add_line(struct builder *builder, const struct statement *statement)
{
    struct bound_architecture *bound = builder->bound;
    struct node node = {.op = statement->op, .layer = (int)builder->layer};
    struct diagnostic reason = {0};
    const char *names[OP_OUTPUTS_MAX] = {0};
    for (int i = 0; i < OP_INPUTS_MAX; i++) {
        const char *operand = i < statement->operand_count ? statement->operands[i] : NULL;
        node.inputs[i] = VALUE_NONE;
        if (operand) TRY(operand_value(builder, statement, operand, &node.inputs[i]));
    }
    TRY(set_attributes(builder, statement, &node));
    for (int i = 0; i < statement->result_count; i++) {
        TRY(result_name(builder, statement->results[i], &names[i]));
    }
    if (graph_add_node(builder->graph, &node, names, &reason) != STATUS_OK) {
        return fail(bound->diagnostic, reason.code, "%.200s: %.100s:%d: %.600s",
                    bound->source->path, statement->node->file, statement->node->line, reason.text);
    }
    const struct node *made = &builder->graph->nodes[builder->graph->node_count - 1];
    for (int i = 0; i < statement->result_count; i++) {
        TRY(set_local(builder, statement, statement->results[i], made->outputs[i]));
    }
    return STATUS_OK;
}

static status add_lines(struct builder *builder, const struct statement *statements, int count)
{
    for (int i = 0; i < count; i++) {
        const struct statement *statement = &statements[i];
        bool holds;
        if (statement->op) {
            TRY(add_line(builder, statement));
            continue;
        }
        TRY(bind_condition(builder->bound, &statement->when, true, &holds));
        if (holds)
            TRY(add_lines(builder, statement->then, statement->then_count));
        else
            TRY(add_lines(builder, statement->otherwise, statement->otherwise_count));
    }
    return STATUS_OK;
}

static status add_part(struct builder *builder, enum graph_part part, int64_t layer)
{
    const struct architecture *architecture = builder->bound->architecture;
    builder->layer = layer;
    drop_locals(builder);
    TRY(bind_layer(builder->bound, layer));
    return add_lines(builder, architecture->statements[part], architecture->statement_count[part]);
}

static status add_outputs(struct builder *builder)
{
    struct bound_architecture *bound = builder->bound;
    for (int i = 0; i < bound->architecture->output_count; i++) {
        int local = find_local(builder, bound->architecture->outputs[i]);
        if (local < 0) {
            return fail(bound->diagnostic, STATUS_BAD_INPUT,
                        "%.300s: the output '%.100s' is no result of a line",
                        bound->architecture->file, bound->architecture->outputs[i]);
        }
        TRY(graph_add_output(builder->graph, builder->locals[local].value, bound->diagnostic));
    }
    return STATUS_OK;
}

/* A weight that was found but that no line uses would be dropped unseen. */
static status check_weights_used(const struct builder *builder)
{
    struct bound_architecture *bound = builder->bound;
    for (int i = 0; i < bound->architecture->weight_count; i++) {
        int64_t count = bound->architecture->weights[i].per_layer ? bound->layers : 1;
        for (int64_t layer = 0; layer < count; layer++) {
            const char *name = bound->weights[i][layer].name;
            if (!name || graph_find_value(builder->graph, name) != VALUE_NONE) continue;
            return fail(bound->diagnostic, STATUS_BAD_INPUT,
                        "%.300s: no line of the graph uses the weight '%.100s', which %.300s has",
                        bound->architecture->file, name, bound->source->path);
        }
    }
    return STATUS_OK;
}

status bind_graph(struct bound_architecture *bound, const struct graph_options *options,
                  struct graph **graph)
{
    struct builder builder = {.bound = bound, .options = options};
    TRY(graph_create(bound->arena, bound->architecture->name, options->ops, &builder.graph,
                     bound->diagnostic));
    TRY(add_inputs(&builder));
    TRY(add_part(&builder, PART_BEFORE, -1));
    for (int64_t layer = 0; layer < bound->layers; layer++) {
        TRY(add_part(&builder, PART_LAYER, layer));
    }
    builder.graph->layer_count = (int)bound->layers;
    TRY(add_part(&builder, PART_AFTER, -1));
    TRY(add_outputs(&builder));
    TRY(check_weights_used(&builder));
    TRY(graph_verify(builder.graph, bound->diagnostic));
    *graph = builder.graph;
    return STATUS_OK;
}
