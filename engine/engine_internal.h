/* The inside of an engine, for engine/ only. */
#ifndef ENGINE_ENGINE_INTERNAL_H
#define ENGINE_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "planner/plan_file.h"
#include "runtime/threads.h"

/* The arrays of one step, at the plan's bounds. */
struct step_arrays {
    int32_t *tokens, *positions, *sequences; /* [tokens] */
    int32_t *outputs;                        /* [outputs] */
};

struct engine {
    struct arena *arena;
    const char *cache_folder; /* NULL: nothing is kept */
    struct model *model;
    struct catalogue catalogue;
    struct device **devices;
    int device_count, threads;
    struct plan *plan;
    struct plan *
        first_plan; /* whose images later plans share (engine_change_layers); NULL: there were none */
    const char *settings; /* of the model, as settled; NULL: its defaults */
    const char *
        card_compiler; /* of a plan from a file: who made its cards' kernels; NULL: the one that is here */
    struct executor *executor;
    struct page_pool *pages;
    struct step_arrays arrays;
    struct engine_report report;
};

/* engine.c: how a model is read for an engine */
struct model_options engine_model_options(const struct engine_options *options);

/* engine.c: model, devices and lowered graph only, for a model's path */
CHECKED status engine_lower(const char *path, const struct engine_options *options,
                            struct engine **engine, struct diagnostic *diagnostic);

/* What an engine is made for, in order of how far its plan gets: the graph after all passes, names of kernels, code, and
 * weights at home. */
enum purpose { PURPOSE_LOWER, PURPOSE_CHOOSE, PURPOSE_PREPARE, PURPOSE_RUN };

/* engine_plan.c */
CHECKED status engine_build_plan(struct engine *engine, const struct engine_options *options,
                                 enum purpose purpose, struct diagnostic *diagnostic);
CHECKED status engine_open_store(struct engine *engine, const struct progress *progress,
                                 struct store **store, struct diagnostic *diagnostic);
const char *engine_artifact_folder(struct engine *engine); /* NULL: nothing is kept */
void engine_count_kernels(struct engine *engine);

/* plan_devices.c: the list of devices for a plan from a file that names none, and whether those opened will do. */
CHECKED status engine_plan_devices(struct engine *engine, bool runs, const char **list,
                                   struct diagnostic *diagnostic);
const char *engine_compiler(const struct engine *engine, enum target target);
CHECKED status engine_check_plan(struct engine *engine, const char *path,
                                 const struct plan_header *header, struct diagnostic *diagnostic);

/* race_plan.c: races what is packed for these devices, and chooses by the records. */
CHECKED status engine_race_plan(struct engine *engine, const struct engine_options *options,
                                bool fast, struct diagnostic *diagnostic);

/* feed.c */
CHECKED status feed_prepare(struct engine *engine, struct diagnostic *diagnostic);

#endif
