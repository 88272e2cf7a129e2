/* Whether a store's times still hold on a device that is here. */
#ifndef ENGINE_VERIFY_STORE_H
#define ENGINE_VERIFY_STORE_H

#include "engine/engine.h"
#include "tuner/verify_choices.h"

struct verify_store_options {
    struct engine_options engine; /* which device, its threads, the cache, variants */
    const char *op;               /* NULL: all */
    int most;                     /* decisions to measure again; 0: all */
    double budget_seconds;        /* 0: none */
    uint64_t seed;
};

/* `arena` receives the report; `device_class` the class of the device. */
CHECKED status engine_verify_store(struct store *store, const struct verify_store_options *options,
                                   struct arena *arena, const char **device_class,
                                   struct verify_report *report, struct diagnostic *diagnostic);

#endif
