/* Problems: from a node of a graph, and what follows from their operands. */
#include "ir/problem.h"

#include "ir/graph_edit.h"
#include "ir/problem_text.h"

#include <inttypes.h>
#include <string.h>

/* The kind that a type has if nothing says otherwise; problem_text.c prints what differs from it.
 */
enum value_kind operand_usual_kind(const struct tensor_type *type)
{
    bool symbolic = false;
    for (int d = 0; d < type->rank; d++) {
        if (type->shape[d].symbol == SYMBOL_PAGES) return VALUE_STATE;
        symbolic = symbolic || type->shape[d].symbol != SYMBOL_NONE;
    }
    return symbolic || type->element == ELEMENT_I32 ? VALUE_RESULT : VALUE_WEIGHT;
}

void operand_set(struct operand *operand, enum value_kind kind, const struct tensor_type *type)
{
    operand->present = true;
    operand->kind = kind == VALUE_INPUT ? VALUE_RESULT : kind;
    operand->type = *type;
    operand->residency = operand->kind == VALUE_RESULT ? RESIDENCY_HOT : RESIDENCY_COLD;
}

/* The leading symbol of the first operand becomes ROWS wherever it occurs. */
static void rename_rows(struct problem *problem)
{
    enum symbol leading = problem->operands[0].type.shape[0].symbol;
    if (leading == SYMBOL_NONE) return;
    for (int i = 0; i < problem->input_count + problem->output_count; i++)
        for (int d = 0; d < problem->operands[i].type.rank; d++) {
            struct dimension *dimension = &problem->operands[i].type.shape[d];
            if (dimension->symbol == leading) dimension->symbol = SYMBOL_ROWS;
        }
}

static bool problem_has_state(const struct problem *problem)
{
    for (int i = 0; i < problem->input_count; i++)
        if (problem->operands[i].present && problem->operands[i].kind == VALUE_STATE) return true;
    return false;
}

status problem_finish(struct problem *problem, int64_t rows, int64_t context, struct arena *arena,
                      struct diagnostic *diagnostic)
{
    struct dimension leading = problem->operands[0].type.shape[0];
    problem->rows = leading.symbol == SYMBOL_NONE ? leading.scale : rows;
    problem->context = problem_has_state(problem) ? context : 0;
    struct text text = {.arena = arena};
    problem_print(problem, &text);
    problem->text = text_finish(&text);
    TRY_MEMORY(problem->text, diagnostic);
    problem->key = problem_text_key(problem->text);
    problem->code_key = problem_text_code_key(problem->text);
    return STATUS_OK;
}

/* A weight that was streamed is one still: kernels and records are the same. */
static enum value_kind kind_of(const struct graph *graph, int v)
{
    const struct value *value = &graph->values[v];
    if (value->kind != VALUE_RESULT) return value->kind;
    const struct node *producer = &graph->nodes[value->producer];
    bool streamed =
        node_is(producer, "transfer") && graph->values[producer->inputs[0]].kind == VALUE_WEIGHT;
    return streamed ? VALUE_WEIGHT : VALUE_RESULT;
}

static void set_operands(struct problem *problem, const struct graph *graph,
                         const struct node *node)
{
    for (int i = 0; i < problem->input_count + problem->output_count; i++) {
        int v =
            i < problem->input_count ? node->inputs[i] : node->outputs[i - problem->input_count];
        if (v == VALUE_NONE) continue;
        operand_set(&problem->operands[i], kind_of(graph, v), &graph->values[v].type);
    }
}

/* All but the bounds and what follows from them. */
static void problem_describe(struct problem *problem, const struct graph *graph,
                             const struct node *node)
{
    problem->op = node->op;
    problem->input_count = op_input_count(node->op);
    problem->output_count = op_output_count(node->op);
    set_operands(problem, graph, node);
    memcpy(problem->attributes, node->attributes, sizeof problem->attributes);
    attributes_normalize(problem->op, problem->attributes);
    rename_rows(problem);
}

status problem_create(const struct graph *graph, const struct node *node, int64_t rows,
                      int64_t context, struct arena *arena, struct problem **problem,
                      struct diagnostic *diagnostic)
{
    struct problem *made;
    if (rows < 1 || rows > PROBLEM_ROWS_MAX || context < 0 || context > PROBLEM_CONTEXT_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: no problem has %" PRId64 " rows and context %" PRId64, node->op->name,
                    rows, context);
    TRY_NEW(made, arena, 1, diagnostic);
    problem_describe(made, graph, node);
    if (!made->operands[0].present)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: its first operand is absent",
                    node->op->name);
    TRY(problem_finish(made, rows, context, arena, diagnostic));
    *problem = made;
    return STATUS_OK;
}

status problem_route(const struct problem *problem, const struct routing *routing,
                     struct arena *arena, struct problem **routed, struct diagnostic *diagnostic)
{
    struct problem *made;
    TRY(problem_check_routing(problem, routing, diagnostic));
    TRY_NEW(made, arena, 1, diagnostic);
    *made = *problem;
    made->routing = *routing;
    *routed = made;
    return problem_finish(made, problem->rows, problem->context, arena, diagnostic);
}

static bool operand_equal(const struct operand *a, const struct operand *b)
{
    if (a->present != b->present) return false;
    return !a->present || (a->kind == b->kind && tensor_type_equal(&a->type, &b->type));
}

bool problem_is_of(const struct problem *problem, const struct graph *graph,
                   const struct node *node)
{
    struct problem other = {0};
    if (problem->op != node->op) return false;
    problem_describe(&other, graph, node);
    for (int i = 0; i < other.input_count + other.output_count; i++)
        if (!operand_equal(&problem->operands[i], &other.operands[i])) return false;
    return attributes_equal(problem->op, problem->attributes, other.attributes);
}

/* Tokens in one page of the problem's states; 0 when it has none in pages. */
static int64_t page_tokens(const struct problem *problem)
{
    for (int i = 0; i < problem->input_count; i++) {
        const struct operand *operand = &problem->operands[i];
        if (operand->present && operand->type.rank >= 2 &&
            operand->type.shape[0].symbol == SYMBOL_PAGES)
            return operand->type.shape[1].scale;
    }
    return 0;
}

/* One sequence that is as long as the context allows; its rows are the last ones. */
void problem_symbols(const struct problem *problem, int64_t symbols[SYMBOL_COUNT])
{
    int64_t page = page_tokens(problem);
    int64_t pages = page && problem->context ? (problem->context - 1) / page + 1 : 1;
    memset(symbols, 0, SYMBOL_COUNT * sizeof *symbols);
    symbols[SYMBOL_TOKENS] = problem->rows;
    symbols[SYMBOL_OUTPUTS] = problem->rows;
    symbols[SYMBOL_ROWS] = problem->rows;
    symbols[SYMBOL_SEQUENCES] = 1;
    symbols[SYMBOL_PAGES] = pages;
    symbols[SYMBOL_STRIDE] = pages;
}

int64_t problem_operand_bytes(const struct problem *problem, int operand)
{
    int64_t symbols[SYMBOL_COUNT];
    problem_symbols(problem, symbols);
    if (!problem->operands[operand].present) return 0;
    return tensor_bytes(&problem->operands[operand].type, symbols);
}

int64_t problem_dimension(const struct problem *problem, int operand, int d)
{
    int64_t symbols[SYMBOL_COUNT];
    problem_symbols(problem, symbols);
    return dimension_value(problem->operands[operand].type.shape[d], symbols);
}

struct cost problem_cost(const struct problem *problem)
{
    return problem->op->cost(problem);
}
