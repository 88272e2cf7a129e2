/* Reading the graph of a description: lines "a, b = operator(x, y, _) {attribute=expression}",
 * conditions "{when: expression, then: [lines], otherwise: [lines]}" and blocks "{use: NAME}".  An
 * attribute "*NAME" stands for the group of attributes of that name; later ones win. */
#include "ir/graph.h"
#include "models/architecture_reader.h"

#include <ctype.h>
#include <string.h>

enum {
    CONDITIONS_DEPTH_MAX = 8,
    /* Blocks in blocks and groups in lines multiply; the longest graph of those here has 20,000. */
    GRAPH_BYTES_MAX = 1 << 22,
};

/* A line on its way: what was not read yet, and where it comes from. */
struct line {
    struct architecture_reader *reader;
    const struct yaml *node;
    const char *rest;
    bool per_layer;
};

/* Every use of a block or group counts, and each as its text and a little more. */
static status count_bytes(struct architecture_reader *reader, const struct yaml *node)
{
    enum { NODE_BYTES = 64 };
    reader->graph_bytes += NODE_BYTES + (node->kind == YAML_SCALAR ? strlen(node->text) : 0);
    if (reader->graph_bytes <= GRAPH_BYTES_MAX) return STATUS_OK;
    return yaml_fail(node, reader->diagnostic,
                     "with all blocks and groups written out, the graph would have more than %d "
                     "bytes",
                     GRAPH_BYTES_MAX);
}

static status line_fail(const struct line *line, const char *wanted)
{
    return yaml_fail(line->node, line->reader->diagnostic,
                     "'%.200s': %s is needed at '%.40s'; a line reads \"a, b = operator(x, y, _) "
                     "{attribute=expression}\"",
                     line->node->text, wanted, line->rest);
}

static void skip_blanks(struct line *line)
{
    while (*line->rest == ' ') line->rest++;
}

static bool accept(struct line *line, char symbol)
{
    skip_blanks(line);
    if (*line->rest != symbol) return false;
    line->rest++;
    skip_blanks(line);
    return true;
}

static status take_name(struct line *line, const char **name)
{
    skip_blanks(line);
    size_t length = 0;
    while (isalnum((unsigned char)line->rest[length]) || line->rest[length] == '_') length++;
    if (!length || isdigit((unsigned char)*line->rest)) return line_fail(line, "a name");
    *name = arena_text_range(line->reader->arena, line->rest, length);
    TRY_MEMORY(*name, line->reader->diagnostic);
    line->rest += length;
    skip_blanks(line);
    return check_name(line->reader, line->node, *name, false);
}

/* "a, b =": there is none when the line goes on with a parenthesis. */
static status take_results(struct line *line, struct statement *statement, const char **op)
{
    TRY(take_name(line, op));
    if (*line->rest == '(') return STATUS_OK;
    statement->results[statement->result_count++] = *op;
    while (accept(line, ',')) {
        if (statement->result_count == OP_OUTPUTS_MAX) return line_fail(line, "'='");
        TRY(take_name(line, &statement->results[statement->result_count]));
        statement->result_count++;
    }
    if (!accept(line, '=')) return line_fail(line, "'='");
    return take_name(line, op);
}

static status take_operands(struct line *line, struct statement *statement)
{
    if (!accept(line, '(')) return line_fail(line, "'('");
    do {
        if (statement->operand_count == OP_INPUTS_MAX) return line_fail(line, "')'");
        const char **operand = &statement->operands[statement->operand_count++];
        TRY(take_name(line, operand));
        if (!strcmp(*operand, "_")) *operand = NULL;
    } while (accept(line, ','));
    return accept(line, ')') ? STATUS_OK : line_fail(line, "',' or ')'");
}

/* The expression up to a comma or brace outside all parentheses. */
static status take_expression(struct line *line, const char **expression)
{
    size_t length = 0;
    for (int depth = 0; line->rest[length]; length++) {
        char c = line->rest[length];
        depth += (c == '(') - (c == ')');
        if (depth <= 0 && (c == ',' || c == '}')) break;
    }
    *expression = arena_text_range(line->reader->arena, line->rest, length);
    TRY_MEMORY(*expression, line->reader->diagnostic);
    line->rest += length;
    return STATUS_OK;
}

static status take_attribute(struct line *line, struct statement *statement)
{
    const char *name, *expression;
    TRY(take_name(line, &name));
    int row = attribute_by_name(statement->op, name);
    if (row < 0) {
        return yaml_fail(line->node, line->reader->diagnostic, "%s has no attribute '%s'",
                         statement->op->name, name);
    }
    if (!accept(line, '=')) return line_fail(line, "'='");
    TRY(take_expression(line, &expression));
    bool real = statement->op->attributes[row].kind == ATTRIBUTE_REAL;
    return read_formula_text(line->reader, line->node, expression,
                             real ? FORMULA_REAL : FORMULA_INTEGER, line->per_layer,
                             &statement->attributes[row]);
}

/* The attributes of a group, as if they stood here. */
static status take_group(struct line *line, struct statement *statement)
{
    const char *name;
    TRY(take_name(line, &name));
    struct yaml *group = yaml_find(line->reader->groups, name);
    if (!group || group->kind != YAML_SCALAR) {
        return yaml_fail(line->node, line->reader->diagnostic,
                         "there is no group of attributes '%s'", name);
    }
    TRY(count_bytes(line->reader, group));
    struct line inner = {line->reader, group, group->text, line->per_layer};
    do TRY(take_attribute(&inner, statement));
    while (accept(&inner, ','));
    return *inner.rest ? line_fail(&inner, "','") : STATUS_OK;
}

static status take_attributes(struct line *line, struct statement *statement)
{
    if (!accept(line, '{')) return STATUS_OK;
    do TRY(accept(line, '*') ? take_group(line, statement) : take_attribute(line, statement));
    while (accept(line, ','));
    return accept(line, '}') ? STATUS_OK : line_fail(line, "',' or '}'");
}

static status check_line(const struct line *line, const struct statement *statement)
{
    const struct op *op = statement->op;
    if (statement->operand_count > op_input_count(op) ||
        statement->result_count > op_output_count(op)) {
        return yaml_fail(line->node, line->reader->diagnostic,
                         "%s takes at most %d operands and has %d results", op->name,
                         op_input_count(op), op_output_count(op));
    }
    for (int a = 0; a < op_attribute_count(op); a++) {
        if (!op->attributes[a].required || statement->attributes[a].expression) continue;
        return yaml_fail(line->node, line->reader->diagnostic, "%s needs the attribute '%s'",
                         op->name, op->attributes[a].name);
    }
    return STATUS_OK;
}

static status read_line(struct architecture_reader *reader, struct yaml *node, bool per_layer,
                        struct statement *statement)
{
    struct line line = {reader, node, node->text, per_layer};
    const char *op;
    TRY(take_results(&line, statement, &op));
    statement->op = op_by_name(reader->ops, op);
    if (!statement->op) {
        return yaml_fail(node, reader->diagnostic, "there is no operator '%s'", op);
    }
    TRY(take_operands(&line, statement));
    TRY(take_attributes(&line, statement));
    if (*line.rest) return line_fail(&line, "the end of the line");
    return check_line(&line, statement);
}

static status read_statements(struct architecture_reader *reader, struct yaml *list, bool per_layer,
                              int depth, struct statement **statements, int *count);

static status read_condition(struct architecture_reader *reader, struct yaml *node, bool per_layer,
                             int depth, struct statement *statement)
{
    struct yaml *when, *otherwise = yaml_find(node, "otherwise"), *then;
    if (depth == CONDITIONS_DEPTH_MAX) {
        return yaml_fail(node, reader->diagnostic, "conditions more than %d deep",
                         CONDITIONS_DEPTH_MAX);
    }
    TRY(yaml_require(node, "when", YAML_SCALAR, &when, reader->diagnostic));
    TRY(read_formula(reader, when, FORMULA_ANY, per_layer, &statement->when));
    TRY(yaml_require(node, "then", YAML_LIST, &then, reader->diagnostic));
    TRY(read_statements(reader, then, per_layer, depth + 1, &statement->then,
                        &statement->then_count));
    if (!otherwise) return STATUS_OK;
    return read_statements(reader, otherwise, per_layer, depth + 1, &statement->otherwise,
                           &statement->otherwise_count);
}

/* "{use: NAME}": the lines of a block, as a condition that always holds. */
static status read_use(struct architecture_reader *reader, struct yaml *use, bool per_layer,
                       int depth, struct statement *statement)
{
    static const char *const known[] = {"when", "then", "otherwise", "use", NULL};
    struct yaml *block = use->kind == YAML_SCALAR ? yaml_find(reader->blocks, use->text) : NULL;
    if (!block) return yaml_fail(use, reader->diagnostic, "there is no such block");
    if (depth == CONDITIONS_DEPTH_MAX) {
        return yaml_fail(use, reader->diagnostic, "blocks more than %d deep", CONDITIONS_DEPTH_MAX);
    }
    TRY(read_statements(reader, block, per_layer, depth + 1, &statement->then,
                        &statement->then_count));
    return yaml_check_used(block, known, reader->diagnostic);
}

static status read_statements(struct architecture_reader *reader, struct yaml *list, bool per_layer,
                              int depth, struct statement **statements, int *count)
{
    if (list->kind != YAML_LIST) {
        return yaml_fail(list, reader->diagnostic, "a list of graph lines is needed");
    }
    TRY_NEW(*statements, reader->arena, list->count, reader->diagnostic);
    for (int i = 0; i < list->count; i++) {
        struct statement *statement = &(*statements)[i];
        struct yaml *node = &list->items[i], *use = yaml_find(node, "use");
        statement->node = node;
        TRY(count_bytes(reader, node));
        if (node->kind == YAML_SCALAR)
            TRY(read_line(reader, node, per_layer, statement));
        else if (use)
            TRY(read_use(reader, use, per_layer, depth, statement));
        else
            TRY(read_condition(reader, node, per_layer, depth, statement));
    }
    *count = list->count;
    return STATUS_OK;
}

status read_graph(struct architecture_reader *reader, struct yaml *root)
{
    static const char *const parts[GRAPH_PART_COUNT] = {"before", "layer", "after"};
    struct architecture *architecture = reader->architecture;
    struct yaml *graph, *part;
    TRY(yaml_require(root, "graph", YAML_MAP, &graph, reader->diagnostic));
    for (int p = 0; p < GRAPH_PART_COUNT; p++) {
        TRY(yaml_require(graph, parts[p], YAML_LIST, &part, reader->diagnostic));
        TRY(read_statements(reader, part, p == PART_LAYER, 0, &architecture->statements[p],
                            &architecture->statement_count[p]));
    }
    /* Those that were taken over need not all be used. */
    if (reader->blocks) yaml_use_all(reader->blocks);
    if (reader->groups) yaml_use_all(reader->groups);
    return STATUS_OK;
}
