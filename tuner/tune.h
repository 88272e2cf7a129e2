/* Tuning: measures candidates for the problems of a model until time or ideas run out.
 *
 * It can be stopped at any moment: every measurement is in the store at once, and the next run goes
 * on where this one ended.  Problems come in the order of what they may gain; each gets its share
 * of the budget. */
#ifndef TUNER_TUNE_H
#define TUNER_TUNE_H

#include "tuner/decision.h"
#include "tuner/runner.h"
#include "tuner/search.h"
#include "tuner/store.h"
#include "tuner/worker.h"

/* A candidate with its code, made elsewhere. */
struct tune_packed {
    struct candidate candidate;
    const struct image *image;
};

struct tune_problem {
    const struct problem *problem;
    double weight;  /* how often it runs, relative to the others */
    double seconds; /* of one run, as a workload measured it; 0: unknown */
    const struct tune_packed
        *packed;      /* NULL: candidates are searched for and compiled; otherwise */
    int packed_count; /* these are raced, and nothing is compiled */
};

/* Somebody who looks on.  Told between measurements, so that what it does counts towards the budget and disturbs no sample. */
struct tune_report;
struct tune_watch {
    void *context;
    /* After each measurement, and when problem number `problem` is done. */
    void (*changed)(void *context, const struct tune_report *report, int problem, bool done);
};

struct tune_options {
    int effort;            /* 0 .. EFFORT_MOST */
    double budget_seconds; /* of the whole run; 0: none */
    uint64_t seed;
    struct decision_policy policy;
    const char *strategy; /* NULL: the default */
    const struct catalogue *
        searched; /* only its variants are searched, against the winners among the others; NULL: all are */
    const char *artifact_folder; /* winners' code goes there; NULL: it is not kept */
    const struct progress *progress;
    const struct tune_watch *watch; /* NULL: nobody */
};

struct tune_setup {
    const struct catalogue *catalogue;
    const struct device_facts *facts;
    const char *compiler; /* compile_identity() */
    const struct runner *runner;
    struct worker_setup
        limits; /* worker_setup_default(); runner, facts and problems are filled in */
    struct store *store;
    const struct tune_problem *problems;
    int problem_count;
    struct tune_options options;
};

/* Candidates that were not chosen, by reason. */
struct tune_rejections {
    uint64_t rules;                          /* configs that hardware and algorithm rules exclude */
    uint64_t by_status[RECORD_STATUS_COUNT]; /* measured; OK: right, but slower */
    uint64_t untried;
};

struct tune_row {
    const struct problem *problem;
    double weight;
    struct decision decision;
    const char *winner;   /* candidate_print's text */
    double limit_seconds; /* what the machine needs at least; 0: unknown */
    double limit_share;   /* limit_seconds / decision.seconds; 0: unknown */
    double gain;          /* the default's time / the winner's; 0: unknown */
    double expected_gain; /* seconds of a step that more work on it may gain (tuner/gain.h) */
    double step_share;    /* of the time of all these problems, as often as each runs; 0: unknown */
    uint64_t configurations; /* legal configs of all variants that answer */
    int measured;            /* candidates measured in this run */
    int known;               /* candidates known from records */
    struct tune_rejections rejections;
    bool finished;          /* the search ended by itself, not by time */
    const char *order_from; /* the class of devices whose order was followed; NULL: none was */
    const char *note;       /* why it was not tuned, or NULL */
};

struct tune_report {
    struct tune_row *rows; /* as the problems were given */
    int row_count;
    int measured, restarts;
    double seconds;
    double coverage; /* the share of that time that lies in problems whose winner was raced */
    double
        expected_gain; /* the share of that time that more work may gain: what is left to be had */
    bool interrupted, out_of_time;
};

/* `arena` receives the report. */
CHECKED status tune_run(const struct tune_setup *setup, struct arena *arena,
                        struct tune_report *report, struct diagnostic *diagnostic);

/* The least time that the device needs for a problem with a candidate's numerics; 0 when its rates
 * are not known. */
double tune_limit_seconds(const struct problem *problem, const struct device_facts *facts,
                          const struct candidate *candidate);
/* The row's limit and share by these rates: the best that was seen before and after tuning, say. */
void tune_row_limit(struct tune_row *row, const struct device_facts *facts);

#endif
