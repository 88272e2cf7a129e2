/* What working on a problem may still bring a step: where the next unit of a budget goes, and when to stop.
 *
 *     gain = runs per step x (seconds now - seconds hoped for)
 *
 * Hope begins with the most that searching has been seen to bring, half of the time; the first unit replaces the guess and
 * leaves a tenth; from then on it follows what came of it: after each unit it is the mean of what it was and of the part
 * of the time that the unit gained, so units in vain halve it.  It never goes
 * beyond what the device allows (the ceiling of ir/ceiling.h), where that is known. */
#ifndef TUNER_GAIN_H
#define TUNER_GAIN_H

#include <stdbool.h>
#include <stdint.h>

struct gain {
    double weight;        /* runs per step */
    double seconds;       /* of one run now: measured, or a guess */
    double limit_seconds; /* no kernel is faster; 0: unknown */
    double hope;          /* part of the seconds that the next unit may gain */
    bool measured;        /* seconds are */
};

/* Candidates measured between two decisions: changing the problem costs its operands anew. */
enum { GAIN_UNIT = 4 };
/* Below this part of a step the next unit is not worth its time. */
#define GAIN_LEAST 1e-4

/* `known`: candidates that were measured before. */
struct gain gain_begin(double weight, double seconds, int known);
/* A unit has ended, and this is the best time now; infinite: nothing good was seen. */
void gain_see(struct gain *gain, double seconds);
/* Seconds per step. */
double gain_expected(const struct gain *gain);
/* All of them as they are now. */
double gain_step_seconds(const struct gain *gains, int count);
/* The one with the most to gain, the first of equals; -1 where none that is not done would gain `least` of the step. */
int gain_pick(const struct gain *gains, const bool *done, int count, double least);

#endif
