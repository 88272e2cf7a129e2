/* The tensors of a folder as a GGUF file has them. */
#include "models/architecture_bind.h"
#include "models/folder_gguf.h"

#include <inttypes.h>
#include <string.h>

/* Several parts in one piece; or rows of heads in another order. */
struct rearranged {
    struct deferred deferred; /* first */
    struct stored_weight stored;
    struct deferred_list *parts; /* what makes the parts */
    int64_t heads;               /* 0: as they are */
};

/* Row i + half * b of a head becomes row 2 i + b. */
static void turn_rows(const struct rearranged *to, const uint8_t *from, int64_t rows,
                      int64_t row_bytes)
{
    int64_t size = rows / to->heads, half = size / 2;
    for (int64_t r = 0; r < rows; r++) {
        int64_t head = r / size, within = r % size;
        int64_t source = head * size + within % 2 * half + within / 2;
        memcpy(to->deferred.bytes + r * row_bytes, from + source * row_bytes, (size_t)row_bytes);
    }
}

static void rearrange(const struct deferred *deferred)
{
    const struct rearranged *made = (const struct rearranged *)deferred;
    const struct stored_weight *stored = &made->stored;
    int64_t rows = stored->type.shape[0].scale;
    for (int p = 0; p < stored->part_count; p++) {
        deferred_make_at(made->parts, stored->parts[p]);
        if (made->heads)
            turn_rows(made, stored->parts[p], rows, stored->part_bytes / rows);
        else
            memcpy(deferred->bytes + p * stored->part_bytes, stored->parts[p],
                   (size_t)stored->part_bytes);
    }
}

static status fail_weight(const struct bound_architecture *bound, const struct weight_rule *rule,
                          const char *reason)
{
    return fail(bound->diagnostic, STATUS_UNSUPPORTED, "%.400s: %s %s: no GGUF file is written",
                bound->source->path, rule->name, reason);
}

static status rearranged_tensor(struct bound_architecture *bound, const struct weight_rule *rule,
                                const struct stored_weight *stored, struct arena *arena,
                                struct stored_tensor *tensor)
{
    struct rearranged *made;
    TRY_NEW(made, arena, 1, bound->diagnostic);
    *made = (struct rearranged){.stored = *stored, .parts = &bound->source->deferred};
    made->deferred = (struct deferred){.make = rearrange, .byte_count = tensor->byte_count};
    if (rule->turned.expression) TRY(bind_integer(bound, &rule->turned, &made->heads));
    if (made->heads && (stored->part_count != 1 || stored->type.shape[0].scale % (2 * made->heads)))
        return fail_weight(bound, rule, "does not consist of heads of even size");
    if (!made->heads && stored->part_count == 1) return STATUS_OK;
    TRY(deferred_add(&bound->source->deferred, arena, &made->deferred, bound->diagnostic));
    tensor->deferred = &made->deferred;
    tensor->bytes = made->deferred.bytes;
    return STATUS_OK;
}

static status add_tensor(struct bound_architecture *bound, const struct weight_rule *rule,
                         int64_t layer, const struct stored_weight *stored, struct arena *arena,
                         struct model_source *source)
{
    struct stored_tensor tensor = {.type = stored->type, .file = bound->source->path};
    if (!rule->pattern_count[SOURCE_GGUF]) return fail_weight(bound, rule, "has no name in GGUF");
    if (rule->views[SOURCE_GGUF].stored_rank)
        return fail_weight(bound, rule, "lies in another order in GGUF");
    TRY(bind_name(bound, rule->patterns[SOURCE_GGUF][0], layer, 0, &tensor.name));
    tensor.byte_count = stored->part_bytes * stored->part_count;
    tensor.bytes = stored->parts[0];
    TRY(rearranged_tensor(bound, rule, stored, arena, &tensor));
    TRY_APPEND(source->tensors, source->tensor_count, source->tensor_capacity, arena,
               bound->diagnostic);
    source->tensors[source->tensor_count - 1] = tensor;
    return STATUS_OK;
}

/* A weight that another stands in for is no tensor of its own. */
static bool is_own(const struct bound_architecture *bound, const struct weight_rule *rule,
                   const struct bound_weight *weight, int64_t slot)
{
    if (!weight->name) return false;
    return rule->otherwise < 0 || bound->weights[rule->otherwise][slot].name != weight->name;
}

static status add_weights(struct bound_architecture *bound, int64_t layer, struct arena *arena,
                          struct model_source *source)
{
    const struct architecture *architecture = bound->architecture;
    for (int i = 0; i < architecture->weight_count; i++) {
        const struct weight_rule *rule = &architecture->weights[i];
        if (rule->per_layer != (layer >= 0)) continue;
        int64_t slot = layer < 0 ? 0 : layer;
        const struct bound_weight *weight = &bound->weights[i][slot];
        if (!is_own(bound, rule, weight, slot)) continue;
        TRY(add_tensor(bound, rule, layer, &weight->stored, arena, source));
    }
    return STATUS_OK;
}

static status check_rules(struct bound_architecture *bound)
{
    for (int i = 0; i < bound->architecture->gguf_check_count; i++) {
        const struct check_rule *check = &bound->architecture->gguf_checks[i];
        bool holds;
        TRY(bind_condition(bound, &check->require, true, &holds));
        if (holds || check->parameter) continue;
        return fail(bound->diagnostic, STATUS_UNSUPPORTED,
                    "%.400s: no GGUF file can be written: %s", bound->source->path, check->reason);
    }
    return STATUS_OK;
}

/* What GGUF calls the architecture: as the folder does, or by the first of its names. */
static const char *name_in_gguf(const struct bound_architecture *bound)
{
    const struct architecture *architecture = bound->architecture;
    if (architecture_answers(architecture, SOURCE_GGUF, bound->source->name))
        return bound->source->name;
    return architecture->name_count[SOURCE_GGUF] ? architecture->names[SOURCE_GGUF][0] : NULL;
}

status folder_as_gguf(struct model *model, struct arena *arena, struct model_source *source,
                      struct diagnostic *diagnostic)
{
    struct bound_architecture *bound = model_bound(model);
    bound->diagnostic = diagnostic;
    *source = (struct model_source){.arena = arena, .format = SOURCE_GGUF, .path = model->path};
    source->name = name_in_gguf(bound);
    if (!source->name)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%.400s: GGUF has no name for the architecture %s", model->path,
                    bound->architecture->name);
    for (int64_t layer = -1; layer < bound->layers; layer++) {
        TRY(bind_layer(bound, layer));
        if (layer == 0) TRY(check_rules(bound));
        TRY(add_weights(bound, layer, arena, source));
    }
    deferred_sort(&bound->source->deferred);
    TRY(source_index(source, diagnostic));
    return bind_layer(bound, -1);
}

void folder_make(const struct model *model, const void *bytes)
{
    deferred_make_at(&model_bound(model)->source->deferred, bytes);
}
