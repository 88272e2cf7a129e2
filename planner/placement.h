/* Placement: where the parts of a model are kept, and where each phase computes them.  Data only: the planner
 * (planner/solve.h) and the rule of layers in order fill it, lowering makes passes and steps of it.
 *
 * Layers are cut into pieces, one per part.  A piece is dealt to devices in `units` of equal size: key/value heads of
 * attention with the query heads that use them, groups of `unit_rows` inner features of a dense part, experts, groups of
 * `unit_rows` rows of the output matrix.  Units are dealt in the order of the devices: device 0 has the first home[0],
 * device 1 the next home[1]; the disk has the last.  What does not belong to a unit (norms, routers, biases along the
 * width) is `common`: every device that works on the piece has a copy.
 *
 *     whole on device 1          home = {0, 8, 0}   work = the same
 *     tensor-parallel            home = {5, 3, 0}   work = the same
 *     kept on the host (2),      home = {0, 0, 8}   work[PREFILL] = {8, 0, 0}   work[DECODE] = {0, 0, 8}
 *       streamed in prompts
 *     experts on all three       home = {40, 30, 58} work[PREFILL] = {69, 59, 0} work[DECODE] = {40, 30, 58}
 *
 * A card works on the units at home there, and on units of the host that are streamed to it: the first
 * work[0] - home[0] of the host's units go to card 0, the next to card 1, what is left the host computes.  A unit that is
 * on the disk comes by way of the host.  States lie where attention works, so that is the same in both phases.
 *
 * Ownership: everything lies in the arena given to placement_create. */
#ifndef PLANNER_PLACEMENT_H
#define PLANNER_PLACEMENT_H

#include "ir/plan.h"

enum placement_part {
    PLACEMENT_EMBED,     /* before the layers: the table of token embeddings */
    PLACEMENT_ATTENTION, /* of a layer: from its first norm to the projection of what attention gives */
    PLACEMENT_DENSE, /* of a layer: the rest but for experts; dense layers, shared experts, routers */
    PLACEMENT_EXPERTS, /* of a layer: from dispatch to combine */
    PLACEMENT_OUTPUT,  /* after the layers */
    PLACEMENT_PARTS
};

enum placement_phase { PLACEMENT_PREFILL, PLACEMENT_DECODE, PLACEMENT_PHASES };

struct placement_piece {
    enum placement_part part;
    int layer;            /* virtual; -1: embed and output */
    int64_t units;        /* 1: only whole; 0: the layer has no such part */
    int64_t unit_rows;    /* output features of a unit (DENSE: inner features); 1: heads, experts */
    int64_t unit_bytes;   /* weights of one unit */
    int64_t common_bytes; /* weights that every device working on the piece has */
    int64_t unit_state_bytes; /* ATTENTION: states of one unit at the plan's bounds */
    int64_t
        *home; /* [device_count + 1] units kept by each device; the last: on the disk; their sum is
                               * `units` */
    int64_t *work
        [PLACEMENT_PHASES]; /* [device_count] units computed by each device; their sum is `units` */
    int64_t *
        slots; /* EXPERTS: [device_count] further experts that a card can keep for a while (cache) */
};

struct placement_layer {
    struct placement_piece
        pieces[PLACEMENT_PARTS];     /* units are 0 but for ATTENTION, DENSE, EXPERTS */
    enum element_type state_element; /* of the states; the same on all devices */
};

struct placement {
    int device_count, layer_count;
    struct placement_piece embed, output;
    struct placement_layer *layers;
    bool tied;            /* embed and output are one matrix: counted once where both are at home */
    int64_t prompt_chunk; /* tokens of a step of the prompt */
    int64_t
        stream_rows; /* steps of so many rows and more do the work of PREFILL, smaller ones that of DECODE */
    enum element_type wire; /* of activations between devices; f32 keeps them as they are */
};

/* Pieces of an unpartitioned graph with nowhere to go yet (no home, no work); `tokens` of the bounds is the chunk. */
CHECKED status placement_create(const struct graph *graph, const struct plan_bounds *bounds,
                                int device_count, struct arena *arena, struct placement **placement,
                                struct diagnostic *diagnostic);

/* The parts that nodes belong to, as placement_create counts them: parts[graph->node_count]. */
CHECKED status placement_parts(const struct graph *graph, enum placement_part *parts,
                               struct diagnostic *diagnostic);

const char *placement_part_name(enum placement_part part); /* "attention" */

/* Home and work of a whole piece: it is kept by `home` (device_count: the disk) and computed by `work` in both phases. */
void placement_put(const struct placement *placement, struct placement_piece *piece, int home,
                   int work);

/* The device that has most of a phase's work on a piece. */
int placement_main_device(const struct placement *placement, const struct placement_piece *piece,
                          enum placement_phase phase);

/* Sums, signs, states where attention works: STATUS_MISMATCH names the piece.  `is_host[device_count]`. */
CHECKED status placement_verify(const struct placement *placement, const bool *is_host,
                                struct diagnostic *diagnostic);

struct placement_device {
    const char *specification;
    int64_t memory_bytes; /* INT64_MAX: no limit */
    int64_t
        expert_slots; /* experts of a layer that it keeps, the same for all that keep few; 0: all */
};

/* The rule that people use: layers in order onto devices in order, each device as many as its memory holds (weights,
 * states and a reserve for activations), the last one the rest.  When everything fits on the first device but several
 * were asked for, layers are shared in proportion to the memory sizes, because whoever names two cards wants both used.
 * `graph` is unpartitioned; `device_of_layer[graph->layer_count]` is filled.  STATUS_NO_MEMORY says what is missing
 * where, and `missing_bytes` how much (0: the host was out of memory). */
CHECKED status placement_by_layers(const struct graph *graph, const struct plan_bounds *bounds,
                                   const struct placement_device *devices, int device_count,
                                   int *device_of_layer, int64_t *missing_bytes,
                                   struct diagnostic *diagnostic);

/* What a device needs for activations: the widest of a layer's, for a handful that live at once. */
int64_t placement_reserve_bytes(const struct graph *graph, const struct plan_bounds *bounds);

/* The same as a placement: layer l whole on device_of_layer[l], embed and output with the first and the last. */
void placement_fill_layers(struct placement *placement, const int *device_of_layer);

#endif
