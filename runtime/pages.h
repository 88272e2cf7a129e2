/* Pages of KV state: which page of every state holds which tokens of which sequence.
 *
 * All states of a plan share one numbering: page p of a sequence is row p of k.0, v.0, k.1 ...  Pages are counted, so
 * that sequences fork without copying: a fork shares every full page and gets a copy of the last, partly filled one. */
#ifndef RUNTIME_PAGES_H
#define RUNTIME_PAGES_H

#include "base/arena.h"

#include <stdint.h>

struct page_pool;

CHECKED status page_pool_create(int64_t pages, int64_t page_tokens, int64_t sequences,
                                int64_t stride, struct arena *arena, struct page_pool **pool,
                                struct diagnostic *diagnostic);

/* A row of the page table; STATUS_NO_MEMORY when all rows are taken. */
CHECKED status sequence_open(struct page_pool *pool, int *sequence, struct diagnostic *diagnostic);
void sequence_close(struct page_pool *pool, int sequence);
int64_t sequence_length(const struct page_pool *pool, int sequence); /* tokens */

/* Makes room for `tokens` more and counts them; nothing changes when pages run out. */
CHECKED status sequence_extend(struct page_pool *pool, int sequence, int64_t tokens,
                               struct diagnostic *diagnostic);
/* Forgets the tokens from position `length` on. */
void sequence_truncate(struct page_pool *pool, int sequence, int64_t length);

/* A new sequence with the first `length` tokens of `from`.  When the last page is partly filled, `*copied` is the
 * fork's own page and `*original` the one to copy it from in every state; -1 when nothing must be copied. */
CHECKED status sequence_fork(struct page_pool *pool, int from, int64_t length, int *sequence,
                             int *original, int *copied, struct diagnostic *diagnostic);

/* i32[sequences, stride]; rows of closed sequences and unused columns hold 0. */
const int32_t *page_table(const struct page_pool *pool);
int64_t page_table_stride(const struct page_pool *pool);
int64_t pages_free(const struct page_pool *pool);

#endif
