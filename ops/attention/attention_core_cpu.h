/* What the CPU kernels of attention share: the shape of the work, where tokens lie, and scores.
 *
 * A row sees the tokens [first, end) of its sequence.  Query heads that share a key and value head
 * (a group) are answered together, so that each key and value is read and widened once for all of
 * them. */
#ifndef OPS_ATTENTION_ATTENTION_CORE_CPU_H
#define OPS_ATTENTION_ATTENTION_CORE_CPU_H

#include "ops/append/append_core_cpu.h"
#include "ops/attention/attention.h"

/* Keys or values: `size` elements of each head are used. */
struct attention_side {
    enum element_type element;
    int64_t size, head_bytes, row_bytes;
};

struct attention_work {
    struct attention_shape shape;
    int64_t group; /* query heads per key and value head */
    int64_t page_tokens;
    struct attention_side k, v;
    bool has_sinks;
};

/* Fails where states are of a type that kernels do not read. */
CHECKED status attention_work_read(const struct problem *problem, struct attention_work *work,
                                   struct diagnostic *diagnostic);

/* ---- Operands inside a kernel ---- */

struct attention_pointers {
    value q, positions, sequences, k, v, y;
    value sinks; /* NULL: none */
    struct append_pages pages;
    /* What a token without a page points at: keys of NaN, so that whoever sees it gets NaN, and
     * values of zero, so that nobody else does. */
    value no_k, no_v;
};

struct attention_pointers attention_load_pointers(struct emitter *e,
                                                  const struct attention_work *work,
                                                  const struct kernel_arguments *kernel,
                                                  struct launch *launch);

/* What row `row` (i64) sees: nothing when it is outside the tables. */
struct attention_sight {
    value sequence, first, end; /* i64 */
};
struct attention_sight attention_sight_of(struct emitter *e, const struct attention_work *work,
                                          const struct attention_pointers *pointers, value row);

/* The head `head` (i64) of the keys and values of a token. */
struct attention_token {
    value k, v; /* addresses */
};
struct attention_token attention_find_token(struct emitter *e, const struct attention_work *work,
                                            const struct attention_pointers *pointers,
                                            value sequence, value token, value head);

/* ---- Scores: f32 vectors ---- */

/* Where a running maximum starts: below every score, and finite, so that differences are too. */
#define ATTENTION_LOWEST (-1e30)

/* What a token out of sight scores. */
value attention_blind(struct emitter *e, int lanes);

/* A score is attention_cap(attention_factor * (query . key)); the factor may be multiplied into the
 * query. */
double attention_factor(const struct attention_work *work);
value attention_cap(struct emitter *e, const struct attention_work *work, value products);

/* exp(x) for x <= 0, relative error below 3e-7; 0 below -87. */
value attention_exp(struct emitter *e, value x);

/* Lane i of the result is the sum of the lanes of vectors[i]; as many vectors as lanes. */
value attention_sum_each(struct emitter *e, const value *vectors, int lanes);

/* Combines every lane with those of the same group of `group` neighbours (a power of two). */
value attention_group_maximum(struct emitter *e, value x, int group);
value attention_group_sum(struct emitter *e, value x, int group);

/* `count` rounded up to a multiple. */
int64_t attention_align(int64_t count, int64_t multiple);
value attention_align_value(struct emitter *e, value count, int64_t multiple);

#endif
