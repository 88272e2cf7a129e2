/* Tensor types: their sizes, their comparison and their text. */
#include "ir/tensor.h"

#include "ir/layout.h"

#include <inttypes.h>
#include <string.h>

static const char *const symbol_names[SYMBOL_COUNT] = {
    [SYMBOL_NONE] = "none",   [SYMBOL_TOKENS] = "tokens",       [SYMBOL_OUTPUTS] = "outputs",
    [SYMBOL_PAGES] = "pages", [SYMBOL_SEQUENCES] = "sequences", [SYMBOL_STRIDE] = "stride",
    [SYMBOL_ROWS] = "rows",
};

const char *symbol_name(enum symbol symbol)
{
    return symbol_names[symbol];
}

bool symbol_by_name(const char *name, enum symbol *symbol)
{
    for (int i = SYMBOL_NONE + 1; i < SYMBOL_COUNT; i++) {
        if (strcmp(name, symbol_names[i])) continue;
        *symbol = (enum symbol)i;
        return true;
    }
    return false;
}

bool dimension_equal(struct dimension a, struct dimension b)
{
    return a.scale == b.scale && a.symbol == b.symbol;
}

static int64_t multiply_saturated(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

int64_t dimension_value(struct dimension dimension, const int64_t symbols[SYMBOL_COUNT])
{
    if (dimension.symbol == SYMBOL_NONE) return dimension.scale;
    return multiply_saturated(dimension.scale, symbols[dimension.symbol]);
}

static status dimension_check(const struct tensor_type *type, int d, struct diagnostic *diagnostic)
{
    struct dimension dimension = type->shape[d];
    if ((unsigned)dimension.symbol >= SYMBOL_COUNT)
        return fail(diagnostic, STATUS_BAD_INPUT, "dimension %d has no known symbol", d);
    if (dimension.scale < 1 || dimension.scale > TENSOR_ELEMENTS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "dimension %d is %" PRId64 "; sizes go from 1 to 2^48", d, dimension.scale);
    if (d < type->rank - 1) return STATUS_OK;
    const struct element *element = element_of(type->element);
    if (element->block_elements == 1) return STATUS_OK;
    if (dimension.symbol == SYMBOL_NONE && dimension.scale % element->block_elements == 0)
        return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "the last dimension of a %s tensor must be a constant multiple of %d",
                element->name, element->block_elements);
}

static status layout_check(const struct tensor_type *type, struct diagnostic *diagnostic)
{
    if (type->layout == LAYOUT_ROWS) return STATUS_OK;
    if (type->layout < 0 || type->layout >= LAYOUT_COUNT)
        return fail(diagnostic, STATUS_BAD_INPUT, "%d is not a layout", type->layout);
    bool fixed = type->rank >= 2;
    for (int d = 0; d < type->rank; d++) fixed = fixed && type->shape[d].symbol == SYMBOL_NONE;
    if (fixed &&
        layout_supports((enum layout)type->layout, type->element, type->shape[type->rank - 2].scale,
                        type->shape[type->rank - 1].scale))
        return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "layout %s needs constant sizes and rows in whole groups of %d",
                layout_name((enum layout)type->layout),
                layout_group_rows((enum layout)type->layout));
}

status tensor_check(const struct tensor_type *type, struct diagnostic *diagnostic)
{
    if ((unsigned)type->element >= ELEMENT_COUNT)
        return fail(diagnostic, STATUS_BAD_INPUT, "%d is not an element type", (int)type->element);
    if (type->rank < 1 || type->rank > TENSOR_RANK_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "rank %d is not between 1 and %d", type->rank,
                    TENSOR_RANK_MAX);
    int64_t elements = 1;
    for (int d = 0; d < type->rank; d++) {
        TRY(dimension_check(type, d, diagnostic));
        elements = multiply_saturated(elements, type->shape[d].scale);
    }
    if (elements > TENSOR_ELEMENTS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "more than 2^48 elements in one tensor");
    return layout_check(type, diagnostic);
}

bool tensor_type_equal(const struct tensor_type *a, const struct tensor_type *b)
{
    if (a->element != b->element || a->layout != b->layout || a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (!dimension_equal(a->shape[d], b->shape[d])) return false;
    return true;
}

int64_t tensor_elements(const struct tensor_type *type, const int64_t symbols[SYMBOL_COUNT])
{
    int64_t elements = 1;
    for (int d = 0; d < type->rank; d++)
        elements = multiply_saturated(elements, dimension_value(type->shape[d], symbols));
    return elements;
}

int64_t tensor_bytes(const struct tensor_type *type, const int64_t symbols[SYMBOL_COUNT])
{
    const struct element *element = element_of(type->element);
    int64_t elements = tensor_elements(type, symbols);
    if (elements == INT64_MAX) return INT64_MAX;
    return multiply_saturated(elements / element->block_elements, element->block_bytes);
}

int64_t tensor_rows(const struct tensor_type *type, const int64_t symbols[SYMBOL_COUNT])
{
    int64_t rows = 1;
    for (int d = 0; d < type->rank - 1; d++)
        rows = multiply_saturated(rows, dimension_value(type->shape[d], symbols));
    return rows;
}

int64_t tensor_columns(const struct tensor_type *type)
{
    return type->rank ? type->shape[type->rank - 1].scale : 0;
}

static void dimension_print(struct dimension dimension, struct text *text)
{
    if (dimension.symbol == SYMBOL_NONE)
        text_print(text, "%" PRId64, dimension.scale);
    else if (dimension.scale == 1)
        text_append(text, symbol_name(dimension.symbol));
    else
        text_print(text, "%" PRId64 "*%s", dimension.scale, symbol_name(dimension.symbol));
}

void tensor_print(const struct tensor_type *type, struct text *text)
{
    text_print(text, "%s[", element_of(type->element)->name);
    for (int d = 0; d < type->rank; d++) {
        if (d) text_append(text, ",");
        dimension_print(type->shape[d], text);
    }
    text_append(text, "]");
    if (type->layout != LAYOUT_ROWS)
        text_print(text, "@%s", layout_name((enum layout)type->layout));
}
