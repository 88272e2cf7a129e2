/* Graphs from their text, which may come from anywhere: every statement is checked as it is read,
 * so that the error names its line and column. */
#include "ir/graph_edit.h"
#include "ir/scanner.h"

#include <string.h>

struct graph_reader {
    struct scanner scanner;
    struct graph *graph;
};

/* Repeats a failure inside the graph with the position of `at`. */
static status reader_fail(struct graph_reader *reader, const char *at,
                          const struct diagnostic *reason)
{
    return scanner_fail(&reader->scanner, at, reason->code, "%s", reason->text);
}

static status read_line_end(struct graph_reader *reader)
{
    if (scanner_line_ends(&reader->scanner)) return STATUS_OK;
    return scanner_fail(&reader->scanner, reader->scanner.at, STATUS_BAD_INPUT,
                        "the line should end here");
}

static status read_placement(struct graph_reader *reader, int *layer, int *device)
{
    int64_t number;
    if (scanner_take_word(&reader->scanner, "layer")) {
        TRY(scanner_integer(&reader->scanner, "a layer", 0, GRAPH_LAYERS_MAX - 1, &number));
        *layer = (int)number;
    }
    if (scanner_take_word(&reader->scanner, "device")) {
        TRY(scanner_integer(&reader->scanner, "a device", 0, GRAPH_DEVICES_MAX - 1, &number));
        *device = (int)number;
    }
    return STATUS_OK;
}

/* A name that nothing has yet. */
static status read_new_name(struct graph_reader *reader, char name[static SCANNER_NAME_BYTES])
{
    TRY(scanner_name(&reader->scanner, "a name", name));
    if (graph_find_value(reader->graph, name) == VALUE_NONE) return STATUS_OK;
    return scanner_fail(&reader->scanner, reader->scanner.at - strlen(name), STATUS_BAD_INPUT,
                        "%s is there twice", name);
}

/* A value that is there; VALUE_NONE for "_". */
static status read_value(struct graph_reader *reader, int *value)
{
    char name[SCANNER_NAME_BYTES];
    TRY(scanner_name(&reader->scanner, "a value", name));
    *value = graph_find_value(reader->graph, name);
    if (*value != VALUE_NONE || !strcmp(name, "_")) return STATUS_OK;
    return scanner_fail(&reader->scanner, reader->scanner.at - strlen(name), STATUS_BAD_INPUT,
                        "there is no value %s before this line", name);
}

static status read_source(struct graph_reader *reader, int value)
{
    char source[SCANNER_NAME_BYTES];
    if (!scanner_take_word(&reader->scanner, "source")) return STATUS_OK;
    struct value *weight = &reader->graph->values[value];
    if (weight->kind != VALUE_WEIGHT)
        return scanner_fail(&reader->scanner, reader->scanner.at, STATUS_BAD_INPUT,
                            "only weights have a source");
    TRY(scanner_name(&reader->scanner, "the name of a weight", source));
    weight->source = arena_text(reader->graph->arena, source);
    TRY_MEMORY(weight->source, reader->scanner.diagnostic);
    return STATUS_OK;
}

static status read_slice(struct graph_reader *reader, int value)
{
    if (!scanner_take_word(&reader->scanner, "slice")) return STATUS_OK;
    struct value *weight = &reader->graph->values[value];
    if (weight->kind != VALUE_WEIGHT)
        return scanner_fail(&reader->scanner, reader->scanner.at, STATUS_BAD_INPUT,
                            "only weights are slices");
    TRY(scanner_integer(&reader->scanner, "the first row", 0, TENSOR_ELEMENTS_MAX,
                        &weight->slice_first));
    return scanner_integer(&reader->scanner, "the rows of the whole", 1, TENSOR_ELEMENTS_MAX,
                           &weight->slice_whole);
}

static status read_declaration(struct graph_reader *reader, enum value_kind kind)
{
    char name[SCANNER_NAME_BYTES];
    struct tensor_type type;
    struct diagnostic reason = {0};
    int value, layer = -1, device = 0;
    TRY(read_new_name(reader, name));
    const char *start = reader->scanner.at - strlen(name);
    TRY(scanner_expect(&reader->scanner, ":"));
    TRY(tensor_parse(&reader->scanner, &type));
    TRY(read_placement(reader, &layer, &device));
    if (graph_add_value(reader->graph, kind, name, &type, layer, &value, &reason) != STATUS_OK)
        return reader_fail(reader, start, &reason);
    reader->graph->values[value].device = device;
    TRY(read_source(reader, value));
    return read_slice(reader, value);
}

static status read_output(struct graph_reader *reader)
{
    struct diagnostic reason = {0};
    int value;
    scanner_skip(&reader->scanner);
    const char *start = reader->scanner.at;
    TRY(read_value(reader, &value));
    if (graph_add_output(reader->graph, value, &reason) == STATUS_OK) return STATUS_OK;
    return reader_fail(reader, start, &reason);
}

struct output_names {
    int count;
    const char *pointers[OP_OUTPUTS_MAX];
    char names[OP_OUTPUTS_MAX][SCANNER_NAME_BYTES];
};

/* "h, n =", of which `at` is the start; nothing before an operator without results. */
static status read_output_names(struct graph_reader *reader, struct output_names *outputs)
{
    do {
        if (outputs->count == OP_OUTPUTS_MAX)
            return scanner_fail(&reader->scanner, reader->scanner.at, STATUS_BAD_INPUT,
                                "more than %d results", OP_OUTPUTS_MAX);
        char *name = outputs->names[outputs->count];
        TRY(read_new_name(reader, name));
        outputs->pointers[outputs->count++] = name;
    } while (scanner_take(&reader->scanner, ","));
    return scanner_expect(&reader->scanner, "=");
}

static status read_op(struct graph_reader *reader, struct node *node)
{
    char name[SCANNER_NAME_BYTES];
    TRY(scanner_word(&reader->scanner, "an operator", name));
    node->op = op_by_name(reader->graph->ops, name);
    if (node->op) return STATUS_OK;
    return scanner_fail(&reader->scanner, reader->scanner.at - strlen(name), STATUS_BAD_INPUT,
                        "there is no operator %s", name);
}

/* Optional operands at the end need not be written, so that an operator may get more of them. */
static bool rest_is_optional(const struct op *op, int from)
{
    while (op->inputs[from].name && op->inputs[from].optional) from++;
    return !op->inputs[from].name;
}

static status read_operands(struct graph_reader *reader, struct node *node)
{
    int count = op_input_count(node->op);
    TRY(scanner_expect(&reader->scanner, "("));
    for (int i = 0; i < OP_INPUTS_MAX; i++) node->inputs[i] = VALUE_NONE;
    for (int i = 0; i < count; i++) {
        if (i && rest_is_optional(node->op, i) && scanner_take(&reader->scanner, ")"))
            return STATUS_OK;
        if (i) TRY(scanner_expect(&reader->scanner, ","));
        TRY(read_value(reader, &node->inputs[i]));
    }
    return scanner_expect(&reader->scanner, ")");
}

/* The names on the left must be those of the results that there are. */
static status check_output_names(struct graph_reader *reader, const char *start,
                                 const struct output_names *outputs)
{
    const struct node *node = &reader->graph->nodes[reader->graph->node_count - 1];
    for (int o = 0; o < OP_OUTPUTS_MAX; o++) {
        bool named = o < outputs->count && strcmp(outputs->names[o], "_");
        if (named == (node->outputs[o] != VALUE_NONE)) continue;
        return scanner_fail(&reader->scanner, start, STATUS_BAD_INPUT,
                            named ? "%s has no result number %d here"
                                  : "%s needs a name for its result number %d",
                            node->op->name, o + 1);
    }
    return STATUS_OK;
}

static status read_node(struct graph_reader *reader, bool has_results)
{
    struct output_names outputs = {0};
    struct node node = {.layer = -1};
    struct diagnostic reason = {0};
    if (has_results) TRY(read_output_names(reader, &outputs));
    scanner_skip(&reader->scanner);
    const char *start = reader->scanner.at;
    TRY(read_op(reader, &node));
    TRY(read_operands(reader, &node));
    TRY(attributes_parse(&reader->scanner, node.op, node.attributes));
    TRY(read_placement(reader, &node.layer, &node.device));
    if (graph_add_node(reader->graph, &node, outputs.pointers, &reason) != STATUS_OK)
        return reader_fail(reader, start, &reason);
    return check_output_names(reader, start, &outputs);
}

/* A line is a node when a name is followed by "=", "," or "("; otherwise it begins with a word that
 * says what it is. */
static status read_statement(struct graph_reader *reader)
{
    struct scanner ahead = reader->scanner;
    char name[SCANNER_NAME_BYTES];
    TRY(scanner_name(&ahead, "a statement", name));
    scanner_skip(&ahead);
    if (*ahead.at == '=' || *ahead.at == ',') return read_node(reader, true);
    if (*ahead.at == '(') return read_node(reader, false);
    if (scanner_take_word(&reader->scanner, "input")) return read_declaration(reader, VALUE_INPUT);
    if (scanner_take_word(&reader->scanner, "weight"))
        return read_declaration(reader, VALUE_WEIGHT);
    if (scanner_take_word(&reader->scanner, "state")) return read_declaration(reader, VALUE_STATE);
    if (scanner_take_word(&reader->scanner, "output")) return read_output(reader);
    return scanner_fail(&reader->scanner, reader->scanner.at, STATUS_BAD_INPUT,
                        "%s is not a statement; there are input, weight, state, output and nodes",
                        name);
}

static status read_header(struct graph_reader *reader, const struct op *const *ops,
                          struct arena *arena, int64_t *layers)
{
    struct scanner *scanner = &reader->scanner;
    char name[SCANNER_NAME_BYTES];
    struct diagnostic reason = {0};
    if (!scanner_next_line(scanner) || !scanner_take_word(scanner, "graph"))
        return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT,
                            "a graph begins with a line \"graph NAME\"");
    TRY(scanner_name(scanner, "the graph's name", name));
    const char *start = scanner->at - strlen(name);
    if (graph_create(arena, name, ops, &reader->graph, &reason) != STATUS_OK)
        return reader_fail(reader, start, &reason);
    *layers = -1;
    if (!scanner_take_word(scanner, "layers")) return STATUS_OK;
    return scanner_integer(scanner, "a number of layers", 0, GRAPH_LAYERS_MAX, layers);
}

static status read_graph(struct graph_reader *reader, const struct op *const *ops,
                         struct arena *arena)
{
    int64_t layers;
    struct diagnostic reason = {0};
    TRY(read_header(reader, ops, arena, &layers));
    TRY(read_line_end(reader));
    while (scanner_next_line(&reader->scanner)) {
        TRY(read_statement(reader));
        TRY(read_line_end(reader));
    }
    if (layers >= 0 && layers < reader->graph->layer_count)
        return scanner_fail(&reader->scanner, reader->scanner.at, STATUS_BAD_INPUT,
                            "the graph says %d layers, a node is in layer %d", (int)layers,
                            reader->graph->layer_count - 1);
    if (layers >= 0) reader->graph->layer_count = (int)layers;
    if (graph_verify(reader->graph, &reason) == STATUS_OK) return STATUS_OK;
    return reader_fail(reader, reader->scanner.at, &reason);
}

status graph_parse(const char *file, const char *text, const struct op *const *ops,
                   struct arena *arena, struct graph **graph, struct diagnostic *diagnostic)
{
    struct graph_reader reader = {0};
    scanner_open(&reader.scanner, file, text, diagnostic);
    TRY(read_graph(&reader, ops, arena));
    *graph = reader.graph;
    return STATUS_OK;
}
