/* Finding a model's weights in its files: by name, with the shape that the architecture demands,
 * before anything is computed. */
#include "base/text.h"
#include "models/architecture_bind.h"

#include <inttypes.h>
#include <string.h>

enum { PARTS_MAX = 65536 }; /* experts of one weight */

/* Appends `pattern` with every "{layer}" and "{expert}" replaced. */
status bind_name(const struct bound_architecture *bound, const char *pattern, int64_t layer,
                 int64_t expert, const char **name)
{
    struct text text = {.arena = bound->arena};
    for (const char *rest = pattern; *rest;) {
        size_t plain = strcspn(rest, "{");
        text_append_range(&text, rest, plain);
        rest += plain;
        if (!strncmp(rest, "{layer}", 7)) {
            text_print(&text, "%" PRId64, layer);
            rest += 7;
        } else if (!strncmp(rest, "{expert}", 8)) {
            text_print(&text, "%" PRId64, expert);
            rest += 8;
        } else if (*rest) {
            text_append_range(&text, rest++, 1);
        }
    }
    *name = text_finish(&text);
    TRY_MEMORY(*name, bound->diagnostic);
    return STATUS_OK;
}

static status bind_sizes(const struct bound_architecture *bound, const struct weight_rule *rule,
                         const struct formula *sizes, int rank, struct tensor_type *type)
{
    *type = (struct tensor_type){.rank = rank};
    for (int d = 0; d < rank; d++) {
        int64_t size;
        TRY(bind_integer(bound, &sizes[d], &size));
        if (size < 1 || size > INT32_MAX) {
            return fail(bound->diagnostic, STATUS_BAD_INPUT,
                        "%.400s: %s would have a size of %" PRId64 " (%.200s)", bound->source->path,
                        rule->name, size, sizes[d].expression->text);
        }
        type->shape[d] = dimension_fixed(size);
    }
    return STATUS_OK;
}

status bind_shape(const struct bound_architecture *bound, const struct weight_rule *rule,
                  struct tensor_type *type)
{
    return bind_sizes(bound, rule, rule->shape, rule->rank, type);
}

status bind_stored_shape(const struct bound_architecture *bound, const struct weight_rule *rule,
                         struct tensor_type *type)
{
    const struct tensor_view *view = &rule->views[bound->source->format];
    if (!view->stored_rank) return bind_shape(bound, rule, type);
    return bind_sizes(bound, rule, view->stored, view->stored_rank, type);
}

/* A search for one weight in one layer. */
struct search {
    struct bound_architecture *bound;
    const struct weight_rule *rule;
    int64_t layer;
    const char *pattern;     /* the one whose tensor is there; NULL: none */
    const char *wanted;      /* the first name looked for */
    struct tensor_type type; /* as it must be */
};

static status find_pattern(struct search *search)
{
    enum source_format format = search->bound->source->format;
    const struct weight_rule *rule = search->rule;
    const char *name;
    search->pattern = search->wanted = NULL;
    for (int i = 0; i < rule->pattern_count[format] && !search->pattern; i++) {
        TRY(bind_name(search->bound, rule->patterns[format][i], search->layer, 0, &name));
        if (!search->wanted) search->wanted = name;
        if (source_tensor(search->bound->source, name)) search->pattern = rule->patterns[format][i];
    }
    return STATUS_OK;
}

/* Both shapes, as "f32[64,96]" and "[64,64] (heads * head_size, width)". */
static status fail_shape(const struct search *search, const struct stored_tensor *tensor,
                         const struct tensor_type *wanted, int first)
{
    struct bound_architecture *bound = search->bound;
    const struct tensor_view *view = &search->rule->views[bound->source->format];
    const struct formula *sizes = view->stored_rank ? view->stored : search->rule->shape;
    struct text text = {.arena = bound->arena};
    tensor_print(&tensor->type, &text);
    text_append(&text, ", but [");
    for (int d = 0; d < wanted->rank; d++) {
        text_print(&text, "%s%" PRId64, d ? "," : "", wanted->shape[d].scale);
    }
    text_append(&text, "] is needed (");
    for (int d = first; d < first + wanted->rank; d++) {
        text_print(&text, "%s%.60s", d > first ? ", " : "", sizes[d].expression->text);
    }
    text_append(&text, ")");
    const char *shapes = text_finish(&text);
    TRY_MEMORY(shapes, bound->diagnostic);
    return fail(bound->diagnostic, STATUS_BAD_INPUT,
                "%.300s: byte %" PRIu64 ": tensor '%.150s' is %s", tensor->file, tensor->offset,
                tensor->name, shapes);
}

/* Bytes that no other tensor explains. */
static status check_raw(const struct search *search, const struct stored_tensor *tensor)
{
    if (!tensor->raw) return STATUS_OK;
    return fail(search->bound->diagnostic, STATUS_BAD_INPUT,
                "%.300s: byte %" PRIu64 ": tensor '%.150s' has dtype U8, which Hone reads only as "
                "mxfp4 blocks with their configuration",
                tensor->file, tensor->offset, tensor->name);
}

static status check_tensor(const struct search *search, const struct stored_tensor *tensor,
                           bool part)
{
    TRY(check_raw(search, tensor));
    struct tensor_type wanted = {.element = tensor->type.element, .rank = search->type.rank - part};
    memcpy(wanted.shape, search->type.shape + part, (size_t)wanted.rank * sizeof wanted.shape[0]);
    if (!tensor_type_equal(&wanted, &tensor->type)) {
        return fail_shape(search, tensor, &wanted, part);
    }
    return tensor_check(&tensor->type, search->bound->diagnostic);
}

/* The parts of a weight: one tensor, or one per expert. */
static status collect_parts(struct search *search, struct stored_weight *stored)
{
    struct bound_architecture *bound = search->bound;
    bool split = strstr(search->pattern, "{expert}");
    int64_t count = split ? search->type.shape[0].scale : 1;
    const void **parts;
    if (count > PARTS_MAX || (split && search->type.rank < 2)) {
        return fail(bound->diagnostic, STATUS_BAD_INPUT, "%.400s: %s in %" PRId64 " parts",
                    bound->source->path, search->rule->name, count);
    }
    TRY_NEW(parts, bound->arena, count, bound->diagnostic);
    for (int64_t i = 0; i < count; i++) {
        const char *name;
        TRY(bind_name(bound, search->pattern, search->layer, i, &name));
        struct stored_tensor *tensor = source_tensor(bound->source, name);
        if (!tensor) {
            return fail(bound->diagnostic, STATUS_BAD_INPUT, "%.400s: tensor '%.200s' is missing",
                        bound->source->path, name);
        }
        TRY(check_tensor(search, tensor, split));
        if (i && tensor->type.element != search->type.element) {
            return fail(bound->diagnostic, STATUS_BAD_INPUT,
                        "%.400s: tensor '%.200s' is %s, but expert 0 is %s", tensor->file, name,
                        element_of(tensor->type.element)->name,
                        element_of(search->type.element)->name);
        }
        tensor->used = true;
        search->type.element = tensor->type.element;
        parts[i] = tensor->bytes;
        stored->part_bytes = tensor->byte_count;
    }
    stored->parts = parts;
    stored->part_count = (int)count;
    stored->type = search->type;
    return STATUS_OK;
}

/* Small weights (norms, biases, routers) that operators take as f32: f16 and bf16 become f32, which
 * loses nothing. */
static status widen(struct search *search, struct stored_weight *stored)
{
    struct bound_architecture *bound = search->bound;
    enum element_type element = stored->type.element;
    static const int64_t none[SYMBOL_COUNT] = {0};
    int64_t elements = tensor_elements(&stored->type, none), each = elements / stored->part_count;
    const void **parts;
    float *values;
    if (element == ELEMENT_F32) return STATUS_OK;
    if (element != ELEMENT_F16 && element != ELEMENT_BF16) {
        return fail(bound->diagnostic, STATUS_BAD_INPUT,
                    "%.400s: tensor '%.200s' is %s; f32, f16 or bf16 is needed",
                    bound->source->path, search->wanted, element_of(element)->name);
    }
    TRY_NEW(values, bound->arena, elements, bound->diagnostic);
    TRY_NEW(parts, bound->arena, 1, bound->diagnostic);
    for (int i = 0; i < stored->part_count; i++) {
        deferred_make_at(&bound->source->deferred, stored->parts[i]);
        element_decode_row(element, stored->parts[i], each, values + i * each);
    }
    parts[0] = values;
    *stored = (struct stored_weight){.type = stored->type,
                                     .part_count = 1,
                                     .parts = parts,
                                     .part_bytes = elements * (int64_t)sizeof *values};
    stored->type.element = ELEMENT_F32;
    return STATUS_OK;
}

/* A part of a tensor, as the rule's view says. */
static status collect_view(struct search *search, struct stored_weight *stored)
{
    struct bound_architecture *bound = search->bound;
    const char *name;
    TRY(bind_name(bound, search->pattern, search->layer, 0, &name));
    struct stored_tensor *tensor = source_tensor(bound->source, name);
    struct tensor_type whole;
    TRY(check_raw(search, tensor));
    TRY(bind_stored_shape(bound, search->rule, &whole));
    whole.element = search->type.element = tensor->type.element;
    if (!tensor_type_equal(&whole, &tensor->type)) return fail_shape(search, tensor, &whole, 0);
    TRY(tensor_check(&tensor->type, bound->diagnostic));
    tensor->used = true;
    return bind_view(bound, search->rule, tensor, &search->type, stored);
}

static status bind_found(struct search *search, struct bound_weight *weight)
{
    TRY(bind_shape(search->bound, search->rule, &search->type));
    if (!search->pattern) {
        search->wanted = search->rule->name; /* bound by bind_values */
    } else if (search->rule->views[search->bound->source->format].stored_rank) {
        TRY(collect_view(search, &weight->stored));
    } else {
        TRY(collect_parts(search, &weight->stored));
    }
    if (search->rule->element == ELEMENT_F32) TRY(widen(search, &weight->stored));
    weight->name = search->rule->per_layer ? arena_print(search->bound->arena, "blk.%" PRId64 ".%s",
                                                         search->layer, search->rule->name)
                                           : search->rule->name;
    TRY_MEMORY(weight->name, search->bound->diagnostic);
    return STATUS_OK;
}

/* `when` false: not looked for, so that a tensor which is there all the same stays unused and is
 * reported as such. */
static status bind_weight(struct search *search, int index)
{
    struct bound_architecture *bound = search->bound;
    const struct weight_rule *rule = search->rule;
    int64_t slot = rule->per_layer ? search->layer : 0;
    struct bound_weight *weight = &bound->weights[index][slot];
    bool wanted, optional, listed = false;
    TRY(bind_condition(bound, &rule->when, true, &wanted));
    TRY(bind_condition(bound, &rule->optional, false, &optional));
    if (wanted) TRY(find_pattern(search));
    if (wanted && !search->pattern) TRY(bind_values(bound, rule, &weight->stored, &listed));
    if (wanted && (search->pattern || listed)) return bind_found(search, weight);
    if (rule->otherwise >= 0 && bound->weights[rule->otherwise][slot].name) {
        *weight = bound->weights[rule->otherwise][slot];
        return STATUS_OK;
    }
    if (!wanted || optional) return STATUS_OK;
    return fail(bound->diagnostic, STATUS_BAD_INPUT,
                "%.400s: tensor '%.200s' is missing; %s needs it", bound->source->path,
                search->wanted ? search->wanted : rule->name, bound->architecture->name);
}

status bind_weights(struct bound_architecture *bound)
{
    const struct architecture *architecture = bound->architecture;
    for (int i = 0; i < architecture->weight_count; i++) {
        int64_t count = architecture->weights[i].per_layer ? bound->layers : 1;
        TRY_NEW(bound->weights[i], bound->arena, count, bound->diagnostic);
    }
    for (int64_t layer = -1; layer < bound->layers; layer++) {
        TRY(bind_layer(bound, layer));
        for (int i = 0; i < architecture->weight_count; i++) {
            struct search search = {bound, &architecture->weights[i], layer, NULL, NULL, {0}};
            if (search.rule->per_layer == (layer >= 0)) TRY(bind_weight(&search, i));
        }
    }
    return bind_layer(bound, -1);
}
