/* Which experts the routers of a model chose, step by step: what policies of expert caches are compared on.
 *
 * The file (docs/expert-cache.md), little-endian, integers of 8 bytes:
 *
 *     "HONEROUT"  version 1  layers  experts  used  steps
 *     layers x the virtual layer's number, rising
 *     steps x layers x ( rows, 7 bits to a byte, least first, the last byte below 128;
 *                        rows x used ids of one byte each, of two where there are more than 256 experts )
 *     XXH3-128 of all that is before it, high half first */
#ifndef PLANNER_ROUTING_TRACE_H
#define PLANNER_ROUTING_TRACE_H

#include "base/arena.h"

#include <stdint.h>

struct routing_trace {
    struct arena *arena;
    int layer_count, experts, used; /* routers; experts that each chooses from; chosen per row */
    int *layers;                    /* [layer_count] virtual layers */
    int64_t row_count, start_count;
    int64_t *
        starts; /* [start_count] where the rows of each step's layers begin; the last: where they end */
    uint16_t *ids; /* [row_count, used] */
    size_t start_capacity, id_capacity;
};

enum { ROUTING_LAYERS_MOST = 4096 };

CHECKED status routing_trace_create(struct arena *arena, const int *layers, int layer_count,
                                    int experts, int used, struct routing_trace **trace,
                                    struct diagnostic *diagnostic);
/* What the next router chose, ids [rows, used]; the routers of a step come one after the other. */
CHECKED status routing_trace_append(struct routing_trace *trace, const int32_t *ids, int64_t rows,
                                    struct diagnostic *diagnostic);

/* Whole steps. */
static inline int64_t routing_trace_steps(const struct routing_trace *trace)
{
    return (trace->start_count - 1) / trace->layer_count;
}

/* The rows of a step's layer. */
static inline const uint16_t *routing_trace_rows(const struct routing_trace *trace, int64_t step,
                                                 int layer, int64_t *rows)
{
    const int64_t *start = &trace->starts[step * trace->layer_count + layer];
    *rows = start[1] - start[0];
    return trace->ids + start[0] * trace->used;
}

CHECKED status routing_trace_write(const struct routing_trace *trace, const char *path,
                                   struct diagnostic *diagnostic);
CHECKED status routing_trace_read(const char *path, struct arena *arena,
                                  struct routing_trace **trace, struct diagnostic *diagnostic);

#endif
