/* A recorded space as the field of a search: points are its configs, answers are what was recorded, and nothing is run. */
#ifndef TUNER_REPLAY_H
#define TUNER_REPLAY_H

#include "include/hone/strategy.h"
#include "tuner/recorded.h"

struct replay;

/* `blind`: estimates, where they are recorded, stay hidden.  The space must outlive the replay. */
CHECKED status replay_create(const struct recorded_space *space, bool blind, struct arena *arena,
                             struct replay **replay, struct diagnostic *diagnostic);

/* For one search: what the strategy takes lives in `scratch`. */
struct replay_run {
    const struct replay *replay;
    struct arena *scratch;
    struct hone_field field;
};
void replay_start(const struct replay *replay, uint64_t seed, uint64_t budget,
                  struct arena *scratch, struct replay_run *run);
const struct recorded_space *replay_space(const struct replay *replay);

struct hone_outcome replay_answer(const struct replay *replay, uint64_t point);
/* What finding that out took, in seconds; 1 where the space does not say. */
double replay_cost(const struct replay *replay, uint64_t point);

#endif
