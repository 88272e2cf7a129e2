/* Building plans: a model's graph and a list of devices become steps, buffers and chosen images. */
#ifndef PLANNER_BUILD_H
#define PLANNER_BUILD_H

#include "base/progress.h"
#include "ir/plan.h"
#include "planner/choose.h"
#include "planner/placement.h"
#include "planner/share.h"
#include "planner/stream.h"

struct build_device {
    const char *specification;
    const struct device_facts *facts;
    int64_t memory_bytes; /* that plans count on; INT64_MAX: no limit */
    int64_t
        limit_bytes; /* that there are: a plan that needs more is refused before it is compiled; 0: not looked at */
    bool
        host_states; /* states of its nodes are kept by the host, which does what they are needed for */
    int candidates; /* kernels per problem and bucket, to race where the device is; 1 or less: the chosen one */
    bool apart; /* the host does not read its memory in place */
};

/* Why a plan could not be had with the memory that there is. */
struct build_shortage {
    bool found; /* false: nothing of the kind */
    int device; /* that lacks it; -1: all of them together */
    int64_t missing_bytes;
    int64_t held_bytes, state_bytes; /* of the device, in that plan: all, and those of states */
};

struct build_options {
    struct plan_bounds bounds; /* `pages` is computed */
    const int *layer_map;      /* NULL: every layer once, in order */
    int layer_map_count;
    int64_t
        largest; /* of each row of logits, to be found where these are if that is apart; 0: none */
    const struct build_device *devices;
    int device_count;
    struct share_choice share;
    const struct placement
        *placement; /* for SHARE_PLANNED: the planner is not asked; NULL: it is */
    bool prompts;   /* of SHARE_PLANNED, the schedule of prompts is made; else that of answers */
    struct stream_choice stream;
    int64_t
        expert_slots; /* per layer and card, for experts that the host keeps; 0: experts are at home */
    struct chooser chooser;
    bool choose_only; /* names of kernels and no code: the plan can be shown, not executed */
    const struct plan *
        previous; /* on the same devices: images for equal problems are shared with it, so it must outlive
                                  * the new plan; NULL: none */
    const char *artifact_folder; /* where compiled images are kept; NULL: nowhere */
    int compile_processes;       /* side by side; at least 1 */
    const struct progress *progress;
    struct build_shortage *shortage; /* filled after STATUS_NO_MEMORY; NULL: nobody asks */
};

struct build_report {
    int kernels;  /* images with code in the plan */
    int compiled; /* of these compiled now, not found in the artifact folder */
};

/* `graph` is not changed; the plan's arena is its own (plan_free). */
CHECKED status plan_build(const struct graph *graph, const struct build_options *options,
                          struct plan **plan, struct build_report *report,
                          struct diagnostic *diagnostic);
void plan_free(struct plan *plan); /* NULL is allowed */

/* build_graph.c: sets plan->graph, on the devices and within the bounds that the plan has already. */
CHECKED status build_lower_graph(const struct graph *graph, const struct build_options *options,
                                 struct plan *plan, struct diagnostic *diagnostic);

/* build_graph.c: the node reads or writes a state. */
bool build_has_state(const struct graph *graph, const struct node *node);

/* The first half: devices, bounds and the graph after all passes, without steps and images; enough to list what there is
 * to tune. */
CHECKED status plan_lower(const struct graph *graph, const struct build_options *options,
                          struct plan **plan, struct diagnostic *diagnostic);

/* Calls `visit` for each node and bucket within the plan's bounds. */
struct plan_bucket {
    int node, row_bucket, context_bucket;
    int64_t rows, context; /* bounds */
};
typedef status plan_visit(void *context, const struct plan_bucket *bucket,
                          struct diagnostic *diagnostic);
CHECKED status plan_each_bucket(const struct plan *plan, plan_visit *visit, void *context,
                                struct diagnostic *diagnostic);

/* The same for one node of a graph, numbered `n` in what is visited. */
CHECKED status plan_node_buckets(const struct graph *graph, const struct plan_bounds *bounds,
                                 const struct node *node, int n, plan_visit *visit, void *context,
                                 struct diagnostic *diagnostic);

/* Bytes of weights that one token of decode reads: all of them, of routed experts only the used ones, of the token
 * embedding one row unless it is the output matrix as well. */
int64_t plan_decode_weight_bytes(const struct plan *plan);

/* build_phases.c: the schedule of prompts, where the plan's placement has one of its own. */
CHECKED status build_second_schedule(const struct graph *graph, const struct build_options *options,
                                     struct plan *plan, struct build_report *report,
                                     struct diagnostic *diagnostic);

/* steps.c: fills plan->steps and event_count from the partitioned graph. */
CHECKED status plan_make_steps(struct plan *plan, struct diagnostic *diagnostic);

/* artifacts.c: code for every image of the plan, from the artifact folder or from the compiler. */
struct image_request {
    struct generation generation;
    struct plan_image *image;
};
CHECKED status artifacts_provide(struct image_request *requests, int count,
                                 const struct build_options *options, struct arena *arena,
                                 struct build_report *report, struct diagnostic *diagnostic);

#endif
