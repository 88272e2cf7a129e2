/* The search for layers that are worth executing twice (the RYS method): a block (begin, end) stands for the layer map
 * 0..end-1, begin..n-1, which executes layers begin to end-1 a second time.  Every block is scored on a probe, on weights that
 * stay where they are; the best are scored again on a probe that they were not chosen by. */
#ifndef ENGINE_LAYER_SEARCH_H
#define ENGINE_LAYER_SEARCH_H

#include "engine/probe.h"

struct layer_search_options {
    const char *model;
    struct engine_options engine; /* for one sequence; no layer map */
    const struct probe *probe, *held_out;
    int64_t first_layer,
        last_layer; /* blocks lie within these layers; last_layer below 0: the model's last */
    int64_t top;    /* blocks to be scored again */
    double
        budget_seconds; /* for the scan of blocks, which are drawn in an order by the seed; 0: no end */
    uint64_t seed;
    const char *ledger; /* path; NULL: nothing is kept */
    const struct progress *progress;
};

struct block_score {
    int begin, end; /* 0, 0: the model as it is */
    bool scanned, again;
    struct probe_score probe, held_out;
    double gain, held_out_gain; /* over the model as it is; 0 where the score is not finite */
    double decode_seconds;      /* of a token; 0 where it was not scored again */
};

struct layer_search_result {
    int layers;
    struct block_score base;
    struct block_score *blocks; /* by begin, then end */
    int count, scanned,
        resumed; /* scanned: of count; resumed: scores that the ledger had, of both probes */
    struct block_score **best; /* scored again, the one with the highest held-out gain first */
    int best_count;
};

/* Result and arrays live in `arena`.  STATUS_INTERRUPTED leaves a ledger from which the same call goes on. */
CHECKED status layer_search(const struct layer_search_options *options, struct arena *arena,
                            struct layer_search_result *result, struct diagnostic *diagnostic);

/* The map of a block as --layer-map takes it. */
const char *layer_search_map(int layers, int begin, int end, struct arena *arena);

#endif
