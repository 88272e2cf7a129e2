/* One step along a weight row of linear_dot_cpu: how many columns it takes, how its weights are
 * read, and how the activations of a step lie in memory when they are bytes. */
#ifndef OPS_LINEAR_LINEAR_STEP_CORE_CPU_H
#define OPS_LINEAR_LINEAR_STEP_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

enum { LINEAR_BLOCK = 32, LINEAR_PARTS_MAX = 64, LINEAR_SUPER = 256 };

/* Bytes: a step is a block of 128 or 256, or as many blocks of 32 as fill a register with codes, so `parts`
 * registers of bytes in the order of unpack_group_at.  The activations of a step are those registers
 * of signed bytes and, behind them, two registers (wider blocks: twice 16 lanes, one for each group
 * of 16 columns, zeros behind the last): the scale of each lane's block, and what meets the weights' minima: sums of bytes
 * times their scale; paired: the scales of 8 blocks of 32, then what meets their minima, negative.  Blocks of 32 without minima have, in place of the latter, i32 to start the sums
 * with, which take the weights' byte offset away.
 *
 * BF16: a step is a register of bf16, the activations' too.
 *
 * FMA: a step is a block, in `parts` registers of f32, or one register of a plain type. */
struct linear_step {
    enum linear_dot dot;
    enum element_type element;
    const struct unpack_form *form; /* NULL: a plain type */
    int lanes;                      /* of a register */
    bool paired;                    /* as unpack_is_paired says */
    int columns, blocks, parts;
    int64_t weight_bytes, x_bytes; /* of a step */
    int64_t full;                  /* whole steps in a row */
    int rest;                      /* columns behind them */
};

struct linear_step linear_step_of(const struct emitter *e, const struct linear_work *work,
                                  enum linear_dot dot);

/* Bytes of a row of activations in the form of the step. */
int64_t linear_step_row_bytes(const struct linear_step *step);

/* Where among the bytes of a step's activations group `group` of 16 columns lies. */
int linear_step_group_offset(const struct linear_step *step, int group);

/* Bytes: number = scale * byte + minimum, where blocks of 32 without minima have the byte offset
 * still in the bytes.  Scales and minima are for lanes, or (wider blocks) for groups of 16 columns.
 * BF16: the numbers.  Reals: the numbers, still to be multiplied with `scales` unless it is NULL. */
struct linear_weights {
    value parts[LINEAR_PARTS_MAX], scales, minima;
};

/* The weights of a step at `pointer`, of which `columns` exist. */
void linear_step_weights(struct emitter *e, const struct linear_step *step, value pointer,
                         int columns, struct linear_weights *weights);

/* Emits the kernel that rounds x (its argument 0) to the form of the step (argument 1) and adds it, with its
 * workspace, to the image. Returns the workspace. */
int linear_step_quantize(struct emitter *e, const struct linear_work *work,
                         const struct linear_step *step, struct image *image);

#endif
