/* Finding tensors that belong together, and checking that they fit. */
#include "models/scaled_tensors.h"

#include "models/relayout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WIDE = 128, SMALL = 32, NARROW = 16, WORD_CODES = 8, MXFP4_BYTES = 16 };

struct joining {
    struct model_source *source;
    const struct weight_scheme *scheme;
    struct diagnostic *diagnostic;
};

#define JOIN_FAIL(joining, tensor, format, ...)                                                    \
    fail((joining)->diagnostic, STATUS_BAD_INPUT,                                                  \
         "%.300s: byte %" PRIu64 ": tensor '%.200s' " format, (tensor)->file, (tensor)->offset,    \
         (tensor)->name, __VA_ARGS__)

static int64_t size_of(const struct stored_tensor *tensor, int dimension)
{
    return dimension < tensor->type.rank ? tensor->type.shape[dimension].scale : 1;
}

static int64_t count_of(const struct stored_tensor *tensor)
{
    static const int64_t none[SYMBOL_COUNT] = {0};
    return tensor_elements(&tensor->type, none);
}

/* The length of a name without its suffix; 0 when it does not end so. */
static size_t stem_of(const char *name, const char *suffix)
{
    size_t length = strlen(name), ending = strlen(suffix);
    return length > ending && !strcmp(name + length - ending, suffix) ? length - ending : 0;
}

/* The tensor with the stem of `tensor` and another suffix, or NULL. */
static struct stored_tensor *find_beside(const struct joining *joining,
                                         const struct stored_tensor *tensor, size_t stem,
                                         const char *suffix)
{
    char name[SOURCE_TENSOR_NAME_MAX + 32];
    snprintf(name, sizeof name, "%.*s%s", (int)stem, tensor->name, suffix);
    return source_tensor(joining->source, name);
}

/* `tensor` becomes the blocks of `plan`, [rows, columns] unless it has experts. */
static status become(const struct joining *joining, struct stored_tensor *tensor,
                     const struct relayout *plan)
{
    struct relayout *relayout;
    TRY_NEW(relayout, joining->source->arena, 1, joining->diagnostic);
    *relayout = *plan;
    relayout_prepare(relayout);
    TRY(deferred_add(&joining->source->deferred, joining->source->arena, &relayout->deferred,
                     joining->diagnostic));
    tensor->deferred = &relayout->deferred;
    tensor->bytes = relayout->deferred.bytes;
    tensor->byte_count = relayout->deferred.byte_count;
    tensor->type.element = plan->element;
    tensor->raw = false;
    return STATUS_OK;
}

/* ---- Bytes ---- */

static status read_tiles(const struct joining *joining, const struct stored_tensor *scales,
                         struct relayout *plan)
{
    int64_t down = size_of(scales, 0), across = size_of(scales, 1);
    bool real = scales->type.element == ELEMENT_F32 || scales->type.element == ELEMENT_F16 ||
                scales->type.element == ELEMENT_BF16;
    if (!real || scales->raw || scales->type.rank > 2)
        return JOIN_FAIL(joining, scales, "%s", "must hold f32, f16 or bf16 scales");
    plan->tile_rows = plan->rows;
    plan->tile_columns = plan->columns;
    plan->scale_width = 1;
    if (down * across == 1) return STATUS_OK;
    if (down == plan->rows && across == 1) {
        plan->tile_rows = 1;
        return STATUS_OK;
    }
    if (joining->scheme->tiles && down == (plan->rows + WIDE - 1) / WIDE &&
        across == (plan->columns + WIDE - 1) / WIDE) {
        plan->tile_rows = plan->tile_columns = WIDE;
        plan->scale_width = across;
        return STATUS_OK;
    }
    return JOIN_FAIL(
        joining, scales,
        "has %" PRId64 " by %" PRId64 " scales; one, one for each of the %" PRId64
        " rows, or one for each tile of 128 by 128 where the configuration says so, are read",
        down, across, plan->rows);
}

static status find_scales(const struct joining *joining, const struct stored_tensor *tensor,
                          size_t stem, struct stored_tensor **scales)
{
    struct stored_tensor *inverse, *activations;
    *scales = find_beside(joining, tensor, stem, ".weight_scale");
    inverse = find_beside(joining, tensor, stem, ".weight_scale_inv");
    activations = find_beside(joining, tensor, stem, ".input_scale");
    if (activations) activations->used = true; /* activations are not rounded */
    if (!*scales) *scales = inverse;           /* a factor all the same */
    if (*scales) return STATUS_OK;
    return JOIN_FAIL(joining, tensor, "is %s, but there is no scale ('.weight_scale') beside it",
                     element_of(tensor->type.element)->name);
}

static status join_wide(const struct joining *joining, struct stored_tensor *tensor)
{
    enum element_type stored = tensor->type.element;
    size_t stem = stem_of(tensor->name, ".weight");
    struct stored_tensor *scales;
    if (!stem || tensor->raw ||
        (stored != ELEMENT_F8_E4M3 && stored != ELEMENT_F8_E5M2 && stored != ELEMENT_I8))
        return STATUS_OK;
    TRY(find_scales(joining, tensor, stem, &scales));
    struct relayout plan = {.kind = RELAYOUT_WIDE,
                            .element = stored == ELEMENT_F8_E4M3   ? ELEMENT_F8_E4M3_128
                                       : stored == ELEMENT_F8_E5M2 ? ELEMENT_F8_E5M2_128
                                                                   : ELEMENT_I8_128,
                            .codes = tensor->bytes,
                            .scales = scales->bytes,
                            .scale_element = scales->type.element,
                            .rows = size_of(tensor, 0),
                            .columns = size_of(tensor, 1)};
    if (tensor->type.rank != 2 || !count_of(tensor) || plan.columns % WIDE)
        return JOIN_FAIL(joining, tensor,
                         "must be a matrix whose rows are whole blocks of %d numbers", WIDE);
    TRY(read_tiles(joining, scales, &plan));
    scales->used = true;
    return become(joining, tensor, &plan);
}

/* ---- Nibbles ---- */

/* Where columns were sorted by importance before they were grouped, a group's columns lie apart. */
static status check_order(const struct joining *joining, size_t stem,
                          const struct stored_tensor *codes, const struct relayout *plan)
{
    struct stored_tensor *order;
    order = find_beside(joining, codes, stem, ".g_idx");
    if (!order) return STATUS_OK;
    if (order->type.element != ELEMENT_I32 || order->type.rank != 1 ||
        size_of(order, 0) != plan->columns)
        return JOIN_FAIL(joining, order, "must be %" PRId64 " whole numbers of 32 bits",
                         plan->columns);
    for (int64_t c = 0; c < plan->columns; c++) {
        int32_t group;
        memcpy(&group, order->bytes + 4 * c, sizeof group);
        if (group == c / plan->tile_columns) continue;
        return JOIN_FAIL(joining, order,
                         "puts column %" PRId64
                         " into group %d: activation order (desc_act, act-order) "
                         "is not supported; use a model that was quantised without",
                         c, (int)group);
    }
    order->used = true;
    return STATUS_OK;
}

/* GPTQ's writers add biases of zeros to layers that have none. */
static status use_empty_bias(const struct joining *joining, const struct stored_tensor *codes,
                             size_t stem)
{
    struct stored_tensor *bias;
    bias = find_beside(joining, codes, stem, ".bias");
    if (!bias) return STATUS_OK;
    for (int64_t i = 0; i < bias->byte_count; i++)
        if (bias->bytes[i]) return STATUS_OK;
    bias->used = true;
    return STATUS_OK;
}

static status check_grouped(const struct joining *joining, const struct stored_tensor *codes,
                            const struct stored_tensor *zeros, const struct stored_tensor *scales,
                            struct relayout *plan)
{
    int64_t groups = size_of(scales, 0);
    if (codes->type.element != ELEMENT_I32 || codes->type.rank != 2 || !count_of(codes) ||
        plan->rows % WORD_CODES || plan->columns % SMALL)
        return JOIN_FAIL(
            joining, codes, "%s",
            "must be a matrix of 32-bit words, of whole groups of 8 rows and 32 columns");
    if (scales->type.element != ELEMENT_F16 || scales->type.rank != 2 ||
        size_of(scales, 1) != plan->rows || groups < 1 || plan->columns % groups ||
        plan->columns / groups % SMALL)
        return JOIN_FAIL(joining, scales,
                         "must be f16, %" PRId64
                         " scales for each group of a multiple of %d of %" PRId64 " columns",
                         plan->rows, SMALL, plan->columns);
    if (zeros->type.element != ELEMENT_I32 || zeros->type.rank != 2 ||
        size_of(zeros, 0) != groups || size_of(zeros, 1) != plan->rows / WORD_CODES)
        return JOIN_FAIL(joining, zeros, "must be 32-bit words, %" PRId64 " by %" PRId64, groups,
                         plan->rows / WORD_CODES);
    plan->tile_columns = plan->columns / groups;
    plan->element = plan->tile_columns % WIDE ? ELEMENT_I4_32 : ELEMENT_I4_128;
    return STATUS_OK;
}

static status join_grouped(const struct joining *joining, struct stored_tensor *codes,
                           const char **name)
{
    size_t stem = stem_of(codes->name, ".qweight");
    bool awq = joining->scheme->kind == SCHEME_AWQ;
    struct stored_tensor *zeros, *scales;
    if (!stem) return STATUS_OK;
    zeros = find_beside(joining, codes, stem, ".qzeros");
    scales = find_beside(joining, codes, stem, ".scales");
    if (!zeros || !scales)
        return JOIN_FAIL(joining, codes, "has no '.%s' beside it", zeros ? "scales" : "qzeros");
    struct relayout plan = {.kind = awq ? RELAYOUT_AWQ : RELAYOUT_GPTQ,
                            .codes = codes->bytes,
                            .scales = scales->bytes,
                            .zeros = zeros->bytes,
                            .rows = size_of(codes, 1) * (awq ? WORD_CODES : 1),
                            .columns = size_of(codes, 0) * (awq ? 1 : WORD_CODES),
                            .zero_shift = joining->scheme->zero_shift};
    TRY(check_grouped(joining, codes, zeros, scales, &plan));
    TRY(check_order(joining, stem, codes, &plan));
    TRY(use_empty_bias(joining, codes, stem));
    zeros->used = scales->used = true;
    codes->type.shape[0] = dimension_fixed(plan.rows);
    codes->type.shape[1] = dimension_fixed(plan.columns);
    *name = arena_print(joining->source->arena, "%.*s.weight", (int)stem, codes->name);
    TRY_MEMORY(*name, joining->diagnostic);
    return become(joining, codes, &plan);
}

/* ---- mxfp4 ---- */

static status join_mxfp4(const struct joining *joining, struct stored_tensor *codes,
                         const char **name)
{
    size_t stem = stem_of(codes->name, "_blocks");
    struct stored_tensor *scales;
    int last = codes->type.rank - 1;
    if (!stem) return STATUS_OK;
    scales = find_beside(joining, codes, stem, "_scales");
    if (!scales) return JOIN_FAIL(joining, codes, "has no '%s' beside it", "_scales");
    if (!codes->raw || last < 2 || size_of(codes, last) != MXFP4_BYTES || !count_of(codes))
        return JOIN_FAIL(joining, codes, "must hold blocks of %d bytes (U8)", MXFP4_BYTES);
    if (!scales->raw || scales->type.rank != last ||
        count_of(scales) != count_of(codes) / MXFP4_BYTES)
        return JOIN_FAIL(joining, scales, "must hold a byte (U8) for each of %" PRId64 " blocks",
                         count_of(codes) / MXFP4_BYTES);
    struct relayout plan = {.kind = RELAYOUT_MXFP4,
                            .element = ELEMENT_MXFP4,
                            .codes = codes->bytes,
                            .scales = scales->bytes,
                            .columns = size_of(codes, last - 1) * SMALL};
    plan.rows = count_of(codes) / MXFP4_BYTES / size_of(codes, last - 1);
    scales->used = true;
    codes->type.rank = last;
    codes->type.shape[last - 1] = dimension_fixed(plan.columns);
    *name = arena_text_range(joining->source->arena, codes->name, stem);
    TRY_MEMORY(*name, joining->diagnostic);
    return become(joining, codes, &plan);
}

/* ---- nvfp4 ---- */

/* compressed-tensors keeps what scales were multiplied with, ModelOpt what they are to be multiplied with. */
static status read_factor(const struct joining *joining, const struct stored_tensor *scale,
                          bool inverse, float *factor)
{
    if (scale->raw || scale->type.element != ELEMENT_F32 || count_of(scale) != 1)
        return JOIN_FAIL(joining, scale, "%s", "must be one f32 scale");
    memcpy(factor, scale->bytes, sizeof *factor);
    if (inverse) *factor = 1.0f / *factor;
    if (!isfinite(*factor))
        return JOIN_FAIL(joining, scale, "is %s", inverse ? "0 or no number" : "no finite number");
    return STATUS_OK;
}

static status check_nvfp4(const struct joining *joining, const struct stored_tensor *codes,
                          const struct stored_tensor *scales, const struct relayout *plan)
{
    if (codes->type.rank != 2 || !count_of(codes) || plan->columns % WIDE)
        return JOIN_FAIL(
            joining, codes,
            "must be a matrix of bytes (U8) whose rows are whole blocks of %d numbers, "
            "two in a byte",
            WIDE);
    if (scales->raw || scales->type.element != ELEMENT_F8_E4M3 || scales->type.rank != 2 ||
        size_of(scales, 0) != plan->rows || size_of(scales, 1) != plan->columns / NARROW)
        return JOIN_FAIL(joining, scales, "must be %" PRId64 " by %" PRId64 " scales in F8_E4M3",
                         plan->rows, plan->columns / NARROW);
    return STATUS_OK;
}

/* Activations and states are not rounded. */
static void use_other_scales(const struct joining *joining, const struct stored_tensor *codes,
                             size_t stem)
{
    static const char *const suffixes[] = {".input_scale", ".input_global_scale", ".k_scale",
                                           ".v_scale"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        struct stored_tensor *other = find_beside(joining, codes, stem, suffixes[i]);
        if (other) other->used = true;
    }
}

static status join_nvfp4(const struct joining *joining, struct stored_tensor *codes,
                         const char **name)
{
    bool inverse = joining->scheme->kind == SCHEME_COMPRESSED;
    size_t stem = stem_of(codes->name, inverse ? ".weight_packed" : ".weight");
    const char *global = inverse ? ".weight_global_scale" : ".weight_scale_2";
    struct stored_tensor *scales, *scale;
    if (!stem || !codes->raw) return STATUS_OK;
    scales = find_beside(joining, codes, stem, ".weight_scale");
    scale = find_beside(joining, codes, stem, global);
    if (!scales || !scale)
        return JOIN_FAIL(joining, codes, "has no '%s' beside it",
                         scales ? global + 1 : "weight_scale");
    struct relayout plan = {.kind = RELAYOUT_NVFP4,
                            .element = ELEMENT_NVFP4_128,
                            .codes = codes->bytes,
                            .scales = scales->bytes,
                            .rows = size_of(codes, 0),
                            .columns = size_of(codes, 1) * 2};
    TRY(check_nvfp4(joining, codes, scales, &plan));
    TRY(read_factor(joining, scale, inverse, &plan.factor));
    use_other_scales(joining, codes, stem);
    scales->used = scale->used = true;
    codes->type.shape[1] = dimension_fixed(plan.columns);
    *name = arena_print(joining->source->arena, "%.*s.weight", (int)stem, codes->name);
    TRY_MEMORY(*name, joining->diagnostic);
    return become(joining, codes, &plan);
}

/* ---- All ---- */

static status join(const struct joining *joining, struct stored_tensor *tensor, const char **name)
{
    switch (joining->scheme->kind) {
    case SCHEME_COMPRESSED:
        TRY(join_nvfp4(joining, tensor, name));
        return join_wide(joining, tensor);
    case SCHEME_FP8: return join_wide(joining, tensor);
    case SCHEME_MODELOPT: return join_nvfp4(joining, tensor, name);
    case SCHEME_GPTQ:
    case SCHEME_AWQ: return join_grouped(joining, tensor, name);
    case SCHEME_MXFP4: return join_mxfp4(joining, tensor, name);
    case SCHEME_NONE: break;
    }
    return STATUS_OK;
}

/* Names change only when all are found: the list is searched by name. */
status scaled_tensors_join(struct model_source *source, const struct weight_scheme *scheme,
                           struct diagnostic *diagnostic)
{
    struct joining joining = {source, scheme, diagnostic};
    const char **names;
    if (scheme->kind == SCHEME_NONE || !source->tensor_count) return STATUS_OK;
    TRY_NEW(names, source->arena, source->tensor_count, diagnostic);
    for (int i = 0; i < source->tensor_count; i++)
        TRY(join(&joining, &source->tensors[i], &names[i]));
    for (int i = 0; i < source->tensor_count; i++)
        if (names[i]) source->tensors[i].name = names[i];
    return source_index(source, diagnostic);
}
