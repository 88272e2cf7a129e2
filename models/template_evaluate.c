/* The value of an expression in a chat template. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

typedef status evaluator(struct rendering *rendering, const struct template_node *node,
                         struct datum *result);

static status evaluate_value(struct rendering *rendering, const struct template_node *node,
                             struct datum *result)
{
    (void)rendering;
    *result = node->value;
    return STATUS_OK;
}

static status evaluate_captured(struct rendering *rendering, const struct template_node *node,
                                struct datum *result)
{
    (void)node;
    *result = rendering->captured;
    return STATUS_OK;
}

static status evaluate_name(struct rendering *rendering, const struct template_node *node,
                            struct datum *result)
{
    struct datum_text name = node->name;
    for (const struct template_scope *scope = rendering->scope; scope; scope = scope->parent) {
        const struct datum *value = datum_member(&scope->variables, name.bytes, name.length);
        TRY(render_charge(rendering, scope->variables.count));
        if (!value) continue;
        *result = *value;
        return STATUS_OK;
    }
    if (!function_find(name.bytes, name.length, result))
        *result = datum_undefined(name.bytes, name.length);
    return STATUS_OK;
}

static status evaluate_list(struct rendering *rendering, const struct template_node *node,
                            struct datum *result)
{
    enum list_flavour flavour = node->kind == NODE_TUPLE ? LIST_TUPLE : LIST_PLAIN;
    TRY(datum_new_list(rendering, flavour, node->count, result));
    for (size_t i = 0; i < node->count; i++) {
        struct datum item;
        TRY(render_evaluate(rendering, node->items[i], &item));
        TRY(datum_append(rendering, result, item));
    }
    return STATUS_OK;
}

static status evaluate_map(struct rendering *rendering, const struct template_node *node,
                           struct datum *result)
{
    TRY(datum_new_map(rendering, result));
    for (size_t i = 0; i < node->count; i += 2) {
        struct datum key, value;
        TRY(render_evaluate(rendering, node->items[i], &key));
        TRY(render_evaluate(rendering, node->items[i + 1], &value));
        if (key.kind == DATUM_MAP || (key.kind == DATUM_LIST && key.list->flavour == LIST_PLAIN))
            return RENDER_REFUSE(rendering, "%s cannot be a key", datum_kind_name(&key));
        TRY(datum_put(rendering, result->map, key, value));
    }
    return STATUS_OK;
}

static status evaluate_attribute(struct rendering *rendering, const struct template_node *node,
                                 struct datum *result)
{
    struct datum subject;
    TRY(render_evaluate(rendering, node->first, &subject));
    rendering->offset = node->offset;
    return render_attribute(rendering, &subject, node->name, result);
}

static status evaluate_item(struct rendering *rendering, const struct template_node *node,
                            struct datum *result)
{
    struct datum subject, key;
    TRY(render_evaluate(rendering, node->first, &subject));
    TRY(render_evaluate(rendering, node->second, &key));
    rendering->offset = node->offset;
    return render_item(rendering, &subject, &key, result);
}

static status evaluate_slice(struct rendering *rendering, const struct template_node *node,
                             struct datum *result)
{
    struct datum subject, bounds[3];
    TRY(render_evaluate(rendering, node->first, &subject));
    for (int i = 0; i < 3; i++) {
        bounds[i] = datum_none();
        if (node->items[i]) TRY(render_evaluate(rendering, node->items[i], &bounds[i]));
    }
    rendering->offset = node->offset;
    return render_slice(rendering, &subject, bounds, result);
}

static status evaluate_arguments(struct rendering *rendering, const struct template_node *node,
                                 struct template_call *call)
{
    void *positional, *values;
    TRY(render_allocate(rendering, node->count, sizeof(struct datum), &positional));
    TRY(render_allocate(rendering, node->keyword_count, sizeof(struct datum), &values));
    struct datum *datums = positional, *keyword_values = values;
    for (size_t i = 0; i < node->count; i++)
        TRY(render_evaluate(rendering, node->items[i], &datums[i]));
    for (size_t i = 0; i < node->keyword_count; i++)
        TRY(render_evaluate(rendering, node->keywords[i].node, &keyword_values[i]));
    *call = (struct template_call){.positional = datums,
                                   .count = node->count,
                                   .keywords = node->keywords,
                                   .keyword_values = keyword_values,
                                   .keyword_count = node->keyword_count};
    rendering->offset = node->offset;
    return STATUS_OK;
}

static status evaluate_call(struct rendering *rendering, const struct template_node *node,
                            struct datum *result)
{
    struct datum callee;
    struct template_call call;
    TRY(render_evaluate(rendering, node->first, &callee));
    TRY(evaluate_arguments(rendering, node, &call));
    return render_call(rendering, &callee, &call, result);
}

static status evaluate_filter(struct rendering *rendering, const struct template_node *node,
                              struct datum *result)
{
    struct datum subject;
    struct template_call call;
    TRY(render_evaluate(rendering, node->first, &subject));
    TRY(evaluate_arguments(rendering, node, &call));
    return render_filter(rendering, node->detail, &subject, &call, result);
}

static status evaluate_test(struct rendering *rendering, const struct template_node *node,
                            struct datum *result)
{
    struct datum subject;
    struct template_call call;
    bool holds;
    TRY(render_evaluate(rendering, node->first, &subject));
    TRY(evaluate_arguments(rendering, node, &call));
    TRY(render_test(rendering, node->detail, &subject, &call, &holds));
    *result = datum_boolean(holds);
    return STATUS_OK;
}

static status evaluate_unary(struct rendering *rendering, const struct template_node *node,
                             struct datum *result)
{
    struct datum operand;
    int64_t whole;
    TRY(render_evaluate(rendering, node->first, &operand));
    rendering->offset = node->offset;
    if (!datum_is_number(&operand))
        return RENDER_REFUSE(rendering, "%s has no sign", datum_kind_name(&operand));
    bool negative = node->detail == '-';
    if (!datum_whole(&operand, &whole)) {
        *result = datum_real(negative ? -operand.real : operand.real);
    } else if (negative && whole == INT64_MIN) {
        return RENDER_REFUSE(rendering, "the number is too large");
    } else {
        *result = datum_integer(negative ? -whole : whole);
    }
    return STATUS_OK;
}

static status evaluate_not(struct rendering *rendering, const struct template_node *node,
                           struct datum *result)
{
    struct datum operand;
    TRY(render_evaluate(rendering, node->first, &operand));
    *result = datum_boolean(!datum_is_truthy(&operand));
    return STATUS_OK;
}

static status evaluate_binary(struct rendering *rendering, const struct template_node *node,
                              struct datum *result)
{
    struct datum left, right;
    TRY(render_evaluate(rendering, node->first, &left));
    TRY(render_evaluate(rendering, node->second, &right));
    rendering->offset = node->offset;
    return render_binary(rendering, node->detail, &left, &right, result);
}

static status evaluate_join(struct rendering *rendering, const struct template_node *node,
                            struct datum *result)
{
    struct text text;
    TRY(render_start_text(rendering, &text));
    for (size_t i = 0; i < node->count; i++) {
        struct datum item;
        TRY(render_evaluate(rendering, node->items[i], &item));
        rendering->offset = node->offset;
        TRY(datum_print(rendering, &item, &text));
    }
    return render_finish_text(rendering, &text, result);
}

/* a < b < c: each is evaluated once, and nothing behind the first that does not hold. */
static status evaluate_compare(struct rendering *rendering, const struct template_node *node,
                               struct datum *result)
{
    struct datum left, right;
    bool holds = true;
    TRY(render_evaluate(rendering, node->first, &left));
    for (size_t i = 0; i < node->keyword_count && holds; i++) {
        TRY(render_evaluate(rendering, node->keywords[i].node, &right));
        rendering->offset = node->offset;
        TRY(render_compare(rendering, node->keywords[i].detail, &left, &right, &holds));
        left = right;
    }
    *result = datum_boolean(holds);
    return STATUS_OK;
}

static status evaluate_logic(struct rendering *rendering, const struct template_node *node,
                             struct datum *result)
{
    TRY(render_evaluate(rendering, node->first, result));
    bool decided = datum_is_truthy(result) == (node->kind == NODE_OR);
    return decided ? STATUS_OK : render_evaluate(rendering, node->second, result);
}

static status evaluate_choice(struct rendering *rendering, const struct template_node *node,
                              struct datum *result)
{
    struct datum condition;
    TRY(render_evaluate(rendering, node->second, &condition));
    if (datum_is_truthy(&condition)) return render_evaluate(rendering, node->first, result);
    if (node->third) return render_evaluate(rendering, node->third, result);
    *result = datum_undefined("if without else", strlen("if without else"));
    return STATUS_OK;
}

status render_evaluate(struct rendering *rendering, const struct template_node *node,
                       struct datum *result)
{
    static evaluator *const evaluators[] = {
        [NODE_VALUE] = evaluate_value,
        [NODE_NAME] = evaluate_name,
        [NODE_CAPTURED] = evaluate_captured,
        [NODE_LIST] = evaluate_list,
        [NODE_TUPLE] = evaluate_list,
        [NODE_MAP] = evaluate_map,
        [NODE_ATTRIBUTE] = evaluate_attribute,
        [NODE_ITEM] = evaluate_item,
        [NODE_SLICE] = evaluate_slice,
        [NODE_CALL] = evaluate_call,
        [NODE_FILTER] = evaluate_filter,
        [NODE_TEST] = evaluate_test,
        [NODE_UNARY] = evaluate_unary,
        [NODE_NOT] = evaluate_not,
        [NODE_BINARY] = evaluate_binary,
        [NODE_JOIN] = evaluate_join,
        [NODE_COMPARE] = evaluate_compare,
        [NODE_AND] = evaluate_logic,
        [NODE_OR] = evaluate_logic,
        [NODE_CHOICE] = evaluate_choice,
    };
    rendering->offset = node->offset;
    TRY(render_charge(rendering, 0));
    if (++rendering->depth > RENDER_DEPTH_MAX)
        return RENDER_REFUSE(rendering, "the template nests more than %d evaluations",
                             RENDER_DEPTH_MAX);
    TRY(evaluators[node->kind](rendering, node, result));
    rendering->depth--;
    return STATUS_OK;
}
