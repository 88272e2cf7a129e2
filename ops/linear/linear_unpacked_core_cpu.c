/* Panels of block types.  The room has, for each row, its bytes, then a scale for each group of 16
 * columns, then a minimum for each. */
#include "ops/linear/linear_unpacked_core_cpu.h"

#include "ops/linear/linear_step_core_cpu.h"

/* Blocks of 32 have two groups, but scales come in vectors of 4. */
static int scale_lanes(const struct unpack_form *form)
{
    return form->block > LINEAR_BLOCK ? UNPACK_GROUPS_MAX : 4;
}

static int64_t row_bytes_of(const struct unpack_form *form)
{
    return form->block + 2 * 4 * scale_lanes(form);
}

bool linear_is_unpacked(const struct linear_work *work)
{
    return work->form && work->element != ELEMENT_Q8_0 && work->element != ELEMENT_Q4_0;
}

int64_t linear_unpacked_bytes(const struct linear_tile *tile)
{
    return tile->outputs * row_bytes_of(tile->form);
}

/* ---- Taking apart ---- */

static void unpack_row(struct emitter *e, const struct linear_work *work, value from, value to)
{
    struct unpacked block = unpack_block(e, work->element, from);
    for (int g = 0; g < work->form->block / UNPACK_GROUP; g++)
        store(e, block.bytes[g], address_at(e, to, (int64_t)g * UNPACK_GROUP), 4);
    value scales = address_at(e, to, work->form->block);
    store(e, block.scales, scales, 4);
    if (block.minima) store(e, block.minima, address_at(e, scales, 4 * scale_lanes(work->form)), 4);
}

static void unpack_rows(struct emitter *e, const struct linear_work *work,
                        const struct linear_tile *tile, int64_t most, value weights)
{
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, tile->outputs), 1, NULL, 0);
    value row = loop.index;
    if (most < tile->outputs) row = minimum_signed(e, row, constant_i64(e, most - 1));
    value from = address(e, weights, mul(e, row, constant_i64(e, work->row_bytes)));
    value to_bytes = constant_i64(e, row_bytes_of(tile->form));
    unpack_row(e, work, from, address(e, tile->unpacked, mul(e, loop.index, to_bytes)));
    loop_end(e, &loop, NULL);
}

/* ---- Putting together ---- */

/* What is at byte `at` of `lanes` rows from `first_row` on, of the 32 columns at `piece`. */
static void load_rows(struct emitter *e, const struct linear_tile *tile, LLVMTypeRef type,
                      value piece, int first_row, int64_t at, value *rows)
{
    for (int i = 0; i < tile->lanes; i++)
        rows[i] =
            load(e, type, address_at(e, piece, (first_row + i) * row_bytes_of(tile->form) + at), 4);
}

/* One word of each row as a register: scales. */
static value gather_words(struct emitter *e, const struct linear_tile *tile, value piece,
                          int first_row, int64_t at)
{
    value rows[TRANSPOSE_MAX], all = LLVMGetUndef(vector_of(e->f32, tile->lanes));
    load_rows(e, tile, e->f32, piece, first_row, at, rows);
    for (int i = 0; i < tile->lanes; i++) all = with_lane(e, all, rows[i], i);
    return all;
}

/* 32 bytes of each row. */
static void load_bytes(struct emitter *e, const struct linear_tile *tile, value piece,
                       int first_row, value *rows)
{
    load_rows(e, tile, vector_of(e->i32, LINEAR_UNITS), piece, first_row, 0, rows);
    for (int i = 0; tile->is_signed && i < tile->lanes; i++)
        rows[i] = linear_flip_signs(e, rows[i]);
}

/* Columns 8 * part .. 8 * part + 7 of 32 at `piece`, whose scales are at `scales`, as reals. */
static void load_reals(struct emitter *e, const struct linear_tile *tile, value piece, value scales,
                       int first_row, int part, value *rows)
{
    const struct unpack_form *form = tile->form;
    value of_scales[TRANSPOSE_MAX], minima[TRANSPOSE_MAX];
    int64_t group = 4 * (int64_t)(part * LINEAR_UNITS / UNPACK_GROUP);
    load_rows(e, tile, vector_of(e->i8, LINEAR_UNITS), piece, first_row, part * LINEAR_UNITS, rows);
    load_rows(e, tile, e->f32, scales, first_row, group, of_scales);
    if (form->has_minima)
        load_rows(e, tile, e->f32, scales, first_row, group + 4 * scale_lanes(form), minima);
    for (int i = 0; i < tile->lanes; i++) {
        value reals = unpacked_numbers(e, form, rows[i]);
        value scale = splat(e, of_scales[i], LINEAR_UNITS);
        rows[i] = form->has_minima ? muladdf(e, reals, scale, splat(e, minima[i], LINEAR_UNITS))
                                   : mulf(e, reals, scale);
    }
}

static void store_units(struct emitter *e, const struct linear_tile *tile, const value *rows,
                        int first_row, value record)
{
    value units[LINEAR_UNITS], words[TRANSPOSE_MAX];
    for (int i = 0; i < tile->lanes; i++)
        words[i] = reinterpret(e, rows[i], vector_of(e->i32, LINEAR_UNITS));
    transpose(e, words, tile->lanes, LINEAR_UNITS, units);
    for (int u = 0; u < LINEAR_UNITS; u++)
        store(e, units[u], address_at(e, record, 4 * ((int64_t)u * tile->outputs + first_row)), 4);
}

static void store_scales(struct emitter *e, const struct linear_tile *tile, value scales,
                         int first_row, value record)
{
    int kinds = tile->form->has_minima ? 2 : 1;
    for (int kind = 0; kind < kinds; kind++)
        for (int half = 0; half < tile->halves; half++) {
            int64_t at = 4 * (half + kind * scale_lanes(tile->form));
            int64_t word = LINEAR_UNITS + kind * tile->halves + half;
            store(e, gather_words(e, tile, scales, first_row, at),
                  address_at(e, record, 4 * (word * tile->outputs + first_row)), 4);
        }
}

/* 32 columns of a register of rows as bf16. */
static void store_pairs(struct emitter *e, const struct linear_tile *tile, value piece,
                        value scales, int first_row, value record)
{
    value rows[TRANSPOSE_MAX];
    struct linear_byte_block block = {.minima = {NULL}};
    load_bytes(e, tile, piece, first_row, rows);
    transpose(e, rows, tile->lanes, LINEAR_UNITS, block.units);
    for (int half = 0; half < tile->halves; half++) {
        block.scales[half] = gather_words(e, tile, scales, first_row, 4 * half);
        if (tile->form->has_minima)
            block.minima[half] =
                gather_words(e, tile, scales, first_row, 4 * (half + scale_lanes(tile->form)));
    }
    linear_store_pairs(e, tile, &block, first_row, record);
}

/* 32 columns of all rows: one record of bytes or four of reals. */
static void fill_piece(struct emitter *e, const struct linear_tile *tile, value piece, value scales,
                       value to)
{
    value rows[TRANSPOSE_MAX];
    for (int v = 0; v < tile->vectors; v++) {
        int first_row = v * tile->lanes;
        if (tile->dot == LINEAR_DOT_AMX) {
            store_pairs(e, tile, piece, scales, first_row, to);
            continue;
        }
        for (int r = 0; r < LINEAR_BLOCK / tile->record_columns; r++) {
            if (linear_takes_bytes(tile->dot))
                load_bytes(e, tile, piece, first_row, rows);
            else
                load_reals(e, tile, piece, scales, first_row, r, rows);
            store_units(e, tile, rows, first_row, address_at(e, to, r * tile->panel_record_bytes));
        }
        if (linear_takes_bytes(tile->dot)) store_scales(e, tile, scales, first_row, to);
    }
}

/* ---- Blocks of 256 as bytes ---- */

/* Registers of codes as they are unpacked, of as many rows as those have words, change places at once: word w of all
 * rows is a unit of one record. */
struct super_rows {
    const struct linear_work *work;
    const struct linear_tile *tile;
    struct unpack_request request;
    int first;      /* row of the panel */
    value from[16]; /* the rows' blocks */
};

static value super_place(struct emitter *e, const struct super_rows *rows, value to, int record,
                         int word)
{
    const struct linear_tile *tile = rows->tile;
    return address_at(e, to,
                      record * tile->panel_record_bytes +
                          4 * ((int64_t)word * tile->outputs + rows->first));
}

static void fill_super_part(struct emitter *e, const struct super_rows *rows, int part, value to)
{
    int lanes = rows->tile->lanes;
    value codes[TRANSPOSE_MAX], words[TRANSPOSE_MAX], parts[UNPACK_PARTS_MAX];
    for (int i = 0; i < lanes; i++) {
        unpack_parts(e, &rows->request, rows->from[i], parts); /* unused parts cost nothing */
        codes[i] = rows->tile->is_signed ? linear_flip_signs(e, parts[part]) : parts[part];
    }
    transpose(e, codes, lanes, lanes, words);
    for (int w = 0; w < lanes; w++) {
        int group = unpack_group_at(&rows->request, part, w / 4);
        store(e, words[w], super_place(e, rows, to, group / 2, group % 2 * 4 + w % 4), 4);
    }
}

/* Scales or minima, 16 lanes of each row; `first` and `step`: the lanes that records have. */
static void store_super_scales(struct emitter *e, const struct super_rows *rows,
                               const value *of_rows, int first, int step, int word, value to)
{
    int lanes = rows->tile->lanes, records = rows->tile->form->block / LINEAR_BLOCK;
    value words[TRANSPOSE_MAX];
    transpose(e, of_rows, lanes, UNPACK_GROUPS_MAX, words);
    for (int r = 0; r < records; r++)
        store(e, words[first + r * step], super_place(e, rows, to, r, word), 4);
}

static void fill_super_scales(struct emitter *e, const struct super_rows *rows, value to)
{
    const struct linear_tile *tile = rows->tile;
    value scales[TRANSPOSE_MAX], minima[TRANSPOSE_MAX];
    bool paired = unpack_is_paired(rows->request.type);
    for (int i = 0; i < tile->lanes; i++) {
        if (paired) {
            scales[i] = unpack_paired_scales(e, rows->from[i]);
            minima[i] = negf(e, scales[i]);
        } else {
            unpack_scales(e, &rows->request, rows->from[i], &scales[i], &minima[i]);
        }
    }
    int step = paired ? 1 : 2, behind = paired ? UNPACK_GROUPS_MAX / 2 : 0;
    for (int half = 0; half < tile->halves; half++) {
        store_super_scales(e, rows, scales, half, step, LINEAR_UNITS + half, to);
        if (tile->form->has_minima)
            store_super_scales(e, rows, minima, behind + half, step,
                               LINEAR_UNITS + tile->halves + half, to);
    }
}

static void fill_super(struct emitter *e, const struct linear_work *work,
                       const struct linear_tile *tile, int64_t most, value weights, value to)
{
    struct super_rows rows = {.work = work, .tile = tile};
    rows.request = (struct unpack_request){work->element, 1, 1, tile->lanes};
    for (int v = 0; v < tile->vectors; v++) {
        rows.first = v * tile->lanes;
        for (int i = 0; i < tile->lanes; i++) {
            int64_t row = rows.first + i < most ? rows.first + i : most - 1;
            rows.from[i] = address_at(e, weights, row * work->row_bytes);
        }
        for (int p = 0; p < unpack_part_count(&rows.request); p++) fill_super_part(e, &rows, p, to);
        fill_super_scales(e, &rows, to);
    }
}

void linear_fill_unpacked(struct emitter *e, const struct linear_work *work,
                          const struct linear_tile *tile, int64_t most, value weights, value to)
{
    int records = LINEAR_BLOCK / tile->record_columns, pieces = tile->form->block / LINEAR_BLOCK;
    int64_t groups_bytes = 4 * LINEAR_BLOCK / UNPACK_GROUP;
    if (linear_takes_bytes(tile->dot) && tile->form->block == LINEAR_SUPER) {
        fill_super(e, work, tile, most, weights, to);
        return;
    }
    unpack_rows(e, work, tile, most, weights);
    struct loop loop;
    loop_begin(e, &loop, constant_i64(e, 0), constant_i64(e, pieces), 1, NULL, 0);
    value piece = address(e, tile->unpacked, mul(e, loop.index, constant_i64(e, LINEAR_BLOCK)));
    value scales = address(e, address_at(e, tile->unpacked, tile->form->block),
                           mul(e, loop.index, constant_i64(e, groups_bytes)));
    value record = mul(e, loop.index, constant_i64(e, records * tile->panel_record_bytes));
    fill_piece(e, tile, piece, scales, address(e, to, record));
    loop_end(e, &loop, NULL);
}
