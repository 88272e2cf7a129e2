/* The operands of a register tile, rearranged so that the innermost loop only loads and multiplies.
 *
 * A tile multiplies `rows` rows of activations with `outputs` weight rows.  Both sides are cut
 * along the columns into records of eight units of four bytes: 8 columns as f32, 16 as bf16, or 32
 * as bytes, one block; for AMX of sixteen units, 32 columns as bf16.  In a panel the units of the weight rows of a record lie side by side, so
 * one load gives a unit of as many weight rows as a register has lanes; behind the units of bytes
 * follow the scales of the weight rows and, where there are, their minima, both once for each half
 * that has its own.  In packed activations a record has the units of each row one row after the
 * other, then (bytes), for each half, what each row's sums start with or, where weights have minima,
 * the sums that meet them, then each row's scale. */
#ifndef OPS_LINEAR_LINEAR_PANEL_CORE_CPU_H
#define OPS_LINEAR_LINEAR_PANEL_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

enum { LINEAR_UNITS = 8, LINEAR_UNITS_MAX = 16, LINEAR_UNIT_BYTES = 4 };

struct linear_tile {
    enum linear_dot dot;
    int lanes, vectors, outputs; /* outputs = lanes * vectors */
    int rows;
    int record_columns, units, row_bytes; /* of a record; bytes: of its units in one row */
    const struct unpack_form *form;       /* of the weights; NULL: a plain type */
    bool is_signed;  /* the panel's bytes are signed, without their offset of 128 */
    int halves;      /* of a record of bytes that have scales of their own: 1 or 2 */
    int64_t records; /* of all columns */
    int64_t x_record_bytes, panel_record_bytes;
    value tiles;    /* room for a tile of AMX's products; NULL: not needed */
    value unpacked; /* room for a block of each of the panel's rows; NULL: not needed */
};

/* Records of bytes, whatever multiplies them; AMX, whatever the records are of. */
bool linear_takes_bytes(enum linear_dot dot);
bool linear_takes_tiles(enum linear_dot dot);

struct linear_tile linear_tile_of(const struct emitter *e, const struct linear_work *work,
                                  enum linear_dot dot, int rows, int vectors);

/* Takes the room on the stack of the kernel that has begun. */
void linear_tile_make_room(struct emitter *e, const struct linear_work *work,
                           struct linear_tile *tile);

/* Bytes of `row_count` packed rows, rounded up to whole tiles, as a workspace. */
struct workspace linear_pack_workspace(const struct linear_tile *tile);

/* Emits the code that packs records [first, last) of the row of activations at `x` as row `slot` of
 * the tile at `to`. */
struct linear_packing {
    value slot, first, last;
};
void linear_pack_row(struct emitter *e, const struct linear_work *work,
                     const struct linear_tile *tile, value x, value to,
                     const struct linear_packing *packing);

/* Emits the kernel "pack" that rearranges x, and adds it with its workspace to the image.  Returns
 * the workspace. */
int linear_emit_pack(struct emitter *e, const struct linear_work *work,
                     const struct linear_tile *tile, struct image *image);

/* Units [first, end) of a record of bytes: one half or all of them. */
struct linear_byte_units {
    value weights, x; /* the panel's record, the packed one */
    int first, end;
};

/* Bytes with an offset of 128, in lanes of i32, become signed ones, and the other way round. */
value linear_flip_signs(struct emitter *e, value bytes);

/* The bytes of 32 columns of as many weight rows as a register has lanes, as a panel's record has them. */
struct linear_byte_block {
    value units[LINEAR_UNITS]; /* four bytes of each row */
    value scales[2],
        minima[2]; /* f32 for each row, of each half that has its own; minima may be NULL */
};
/* Emits code that stores what they stand for as the bf16 record at `record`, for the rows from `first_row` on. */
void linear_store_pairs(struct emitter *e, const struct linear_tile *tile,
                        const struct linear_byte_block *block, int first_row, value record);

/* Emits code that fills `panel` with records [first, last) of the weight rows at `weights`: its
 * rows are min(number, most - 1), so that a matrix with fewer rows than a panel is not read past
 * its end.  Record `first` goes to the panel's start.  A block is filled as a whole:
 * where a record is a part of one, `first` and `last` stand between blocks. */
void linear_fill_panel(struct emitter *e, const struct linear_work *work,
                       const struct linear_tile *tile, value weights, int64_t most, value first,
                       value last, value panel);

#endif
