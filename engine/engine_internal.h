/* The inside of an engine, for engine/ only. */
#ifndef ENGINE_ENGINE_INTERNAL_H
#define ENGINE_ENGINE_INTERNAL_H

#include "engine/engine.h"
#include "planner/demotion.h"
#include "planner/plan_file.h"
#include "runtime/threads.h"

/* The arrays of one step, at the plan's bounds. */
struct step_arrays {
    int32_t *tokens, *positions, *sequences; /* [tokens] */
    int32_t *outputs;                        /* [outputs] */
};

/* For want of memory, beyond what was asked for (demote.c). */
struct given_up {
    int64_t chunk, expert_slots; /* 0: as asked */
    bool streams;                /* what, is in `stream` */
    struct stream_choice stream;
    bool split; /* whole layers in place of a split */
    bool host_states[GRAPH_DEVICES_MAX];
    bool limited[GRAPH_DEVICES_MAX]; /* plans may count on `room_bytes` of the device only */
    int64_t room_bytes[GRAPH_DEVICES_MAX];
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
    struct engine_options settled; /* those that plans are built with, while it is opened */
    bool fixed_plan;               /* it came from a file */
    enum share_kind share;         /* of the last plan that was built, and what it streams */
    struct stream_choice stream;
    int64_t expert_slots;
    struct build_shortage shortage; /* why it could not be built */
    struct given_up given_up;
    size_t demotion_capacity;
    int demotions_told; /* of the report's */
    bool crowded;       /* the host has no room for the pages of the weights that it uses */
    struct choice_lock *lock; /* NULL: choices are free */
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
struct plan_bounds engine_choose_bounds(const struct engine *engine,
                                        const struct engine_options *options);
CHECKED status engine_open_store(struct engine *engine, const struct progress *progress,
                                 struct store **store, struct diagnostic *diagnostic);
/* engine_lock.c: reads the lock that the options name, once */
CHECKED status engine_open_lock(struct engine *engine, const struct engine_options *options,
                                struct diagnostic *diagnostic);
const char *engine_artifact_folder(struct engine *engine); /* NULL: nothing is kept */
void engine_count_kernels(struct engine *engine);

/* demote.c: building a plan, and an executor for it, giving up one thing after the other until there is memory enough. */
CHECKED status demote_until_planned(struct engine *engine, const struct engine_options *options,
                                    enum purpose purpose, struct diagnostic *diagnostic);
CHECKED status demote_until_bound(struct engine *engine, const struct engine_options *options,
                                  struct diagnostic *diagnostic);
/* What has been given up, into what a plan is built from. */
void demote_apply(const struct engine *engine, struct build_options *build,
                  struct build_device *devices);
/* Which device of a plan refused memory since the last question; false: none did. */
bool demote_find_shortage(const struct engine *engine, struct build_shortage *shortage);
/* Gives up what is next; STATUS_NO_MEMORY with `reason` and what would be needed where nothing is left. */
CHECKED status demote(struct engine *engine, const struct engine_options *options,
                      const struct build_shortage *shortage, const struct diagnostic *reason,
                      struct diagnostic *diagnostic);

/* host_budget.c: STATUS_NO_MEMORY with the shortage where the plan takes more of the host's memory than there is; a warning
 * where its weights do. */
CHECKED status host_budget_check(struct engine *engine, const struct engine_options *options,
                                 struct build_shortage *shortage, struct diagnostic *diagnostic);
void host_budget_tell(const struct engine *engine, const struct progress *progress);
/* Says what was given up since it was last said. */
void demote_tell(struct engine *engine, const struct progress *progress);

/* plan_devices.c: the list of devices for a plan from a file that names none, and whether those opened will do. */
CHECKED status engine_plan_devices(struct engine *engine, bool runs, const char **list,
                                   struct diagnostic *diagnostic);
const char *engine_compiler(const struct engine *engine, enum target target);
CHECKED status engine_check_plan(struct engine *engine, const char *path,
                                 const struct plan_header *header, struct diagnostic *diagnostic);

/* race_plan.c: races what is packed for these devices, and chooses by the records. */
CHECKED status engine_race_plan(struct engine *engine, const struct engine_options *options,
                                bool fast, struct diagnostic *diagnostic);

/* expert_choice.c: which experts are kept in slots, by a trace (NULL: by the default policy). */
CHECKED status engine_choose_experts(struct engine *engine, const char *path,
                                     struct diagnostic *diagnostic);

/* feed.c */
CHECKED status feed_prepare(struct engine *engine, struct diagnostic *diagnostic);

#endif
