/* Judging somebody's kernel: a folder with variants (a space as YAML, its kernel beside it in CUDA, C or LLVM's language) is
 * compiled, verified against the operator's reference, and raced against what Hone would use.
 *
 * Everything of the folder runs in children that may crash, hang or eat memory.  The winner among Hone's own variants is
 * tuned first, with the same effort, so that nobody beats a default.  Right means: every config that its rules allow and
 * that was looked at gives the reference's results, twice the same, and writes nowhere else. */
#ifndef ENGINE_TRY_KERNEL_H
#define ENGINE_TRY_KERNEL_H

#include "engine/engine.h"
#include "tuner/tune.h"

enum verdict_kind {
    VERDICT_ACCEPTED, /* right, and faster than the incumbent beyond noise */
    VERDICT_EQUAL,    /* right; the race shows no difference */
    VERDICT_SLOWER,   /* right, and slower */
    VERDICT_WRONG, /* some config gives wrong results, different ones in two runs, or writes outside its outputs */
    VERDICT_FAILED,     /* no config ended well: compiler's refusal, crash, time, memory */
    VERDICT_UNANSWERED, /* no variant of the folder answers the problem on this device */
    VERDICT_UNDECIDED,  /* the time was over before the race */
    VERDICT_KINDS
};

/* For one problem. */
struct verdict {
    const struct problem *problem;
    double weight; /* how often it runs, relative to the others */
    enum verdict_kind kind;
    const char *reason;    /* in words */
    const char *candidate; /* the folder's best, or the one that the reason speaks of; "" */
    const char *incumbent; /* what it was raced against; "" */
    double seconds, incumbent_seconds; /* medians of the race; 0: none was run */
    double gain, gain_error; /* how much less time, in shares of the incumbent's: 0.1 +- 0.02 */
    uint64_t configurations; /* legal ones of the folder's variants */
    int measured;
    struct tune_rejections rejections;
};

struct try_options {
    struct engine_options
        engine; /* device, cpu, threads, cache, numerics; for a model also its bounds */
    const char *folder;
    const char
        *problem; /* canonical text, as `hone tune --json` prints it; NULL: those of the model */
    const char *model;
    const char *op; /* only problems of this operator; NULL: all */
    int effort;
    double budget_seconds; /* for the folder's variants, and once more for the incumbent; 0: none */
    uint64_t seed;
};

struct try_report {
    const char *device_class;
    enum verdict_kind
        kind; /* over all problems: wrong or failed if it is so anywhere, else accepted if it is so anywhere */
    double gain; /* of the weighted sum of times, where each problem takes the faster of the two */
    struct verdict *verdicts;
    int verdict_count;
    int restarts; /* workers that the kernels brought down */
    double seconds;
    bool interrupted;
};

CHECKED status try_folder(const struct try_options *options, struct arena *arena,
                          struct try_report *report, struct diagnostic *diagnostic);

const char *verdict_name(enum verdict_kind kind); /* "accepted", "slower" ... */

#endif
