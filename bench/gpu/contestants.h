/* Who is measured for a problem: what tuning chose, what would have been taken without it, the best kernel of our own, and
 * cuBLASLt's algorithms, where it answers.  All run in one process, on the same operands, one sample of each after the other. */
#ifndef BENCH_GPU_CONTESTANTS_H
#define BENCH_GPU_CONTESTANTS_H

#include "runtime/device.h"
#include "tuner/store.h"
#include "tuner/trial.h"
#include "tuner/tune.h"

/* What a contestant stands for; several at once. */
enum contestant_role {
    ROLE_TUNED = 1,
    ROLE_DEFAULT = 2,
    ROLE_OWN = 4,           /* the best by records that is no library's */
    ROLE_LIBRARY_FIRST = 8, /* cuBLASLt as its heuristic has it */
    ROLE_LIBRARY = 16,      /* its other algorithms: the fastest of all counts */
    ROLES_ALL = 31
};

enum { CONTESTANTS_MAX = 32 };

struct contestant {
    int roles;
    struct candidate candidate;
    const char *text;
    struct trial_kernel kernel;
    struct outcome outcome; /* whether its results are right */
    int runs;               /* that make a sample */
    int next;               /* set of cold operands */
};

struct contest {
    struct arena *arena;
    const struct catalogue *catalogue;
    const struct runner *runner;
    struct device *device;
    const struct problem *problem;
    struct trial trial;
    bool prepared;
    struct contestant contestants[CONTESTANTS_MAX];
    int count;
};

/* From the records and the decision of tuning; nothing runs yet. */
CHECKED status contest_choose(struct contest *contest, struct store *store, const char *compiler,
                              const struct tune_row *row, struct diagnostic *diagnostic);

/* Makes operands, loads every contestant that has one of these roles and checks its results. */
CHECKED status contest_prepare(struct contest *contest, int roles, struct diagnostic *diagnostic);

/* One sample of each whose results were right, in an order that `round` turns; 0 for the others. */
CHECKED status contest_round(struct contest *contest, int round, double seconds[CONTESTANTS_MAX],
                             struct diagnostic *diagnostic);

void contest_close(struct contest *contest);

#endif
