/* Weights that are no tensor of their own: a part of one, numbers in another order, or a list in the
 * metadata. */
#include "models/architecture_bind.h"

#include <inttypes.h>
#include <string.h>

/* A view with its numbers. */
struct placement {
    int rank;
    int64_t sizes[TENSOR_RANK_MAX], strides[TENSOR_RANK_MAX], start;
    int64_t run;  /* elements that lie in one piece */
    int outer;    /* leading dimensions that `run` does not cover */
    int64_t runs; /* product of their sizes */
};

static status fail_view(const struct bound_architecture *bound, const struct weight_rule *rule,
                        const struct stored_tensor *tensor, const char *reason)
{
    return fail(bound->diagnostic, STATUS_BAD_INPUT,
                "%.300s: byte %" PRIu64 ": tensor '%.150s': %s %s", tensor->file, tensor->offset,
                tensor->name, rule->name, reason);
}

/* Every element lies within the tensor, and there are no more than it has. */
static bool lies_within(const struct placement *placement, int64_t elements)
{
    int64_t last = placement->start;
    if (last < 0 || last >= elements || placement->run * placement->runs > elements) return false;
    for (int d = 0; d < placement->rank; d++) {
        int64_t stride = placement->strides[d], steps = placement->sizes[d] - 1;
        if (stride < 1 || (steps && stride > (elements - 1 - last) / steps)) return false;
        last += stride * steps;
    }
    return true;
}

static void find_runs(struct placement *placement)
{
    placement->run = placement->runs = 1;
    placement->outer = placement->rank;
    while (placement->outer && (placement->strides[placement->outer - 1] == placement->run ||
                                placement->sizes[placement->outer - 1] == 1)) {
        placement->run *= placement->sizes[--placement->outer];
    }
    for (int d = 0; d < placement->outer; d++) placement->runs *= placement->sizes[d];
}

static status place(const struct bound_architecture *bound, const struct weight_rule *rule,
                    const struct stored_tensor *tensor, const struct tensor_type *type,
                    struct placement *placement)
{
    static const int64_t none[SYMBOL_COUNT] = {0};
    const struct tensor_view *view = &rule->views[bound->source->format];
    struct tensor_type plain = *type;
    int64_t stride = 1;
    plain.element = ELEMENT_F32; /* a bound on the elements, whatever their blocks */
    TRY(tensor_check(&plain, bound->diagnostic));
    *placement = (struct placement){.rank = type->rank};
    if (view->start.expression) TRY(bind_integer(bound, &view->start, &placement->start));
    for (int d = type->rank - 1; d >= 0; d--) {
        placement->sizes[d] = type->shape[d].scale;
        placement->strides[d] = stride;
        stride *= placement->sizes[d];
        if (!view->strides[d].expression) continue;
        TRY(bind_integer(bound, &view->strides[d], &placement->strides[d]));
    }
    find_runs(placement);
    if (!lies_within(placement, tensor_elements(&tensor->type, none))) {
        return fail_view(bound, rule, tensor, "would lie outside it");
    }
    return STATUS_OK;
}

/* The first element of a run. */
static int64_t run_start(const struct placement *placement, int64_t run)
{
    int64_t at = placement->start;
    for (int d = placement->outer - 1; d >= 0; d--) {
        at += run % placement->sizes[d] * placement->strides[d];
        run /= placement->sizes[d];
    }
    return at;
}

/* Runs are whole blocks that begin where blocks do. */
static bool keeps_blocks(const struct placement *placement, int64_t block)
{
    bool whole = placement->start % block == 0 && placement->run % block == 0;
    for (int d = 0; d < placement->outer; d++) whole = whole && placement->strides[d] % block == 0;
    return whole && placement->sizes[placement->rank - 1] % block == 0;
}

/* Runs that do not lie side by side are put there when the weight is asked for; so are numbers that
 * lie across blocks with a scale, as f32. */
struct view_copy {
    struct deferred deferred; /* first */
    struct placement placement;
    struct stored_tensor tensor;
};

static void copy_runs(const struct view_copy *copy, enum element_type element, const uint8_t *from)
{
    const struct placement *placement = &copy->placement;
    int64_t run_bytes = element_row_bytes(element, placement->run);
    for (int64_t run = 0; run < placement->runs; run++)
        memcpy(copy->deferred.bytes + run * run_bytes,
               from + element_row_bytes(element, run_start(placement, run)), (size_t)run_bytes);
}

static void make_copy(const struct deferred *deferred)
{
    const struct view_copy *copy = (const struct view_copy *)deferred;
    if (copy->tensor.deferred) deferred_make(copy->tensor.deferred);
    copy_runs(copy, copy->tensor.type.element, copy->tensor.bytes);
}

/* One number at a time: such matrices are small beside the others. */
static void make_decoded(const struct deferred *deferred)
{
    const struct view_copy *copy = (const struct view_copy *)deferred;
    const struct placement *placement = &copy->placement;
    const struct element *element = element_of(copy->tensor.type.element);
    float values[ELEMENT_BLOCK_MAX];
    int64_t decoded = -1; /* the block that `values` are of */
    deferred_make(copy->tensor.deferred);
    for (int64_t i = 0; i < placement->runs * placement->run; i++) {
        int64_t at = run_start(placement, i / placement->run) + i % placement->run;
        int64_t block = at / element->block_elements;
        if (block != decoded)
            element->decode(copy->tensor.bytes + block * element->block_bytes, values);
        decoded = block;
        memcpy(deferred->bytes + 4 * i, &values[at % element->block_elements], sizeof *values);
    }
}

static status defer_view(const struct bound_architecture *bound, const struct stored_tensor *tensor,
                         const struct placement *placement, enum element_type element,
                         const uint8_t **bytes)
{
    struct view_copy *copy;
    TRY_NEW(copy, bound->arena, 1, bound->diagnostic);
    *copy = (struct view_copy){.placement = *placement, .tensor = *tensor};
    copy->deferred.make = element == tensor->type.element ? make_copy : make_decoded;
    copy->deferred.byte_count = element_row_bytes(element, placement->run) * placement->runs;
    TRY(deferred_add(&bound->source->deferred, bound->arena, &copy->deferred, bound->diagnostic));
    *bytes = copy->deferred.bytes;
    return STATUS_OK;
}

status bind_view(const struct bound_architecture *bound, const struct weight_rule *rule,
                 const struct stored_tensor *tensor, struct tensor_type *type,
                 struct stored_weight *stored)
{
    struct placement placement;
    const void **parts;
    const uint8_t *copy = NULL;
    TRY(place(bound, rule, tensor, type, &placement));
    if (!keeps_blocks(&placement, element_of(type->element)->block_elements)) {
        if (!tensor->deferred)
            return fail_view(bound, rule, tensor,
                             "cannot be taken out of its blocks; use f16 or bf16");
        type->element = ELEMENT_F32;
    }
    int64_t run_bytes = element_row_bytes(type->element, placement.run);
    bool copied = placement.outer > 1 || type->element != tensor->type.element;
    int64_t part_count = placement.outer == 1 && !copied ? placement.runs : 1;
    TRY_NEW(parts, bound->arena, part_count, bound->diagnostic);
    *stored = (struct stored_weight){.type = *type,
                                     .part_count = (int)part_count,
                                     .parts = parts,
                                     .part_bytes = run_bytes * placement.runs / part_count};
    if (copied) {
        TRY(defer_view(bound, tensor, &placement, type->element, &copy));
        parts[0] = copy;
        return STATUS_OK;
    }
    for (int64_t run = 0; run < placement.runs; run++)
        parts[run] = tensor->bytes + element_row_bytes(type->element, run_start(&placement, run));
    return STATUS_OK;
}

/* ---- Lists ---- */

static struct metadata *find_list(const struct bound_architecture *bound,
                                  const struct weight_rule *rule)
{
    enum source_format format = bound->source->format;
    for (int i = 0; i < rule->value_key_count[format]; i++) {
        struct metadata *entry = source_metadata(bound->source, rule->value_keys[format][i]);
        if (entry && entry->kind != METADATA_NOTHING) return entry;
    }
    return NULL;
}

void bind_use_values(const struct bound_architecture *bound)
{
    for (int i = 0; i < bound->architecture->weight_count; i++) {
        struct metadata *list = find_list(bound, &bound->architecture->weights[i]);
        if (list) list->used = true;
    }
}

status bind_values(const struct bound_architecture *bound, const struct weight_rule *rule,
                   struct stored_weight *stored, bool *found)
{
    static const int64_t none[SYMBOL_COUNT] = {0};
    const struct metadata *list = find_list(bound, rule);
    struct tensor_type type;
    const void **parts;
    float *values;
    *found = list;
    if (!list) return STATUS_OK;
    TRY(bind_shape(bound, rule, &type));
    type.element = ELEMENT_F32;
    TRY(tensor_check(&type, bound->diagnostic));
    int64_t count = tensor_elements(&type, none);
    if (list->kind != METADATA_LIST || list->length != count) {
        return fail(bound->diagnostic, STATUS_BAD_INPUT,
                    "%.400s: key '%.150s' must be a list of %" PRId64 " numbers",
                    bound->source->path, list->key, count);
    }
    TRY_NEW(values, bound->arena, count, bound->diagnostic);
    TRY_NEW(parts, bound->arena, 1, bound->diagnostic);
    for (int64_t i = 0; i < count; i++) {
        struct metadata item;
        if (!metadata_item(list, i, &item) ||
            (item.kind != METADATA_REAL && item.kind != METADATA_INTEGER)) {
            return fail(bound->diagnostic, STATUS_BAD_INPUT,
                        "%.400s: key '%.150s': item %" PRId64 " is no number", bound->source->path,
                        list->key, i);
        }
        values[i] = (float)item.real;
    }
    parts[0] = values;
    *stored = (struct stored_weight){
        .type = type, .part_count = 1, .parts = parts, .part_bytes = count * 4};
    return STATUS_OK;
}
