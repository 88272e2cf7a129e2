/* The canonical text of problems and its parser.
 *
 * An operand prints its type alone when its kind is the usual one for the type
 * (operand_usual_kind): constant sizes mean a weight, pages a state, i32 and everything that varies
 * per step a result.  Otherwise the kind stands before it: "result f32[64,256]". */
#include "ir/problem_text.h"

#include "ir/graph_edit.h"
#include "ir/scanner.h"

#include <inttypes.h>
#include <string.h>

/* Between the bounds and the routing. */
static const char routing_word[] = " routing=";

static const char *const kind_words[] = {
    [VALUE_WEIGHT] = "weight", [VALUE_STATE] = "state", [VALUE_RESULT] = "result"};

static void operand_print(const struct operand *operand, bool output, struct text *text)
{
    if (!operand->present) {
        text_append(text, "_");
        return;
    }
    if (!output && operand->kind != operand_usual_kind(&operand->type))
        text_print(text, "%s ", kind_words[operand->kind]);
    tensor_print(&operand->type, text);
}

void problem_print(const struct problem *problem, struct text *text)
{
    text_print(text, "%s(", problem->op->name);
    for (int i = 0; i < problem->input_count; i++) {
        if (i) text_append(text, ", ");
        operand_print(&problem->operands[i], false, text);
    }
    text_append(text, ")");
    for (int o = 0; o < problem->output_count; o++) {
        text_append(text, o ? ", " : " -> ");
        operand_print(&problem->operands[problem->input_count + o], true, text);
    }
    attributes_print(problem->op, problem->attributes, true, text);
    text_print(text, " rows<=%" PRId64, problem->rows);
    if (problem->context) text_print(text, " context<=%" PRId64, problem->context);
    if (!problem->routing.distinct) return;
    text_append(text, routing_word);
    routing_print(&problem->routing, text);
}

struct hash problem_text_key(const char *text)
{
    const char *routing = strstr(text, routing_word);
    if (!routing) return hash_text(text);
    return (struct hash){.high = hash_bytes(text, (size_t)(routing - text)).high,
                         .low = hash_text(text).low};
}

struct hash problem_text_code_key(const char *text)
{
    const char *routing = strstr(text, routing_word);
    return routing ? hash_bytes(text, (size_t)(routing - text)) : hash_text(text);
}

status problem_check_routing(const struct problem *problem, const struct routing *routing,
                             struct diagnostic *diagnostic)
{
    int64_t experts = problem->op->experts ? problem->op->experts(problem) : -1;
    int routed = routing_experts(routing);
    if (experts < 0)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s routes no tokens", problem->op->name);
    if (experts == 0 || experts == routed) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT, "the routing is of %d experts, the problem has %lld",
                routed, (long long)experts);
}

static status operand_parse(struct scanner *scanner, const struct input_rule *rule,
                            struct operand *operand)
{
    struct tensor_type type;
    int kind = -1;
    scanner_skip(scanner);
    const char *start = scanner->at;
    if (scanner_take_word(scanner, "_")) {
        if (!rule || rule->optional) return STATUS_OK;
        return scanner_fail(scanner, start, STATUS_BAD_INPUT, "operand %s is missing", rule->name);
    }
    for (int k = VALUE_WEIGHT; rule && k <= VALUE_RESULT; k++)
        if (scanner_take_word(scanner, kind_words[k])) kind = k;
    TRY(tensor_parse(scanner, &type));
    if (kind < 0) kind = rule ? (int)operand_usual_kind(&type) : VALUE_RESULT;
    if (rule && rule->written && kind != VALUE_STATE)
        return scanner_fail(scanner, start, STATUS_BAD_INPUT,
                            "operand %s is written, so it must be a state", rule->name);
    operand_set(operand, (enum value_kind)kind, &type);
    return STATUS_OK;
}

static status leading_check(const struct scanner *scanner, const struct operand *first)
{
    enum symbol leading = first->type.shape[0].symbol;
    if (!first->present)
        return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT, "the first operand is absent");
    if (leading == SYMBOL_NONE || leading == SYMBOL_ROWS) return STATUS_OK;
    return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT,
                        "the first operand must begin with rows, not %s", symbol_name(leading));
}

static status operands_parse(struct scanner *scanner, struct problem *problem)
{
    const struct op *op = problem->op;
    TRY(scanner_expect(scanner, "("));
    for (int i = 0; i < problem->input_count; i++) {
        if (i) TRY(scanner_expect(scanner, ","));
        TRY(operand_parse(scanner, &op->inputs[i], &problem->operands[i]));
    }
    TRY(scanner_expect(scanner, ")"));
    TRY(leading_check(scanner, &problem->operands[0]));
    for (int o = 0; o < problem->output_count; o++) {
        TRY(scanner_expect(scanner, o ? "," : "->"));
        TRY(operand_parse(scanner, NULL, &problem->operands[problem->input_count + o]));
    }
    return STATUS_OK;
}

/* The outputs must be what the operator makes of the inputs: kernels and references rely on it. */
static status outputs_check(const struct scanner *scanner, const struct problem *problem)
{
    const struct tensor_type *inputs[OP_INPUTS_MAX] = {0};
    struct tensor_type types[OP_OUTPUTS_MAX] = {0};
    struct diagnostic reason = {0};
    for (int i = 0; i < problem->input_count; i++)
        if (problem->operands[i].present) inputs[i] = &problem->operands[i].type;
    status code = problem->op->infer(problem->attributes, inputs, types, &reason);
    if (code != STATUS_OK) return scanner_fail(scanner, scanner->at, code, "%s", reason.text);
    for (int o = 0; o < problem->output_count; o++) {
        const struct operand *output = &problem->operands[problem->input_count + o];
        if (output->present != (types[o].rank > 0) ||
            (output->present && !tensor_type_equal(&output->type, &types[o])))
            return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT,
                                "output %s does not follow from the operands",
                                problem->op->outputs[o]);
    }
    return STATUS_OK;
}

/* Behind the bounds, because it needs not be there. */
static status parse_routing(struct scanner *scanner, struct problem *problem)
{
    struct diagnostic reason = {0};
    const char *start = scanner->at;
    if (!scanner_take(scanner, "routing=")) return STATUS_OK;
    TRY(routing_parse(scanner, &problem->routing));
    status code = problem_check_routing(problem, &problem->routing, &reason);
    return code == STATUS_OK ? code : scanner_fail(scanner, start, code, "%s", reason.text);
}

static status bounds_parse(struct scanner *scanner, struct problem *problem, int64_t *rows,
                           int64_t *context)
{
    *context = 0;
    TRY(scanner_expect(scanner, "rows<="));
    TRY(scanner_integer(scanner, "rows", 1, PROBLEM_ROWS_MAX, rows));
    if (scanner_take(scanner, "context<="))
        TRY(scanner_integer(scanner, "a context", 0, PROBLEM_CONTEXT_MAX, context));
    TRY(parse_routing(scanner, problem));
    if (scanner_line_ends(scanner) && !*scanner->at) return STATUS_OK;
    return scanner_fail(scanner, scanner->at, STATUS_BAD_INPUT, "the problem should end here");
}

status problem_parse(const char *text, const struct op *const *ops, struct arena *arena,
                     struct problem **problem, struct diagnostic *diagnostic)
{
    struct scanner scanner;
    struct problem *made;
    char name[SCANNER_NAME_BYTES];
    int64_t rows, context;
    TRY_NEW(made, arena, 1, diagnostic);
    scanner_open(&scanner, "problem", text, diagnostic);
    TRY(scanner_word(&scanner, "an operator", name));
    made->op = op_by_name(ops, name);
    if (!made->op)
        return scanner_fail(&scanner, text, STATUS_BAD_INPUT, "there is no operator %s", name);
    made->input_count = op_input_count(made->op);
    made->output_count = op_output_count(made->op);
    TRY(operands_parse(&scanner, made));
    TRY(attributes_parse(&scanner, made->op, made->attributes));
    TRY(outputs_check(&scanner, made));
    TRY(bounds_parse(&scanner, made, &rows, &context));
    TRY(problem_finish(made, rows, context, arena, diagnostic));
    *problem = made;
    return STATUS_OK;
}
