/* Recording a space: every config of the variants that answer a problem, or a sample of them, is compiled, checked and timed,
 * and what came of it becomes a recorded space (tuner/recorded.h) to replay searches on. */
#ifndef TUNER_RECORD_SPACE_H
#define TUNER_RECORD_SPACE_H

#include "base/progress.h"
#include "tuner/decision.h"
#include "tuner/recorded.h"
#include "tuner/worker.h"

struct record_space_setup {
    const struct catalogue *catalogue;
    const struct device_facts *facts;
    const struct runner *runner;
    struct worker_setup limits; /* worker_setup_default() */
    const struct problem *problem;
    const char *variant;           /* only this one; NULL: all that answer */
    struct decision_policy policy; /* which variants those are */
    int64_t most; /* configs; 0: all.  Fewer are drawn evenly from all of them, the default first */
    int samples;  /* of each config */
    double seconds; /* the work ends after this time; 0: no limit */
    uint64_t seed;
    const char
        *artifact_folder; /* code that lies there is not compiled again; NULL: nothing is kept */
    const struct recorded_space *before; /* says what compiling took then; NULL: nothing */
    const struct progress *progress;
};

/* `arena` receives the space.  When the time is up, or the user interrupts, what there is until then is a space as well. */
CHECKED status record_space(const struct record_space_setup *setup, struct arena *arena,
                            struct recorded_space **space, struct diagnostic *diagnostic);

#endif
