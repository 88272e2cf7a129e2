/* Blocks of quantised numbers inside kernels: taken apart into unsigned bytes, scales, and minima.
 *
 *     number = scale * (byte - offset) + minimum
 *
 * with one offset for the type, and a scale (and, in some types, a minimum) for each group of 16 or
 * 32 numbers (or, in most blocks of 128, for all).  Bytes of 8-bit floats stand for those.  Bytes come in registers, as they lie in the file, so a register's 16-byte slots hold
 * halves of blocks in an order of their own: unpack_group_at says which; whoever multiplies with them
 * puts the other operand into the same order.
 *
 * A new block type is one row of the table in llvm_unpack.c and, where its scales are packed like no
 * other's, one function. */
#ifndef CODEGEN_CPU_LLVM_UNPACK_H
#define CODEGEN_CPU_LLVM_UNPACK_H

#include "codegen/cpu/llvm_vector.h"

enum {
    UNPACK_GROUP = 16,      /* columns of a slot */
    UNPACK_GROUPS_MAX = 16, /* of a block */
    UNPACK_PARTS_MAX = 16,  /* registers of 16 bytes that hold 256 */
};

/* A plane: some bits of all codes of a block.  `run` neighbouring slots of 16 bytes hold neighbouring
 * columns, the next bits of the same bytes the columns behind them. */
struct unpack_plane {
    int at, bytes, bits, run;
};

struct unpack_form {
    int block;           /* columns: 32, 128 or 256 */
    int scale_columns;   /* that share a scale: 16 or 32 */
    int largest, offset; /* of the bytes */
    bool has_minima;
    struct unpack_plane low; /* of the codes; 8 bits: they are the bytes */
    struct unpack_plane high;
    const signed char *of_code; /* bytes less the offset, where codes are no numbers; NULL */
    enum element_type floats;   /* what the bytes are; ELEMENT_COUNT: whole numbers */
};

/* NULL for plain types. */
const struct unpack_form *unpack_form_of(enum element_type type);

/* Side by side, `blocks` blocks of 32 (a power of two), of which the first `present` exist; or one
 * block of 128 or 256. */
struct unpack_request {
    enum element_type type;
    int blocks, present;
    int lanes; /* of the registers of bytes, i32 each; 4 * lanes bytes divide the blocks' */
};

/* How many registers of bytes that makes, and the block and group of 16 columns that slot `slot` of
 * register `part` holds: 16 columns further is the next, whatever the block. */
int unpack_part_count(const struct unpack_request *request);
int unpack_group_at(const struct unpack_request *request, int part, int slot);

/* The bytes at `pointer`. */
void unpack_parts(struct emitter *e, const struct unpack_request *request, value pointer,
                  value *parts);

/* Scales and minima as f32.  Blocks of 32: a register, where lane l belongs to block l * blocks /
 * lanes. Wider blocks: 16 lanes, one for each group of 16.  `*minima` is NULL where there are
 * none. */
void unpack_scales(struct emitter *e, const struct unpack_request *request, value pointer,
                   value *scales, value *minima);

/* Where a block of 256 has eight scales and eight minima that are subtracted (q4_K, q5_K): all of
 * them as f32, the scales first, in fewer instructions. */
bool unpack_is_paired(enum element_type type);
value unpack_paired_scales(struct emitter *e, value pointer);

/* ---- One block in the order of its columns ---- */

struct unpacked {
    const struct unpack_form *form;
    value bytes[UNPACK_GROUPS_MAX]; /* <4 x i32> for each group of 16 */
    value scales, minima;           /* a lane for each group; minima may be NULL */
};

struct unpacked unpack_block(struct emitter *e, enum element_type type, value pointer);

/* What bytes stand for, less the offset, as f32. */
value unpacked_numbers(struct emitter *e, const struct unpack_form *form, value bytes);

/* The same of the 16 bytes of a group; and the 16 numbers. */
value unpacked_whole(struct emitter *e, const struct unpacked *block, int group);
value unpacked_reals(struct emitter *e, const struct unpacked *block, int group);

#endif
