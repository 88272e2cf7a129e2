/* The sums behind dot.h. */
#include "ops/dot.h"

#include "ir/layout.h"
#include "ops/access.h"

enum {
    CHUNK = 256, /* columns decoded at a time: a multiple of every block */
    LANES = 8,
    GROUP_BYTES = 16 * 512, /* of one unit of a layout's group; blocks have up to 512 bytes */
};

struct weight_view weight_view_of(const struct problem *problem, int operand, void *const *operands,
                                  int64_t expert)
{
    const struct tensor_type *type = operand_type(problem, operand);
    struct weight_view view = {
        .element = type->element,
        .layout = type->layout,
        .rows = type->shape[type->rank - 2].scale,
        .columns = type->shape[type->rank - 1].scale,
    };
    int64_t bytes = view.rows * element_row_bytes(view.element, view.columns);
    view.bytes = (const unsigned char *)operands[operand] + expert * bytes;
    return view;
}

/* The fewest columns that a layout of grouped rows keeps together: a block, or four bytes. */
static int64_t unit_columns(const struct element *element)
{
    return element->block_elements > 1 ? element->block_elements : 4 / element->block_bytes;
}

/* In such a layout the units of a group follow each other, each as long as its rows' parts: one is
 * unpacked to find the row's part in it. */
static void decode_grouped(const struct weight_view *weight, int64_t row, int64_t first,
                           int64_t count, float *values)
{
    enum layout layout = (enum layout)weight->layout;
    int64_t group = layout_group_rows(layout);
    int64_t unit = unit_columns(element_of(weight->element));
    int64_t unit_bytes = element_row_bytes(weight->element, unit);
    const unsigned char *bytes =
        weight->bytes + row / group * group * element_row_bytes(weight->element, weight->columns);
    unsigned char unpacked[GROUP_BYTES];
    for (int64_t c = 0; c < count; c += unit) {
        const unsigned char *packed = bytes + (first + c) / unit * unit_bytes * group;
        layout_unpack(layout, weight->element, group, unit, packed, unpacked);
        element_decode_row(weight->element, unpacked + row % group * unit_bytes, unit, values + c);
    }
}

/* Columns [first, first + count) of a row; both are multiples of the block. */
static void decode_columns(const struct weight_view *weight, int64_t row, int64_t first,
                           int64_t count, float *values)
{
    if (weight->layout == LAYOUT_ROWS)
        element_decode_row(weight->element,
                           weight->bytes +
                               row * element_row_bytes(weight->element, weight->columns) +
                               element_row_bytes(weight->element, first),
                           count, values);
    else
        decode_grouped(weight, row, first, count, values);
}

void weight_decode_row(const struct weight_view *weight, int64_t row, float *values)
{
    decode_columns(weight, row, 0, weight->columns, values);
}

static void add_products(const float *x, const float *w, int64_t count, double lanes[static LANES])
{
    int64_t whole = count / LANES * LANES;
    for (int64_t c = 0; c < whole; c += LANES)
        for (int l = 0; l < LANES; l++) lanes[l] += (double)x[c + l] * (double)w[c + l];
    for (int64_t c = whole; c < count; c++) lanes[c - whole] += (double)x[c] * (double)w[c];
}

static double join(const double lanes[static LANES])
{
    return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
           ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

double dot_floats(const float *a, const float *b, int64_t count)
{
    double lanes[LANES] = {0};
    add_products(a, b, count, lanes);
    return join(lanes);
}

void dot_rows(const struct weight_view *weight, int64_t row, const float *const *x, int count,
              double sums[static DOT_ROWS])
{
    double lanes[DOT_ROWS][LANES] = {{0}};
    float values[CHUNK];
    for (int64_t c = 0; c < weight->columns; c += CHUNK) {
        int64_t columns = smaller(CHUNK, weight->columns - c);
        decode_columns(weight, row, c, columns, values);
        for (int r = 0; r < count; r++) add_products(x[r] + c, values, columns, lanes[r]);
    }
    for (int r = 0; r < count; r++) sums[r] = join(lanes[r]);
}

void dot_tile(const struct weight_view *weight, const float *bias, int64_t first, int64_t end,
              const float *const *x, int count, float *const *y)
{
    double sums[DOT_ROWS];
    for (int64_t n = first; n < end; n++) {
        dot_rows(weight, n, x, count, sums);
        for (int r = 0; r < count; r++) y[r][n] = (float)(sums[r] + (bias ? (double)bias[n] : 0));
    }
}

int64_t tile_count(int64_t rows, int64_t outputs)
{
    return ceil_divide(rows, DOT_ROWS) * ceil_divide(outputs, DOT_OUTPUTS);
}

struct tile tile_of(int64_t item, int64_t rows, int64_t outputs)
{
    int64_t across = ceil_divide(outputs, DOT_OUTPUTS);
    struct tile tile = {.first_row = item / across * DOT_ROWS,
                        .first_output = item % across * DOT_OUTPUTS};
    tile.end_row = smaller(tile.first_row + DOT_ROWS, rows);
    tile.end_output = smaller(tile.first_output + DOT_OUTPUTS, outputs);
    return tile;
}

int tile_inputs(const float *matrix, int64_t columns, int64_t first, int64_t end,
                const float *rows[static DOT_ROWS])
{
    for (int64_t r = first; r < end; r++) rows[r - first] = matrix + r * columns;
    return (int)(end - first);
}

int tile_outputs(float *matrix, int64_t columns, int64_t first, int64_t end,
                 float *rows[static DOT_ROWS])
{
    for (int64_t r = first; r < end; r++) rows[r - first] = matrix + r * columns;
    return (int)(end - first);
}
