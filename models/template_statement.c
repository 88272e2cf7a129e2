/* The statements of a chat template, carried out.
 *
 * Names that a loop, a macro or a block defines are gone behind it; `if` has no names of its own. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

status render_enter_scope(struct rendering *rendering, struct template_scope *parent)
{
    void *room;
    TRY(render_allocate(rendering, 1, sizeof *parent, &room));
    rendering->scope = room;
    rendering->scope->parent = parent;
    return STATUS_OK;
}

status render_capture(struct rendering *rendering, struct template_node *const *items, size_t count,
                      struct datum *result)
{
    struct text text, *output = rendering->output;
    TRY(render_start_text(rendering, &text));
    rendering->output = &text;
    TRY(render_body(rendering, items, count));
    rendering->output = output;
    return render_finish_text(rendering, &text, result);
}

static status assign(struct rendering *rendering, const struct template_node *target,
                     const struct datum *value);

static status assign_attribute(struct rendering *rendering, const struct template_node *target,
                               const struct datum *value)
{
    struct datum object;
    char excerpt[EXCERPT_BYTES];
    TRY(render_evaluate(rendering, target->first, &object));
    rendering->offset = target->offset;
    struct datum_text name = target->name;
    if (object.kind != DATUM_NAMESPACE)
        return RENDER_REFUSE(rendering, "only a namespace's members can be set, not those of %s",
                             datum_kind_name(&object));
    if (name.length && *name.bytes == '_')
        return RENDER_REFUSE(rendering, "a namespace has no member '%s'",
                             utf8_excerpt(name.bytes, name.length, excerpt));
    return datum_put(rendering, object.map, datum_text(name.bytes, name.length), *value);
}

static status assign_parts(struct rendering *rendering, const struct template_node *target,
                           const struct datum *value)
{
    const struct datum *items;
    size_t count;
    TRY(datum_items(rendering, value, &items, &count));
    rendering->offset = target->offset;
    if (count != target->count)
        return RENDER_REFUSE(rendering, "%zu values are to be put into %zu names", count,
                             target->count);
    for (size_t i = 0; i < count; i++) TRY(assign(rendering, target->items[i], &items[i]));
    return STATUS_OK;
}

static status assign(struct rendering *rendering, const struct template_node *target,
                     const struct datum *value)
{
    if (target->kind == NODE_TUPLE) return assign_parts(rendering, target, value);
    if (target->kind == NODE_ATTRIBUTE) return assign_attribute(rendering, target, value);
    if (target->kind != NODE_NAME) return RENDER_REFUSE(rendering, "nothing can be put into this");
    struct datum name = datum_text(target->name.bytes, target->name.length);
    return datum_put(rendering, &rendering->scope->variables, name, *value);
}

static status run_output(struct rendering *rendering, const struct template_node *node)
{
    struct datum value;
    TRY(render_evaluate(rendering, node->first, &value));
    rendering->offset = node->offset;
    return datum_print(rendering, &value, rendering->output);
}

static status run_if(struct rendering *rendering, const struct template_node *node)
{
    size_t at = 0;
    for (; at + 1 < node->count; at += 2) {
        struct datum condition;
        TRY(render_evaluate(rendering, node->items[at], &condition));
        if (!datum_is_truthy(&condition)) continue;
        return render_body(rendering, node->items[at + 1]->items, node->items[at + 1]->count);
    }
    if (at == node->count) return STATUS_OK;
    return render_body(rendering, node->items[at]->items, node->items[at]->count);
}

/* Only the items for which the loop's condition holds. */
static status select_items(struct rendering *rendering, const struct template_node *node,
                           const struct datum **items, size_t *count)
{
    struct template_scope *outer = rendering->scope;
    struct datum chosen;
    TRY(datum_new_list(rendering, LIST_PLAIN, 0, &chosen));
    for (size_t i = 0; i < *count; i++) {
        struct datum condition;
        TRY(render_enter_scope(rendering, outer));
        TRY(assign(rendering, node->first, &(*items)[i]));
        TRY(render_evaluate(rendering, node->third, &condition));
        if (datum_is_truthy(&condition)) TRY(datum_append(rendering, &chosen, (*items)[i]));
    }
    rendering->scope = outer;
    *items = chosen.list->items;
    *count = chosen.list->count;
    return STATUS_OK;
}

/* The scope of an iteration serves the next one too, unless a macro keeps it. */
static status next_scope(struct rendering *rendering, struct template_scope *outer, bool first)
{
    if (first || rendering->scope->kept) return render_enter_scope(rendering, outer);
    rendering->scope->variables.count = 0;
    return STATUS_OK;
}

static status run_iterations(struct rendering *rendering, const struct template_node *node,
                             const struct datum *items, size_t count)
{
    struct template_scope *outer = rendering->scope, *inner = NULL;
    void *room;
    TRY(render_allocate(rendering, 1, sizeof(struct template_loop), &room));
    struct template_loop *loop = room;
    *loop = (struct template_loop){.items = items, .count = count, .depth = 1};
    struct datum variable = {.kind = DATUM_LOOP, .loop = loop};
    for (; loop->at < count && rendering->flow != FLOW_BREAK; loop->at++) {
        rendering->flow = FLOW_ON;
        if (inner) rendering->scope = inner;
        TRY(next_scope(rendering, outer, !inner));
        inner = rendering->scope;
        TRY(datum_put(rendering, &inner->variables, datum_text("loop", 4), variable));
        TRY(assign(rendering, node->first, &items[loop->at]));
        TRY(render_body(rendering, node->items[0]->items, node->items[0]->count));
    }
    rendering->flow = FLOW_ON;
    rendering->scope = outer;
    return STATUS_OK;
}

static status run_for(struct rendering *rendering, const struct template_node *node)
{
    struct datum walked;
    const struct datum *items;
    size_t count;
    TRY(render_evaluate(rendering, node->second, &walked));
    rendering->offset = node->offset;
    TRY(datum_items(rendering, &walked, &items, &count));
    if (node->third) TRY(select_items(rendering, node, &items, &count));
    if (count) return run_iterations(rendering, node, items, count);
    if (node->count < 2) return STATUS_OK;
    struct template_scope *outer = rendering->scope;
    TRY(render_enter_scope(rendering, outer));
    TRY(render_body(rendering, node->items[1]->items, node->items[1]->count));
    rendering->scope = outer;
    return STATUS_OK;
}

static status run_set(struct rendering *rendering, const struct template_node *node)
{
    struct datum value;
    TRY(render_evaluate(rendering, node->second, &value));
    return assign(rendering, node->first, &value);
}

/* What the items print, after the filters of the node. */
static status filtered_body(struct rendering *rendering, const struct template_node *node,
                            struct datum *value)
{
    struct template_scope *outer = rendering->scope;
    TRY(render_enter_scope(rendering, outer));
    TRY(render_capture(rendering, node->items, node->count, value));
    rendering->scope = outer;
    if (!node->second) return STATUS_OK;
    struct datum captured = rendering->captured;
    rendering->captured = *value;
    TRY(render_evaluate(rendering, node->second, value));
    rendering->captured = captured;
    return STATUS_OK;
}

static status run_set_body(struct rendering *rendering, const struct template_node *node)
{
    struct datum value;
    TRY(filtered_body(rendering, node, &value));
    return assign(rendering, node->first, &value);
}

static status run_filter_body(struct rendering *rendering, const struct template_node *node)
{
    struct datum value;
    TRY(filtered_body(rendering, node, &value));
    return datum_print(rendering, &value, rendering->output);
}

static status run_macro(struct rendering *rendering, const struct template_node *node)
{
    void *room;
    TRY(render_allocate(rendering, 1, sizeof(struct template_macro), &room));
    struct template_macro *macro = room;
    *macro = (struct template_macro){node, rendering->scope};
    for (struct template_scope *scope = rendering->scope; scope; scope = scope->parent)
        scope->kept = true;
    struct datum value = {.kind = DATUM_MACRO, .macro = macro};
    return datum_put(rendering, &rendering->scope->variables,
                     datum_text(node->name.bytes, node->name.length), value);
}

static status run_scope(struct rendering *rendering, const struct template_node *node)
{
    struct template_scope *outer = rendering->scope;
    struct datum value;
    TRY(render_enter_scope(rendering, outer));
    struct template_scope *inner = rendering->scope;
    for (size_t i = 0; i < node->keyword_count; i++) {
        struct datum_text name = node->keywords[i].name;
        rendering->scope = outer;
        TRY(render_evaluate(rendering, node->keywords[i].node, &value));
        TRY(datum_put(rendering, &inner->variables, datum_text(name.bytes, name.length), value));
    }
    rendering->scope = inner;
    TRY(render_body(rendering, node->items, node->count));
    rendering->scope = outer;
    return STATUS_OK;
}

static status run(struct rendering *rendering, const struct template_node *node)
{
    switch (node->kind) {
    case NODE_DATA:
        return render_append(rendering, rendering->output, node->value.text.bytes,
                             node->value.text.length);
    case NODE_OUTPUT: return run_output(rendering, node);
    case NODE_IF: return run_if(rendering, node);
    case NODE_FOR: return run_for(rendering, node);
    case NODE_SET: return run_set(rendering, node);
    case NODE_SET_BODY: return run_set_body(rendering, node);
    case NODE_FILTER_BODY: return run_filter_body(rendering, node);
    case NODE_MACRO: return run_macro(rendering, node);
    case NODE_SCOPE: return run_scope(rendering, node);
    default:
        rendering->flow = node->kind == NODE_BREAK ? FLOW_BREAK : FLOW_CONTINUE;
        return STATUS_OK;
    }
}

status render_body(struct rendering *rendering, struct template_node *const *items, size_t count)
{
    if (++rendering->depth > RENDER_DEPTH_MAX)
        return RENDER_REFUSE(rendering, "the template nests more than %d evaluations",
                             RENDER_DEPTH_MAX);
    for (size_t i = 0; i < count && rendering->flow == FLOW_ON; i++) {
        rendering->offset = items[i]->offset;
        TRY(render_charge(rendering, 0));
        TRY(run(rendering, items[i]));
    }
    rendering->depth--;
    return STATUS_OK;
}

/* The value of a parameter: by place, by name, its default, or undefined. */
static status parameter_value(struct rendering *rendering, const struct template_keyword *parameter,
                              size_t place, const struct template_call *call, struct datum *value)
{
    struct datum_text name = parameter->name;
    struct datum key = datum_text(name.bytes, name.length);
    if (place < call->count) {
        *value = call->positional[place];
        return STATUS_OK;
    }
    for (size_t i = 0; i < call->keyword_count; i++) {
        struct datum given =
            datum_text(call->keywords[i].name.bytes, call->keywords[i].name.length);
        if (!datum_equal(&given, &key)) continue;
        *value = call->keyword_values[i];
        return STATUS_OK;
    }
    *value = datum_undefined(name.bytes, name.length);
    return parameter->node ? render_evaluate(rendering, parameter->node, value) : STATUS_OK;
}

static status check_arguments(struct rendering *rendering, const struct template_node *node,
                              const struct template_call *call)
{
    char excerpt[EXCERPT_BYTES];
    if (call->count > node->keyword_count)
        return RENDER_REFUSE(rendering, "the macro takes %zu arguments, not %zu",
                             node->keyword_count, call->count);
    for (size_t i = 0; i < call->keyword_count; i++) {
        struct datum_text name = call->keywords[i].name;
        struct datum given = datum_text(name.bytes, name.length);
        size_t place = 0;
        for (; place < node->keyword_count; place++) {
            struct datum_text known = node->keywords[place].name;
            struct datum parameter = datum_text(known.bytes, known.length);
            if (datum_equal(&given, &parameter)) break;
        }
        if (place >= call->count && place < node->keyword_count) continue;
        return RENDER_REFUSE(rendering, "the macro does not take '%s' here",
                             utf8_excerpt(name.bytes, name.length, excerpt));
    }
    return STATUS_OK;
}

status render_macro(struct rendering *rendering, const struct template_macro *macro,
                    const struct template_call *call, struct datum *result)
{
    const struct template_node *node = macro->node;
    struct template_scope *caller = rendering->scope;
    TRY(check_arguments(rendering, node, call));
    if (++rendering->macros > RENDER_MACROS_MAX)
        return RENDER_REFUSE(rendering, "more than %d macros call one another", RENDER_MACROS_MAX);
    TRY(render_enter_scope(rendering, macro->scope));
    for (size_t i = 0; i < node->keyword_count; i++) {
        struct datum_text name = node->keywords[i].name;
        struct datum value;
        TRY(parameter_value(rendering, &node->keywords[i], i, call, &value));
        TRY(datum_put(rendering, &rendering->scope->variables, datum_text(name.bytes, name.length),
                      value));
    }
    TRY(render_capture(rendering, node->items, node->count, result));
    rendering->scope = caller;
    rendering->macros--;
    return STATUS_OK;
}
