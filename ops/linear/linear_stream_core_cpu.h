/* Weight rows in streams, multiplied with rows of activations while they are near: the inner part
 * of every kernel for few rows.
 *
 * A core that reads one stream gets little more than half of what the memory gives; so each thread
 * walks through several far-apart parts of its weight rows at once (`streams`), and fetches ahead
 * by hand (`prefetch` bytes).  `rows_together` rows of activations share each reading of a weight
 * from the nearest cache; `unroll` steps make one round. */
#ifndef OPS_LINEAR_LINEAR_STREAM_CORE_CPU_H
#define OPS_LINEAR_LINEAR_STREAM_CORE_CPU_H

#include "ops/linear/linear_step_core_cpu.h"

enum { CACHE_LINE_BYTES = 64 };

struct linear_stream {
    struct emitter *e;
    const struct linear_work *work;
    struct linear_step step;
    struct linear_pointers pointers;
    int streams, rows, unroll;
    int64_t prefetch_bytes;
};

/* With the tunables of the generation's config; the pointers are the caller's to set. */
struct linear_stream linear_stream_of(struct emitter *e, const struct linear_work *work,
                                      enum linear_dot dot, const struct generation *generation);

/* Rows [first, end) of the outputs.  Row r is made of row r of the activations or, where there is
 * an `order` (of i32), of row order[r] / divisor.  With `heads`, row r of the outputs is row r *
 * heads + head, and made of that row of the activations or, where they are `shared`, of row r. */
struct linear_rows {
    value first, end;
    value order;
    int64_t divisor;
    int64_t heads; /* 0: none */
    value head;
    bool shared;
};

value linear_rows_source(struct emitter *e, const struct linear_rows *rows, value row);
value linear_rows_place(struct emitter *e, const struct linear_rows *rows, value row);

/* Emits the code that makes outputs [begin, end) of these rows, with weight rows [begin, end) of
 * matrix `matrix`, or of gate and up. */
void linear_stream_outputs(const struct linear_stream *k, int matrix,
                           const struct linear_rows *rows, value begin, value end);

#endif
