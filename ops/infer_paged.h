/* Shape rules of operators with a paged state. */
#ifndef OPS_INFER_PAGED_H
#define OPS_INFER_PAGED_H

#include "ops/infer.h"

/* Inputs `positions`, `positions + 1` (sequences) and `positions + 2` (pages) of a ragged batch
 * with one token per row of `x`. */
CHECKED status infer_batch(const struct inference *inference, int positions, int x);

/* A state [pages, page_tokens, width]. */
CHECKED status infer_state(const struct inference *inference, int input);

/* The state's rows are `heads` heads of `head_size`; a head starts on a block. */
CHECKED status infer_state_heads(const struct inference *inference, int input, int64_t heads,
                                 int64_t head_size, const char *what);

/* `head_size` numbers of the state are whole blocks. */
CHECKED status infer_head_blocks(const struct inference *inference, int input, int64_t head_size);

#endif
