/* Element types: what one number, or one block of numbers, looks like in memory. */
#ifndef IR_ELEMENT_H
#define IR_ELEMENT_H

#include "base/status.h"

#include <stdint.h>

enum element_type {
#define ELEMENT(NAME, name, elements, bytes) ELEMENT_##NAME,
#include "ir/element.def"
#undef ELEMENT
    ELEMENT_COUNT
};

enum { ELEMENT_BLOCK_MAX = 256 }; /* elements of the largest block */

struct element {
    const char *name;
    int block_elements; /* 1 for plain types */
    int block_bytes;
    void (*decode)(const void *block, float *values); /* one block */
    /* One block: nearest values for plain types, least squares for the others.  `importance` is
     * what an error of each number costs, or NULL. */
    void (*encode)(const float *values, const float *importance, void *block);
};

const struct element *element_of(enum element_type type);
bool element_by_name(const char *name, enum element_type *type);

/* Bytes of `columns` contiguous elements; columns must be a multiple of the block. */
int64_t element_row_bytes(enum element_type type, int64_t columns);

/* `columns` contiguous elements, from or to float. */
void element_decode_row(enum element_type type, const void *row, int64_t columns, float *values);
void element_encode_row(enum element_type type, const float *values, int64_t columns, void *row);
void element_encode_weighted(enum element_type type, const float *values, const float *importance,
                             int64_t columns, void *row);

#endif
