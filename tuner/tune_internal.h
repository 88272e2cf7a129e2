/* The inside of tuning, for tuner/tune*.c only. */
#ifndef TUNER_TUNE_INTERNAL_H
#define TUNER_TUNE_INTERNAL_H

#include "base/work_clock.h"
#include "codegen/compile_pool.h"
#include "tuner/gain.h"
#include "tuner/tune.h"

/* One run over all problems. */
struct tuning {
    const struct tune_setup *setup;
    const struct hone_strategy *strategy;
    struct worker_setup worker_setup;
    struct worker *worker;
    struct compile_pool *pool; /* NULL: the worker compiles */
    const struct problem **problems;
    struct tune_report *report;
    struct arena *arena; /* the report's */
    struct work_clock clock;
    double start, deadline;  /* of the clock; deadline infinite without a budget */
    int done;                /* problems */
    struct session *current; /* whose operands the worker has; NULL: nobody's */
};

/* What is known of a candidate. */
struct known {
    struct candidate candidate;
    enum record_status status;
    double seconds; /* median of the longest measurement */
    int samples;
    bool fresh;  /* measured in this run */
    void *image; /* encoded, once it was made in this run; in the session's arena */
    size_t image_bytes;
};

/* One problem in work. */
struct session {
    struct tuning *tuning;
    const struct problem *problem;
    const struct tune_packed *packed; /* NULL: no restriction */
    int packed_count;
    struct tune_row *row;
    struct arena *arena; /* of this problem */
    struct bound_space
        *spaces; /* all that answer the problem; those that are searched lie in the field */
    int space_count;
    struct search_field field;
    struct candidate first[2]; /* the default, the incumbent */
    int first_count;
    bool has_incumbent;
    struct known *known;
    int known_count;
    size_t known_capacity;
    int64_t id;
    struct search *course;            /* NULL before the first unit */
    int unit;                         /* candidates that this unit may measure yet */
    double deadline, finals_deadline; /* of the search, and of the finals */
    double best_seconds;
    bool prepared, searched; /* searched: nothing is left to search */
    int problem_index;
};

/* tune_budget.c: all problems, the most promising first. */
CHECKED status tune_by_gain(struct tuning *tuning, struct diagnostic *diagnostic);

/* tune.c */
void tuning_tell(const struct tuning *tuning, int problem, bool done);

/* tune_problem.c */
/* A problem's session: opened with what records know, worked on in units of GAIN_UNIT measurements, and closed by finals and
 * the row of the report.  After a failure it can only be dropped. */
CHECKED status session_open(struct tuning *tuning, int index, struct session **session,
                            struct diagnostic *diagnostic);
CHECKED status session_work(struct session *session, double deadline,
                            struct diagnostic *diagnostic);
CHECKED status session_finish(struct session *session, double deadline,
                              struct diagnostic *diagnostic);
void session_drop(struct session *session); /* NULL is allowed */
/* The candidate among those that the session is restricted to; NULL when it is not, or nothing is. */
const struct tune_packed *session_packed(const struct session *session,
                                         const struct candidate *candidate);
struct known *session_find(struct session *session, const struct candidate *candidate);

/* tune_measure.c: measuring a candidate, and what goes into the store. */
CHECKED status session_prepare(struct session *session, struct diagnostic *diagnostic);
CHECKED status session_measure(struct session *session, const struct candidate *candidate,
                               int level, struct diagnostic *diagnostic);
CHECKED status session_note(struct session *session, const struct candidate *candidate,
                            const struct outcome *outcome, const float *samples, int count,
                            enum record_stage stage, struct diagnostic *diagnostic);
/* The candidate's image: made before, from the artifacts, or compiled. */
CHECKED status session_image(struct session *session, const struct candidate *candidate,
                             void **image, size_t *image_bytes, struct outcome *outcome,
                             struct diagnostic *diagnostic);
/* Keeps a winner's code, so that the first run after tuning compiles nothing. */
CHECKED status session_keep_code(struct session *session, const struct candidate *candidate,
                                 struct diagnostic *diagnostic);
/* Samples that a look of this level takes at least. */
int level_samples(int level);

/* tune_finals.c */
CHECKED status session_finals(struct session *session, struct diagnostic *diagnostic);

/* tune_report.c */
CHECKED status session_report(struct session *session, struct diagnostic *diagnostic);

#endif
