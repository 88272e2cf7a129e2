/* The ledger of experiments with kernels: every candidate with its parent and its verdict, in a log of lines that is only
 * appended to.  The first line says what they were judged on; experiments on anything else are refused. */
#ifndef ENGINE_EXPERIMENT_LEDGER_H
#define ENGINE_EXPERIMENT_LEDGER_H

#include "base/line_log.h"
#include "base/progress.h"
#include "engine/try_kernel.h"

struct experiment {
    struct hash candidate, parent; /* of the folders' content; parent 0: there was none */
    enum verdict_kind verdict;     /* over all problems */
    const char *reason;            /* of the problem that decided */
    double share;      /* weighted sum of its times, in shares of the incumbents'; 0: unknown */
    double error;      /* of the share */
    bool kept;         /* it is what the next ones begin from */
    double seconds;    /* that judging took */
    int64_t wall_time; /* seconds since 1970 */
};

struct experiment_ledger {
    struct arena *arena;
    const char *path;
    struct line_log *log;
    struct experiment *experiments;
    int count;
    size_t capacity;
};

/* `setting`: all that verdicts depend on, as text.  Close it in every case where this was STATUS_OK. */
CHECKED status experiments_open(const char *path, const char *setting,
                                const struct progress *progress, struct arena *arena,
                                struct experiment_ledger *ledger, struct diagnostic *diagnostic);
void experiments_close(struct experiment_ledger *ledger);
CHECKED status experiments_add(struct experiment_ledger *ledger,
                               const struct experiment *experiment, struct diagnostic *diagnostic);

/* The one that new ones begin from, and one of this content; NULL: there is none. */
const struct experiment *experiments_kept(const struct experiment_ledger *ledger);
const struct experiment *experiments_find(const struct experiment_ledger *ledger,
                                          struct hash candidate);

#endif
