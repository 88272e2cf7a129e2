/* One row's attention to a block of tokens, by the heads of a strand: what attention_decode_cpu is
 * made of.
 *
 * The heads of a strand share keys and values.  They are worked on in chunks of 1, 2, 4 ... heads.
 * A register holds the scores of a chunk: each of its heads with as many tokens as fill the
 * register, head by head.  So the products of a chunk with that many tokens are as many registers
 * of partial sums as a register has lanes, one exchange of lanes adds them all up, and maxima and
 * sums over tokens are taken lane by lane. */
#ifndef OPS_ATTENTION_ATTENTION_STRAND_CORE_CPU_H
#define OPS_ATTENTION_ATTENTION_STRAND_CORE_CPU_H

#include "ops/attention/attention_core_cpu.h"

enum { STRAND_HEADS_MAX = 16 };

struct strand_chunk {
    int first, heads, tokens; /* heads * tokens lanes */
};

struct strand {
    const struct attention_work *work;
    int heads, block; /* heads of the strand; tokens of a block, a power of two */
    int chunk_count;
    struct strand_chunk chunks[STRAND_HEADS_MAX];
    int64_t sum_columns; /* f32 of one head's sums: whole registers */
    /* On the stack. */
    value k_tokens, v_tokens; /* addresses of the tokens of two blocks in turn */
    value scores; /* of one chunk and block: [block / tokens][lanes]; or [heads][block] */
    value sums;   /* [heads][sum_columns] */
};

/* `together`: the largest number of heads of a chunk; `strands`: there is room for the sums of so
 * many, strand_sum_bytes apart, of which this is the first. */
void strand_begin(struct emitter *e, const struct attention_work *work, int heads, int together,
                  int block, int64_t sum_columns, int strands, struct strand *strand);
int64_t strand_sum_bytes(const struct strand *strand);
void strand_clear(struct emitter *e, const struct strand *strand);

/* Where the running maxima and weights of the chunks begin: chunk c has values 2c and 2c + 1.
 * `sinks`: the heads' sinks, each of which is a score without a value where `counts` (i1); or NULL.
 */
void strand_start(struct emitter *e, const struct strand *strand, value sinks, value counts,
                  value *state);

/* The tokens of the block at `slot` (0 or `block`), of which `count` are seen: updates the chunks'
 * state and adds to the sums.  `q`: the first head's query.  The strand's keys and values lie
 * `k_shift` and `v_shift` bytes behind the addresses of the tokens.
 *
 * Meanwhile the tokens at `ahead` are fetched, a piece with every register of scores, so that memory
 * and arithmetic work side by side: strand `number` of `strands` fetches its share of the lines, in
 * the order in which they lie in memory, which is what processors recognise and run ahead of. */
struct strand_block {
    value slot, count;        /* i64 */
    value k_shift, v_shift;   /* i64 */
    value ahead, number;      /* i64; ahead is NULL: nothing is fetched */
    int level;                /* of the cache that is fetched into, 1 or 2 */
    int64_t strands;          /* of an item */
    int64_t k_bytes, v_bytes; /* that its strands read of a token */
};
void strand_attend(struct emitter *e, const struct strand *strand, const struct strand_block *block,
                   value q, value *state);

/* Each lane's head has its maximum in every lane already; gives it its weight too. */
void strand_finish(struct emitter *e, const struct strand *strand, value *state);

/* ---- Pieces, for other ways to form products ---- */

/* Token `slot` + `after` of those at `tokens`, `shift` bytes further. */
value strand_token(struct emitter *e, value tokens, value slot, int64_t after, value shift);

/* What is fetched of the next block beside a pass over this one's tokens. */
struct fetching {
    value tokens;   /* their addresses */
    int64_t bytes;  /* of each token */
    value pass;     /* i64 */
    int64_t passes; /* that fetch the block together */
};

/* Lanes of tokens that are not seen score nothing; `left` of them are, counted from the register's
 * first. */
value strand_hide(struct emitter *e, const struct strand_chunk *chunk, value left, value scores);

/* Turns scores, registers with `tokens` tokens each, into weights relative to `largest` and returns
 * their sums, lane by lane. */
value strand_weigh(struct emitter *e, value scores, value count, int tokens, value largest);

#endif
