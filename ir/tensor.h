/* Tensor types: element type, shape with symbolic dimensions, layout. */
#ifndef IR_TENSOR_H
#define IR_TENSOR_H

#include "base/text.h"
#include "ir/element.h"

/* Quantities that are known only per step.  In a problem the leading one of the first operand is renamed ROWS. */
enum symbol {
    SYMBOL_NONE,      /* a constant */
    SYMBOL_TOKENS,    /* tokens of the step, over all sequences */
    SYMBOL_OUTPUTS,   /* tokens whose logits are wanted */
    SYMBOL_SEQUENCES, /* rows of the page table */
    SYMBOL_PAGES,     /* pages of a KV state on its device */
    SYMBOL_STRIDE,    /* columns of the page table: pages per sequence */
    SYMBOL_ROWS,      /* problems only */
    SYMBOL_COUNT
};

const char *symbol_name(enum symbol symbol);
bool symbol_by_name(const char *name, enum symbol *symbol);

struct dimension {
    int64_t scale;      /* the whole size when symbol is NONE */
    enum symbol symbol; /* size = scale * value of symbol */
};

enum { TENSOR_RANK_MAX = 4 };

/* Row-major: the last dimension is contiguous.  `layout` is a row of ir/layouts.def. */
struct tensor_type {
    enum element_type element;
    int layout;
    int rank;
    struct dimension shape[TENSOR_RANK_MAX];
};

static inline struct dimension dimension_fixed(int64_t size)
{
    return (struct dimension){.scale = size, .symbol = SYMBOL_NONE};
}

static inline struct dimension dimension_of(enum symbol symbol, int64_t scale)
{
    return (struct dimension){.scale = scale, .symbol = symbol};
}

bool dimension_equal(struct dimension a, struct dimension b);
int64_t dimension_value(struct dimension dimension, const int64_t symbols[SYMBOL_COUNT]);

/* Whether the type is one that Hone can hold: rank 1 to 4, sizes of at least 1 whose product stays below
 * TENSOR_ELEMENTS_MAX, a last dimension of whole blocks, a layout that suits. */
#define TENSOR_ELEMENTS_MAX ((int64_t)1 << 48)
CHECKED status tensor_check(const struct tensor_type *type, struct diagnostic *diagnostic);

bool tensor_type_equal(const struct tensor_type *a, const struct tensor_type *b);
int64_t tensor_elements(const struct tensor_type *type, const int64_t symbols[SYMBOL_COUNT]);
/* Bytes when the symbols have these values; rows are padded to nothing.  This and tensor_elements stop at INT64_MAX. */
int64_t tensor_bytes(const struct tensor_type *type, const int64_t symbols[SYMBOL_COUNT]);
/* The product of all dimensions but the last, and the last one (its scale where it has a symbol). */
int64_t tensor_rows(const struct tensor_type *type, const int64_t symbols[SYMBOL_COUNT]);
int64_t tensor_columns(const struct tensor_type *type);

/* "q8_0[5632,2048]", "f32[tokens,2048]", "i32[2*tokens]"; a layout other than `rows` follows after '@'. */
void tensor_print(const struct tensor_type *type, struct text *text);

#endif
