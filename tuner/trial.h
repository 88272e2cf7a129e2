/* A trial: everything it takes to judge kernels for one problem, in the process that runs them.
 *
 * There are two workloads: the whole problem, and one of fewer rows (an odd number) with other
 * numbers.  A kernel runs on the second, then twice on the first with different poison in its
 * outputs: wrong rests of loops, results left over from an earlier run, and results that depend on
 * more than the inputs show. */
#ifndef TUNER_TRIAL_H
#define TUNER_TRIAL_H

#include "tuner/check_result.h"
#include "tuner/record.h"
#include "tuner/runner.h"

enum { TRIAL_DETAIL_BYTES = 256 };

/* What became of a candidate; `detail` says why it failed. */
struct outcome {
    enum record_status status;
    char detail[TRIAL_DETAIL_BYTES];
};

enum { TRIAL_WHOLE, TRIAL_ODD, TRIAL_COUNT };

/* A workload as kernels see it (trial_memory.h). */
struct trial_part {
    void *memory;                       /* the copy on the device; NULL: kernels use the host's */
    void *(*operands)[OP_OPERANDS_MAX]; /* per set of cold operands */
    int operand_sets;
};

struct trial {
    const struct problem *problem;
    const struct runner *runner; /* whose memory is used; NULL: the host's */
    void *context;
    struct trial_part parts[TRIAL_COUNT];
    struct workload workloads[TRIAL_COUNT];
    struct check checks[TRIAL_COUNT];
    unsigned char *kept; /* outputs of the run before */
    int64_t kept_bytes;
};

struct trial_options {
    uint64_t seed;
    int64_t cache_bytes; /* the last-level cache's */
    int64_t memory_limit_bytes;
    double check_operations;  /* that one reference may take */
    struct thread_pool *pool; /* for references */
    const int *blocks;        /* numerics.operand_block of all variants that may come */
    int block_count;
    const struct runner *
        runner; /* of the kernels that will come, and its open context; NULL: they use the host's memory */
    void *context;
};

CHECKED status trial_create(const struct problem *problem, const struct trial_options *options,
                            struct trial *trial, struct diagnostic *diagnostic);
void trial_destroy(struct trial *trial);

/* A kernel on a device, with what the trial needs to know of it. */
struct trial_kernel {
    const struct runner *runner;
    void *context, *kernel;
    struct numerics numerics;
    struct hash results; /* of the outputs that trial_check found right */
};

/* Judges a kernel; `seconds` is the shorter of its two runs on the whole problem. */
void trial_check(struct trial *trial, struct trial_kernel *kernel, double *seconds,
                 struct outcome *outcome);

enum { TRIAL_ALL_SETS = INT32_MAX };

/* Runs the kernel once more on the whole problem: its results must be those that were right, and
 * `sets` sets of cold operands be as they were. */
void trial_confirm(struct trial *trial, const struct trial_kernel *kernel, int sets,
                   struct outcome *outcome);

/* Timed runs from the n-th on: measure.h's measure_run over a struct trial_timing. */
struct trial_timing {
    const struct trial *trial;
    const struct trial_kernel *kernel;
};
CHECKED status trial_run(void *timing, int n, int runs, double *seconds,
                         struct diagnostic *diagnostic);

#endif
