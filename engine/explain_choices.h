/* What a plan settles beside its kernels: devices and the parts on them, layouts of weights, type of the KV cache, bounds,
 * numerics, what was given up for lack of memory; each with its reason, and how to have it otherwise. */
#ifndef ENGINE_EXPLAIN_CHOICES_H
#define ENGINE_EXPLAIN_CHOICES_H

#include "engine/engine.h"

struct explained_choice {
    const char *decision; /* "placement", "layout", "KV type" ... */
    const char *chosen;
    const char *reason;
    const char *otherwise; /* the option that changes it; "" where there is none */
};

/* `options` are those that the engine was opened with; its graph must be lowered.  All texts live in `arena`. */
CHECKED status engine_explain_choices(const struct engine *engine,
                                      const struct engine_options *options, struct arena *arena,
                                      struct explained_choice **choices, int *count,
                                      struct diagnostic *diagnostic);

#endif
