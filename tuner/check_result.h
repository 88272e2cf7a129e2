/* Checks: what a run of a workload must give, from the operator's reference, and how far from it a
 * kernel may be.
 *
 * The bound follows from how the kernel rounds (ir/numerics.h).  Its scale is what the reference
 * gives for the inputs' magnitudes: sum |terms| for everything that sums products.  Where signs
 * inside the operator make that small, the result itself and the root mean square of its row stand
 * in. */
#ifndef TUNER_CHECK_RESULT_H
#define TUNER_CHECK_RESULT_H

#include "ir/numerics.h"
#include "runtime/threads.h"
#include "tuner/workload.h"

/* One operand that kernels write. */
struct check_operand {
    int operand;
    int64_t rows, columns;
    int64_t bytes;
    unsigned char *expected; /* as in memory */
    float *reference; /* the same as numbers; NULL for whole numbers, which must agree exactly */
};

/* Per number of each operand, how large its terms are, for kernels that round activations in blocks
 * of one size. */
struct check_scales {
    int block;                     /* numerics.operand_block */
    float *scale[OP_OPERANDS_MAX]; /* by index into check.operands */
    void *memory;
};

enum { CHECK_SCALES_MAX = 4 };

struct check {
    const struct workload *workload;
    bool sampled; /* the reference was computed for some of its items only; elements without it hold
                     CHECK_UNKNOWN */
    double terms; /* summands per element */
    int operand_count, scales_count;
    struct check_operand operands[OP_OPERANDS_MAX];
    struct check_scales scales[CHECK_SCALES_MAX];
    void *memory;
    int64_t memory_bytes, scales_bytes; /* scales_bytes: of each of the scales */
};

/* The bits of a NaN that no reference gives. */
#define CHECK_UNKNOWN 0xffffffffu

struct check_options {
    struct thread_pool *pool; /* computes the references */
    double operations;        /* that the reference may take: above it, its items are sampled */
    const struct workload *magnitudes; /* has the magnitudes of the weights; NULL: they are made */
};

CHECKED status check_create(const struct workload *workload, const struct check_options *options,
                            struct check *check, struct diagnostic *diagnostic);
void check_destroy(struct check *check);

/* Computes the scales for kernels that round activations in blocks of this size, unless they are
 * there. */
CHECKED status check_prepare(struct check *check, const struct check_options *options, int block,
                             struct diagnostic *diagnostic);

/* Whether the operands that were written in place (`addresses` of the run) are right; else what
 * differs, into `reason`. `numerics` must have the block of check_prepare. */
bool check_compare(const struct check *check, const struct numerics *numerics,
                   void *const *addresses, char reason[static 192]);

/* The same for a run of the first so many rows, where rows are alike. */
bool check_compare_rows(const struct check *check, const struct numerics *numerics, int64_t rows,
                        void *const *addresses, char reason[static 192]);

/* How many rows may differ from each other so that the reference of all takes about `operations`
 * (for workload_options); 0: no need to repeat any. */
int64_t check_distinct_rows(const struct problem *problem, double operations);

#endif
