/* One step along a weight row of linear_dot_cpu: how many columns it takes, how its weights are
 * read, and how the activations of a step lie in memory when they are bytes. */
#ifndef OPS_LINEAR_LINEAR_STEP_CORE_CPU_H
#define OPS_LINEAR_LINEAR_STEP_CORE_CPU_H

#include "ops/linear/linear_core_cpu.h"

enum { LINEAR_BLOCK = 32, LINEAR_PARTS_MAX = 8 };

/* Bytes: a step is as many blocks as fill a register with weights (for q4_0, both halves of a
 * register of nibbles), so `parts` registers of bytes.  The activations of a step are those
 * registers of signed bytes, a register of i32 to start the sums with (it takes the weights' byte
 * offset away), and a register of f32 with the scale of each lane's block. FMA: a step is a block,
 * in `parts` registers of f32, or one register of a plain type. */
struct linear_step {
    enum linear_dot dot;
    enum element_type element;
    int lanes; /* of a register */
    int columns, blocks, parts;
    int64_t weight_bytes, x_bytes; /* of a step */
    int64_t full;                  /* whole steps in a row */
    int rest;                      /* columns behind them */
};

struct linear_step linear_step_of(const struct emitter *e, const struct linear_work *work,
                                  enum linear_dot dot);

/* Bytes of a row of activations in the form of the step. */
int64_t linear_step_row_bytes(const struct linear_step *step);

/* The weights of a step at `pointer`, of which `columns` exist: `parts` registers in `weights`, and
 * the scale of each lane in `*scales` (NULL for plain types). */
void linear_step_weights(struct emitter *e, const struct linear_step *step, value pointer,
                         int columns, value *weights, value *scales);

/* Emits the kernel that turns x (its argument 0) into bytes (argument 1) and adds it, with its
 * workspace, to the image. Returns the workspace. */
int linear_step_quantize(struct emitter *e, const struct linear_work *work,
                         const struct linear_step *step, struct image *image);

#endif
