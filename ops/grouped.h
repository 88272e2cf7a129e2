/* What grouped_linear and grouped_gated have in common: slots sorted by expert, and the row of x
 * that a slot reads.  Inputs 0, 1 and 2 of both are x, order and offsets. */
#ifndef OPS_GROUPED_H
#define OPS_GROUPED_H

#include "ops/dot.h"
#include "ops/infer.h"

enum grouped_input { GROUPED_X, GROUPED_ORDER, GROUPED_OFFSETS };

/* How x lies: one row per token, read through `order`, or one row per slot.  By its number of rows,
 * which only says nothing when each token uses one expert. */
enum grouped_rows { GROUPED_BY_SHAPE, GROUPED_BY_TOKEN, GROUPED_BY_SLOT };

extern const char *const grouped_rows_names[];

/* The row of an attribute table. */
#define GROUPED_ROWS_ATTRIBUTE                                                                     \
    {                                                                                              \
        .name = "rows", .kind = ATTRIBUTE_CHOICE, .choices = grouped_rows_names                    \
    }

/* Checks x, order, offsets and a weight [experts, m, k]. */
CHECKED status infer_grouped(const struct inference *inference, enum grouped_rows rows, int weight);

/* Slots per row of x where x lies by token: slot s reads row order[s] / divisor; 0 where it lies by
 * slot. */
int64_t grouped_divisor(const struct problem *problem, enum grouped_rows rows);

struct grouped {
    int64_t slots, experts;
    int64_t divisor; /* slot s reads row order[s] / divisor of x; 0: row s */
    int64_t columns;
    const float *x;
    const int32_t *order, *offsets;
};

struct grouped grouped_of(const struct problem *problem, const struct run *run, int weight,
                          enum grouped_rows rows, void *const *operands);

/* Slots [first, end) of one expert (-1: none), at most DOT_ROWS of them, from `slot` on. */
struct slot_run {
    int64_t first, end, expert;
};
struct slot_run grouped_run(const struct grouped *grouped, int64_t slot, int64_t end);

/* The rows of x for a run of slots. */
int grouped_inputs(const struct grouped *grouped, const struct slot_run *run,
                   const float *rows[static DOT_ROWS]);

/* Zeros for slots without an expert. */
void grouped_clear(const struct slot_run *run, const struct tile *tile, float *y, int64_t columns);

/* Bytes touched when as many experts as possible, but no more than assignments, are used;
 * `weights` is the number of weights, from input `first` on. */
double grouped_bytes(const struct problem *problem, int first, int weights);

/* Fills order and offsets; false for other operands. */
bool grouped_fill(const struct problem *problem, const struct run *run, int weight, int operand,
                  uint64_t seed, void *bytes);

#endif
