/* Workloads: the operands of a problem in memory, made so that a kernel's mistakes show.
 *
 * Inputs hold seeded random numbers.  Outputs are poisoned before each run, states that are written
 * in place are put back, guard bands lie around every operand, and inputs are compared with their
 * hashes afterwards.  Operands that a step finds cold (weights, states) exist in several copies,
 * more than the last-level cache holds, that timed runs walk over. */
#ifndef TUNER_WORKLOAD_H
#define TUNER_WORKLOAD_H

#include "base/hash.h"
#include "ir/problem.h"

struct workload_options {
    uint64_t seed;
    int64_t rows;               /* of this run; 0: the problem's bound */
    int64_t cache_bytes;        /* last-level cache: cold copies exceed twice this; 0: one copy */
    int64_t memory_limit_bytes; /* STATUS_NO_MEMORY when one copy of all operands needs more */
    int64_t distinct_rows; /* above 0: activations repeat this many rows, where the operator treats
                              rows alike */
    int magnitude_block;   /* above 0: magnitudes instead of numbers, for activations the largest of
                            * so many   neighbours; same seed, so that they are those of the numbers
                            * of   the other workload */
    const struct workload
        *weights; /* use the weights of this one, which must outlive this one; NULL: make them */
};

struct workload_operand {
    bool present, output;
    bool written;            /* a state that the operator changes */
    bool cold;               /* has a copy in every set */
    unsigned char *borrowed; /* a weight of another workload; NULL: it lies in this one's memory */
    int64_t bytes;
    int64_t offset;      /* into the memory, of the only copy or of that in set 0 */
    struct hash content; /* inputs: what they must hold after a run */
};

struct workload {
    const struct problem *problem;
    struct run run;
    uint64_t seed;
    int64_t distinct_rows; /* as in the options, or 0 where rows are not alike */
    int operand_count;
    struct workload_operand operands[OP_OPERANDS_MAX];
    int set_count;
    int64_t set_bytes;
    unsigned char *memory;
    int64_t memory_bytes, written_bytes;
    unsigned char *written; /* first contents of states that are written */
};

CHECKED status workload_create(const struct problem *problem,
                               const struct workload_options *options, struct workload *workload,
                               struct diagnostic *diagnostic);
void workload_destroy(struct workload *workload);

/* The addresses for the n-th run; absent operands are NULL. */
void workload_addresses(const struct workload *workload, int n, void *addresses[OP_OPERANDS_MAX]);

/* How much of the memory, from its start, holds everything up to the last of so many sets; the edge
 * at the end of the memory is behind it. */
enum { WORKLOAD_EDGE_BYTES = 1 << 20 };
int64_t workload_span(const struct workload *workload, int sets);

/* Before a run: fills outputs with `poison` bytes and puts written states of set 0 back. */
void workload_poison(const struct workload *workload, unsigned char poison);

/* Whether guard bands and inputs are as they were; else what is wrong, as text into `reason`.
 * `sets`: how many of the sets of cold copies are looked at. */
bool workload_intact(const struct workload *workload, int sets, char reason[static 128]);

/* Rows of an operand's random numbers that differ from each other: the others repeat them.  The row
 * that row r repeats; itself below that number. */
int64_t workload_distinct(const struct workload *workload, int operand);
int64_t workload_row_class(const struct workload *workload, int64_t row, int64_t distinct);

/* The last dimension of an operand in this run, which may be symbolic, and the product of the
 * others. */
int64_t workload_columns(const struct workload *workload, int operand);
int64_t workload_rows(const struct workload *workload, int operand);

/* Whether the operator treats rows alike: each row of the outputs depends on the same row of the
 * inputs and on weights alone, as far as the operands tell.  (check_result.c tries it before it relies on
 * it.) */
bool problem_rows_alike(const struct problem *problem);

/* workload_fill.c: writes one input of the run.  `table` holds WORKLOAD_TABLE_COUNT random numbers.
 */
enum { WORKLOAD_TABLE_COUNT = 1 << 16 };
void workload_fill_table(uint64_t seed, float *table);
CHECKED status workload_fill(const struct workload *workload, int operand, int magnitude_block,
                             const float *table, void *bytes, struct diagnostic *diagnostic);

#endif
