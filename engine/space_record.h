/* Recording a space from a device: of a problem of a model, or of any problem. */
#ifndef ENGINE_SPACE_RECORD_H
#define ENGINE_SPACE_RECORD_H

#include "engine/engine.h"
#include "tuner/recorded.h"

struct lab_record_options {
    struct engine_options engine;
    const char *model;   /* its dearest problem is recorded ... */
    const char *op;      /* ... of this operator; NULL: of all */
    const char *problem; /* in place of a model: as `hone tune` prints it */
    const char *variant; /* only this one; NULL: all that answer */
    const char *name;    /* of the space; NULL: the problem's text */
    int64_t most;        /* configs; 0: all */
    int samples;         /* of each */
    double seconds;      /* 0: no limit */
    uint64_t seed;
    const char *
        before; /* a file of the same space, recorded before: what is compiled since is not compiled again; NULL: none */
};

CHECKED status lab_record_space(const struct lab_record_options *options, struct arena *arena,
                                struct recorded_space **space, struct diagnostic *diagnostic);

#endif
