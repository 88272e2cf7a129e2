/* Weight rows times activation rows, for the references: any element type and layout, sums in
 * double.
 *
 * A sum's order depends on the number of columns alone: eight partial sums over columns 0, 8, 16
 * .., 1, 9, 17 .., joined pairwise.  So a result does not depend on how the work is cut into
 * pieces. */
#ifndef OPS_DOT_H
#define OPS_DOT_H

#include "ir/problem.h"

enum {
    DOT_ROWS = 8,     /* rows of x that share one decoding of the weight */
    DOT_OUTPUTS = 64, /* outputs of a piece: enough to pay for handing it out */
};

/* A weight of `rows` x `columns`, or one expert of it. */
struct weight_view {
    enum element_type element;
    int layout;
    int64_t rows, columns;
    const unsigned char *bytes;
};

/* Operand `operand` of the problem, [n,k] or [e,n,k] (then `expert` says which [n,k]). */
struct weight_view weight_view_of(const struct problem *problem, int operand, void *const *operands,
                                  int64_t expert);

/* a . b in that order. */
double dot_floats(const float *a, const float *b, int64_t count);

/* sums[r] = x[r] . weight[row], for r < count <= DOT_ROWS. */
void dot_rows(const struct weight_view *weight, int64_t row, const float *const *x, int count,
              double sums[static DOT_ROWS]);

/* y[r][n] = x[r] . weight[n] + bias[n], rounded to float, for outputs [first, end) and count <=
 * DOT_ROWS rows; bias may be NULL. */
void dot_tile(const struct weight_view *weight, const float *bias, int64_t first, int64_t end,
              const float *const *x, int count, float *const *y);

/* One row of a table, decoded. */
void weight_decode_row(const struct weight_view *weight, int64_t row, float *values);

/* A run's rows and outputs cut into tiles of DOT_ROWS x DOT_OUTPUTS. */
struct tile {
    int64_t first_row, end_row, first_output, end_output;
};

int64_t tile_count(int64_t rows, int64_t outputs);
struct tile tile_of(int64_t item, int64_t rows, int64_t outputs);

/* The addresses of rows [first, end) of a matrix with `columns` floats per row; returns their
 * count. */
int tile_inputs(const float *matrix, int64_t columns, int64_t first, int64_t end,
                const float *rows[static DOT_ROWS]);
int tile_outputs(float *matrix, int64_t columns, int64_t first, int64_t end,
                 float *rows[static DOT_ROWS]);

#endif
