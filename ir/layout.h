/* Layouts of weights in memory: named, lossless permutations of the file's bits (ir/layouts.def). */
#ifndef IR_LAYOUT_H
#define IR_LAYOUT_H

#include "ir/element.h"

enum layout {
#define LAYOUT(NAME, name, group) LAYOUT_##NAME,
#include "ir/layouts.def"
#undef LAYOUT
    LAYOUT_COUNT
};

const char *layout_name(enum layout layout);
bool layout_by_name(const char *name, enum layout *layout);
int layout_group_rows(enum layout layout);

/* Whether `rows` x `columns` of `element` can be put into `layout`. */
bool layout_supports(enum layout layout, enum element_type element, int64_t rows, int64_t columns);

/* From the file's order into `layout`, and back.  `from` and `to` do not overlap; both hold
 * rows * element_row_bytes(element, columns) bytes. */
void layout_pack(enum layout layout, enum element_type element, int64_t rows, int64_t columns,
                 const void *from, void *to);
void layout_unpack(enum layout layout, enum element_type element, int64_t rows, int64_t columns,
                   const void *from, void *to);

#endif
