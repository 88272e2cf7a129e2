/* One row's attention to a block of tokens whose keys and values are blocks of 32 (q8_0, q4_0),
 * multiplied byte by byte.
 *
 * Scores: queries are rounded to 16 bits, two bytes, 32 columns with a scale, once for each row.  A register
 * holds four columns of as many tokens as it has lanes, so each lane adds up one token's products,
 * and a block of 32 columns costs each head sixteen products, a conversion and a multiply-add.
 *
 * Sums: a token's weight times the scale of its values is rounded to 16 bits as well, relative to
 * the largest of the block of tokens, for each head and each 32 columns.  Bytes of four tokens are
 * put side by side, so that a lane adds up one column of four tokens.
 *
 * What is put side by side serves all heads that share keys and values.  A strand that works this
 * way has chunks of one head (attention_strand_core_cpu.h), which have a register of tokens each. */
#ifndef OPS_ATTENTION_ATTENTION_BYTES_CORE_CPU_H
#define OPS_ATTENTION_ATTENTION_BYTES_CORE_CPU_H

#include "ops/attention/attention_strand_core_cpu.h"

struct bytes_strand {
    struct strand strand;
    int together; /* heads whose scores are computed side by side */
    /* On the stack. */
    value weights;      /* bytes [heads][planes][block / lanes][blocks of a value][lanes] */
    value key_scales;   /* f32 [blocks of a key][block] */
    value value_scales; /* f32 [blocks of a value][block] */
    value scales;       /* f32 [heads][blocks of a value]: of the weights' bytes */
    value offsets;      /* i32 [heads][blocks of a value]: what sums of products begin with */
    value queries;      /* rounded: those of `strands` strands, bytes_query_bytes apart */
};

/* As strand_begin. */
void bytes_strand_begin(struct emitter *e, const struct attention_work *work, int heads,
                        int together, int block, int strands, struct bytes_strand *strand);

/* Rounds the queries at `q` of the strand's heads to `queries`. */
int64_t bytes_query_bytes(const struct bytes_strand *strand);
void bytes_round_queries(struct emitter *e, const struct bytes_strand *strand, value q,
                         value queries);

/* As strand_attend. */
void bytes_attend(struct emitter *e, const struct bytes_strand *strand,
                  const struct strand_block *block, value queries, value *state);

/* The sums are kept in an order that suits the products; puts them into that of their columns. */
void bytes_finish(struct emitter *e, const struct bytes_strand *strand);

/* ---- For its two files ---- */

enum { BYTES_BLOCK = 32, BYTES_HALF = 16, BYTES_SCALE = 2 };

/* What meets the codes has 16 bits: 256 times the byte of its high plane plus that of its low one, both
 * signed.  A single byte would move scores, which are exponents, too far, and would round small
 * weights beside a large one too coarsely. */
enum { BYTES_PLANES = 2, BYTES_PLANE_BITS = 8 };

/* What numbers are multiplied with, and its inverse, from the bits of the largest magnitude (i32); the
 * two planes of the whole numbers they become, as i8; and sums of products with both. */
value bytes_choose_scale(struct emitter *e, value largest, value *scale);
void bytes_split(struct emitter *e, value whole, value *planes);
value bytes_join(struct emitter *e, value low, value high);

/* sum[i] + codes times signed bytes; the codes (i32 lanes, as stored or unpacked) count from
 * `bytes_offset`: that many times the sum of the signed bytes is too much. */
value bytes_dot(struct emitter *e, enum element_type element, value sum, value codes, value signs);
int bytes_offset(const struct emitter *e, enum element_type element);

/* The scales of all keys or values of the block of tokens to `scales` ([blocks][block]).  Being short, it is also
 * what waits least for all those cache lines to come. */
void bytes_gather_scales(struct emitter *e, const struct bytes_strand *strand,
                         const struct attention_side *side, value tokens,
                         const struct strand_block *block, value scales);
/* Where those of block `number` lie, from token `token` on. */
value bytes_scales_at(struct emitter *e, const struct bytes_strand *strand, value scales,
                      value number, value token);

/* Codes 0 to 15 (`high` 0) or 16 to 31 of q4_0's packed ones. */
value bytes_nibbles(struct emitter *e, value packed, int high);

/* Fetches what belongs to the register of tokens from `token` on: whole tokens, without a division for each line. */
void bytes_fetch(struct emitter *e, const struct strand *strand, const struct strand_block *block,
                 const struct fetching *what, value token);

/* Blocks of a value, counted so that whole registers can be read behind the last one. */
int64_t bytes_value_blocks(const struct emitter *e, const struct bytes_strand *strand);

/* f32 of one head's sums. */
int64_t bytes_sum_columns(const struct emitter *e, const struct attention_work *work);

/* Rounds the weights (in place of the scores), and adds values times weights to the sums. */
void bytes_sum_values(struct emitter *e, const struct bytes_strand *strand,
                      const struct strand_block *block, const value *shrink);

#endif
