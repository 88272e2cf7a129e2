/* Planning without running: a model (a file, a folder, or the name of a preset of `hone synth`) on devices that are here,
 * described by profiles, or of a machine in a file, and where the planner would put its parts. */
#ifndef ENGINE_PLAN_MODEL_H
#define ENGINE_PLAN_MODEL_H

#include "engine/engine.h"
#include "planner/place.h"

struct plan_query {
    enum element_type element; /* of a preset's matrices */
    int64_t layers;            /* of a preset; 0: its own */
    const char *machine;       /* file that describes the machine; NULL: the options' devices */
    const char *what_if;       /* changes to the machine; NULL: none */
    double prompt_tokens, generated_tokens;
    bool deterministic;
};

struct planned_model {
    struct arena *arena;
    struct model *model;
    const struct machine *machine;
    struct place_request request;
    struct place_result result;
    double seconds; /* that planning took */
};

CHECKED status plan_model(const char *path, const struct engine_options *options,
                          const struct plan_query *query, struct planned_model **planned,
                          struct diagnostic *diagnostic);
void planned_model_close(struct planned_model *planned); /* NULL is allowed */

#endif
