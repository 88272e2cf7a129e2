/* Rounding activations to bytes: 32 neighbouring numbers share a scale. */
#ifndef OPS_LINEAR_LINEAR_QUANTIZE_CORE_CPU_H
#define OPS_LINEAR_LINEAR_QUANTIZE_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

/* A block of activations: number i is `scale` times byte i. */
struct linear_bytes {
    value halves[2]; /* 16 signed bytes each, -127..127 */
    value scale;     /* f32 */
};

/* The 32 floats at `x`.  Numbers round to the nearest, ties to even; the largest becomes 127.  A
 * block whose largest is below 2^-100 becomes zero; one with a NaN or an infinity gets that as its
 * scale. */
struct linear_bytes linear_quantize_block(struct emitter *e, value x);

/* Its two steps, for blocks of other shapes: what the numbers are multiplied with and its inverse,
 * from the bits of the largest magnitude (i32); and whole numbers (i32) of x times that. */
void linear_choose_scale(struct emitter *e, value bits, value *factor, value *scale);
value linear_round(struct emitter *e, value x, value factor);

/* -offset times the sum of each four bytes: what sums of products with weights shifted by `offset`
 * start with. */
value linear_offset_sums(struct emitter *e, value half, int offset);

/* Work items of a kernel over rows are (row, piece) pairs, `pieces` to a row.  Begins the loop over
 * the rows that [begin, end) touches; this row's pieces are [first, last). */
struct linear_row_loop {
    struct loop loop;
    value row, first, last;
};
void linear_rows_begin(struct emitter *e, struct linear_row_loop *rows,
                       const struct kernel_arguments *kernel, int64_t pieces);
void linear_rows_end(struct emitter *e, struct linear_row_loop *rows);

#endif
