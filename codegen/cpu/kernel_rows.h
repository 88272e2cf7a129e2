/* Kernels that work row by row: how rows become work items, and how a row's columns go through
 * registers.
 *
 *     launch->geometry from rows_geometry(problem, operand, pieces, ...)
 *     struct row_loop rows;
 *     rows_begin(e, &rows, &kernel, pieces);
 *     ... rows.row, and its pieces rows.first .. rows.end ...
 *     rows_end(e, &rows); */
#ifndef CODEGEN_CPU_KERNEL_ROWS_H
#define CODEGEN_CPU_KERNEL_ROWS_H

#include "codegen/cpu/llvm_vector.h"

/* Work items for the rows of operand `operand` [rows, columns], each cut into `pieces`. */
CHECKED status rows_geometry(const struct problem *problem, int operand, int64_t pieces,
                             struct geometry *geometry, struct diagnostic *diagnostic);

/* A loop over the rows that the kernel's work items touch; this row's items are the pieces
 * [first, end). */
struct row_loop {
    struct loop loop;
    value row, first, end;
};
void rows_begin(struct emitter *e, struct row_loop *rows, const struct kernel_arguments *kernel,
                int64_t pieces);
void rows_end(struct emitter *e, struct row_loop *rows);

/* `columns` columns, `unroll` registers of `lanes` per round. */
struct columns {
    int64_t columns;
    int lanes, unroll;
};

/* Columns that one piece of a row should have to be at least `least`: whole rounds. */
int64_t columns_piece(const struct columns *columns, int64_t least);
int64_t columns_pieces(const struct columns *columns, int64_t least);

/* The work on one register: `count` of its lanes (known now) exist, from column `column` on.
 * Sums that go from register to register are updated in `sum`, one for each of `unroll` chains;
 * NULL where there are none. */
struct column_step {
    value column; /* i64 */
    int count, lanes;
    value *sum;
};
typedef void column_body(struct emitter *e, void *context, const struct column_step *step);

/* All columns.  `sums`: `unroll` vectors that the body adds to, or NULL. */
void columns_each(struct emitter *e, const struct columns *columns, column_body *body,
                  void *context, value *sums);
/* The pieces [first, end) of at least `least` columns. */
void columns_each_piece(struct emitter *e, const struct columns *columns, int64_t least,
                        value first, value end, column_body *body, void *context);

/* `step`'s lanes of a row of f32 at `row`. */
value column_load(struct emitter *e, const struct column_step *step, value row);
void column_store(struct emitter *e, const struct column_step *step, value row, value x);

#endif
