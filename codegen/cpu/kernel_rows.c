/* Loops over rows and columns. */
#include "codegen/cpu/kernel_rows.h"

#include <assert.h>

enum { UNROLL_MAX = 16 };

/* ---- Rows ---- */

status rows_geometry(const struct problem *problem, int operand, int64_t pieces,
                     struct geometry *geometry, struct diagnostic *diagnostic)
{
    struct dimension rows = problem->operands[operand].type.shape[0];
    if (rows.symbol != SYMBOL_NONE && rows.symbol != SYMBOL_ROWS)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%s has %s rows, which no launch can count; only the step's rows can be",
                    problem->text, symbol_name(rows.symbol));
    *geometry = (struct geometry){.rows_per_item = rows.symbol == SYMBOL_ROWS,
                                  .items_per_row_group = rows.scale * pieces,
                                  .unit = 1};
    return STATUS_OK;
}

void rows_begin(struct emitter *e, struct row_loop *rows, const struct kernel_arguments *kernel,
                int64_t pieces)
{
    value zero = constant_i64(e, 0), per_row = constant_i64(e, pieces);
    value first = kernel->begin, end = kernel->end;
    if (pieces > 1) {
        first = divide_signed(e, first, per_row);
        end = divide_signed(e, add(e, end, constant_i64(e, pieces - 1)), per_row);
    }
    loop_begin(e, &rows->loop, first, end, 1, NULL, 0);
    rows->row = rows->loop.index;
    value start = mul(e, rows->row, per_row);
    rows->first = maximum_signed(e, sub(e, kernel->begin, start), zero);
    rows->end = minimum_signed(e, sub(e, kernel->end, start), per_row);
}

void rows_end(struct emitter *e, struct row_loop *rows)
{
    loop_end(e, &rows->loop, NULL);
}

/* ---- Columns ---- */

static int64_t round_columns(const struct columns *columns)
{
    return (int64_t)columns->lanes * columns->unroll;
}

int64_t columns_piece(const struct columns *columns, int64_t least)
{
    int64_t round = round_columns(columns);
    return (least + round - 1) / round * round;
}

int64_t columns_pieces(const struct columns *columns, int64_t least)
{
    int64_t piece = columns_piece(columns, least);
    return (columns->columns + piece - 1) / piece;
}

/* Columns [first, end), both multiples of a round. */
static void emit_rounds(struct emitter *e, const struct columns *columns, value first, value end,
                        column_body *body, void *context, value *sums)
{
    struct loop loop;
    value next[UNROLL_MAX];
    int count = sums ? columns->unroll : 0;
    loop_begin(e, &loop, first, end, round_columns(columns), sums, count);
    for (int i = 0; i < count; i++) next[i] = loop.carried[i];
    for (int u = 0; u < columns->unroll; u++) {
        value column = add(e, loop.index, constant_i64(e, (int64_t)u * columns->lanes));
        struct column_step step = {column, columns->lanes, columns->lanes, sums ? next + u : NULL};
        body(e, context, &step);
    }
    loop_end(e, &loop, next);
    for (int i = 0; i < count; i++) sums[i] = loop.carried[i];
}

/* What is behind the last whole round. */
static void emit_rest(struct emitter *e, const struct columns *columns, column_body *body,
                      void *context, value *sums)
{
    int64_t round = round_columns(columns), column = columns->columns / round * round;
    for (int u = 0; column < columns->columns; u++, column += columns->lanes) {
        int64_t left = columns->columns - column;
        int count = left < columns->lanes ? (int)left : columns->lanes;
        struct column_step step = {constant_i64(e, column), count, columns->lanes,
                                   sums ? sums + u : NULL};
        body(e, context, &step);
    }
}

void columns_each(struct emitter *e, const struct columns *columns, column_body *body,
                  void *context, value *sums)
{
    assert(columns->unroll <= UNROLL_MAX);
    int64_t whole = columns->columns / round_columns(columns) * round_columns(columns);
    if (whole)
        emit_rounds(e, columns, constant_i64(e, 0), constant_i64(e, whole), body, context, sums);
    emit_rest(e, columns, body, context, sums);
}

void columns_each_piece(struct emitter *e, const struct columns *columns, int64_t least,
                        value first, value end, column_body *body, void *context)
{
    int64_t pieces = columns_pieces(columns, least);
    if (pieces == 1) {
        columns_each(e, columns, body, context, NULL);
        return;
    }
    int64_t round = round_columns(columns), whole = columns->columns / round * round;
    value piece = constant_i64(e, columns_piece(columns, least));
    value last = minimum_signed(e, mul(e, end, piece), constant_i64(e, whole));
    emit_rounds(e, columns, mul(e, first, piece), last, body, context, NULL);
    if (whole == columns->columns) return;
    struct branch at_end;
    if_begin(e, &at_end, equal(e, end, constant_i64(e, pieces)));
    emit_rest(e, columns, body, context, NULL);
    if_end(e, &at_end, NULL, NULL);
}

value column_load(struct emitter *e, const struct column_step *step, value row)
{
    value pointer = address(e, row, mul(e, step->column, constant_i64(e, 4)));
    return load_first(e, vector_of(e->f32, step->lanes), pointer, step->count, 4);
}

void column_store(struct emitter *e, const struct column_step *step, value row, value x)
{
    value pointer = address(e, row, mul(e, step->column, constant_i64(e, 4)));
    store_first(e, x, pointer, step->count, 4);
}
