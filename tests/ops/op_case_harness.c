/* One-operator problems from a short text: makes the text of a graph of one node, which the graph's
 * own parser reads. */
#include "ops/linear_group/linear_group.h"
#include "ops/op_table.h"
#include "tests/ops/op_harness.h"

#include <string.h>

/* Between the names and types of a case. */
struct case_reader {
    const char *at;
    const struct op *op;
    struct text values, operands;
    int operand_count;
    bool present[OP_INPUTS_MAX];
};

/* To the next comma or closing parenthesis outside brackets. */
static size_t operand_length(const char *at)
{
    size_t length = 0;
    for (int depth = 0; at[length]; length++) {
        if (at[length] == '[') depth++;
        if (at[length] == ']') depth--;
        if (depth == 0 && (at[length] == ',' || at[length] == ')')) break;
    }
    return length;
}

static bool range_has(const char *text, size_t length, const char *word)
{
    for (size_t i = 0; i + strlen(word) <= length; i++)
        if (!strncmp(text + i, word, strlen(word))) return true;
    return false;
}

static const char *operand_kind(const char *type, size_t length)
{
    static const char *const symbols[] = {"tokens", "outputs", "sequences", "stride"};
    if (range_has(type, length, "pages")) return "state";
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (range_has(type, length, symbols[i])) return "input";
    return !strncmp(type, "i32", 3) ? "input" : "weight";
}

static void read_operand(struct case_reader *reader)
{
    size_t length = operand_length(reader->at);
    const char *name = reader->op->inputs[reader->operand_count].name;
    bool present = *reader->at != '_';
    if (reader->operand_count) text_append(&reader->operands, ", ");
    reader->present[reader->operand_count++] = present;
    if (!present) {
        text_append(&reader->operands, "_");
    } else {
        text_print(&reader->values, "%s %s: %.*s\n", operand_kind(reader->at, length), name,
                   (int)length, reader->at);
        text_append(&reader->operands, name);
    }
    reader->at += length;
    if (*reader->at == ',') reader->at++;
    while (*reader->at == ' ') reader->at++;
}

/* The results that this combination of inputs has. */
static int result_count(const struct case_reader *reader)
{
    int count = op_output_count(reader->op);
    bool fewer = reader->op == &op_linear_group && !reader->present[LINEAR_GROUP_C];
    return fewer ? count - 1 : count;
}

static void write_graph(struct case_reader *reader, struct text *graph)
{
    int results = result_count(reader);
    text_print(graph, "graph case\n%s", text_finish(&reader->values));
    for (int o = 0; o < results; o++) text_print(graph, "%sresult.%d", o ? ", " : "", o);
    text_print(graph, "%s%s(%s)%s\n", results ? " = " : "", reader->op->name,
               text_finish(&reader->operands), reader->at + 1);
}

static status case_graph(const char *text, struct arena *arena, const char **graph,
                         struct diagnostic *diagnostic)
{
    size_t name_length = strcspn(text, "(");
    const char *name = arena_text_range(arena, text, name_length);
    struct text whole = {.arena = arena};
    struct case_reader reader = {
        .at = text + name_length + 1, .values = {.arena = arena}, .operands = {.arena = arena}};
    TRY_MEMORY(name, diagnostic);
    reader.op = op_by_name(op_table(), name);
    if (!reader.op || !text[name_length])
        return fail(diagnostic, STATUS_FAILED, "case '%s' has no operator", text);
    while (*reader.at && *reader.at != ')' && reader.op->inputs[reader.operand_count].name)
        read_operand(&reader);
    if (*reader.at != ')') return fail(diagnostic, STATUS_FAILED, "case '%s' has no end", text);
    for (; reader.op->inputs[reader.operand_count].name; reader.operand_count++)
        text_append(&reader.operands, reader.operand_count ? ", _" : "_");
    write_graph(&reader, &whole);
    *graph = text_finish(&whole);
    TRY_MEMORY(*graph, diagnostic);
    return STATUS_OK;
}

status op_case_problem(const char *text, int64_t rows, int64_t context, struct arena *arena,
                       struct problem **problem, struct diagnostic *diagnostic)
{
    struct graph *graph;
    const char *graph_text;
    TRY(case_graph(text, arena, &graph_text, diagnostic));
    TRY(graph_parse("case", graph_text, op_table(), arena, &graph, diagnostic));
    return problem_create(graph, &graph->nodes[0], rows, context, arena, problem, diagnostic);
}
