/* A trial: everything it takes to judge kernels for one problem, in the process that runs them.
 *
 * There are three workloads: the whole problem, one of fewer rows (an odd number), and one of as
 * many rows with fresh numbers.  A kernel runs on the second, twice on the first with different
 * poison in its outputs, and on the third's numbers at the first's addresses: wrong rests of loops,
 * results left over from an earlier run, and results that depend on more than the inputs show.
 *
 * Timed runs are watched as well (trial_watch.c), so that a kernel which works less when it is not
 * looked at has no time. */
#ifndef TUNER_TRIAL_H
#define TUNER_TRIAL_H

#include "tuner/check_result.h"
#include "tuner/record.h"
#include "tuner/runner.h"

#include <stdatomic.h>

enum { TRIAL_DETAIL_BYTES = 256 };

/* What became of a candidate; `detail` says why it failed. */
struct outcome {
    enum record_status status;
    char detail[TRIAL_DETAIL_BYTES];
};

enum { TRIAL_WHOLE, TRIAL_ODD, TRIAL_FRESH, TRIAL_COUNT };

/* A place in the outputs that is spoiled before a timed run, and one in the inputs that changes
 * with it by its last bit.  NULL: there is none. */
struct trial_probe {
    unsigned char *output, *input;
    uint32_t mask;          /* what spoiling changes */
    unsigned char original; /* of the input */
};
enum { TRIAL_PROBES = 64 };

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
    _Atomic unsigned *steps; /* counts runs that have ended; NULL: nobody waits */
    struct trial_part parts[TRIAL_COUNT];
    struct workload workloads[TRIAL_COUNT];
    struct check checks[TRIAL_COUNT];
    int fresh; /* the one with fresh numbers: the second, where it has as many rows as the first */
    unsigned char *originals; /* inputs of the first while fresh numbers are in their places */
    int64_t originals_bytes;
    struct trial_probe probes[TRIAL_PROBES];
    uint64_t seed;
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
    _Atomic unsigned *steps;
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
    double timed_seconds, ambush_seconds;
    uint64_t samples;     /* timed ones */
    struct outcome fault; /* of a timed run, when that failed */
};

/* Judges a kernel; `seconds` is the shorter of its two runs on the whole problem. */
void trial_check(struct trial *trial, struct trial_kernel *kernel, double *seconds,
                 struct outcome *outcome);

/* Whether all that kernels only read is as it was, and nothing around it was written; what timed runs
 * of several kernels have spoiled may be any one's doing. */
bool trial_intact(struct trial *trial, struct outcome *outcome);

/* Runs the kernel once more on the whole problem: its results must be those that were right.
 * Before a kernel may win (`finally`) it runs on other numbers of rows as well, where rows are
 * alike. */
void trial_confirm(struct trial *trial, struct trial_kernel *kernel, bool finally,
                   struct outcome *outcome);

/* Timed runs from the n-th on: measure.h's measure_run over a struct trial_timing.  When it fails
 * kernel->fault says how; RECORD_OK there: the runner failed. */
struct trial_timing {
    struct trial *trial;
    struct trial_kernel *kernel;
};
CHECKED status trial_run(void *timing, int n, int runs, double *seconds,
                         struct diagnostic *diagnostic);

#endif
