/* The frame of simple kernels: work items are the rows of an operand, or equal parts of each (heads,
 * pieces of columns), and what happens to one of them is the operator's.
 *
 *     struct row_kernel kernel = {.name = "part", .parts = heads, .body = emit_head};
 *     return row_kernel_generate(generation, &kernel, arena, image, listing, diagnostic);
 *
 * What all rows share is made by `begin`, before the loop. */
#ifndef CODEGEN_CPU_ROW_KERNEL_H
#define CODEGEN_CPU_ROW_KERNEL_H

#include "codegen/cpu/kernel_rows.h"

struct row_kernel;
typedef void row_kernel_begin(struct emitter *e, const struct row_kernel *kernel);
/* Emits one part; `part` (i64) counts through the parts of all rows. */
typedef void row_kernel_body(struct emitter *e, const struct row_kernel *kernel, value part);

struct row_kernel {
    const char *name;
    int operand;             /* whose rows are counted */
    int64_t parts;           /* of a row; 0: row_kernel_cut's, or 1 */
    row_kernel_begin *begin; /* or NULL */
    row_kernel_body *body;
    void *state;            /* of begin and body */
    struct columns columns; /* set by row_kernel_cut */
    int64_t piece;
    const struct problem *problem; /* the rest is set by row_kernel_generate */
    struct kernel_arguments arguments;
    value operands[OP_OPERANDS_MAX]; /* NULL: not present */
};

CHECKED status row_kernel_generate(const struct generation *generation, struct row_kernel *kernel,
                                   struct arena *arena, struct image *image,
                                   struct listing *listing, struct diagnostic *diagnostic);

/* Makes the parts pieces of at least `piece` of a row's columns. */
void row_kernel_cut(struct row_kernel *kernel, int64_t columns, int64_t piece, int unroll);
/* The row that a part belongs to, and the columns of the piece that it is. */
value row_kernel_row(struct emitter *e, const struct row_kernel *kernel, value part);
void row_kernel_columns(struct emitter *e, const struct row_kernel *kernel, value part,
                        column_body *body, void *context);

/* Row `row` (i64) of `columns` f32 at `base`. */
value row_at(struct emitter *e, value base, value row, int64_t columns);
/* Copies a row of f32. */
void row_copy(struct emitter *e, int64_t columns, value from, value to);

#endif
