/* Reading and writing rows of states. */
#include "ops/append/state_core_cpu.h"

#include "ops/append/append_core_cpu.h"

enum { BLOCK = 32, HALF = 16, SCALE_BYTES = 2, UNROLL = 4 };

bool state_is_block(enum element_type element)
{
    return element == ELEMENT_Q8_0 || element == ELEMENT_Q4_0;
}

bool state_is_supported(enum element_type element)
{
    return append_stores(element) || state_is_block(element);
}

value state_offset(struct emitter *e, enum element_type element, value column)
{
    const struct element *row = element_of(element);
    if (row->block_elements == BLOCK) column = shift_right(e, column, 5);
    return mul(e, column, constant_i64(e, row->block_bytes));
}

/* ---- Reading ---- */

static value load_bytes(struct emitter *e, value block, int64_t at, int lanes)
{
    return load(e, vector_of(e->i8, lanes), address_at(e, block, SCALE_BYTES + at), 1);
}

/* Numbers 0 to 15 of a block are the low halves of its bytes, 16 to 31 the high ones. */
static value load_halves(struct emitter *e, value block, int64_t within, int lanes)
{
    if (lanes == BLOCK)
        return concatenate(e, load_halves(e, block, 0, HALF), load_halves(e, block, HALF, HALF));
    value bytes = zero_extend(e, load_bytes(e, block, within % HALF, lanes), e->i32);
    value codes =
        within < HALF ? bit_and(e, bytes, splat_i32(e, 15, lanes)) : shift_right(e, bytes, 4);
    return sub(e, codes, splat_i32(e, 8, lanes));
}

value state_load(struct emitter *e, enum element_type element, value row, int64_t column, int count,
                 int lanes)
{
    if (!state_is_block(element))
        return load_as_f32(e, element, address_at(e, row, element_row_bytes(element, column)),
                           count, lanes);
    int64_t within = column % BLOCK;
    value block = address_at(e, row, element_row_bytes(element, column - within));
    value scale = load_as_f32(e, ELEMENT_F16, block, 1, 1);
    value whole = element == ELEMENT_Q8_0
                      ? sign_extend(e, load_bytes(e, block, within, lanes), e->i32)
                      : load_halves(e, block, within, lanes);
    return mulf(e, integer_to_f32(e, whole), splat(e, scale, lanes));
}

/* ---- Writing blocks: ir/element_encode_small.c in registers ---- */

static value inverse_of(struct emitter *e, value scale)
{
    value zero = constant_f32(e, 0);
    value some = bit_or(e, lessf(e, scale, zero), greaterf(e, scale, zero));
    return choose(e, some, divf(e, constant_f32(e, 1), scale), zero);
}

/* What is no number, or far too large, becomes 0. */
static value scaled_by(struct emitter *e, value x, value inverse)
{
    int lanes = lanes_of(x);
    value scaled = mulf(e, x, splat(e, inverse, lanes));
    value usual = lessf(e, absolutef(e, scaled), splat_f32(e, 1e9, lanes));
    return choose(e, usual, scaled, splat_f32(e, 0, lanes));
}

/* Halves away from zero. */
static value round_away(struct emitter *e, value x)
{
    int lanes = lanes_of(x);
    value whole = f32_to_i32(e, x), rest = subf(e, x, integer_to_f32(e, whole));
    value one = splat_i32(e, 1, lanes), zero = splat_i32(e, 0, lanes);
    value below_half = lessf(e, rest, splat_f32(e, 0.5, lanes));
    value above_half = greaterf(e, rest, splat_f32(e, -0.5, lanes));
    return sub(e, add(e, whole, choose(e, below_half, zero, one)),
               choose(e, above_half, zero, one));
}

static void store_scale(struct emitter *e, value scale, value block)
{
    store(e, narrow_f16(e, scale), block, 2);
}

static void store_q8_0(struct emitter *e, value x, value block)
{
    value largest = horizontal_maximumf(e, absolutef(e, x));
    value scale = divf(e, largest, constant_f32(e, 127));
    value quants = round_away(e, scaled_by(e, x, inverse_of(e, scale)));
    store_scale(e, scale, block);
    store(e, truncate_to(e, quants, e->i8), address_at(e, block, SCALE_BYTES), 1);
}

/* The value of largest magnitude, the first of equals. */
static value extreme_of(struct emitter *e, value x)
{
    value magnitude = absolutef(e, x), largest = horizontal_maximumf(e, magnitude);
    value same = splat(e, largest, BLOCK);
    value other = bit_or(e, lessf(e, magnitude, same), greaterf(e, magnitude, same));
    value sign = shift_right(e, reinterpret(e, x, vector_of(e->i32, BLOCK)), 31);
    value place = sub(e, splat_i32(e, 2 * BLOCK, BLOCK), shift_left(e, count_up(e, BLOCK), 1));
    value first =
        horizontal_maximum_signed(e, choose(e, other, splat_i32(e, 0, BLOCK), add(e, place, sign)));
    value negative = equal(e, bit_and(e, first, constant_i32(e, 1)), constant_i32(e, 1));
    return choose(e, negative, negf(e, largest), largest);
}

static void store_q4_0(struct emitter *e, value x, value block)
{
    value scale = divf(e, extreme_of(e, x), constant_f32(e, -8));
    value scaled = scaled_by(e, x, inverse_of(e, scale));
    value shifted = addf(e, scaled, splat_f32(e, 8.5, BLOCK));
    shifted = maximumf(e, minimumf(e, shifted, splat_f32(e, 15, BLOCK)), splat_f32(e, 0, BLOCK));
    value codes = f32_to_i32(e, shifted);
    value high = shift_left(e, slice(e, codes, HALF, HALF), 4);
    value pairs = bit_or(e, slice(e, codes, 0, HALF), high);
    store_scale(e, scale, block);
    store(e, truncate_to(e, pairs, e->i8), address_at(e, block, SCALE_BYTES), 1);
}

/* ---- Rows ---- */

struct state_row {
    enum element_type element;
    value from, to;
};

static void write_block(struct emitter *e, void *context, const struct column_step *step)
{
    const struct state_row *row = context;
    value x = column_load(e, step, row->from);
    value block = address(e, row->to, state_offset(e, row->element, step->column));
    if (row->element == ELEMENT_Q8_0)
        store_q8_0(e, x, block);
    else
        store_q4_0(e, x, block);
}

static void write_plain(struct emitter *e, void *context, const struct column_step *step)
{
    const struct state_row *row = context;
    value to = address(e, row->to, state_offset(e, row->element, step->column));
    append_store(e, row->element, column_load(e, step, row->from), to, step->count);
}

void state_write(struct emitter *e, enum element_type element, int64_t count, value from, value to)
{
    bool block = state_is_block(element);
    struct columns columns = {count, block ? BLOCK : e->lanes, block ? 1 : UNROLL};
    struct state_row row = {element, from, to};
    columns_each(e, &columns, block ? write_block : write_plain, &row, NULL);
}

static void widen_step(struct emitter *e, void *context, const struct column_step *step)
{
    const struct state_row *row = context;
    value from = address(e, row->from, state_offset(e, row->element, step->column));
    value to = address(e, row->to, mul(e, step->column, constant_i64(e, 4)));
    store(e, state_load(e, row->element, from, 0, step->count, step->lanes), to, 4 * e->lanes);
}

void state_widen(struct emitter *e, enum element_type element, int64_t count, value from, value to)
{
    bool block = state_is_block(element);
    struct columns columns = {count, block ? BLOCK : e->lanes, block ? 1 : UNROLL};
    struct state_row row = {element, from, to};
    columns_each(e, &columns, widen_step, &row, NULL);
}
