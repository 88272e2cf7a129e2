/* Experiments with kernels, one after the other: something proposes a change of a folder of variants, a harness that the
 * change cannot touch judges it (engine/try_kernel.h), and it is kept or taken back.
 *
 * A candidate is kept when it is right and needs less time than the one kept before it, both measured against the same
 * incumbent, by more than the errors of both.  Otherwise the folder gets the kept content again.  Contents are kept for good
 * under their hashes in a folder beside the ledger, so that every experiment can be repeated. */
#ifndef ENGINE_EXPERIMENTS_H
#define ENGINE_EXPERIMENTS_H

#include "engine/experiment_ledger.h"

struct experiments_options {
    struct try_options judged; /* `folder` is the one that is changed */
    const char *ledger;        /* path; contents lie in LEDGER.d */
    const char *
        propose; /* a command of the shell that changes the folder; NULL: what is there is judged, once */
    double propose_seconds; /* that the command may take */
    double seconds;         /* stop after this time; 0: no limit */
    int64_t most;           /* experiments at most; 0: no limit */
};

struct experiments_report {
    int judged, kept, failed_proposals,
        repeated;            /* in this run; repeated: contents that were judged before */
    struct experiment last;  /* of this run, where something was judged */
    struct experiment best;  /* what is kept now; candidate 0: nothing */
    const char *best_folder; /* where its content lies; NULL */
    bool interrupted;
};

/* The command runs in the folder and finds in its environment HONE_LEDGER (path), HONE_PARENT (hash of what is kept, or ""),
 * HONE_PARENT_SHARE (its time in shares of the incumbent's) and HONE_EXPERIMENT (a number). */
CHECKED status experiments_run(const struct experiments_options *options, struct arena *arena,
                               struct experiments_report *report, struct diagnostic *diagnostic);

#endif
