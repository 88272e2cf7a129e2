/* Contests of search strategies on recorded spaces: many searches with different seeds, and what the best config found after
 * some time, or after some configs, is worth.
 *
 * The score is that of the literature on autotuners (Willemsen et al. 2024): at a time t
 *
 *     P(t) = (S(t) - F(t)) / (S(t) - optimum)
 *
 * with F the best time found so far, in the mean over the searches, and S what random search is expected to have found, which is
 * computed, not drawn: 0 is as good as chance, 1 the optimum.  The score of a space is the mean over CONTEST_POINTS equally
 * spaced times until random search has come 95 % of the way from the median config to the optimum. */
#ifndef TUNER_CONTEST_H
#define TUNER_CONTEST_H

#include "tuner/replay.h"

enum { CONTEST_POINTS = 50 };

struct contest_curve {
    double mean[CONTEST_POINTS];
    double low[CONTEST_POINTS], high[CONTEST_POINTS]; /* 95 % confidence of the mean */
};

struct contest_result {
    const struct hone_strategy *strategy;
    uint64_t budget; /* configs, of `share` */
    double
        share; /* best possible time / time of the best config found with the budget; mean over searches */
    double share_low, share_high;
    double worst_share;            /* of all searches */
    double score;                  /* mean of the curve */
    struct contest_curve curve;    /* P(t) */
    struct contest_curve progress; /* share over configs, at equal steps up to the budget */
    double search_seconds;         /* that the strategy itself took, per search */
};

struct contest_options {
    int repeats;
    uint64_t seed, budget; /* budget 0: contest_budget */
    bool blind;
};

/* On spaces above 1,000 configs 100 of them or 5 %, whichever is less; on smaller ones 20 or 5 %, whichever is more. */
uint64_t contest_budget(uint64_t config_count);

/* The length of the contest in seconds of recorded cost (in configs, where costs are not recorded). */
double contest_seconds(const struct replay *replay);

CHECKED status contest_run(const struct replay *replay, const struct hone_strategy *strategy,
                           const struct contest_options *options, struct contest_result *result,
                           struct diagnostic *diagnostic);

#endif
