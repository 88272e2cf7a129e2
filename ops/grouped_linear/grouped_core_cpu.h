/* What the CPU emitters of grouped_linear and grouped_gated share: linear's work
 * (linear_core_cpu.h) with a matrix per expert, and the walk over the experts that have slots.
 *
 * Work items are cut along the outputs alone: each has its outputs of every expert in use, so that
 * threads have equal work however the tokens are routed. */
#ifndef OPS_GROUPED_LINEAR_GROUPED_CORE_CPU_H
#define OPS_GROUPED_LINEAR_GROUPED_CORE_CPU_H

#include "ops/grouped.h"
#include "ops/linear/linear_stream_core_cpu.h"

struct grouped_work {
    struct linear_work linear; /* of one expert */
    int64_t experts;
    int64_t expert_bytes; /* of a weight */
    int64_t slots;        /* per row of the step */
    int64_t divisor;      /* slot s reads row order[s] / divisor of x; 0: row s */
};

/* Fails when the problem is neither operator, when its weights are not ones that linear takes, or
 * when a launch could not count its slots. */
CHECKED status grouped_work_read(const struct problem *problem, struct grouped_work *work,
                                 struct diagnostic *diagnostic);

/* ---- Operands inside a kernel ---- */

struct grouped_pointers {
    struct linear_pointers linear; /* weights: of the first expert */
    value order, offsets;
    value slot_count; /* i64 */
};

/* Adds the operands to the launch and loads their addresses; `workspace` as in
 * linear_add_arguments. */
struct grouped_pointers grouped_load_pointers(struct emitter *e, const struct grouped_work *work,
                                              const struct kernel_arguments *kernel,
                                              struct launch *launch, int workspace);

/* The same with one expert's weights. */
struct linear_pointers grouped_expert_pointers(struct emitter *e, const struct grouped_work *work,
                                               const struct grouped_pointers *pointers,
                                               value expert);

/* ---- Experts ---- */

/* A loop over the experts that have slots: [first, end), never empty.  `tiles` is the number of
 * tiles of `tile_rows` slots that the experts before it fill, each beginning with a new one. */
struct grouped_loop {
    value expert, first, end, tiles;
    struct loop loop;
    struct branch used;
    value next;
};

void grouped_loop_begin(struct emitter *e, struct grouped_loop *experts,
                        const struct grouped_work *work, const struct grouped_pointers *pointers,
                        int tile_rows);
void grouped_loop_end(struct emitter *e, struct grouped_loop *experts);

/* Which rows of x the slots read. */
struct linear_rows grouped_rows_of(const struct grouped_work *work,
                                   const struct grouped_pointers *pointers, value first, value end);

/* Zeros in outputs [begin, end) of the slots without an expert. */
void grouped_clear_rest(struct emitter *e, const struct grouped_work *work,
                        const struct grouped_pointers *pointers, value begin, value end);

#endif
