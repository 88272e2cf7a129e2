/* The checks behind infer.h. */
#include "ops/infer.h"

#include "ir/layout.h"

#include <stdio.h>

static int append_dimension(char *buffer, size_t room, struct dimension dimension)
{
    if (dimension.symbol == SYMBOL_NONE)
        return snprintf(buffer, room, "%lld", (long long)dimension.scale);
    if (dimension.scale == 1) return snprintf(buffer, room, "%s", symbol_name(dimension.symbol));
    return snprintf(buffer, room, "%lld*%s", (long long)dimension.scale,
                    symbol_name(dimension.symbol));
}

const char *type_text(const struct tensor_type *type, char buffer[static TYPE_TEXT_BYTES])
{
    size_t used = (size_t)snprintf(buffer, TYPE_TEXT_BYTES, "%s[", element_of(type->element)->name);
    for (int d = 0; d < type->rank && d < TENSOR_RANK_MAX && used < TYPE_TEXT_BYTES - 48; d++) {
        if (d > 0) buffer[used++] = ',';
        used += (size_t)append_dimension(buffer + used, TYPE_TEXT_BYTES - used, type->shape[d]);
    }
    snprintf(buffer + used, TYPE_TEXT_BYTES - used, "]");
    return buffer;
}

static const char *dimension_text(struct dimension dimension, char buffer[static 64])
{
    append_dimension(buffer, 64, dimension);
    return buffer;
}

static const char *input_name(const struct inference *inference, int input)
{
    return inference->op->inputs[input].name;
}

/* Fails with "weight is q8_0[64,96], but ..."; the graph adds which node and operator. */
PRINTF_LIKE(3, 4)
static status refuse(const struct inference *inference, int input, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char type[TYPE_TEXT_BYTES], reason[512];
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return fail(inference->diagnostic, STATUS_BAD_INPUT, "%s is %s, but %s",
                input_name(inference, input), type_text(inference->inputs[input], type), reason);
}

static status check_type(const struct inference *inference, int input)
{
    struct diagnostic reason = {0};
    if (tensor_check(inference->inputs[input], &reason) == STATUS_OK) return STATUS_OK;
    return fail(inference->diagnostic, reason.code, "%s: %s", input_name(inference, input),
                reason.text);
}

status infer_begin(const struct inference *inference)
{
    for (int o = 0; inference->op->outputs[o]; o++)
        inference->outputs[o] = (struct tensor_type){.rank = 0};
    for (int i = 0; inference->op->inputs[i].name; i++) {
        if (inference->inputs[i])
            TRY(check_type(inference, i));
        else if (!inference->op->inputs[i].optional)
            return fail(inference->diagnostic, STATUS_BAD_INPUT,
                        "%s is missing; it is not optional", input_name(inference, i));
    }
    return STATUS_OK;
}

static bool element_fits(const struct tensor_type *type, enum element_class class)
{
    switch (class) {
    case CLASS_F32: return type->element == ELEMENT_F32;
    case CLASS_I32: return type->element == ELEMENT_I32;
    case CLASS_WEIGHT:
    case CLASS_STATE: return type->element != ELEMENT_I32;
    case CLASS_ANY: break;
    }
    return true;
}

static const char *const class_text[] = {
    [CLASS_F32] = "f32",
    [CLASS_I32] = "i32",
    [CLASS_WEIGHT] = "numbers, not indices",
    [CLASS_STATE] = "numbers, not indices",
    [CLASS_ANY] = "any elements",
};

status infer_operand(const struct inference *inference, int input, int rank,
                     enum element_class class)
{
    const struct tensor_type *type = inference->inputs[input];
    if (!type) return STATUS_OK;
    if (type->rank != rank)
        return refuse(inference, input, "it must have %d dimension%s, not %d", rank,
                      rank == 1 ? "" : "s", type->rank);
    if (!element_fits(type, class))
        return refuse(inference, input, "its elements must be %s", class_text[class]);
    if (class != CLASS_WEIGHT && class != CLASS_ANY && type->layout != LAYOUT_ROWS)
        return refuse(inference, input,
                      "it has the layout %s; only weights may have another layout than rows",
                      layout_name((enum layout)type->layout));
    return STATUS_OK;
}

status infer_fixed(const struct inference *inference, int input, int d)
{
    const struct tensor_type *type = inference->inputs[input];
    if (!type || type->shape[d].symbol == SYMBOL_NONE) return STATUS_OK;
    return refuse(inference, input,
                  "dimension %d must be a number, not '%s', which changes from step to step", d,
                  symbol_name(type->shape[d].symbol));
}

status infer_equal(const struct inference *inference, int input, int d, int other, int other_d)
{
    const struct tensor_type *type = inference->inputs[input], *like = inference->inputs[other];
    char a[64], b[64], text[TYPE_TEXT_BYTES];
    if (!type || !like || dimension_equal(type->shape[d], like->shape[other_d])) return STATUS_OK;
    return refuse(
        inference, input, "%s is %s: dimension %d (%s) must equal dimension %d of %s (%s)",
        input_name(inference, other), type_text(like, text), d, dimension_text(type->shape[d], a),
        other_d, input_name(inference, other), dimension_text(like->shape[other_d], b));
}

status infer_size(const struct inference *inference, int input, int d, int64_t size,
                  const char *what)
{
    const struct tensor_type *type = inference->inputs[input];
    char text[64];
    if (!type || dimension_equal(type->shape[d], dimension_fixed(size))) return STATUS_OK;
    return refuse(inference, input, "dimension %d (%s) must equal %s, which is %lld", d,
                  dimension_text(type->shape[d], text), what, (long long)size);
}

status infer_rows(const struct inference *inference, int input)
{
    TRY(infer_operand(inference, input, 2, CLASS_F32));
    return infer_fixed(inference, input, 1);
}

status infer_rows_like(const struct inference *inference, int input, int like)
{
    TRY(infer_rows(inference, input));
    return infer_equal(inference, input, 0, like, 0);
}

status infer_index(const struct inference *inference, int input, int like)
{
    TRY(infer_operand(inference, input, 1, CLASS_I32));
    return infer_equal(inference, input, 0, like, 0);
}

status infer_matrix(const struct inference *inference, int input, int x)
{
    TRY(infer_operand(inference, input, 2, CLASS_WEIGHT));
    TRY(infer_fixed(inference, input, 0));
    return infer_equal(inference, input, 1, x, 1);
}

status infer_vector(const struct inference *inference, int input, int like, int d)
{
    TRY(infer_operand(inference, input, 1, CLASS_F32));
    return infer_equal(inference, input, 0, like, d);
}

bool infer_multiply(struct dimension dimension, int64_t factor, struct dimension *product)
{
    *product = dimension;
    return !__builtin_mul_overflow(dimension.scale, factor, &product->scale) &&
           product->scale <= TENSOR_ELEMENTS_MAX;
}

void infer_output(const struct inference *inference, int output, enum element_type element,
                  struct dimension rows, struct dimension columns)
{
    inference->outputs[output] = (struct tensor_type){
        .element = element, .layout = LAYOUT_ROWS, .rank = 2, .shape = {rows, columns}};
}

void infer_output_vector(const struct inference *inference, int output, enum element_type element,
                         struct dimension length)
{
    inference->outputs[output] = (struct tensor_type){
        .element = element, .layout = LAYOUT_ROWS, .rank = 1, .shape = {length}};
}
