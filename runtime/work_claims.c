/* A word per chunk that holds the generation of the last launch in which it was claimed: nothing has to be reset between
 * launches, and a thread that comes late finds its chunks done. */
#include "runtime/work_claims.h"

#include <stdatomic.h>

enum { CACHE_LINE_BYTES = 64 };

/* The chunks of one thread's share. */
struct claimed {
    _Alignas(CACHE_LINE_BYTES) atomic_uint generations[WORK_CHUNKS_MAX];
};

struct work_claims {
    const struct thread_pool *pool;
    int chunks, threads;
    struct claimed *shares;
};

status work_claims_create(const struct thread_pool *pool, int chunks, struct arena *arena,
                          struct work_claims **result, struct diagnostic *diagnostic)
{
    struct work_claims *claims;
    char *room;
    int threads = thread_pool_size(pool);
    TRY_NEW(claims, arena, 1, diagnostic);
    TRY_NEW(room, arena, sizeof(struct claimed) * ((size_t)threads + 1), diagnostic);
    size_t misalignment = (uintptr_t)room % CACHE_LINE_BYTES;
    claims->pool = pool;
    claims->chunks = threads > 1 ? chunks : 1;
    claims->threads = threads;
    claims->shares = (void *)(room + (misalignment ? CACHE_LINE_BYTES - misalignment : 0));
    *result = claims;
    return STATUS_OK;
}

static bool claim(struct work_claims *claims, int owner, int chunk, unsigned generation)
{
    atomic_uint *word = &claims->shares[owner].generations[chunk];
    unsigned before = atomic_load_explicit(word, memory_order_relaxed);
    return before != generation &&
           atomic_compare_exchange_strong_explicit(word, &before, generation, memory_order_relaxed,
                                                   memory_order_relaxed);
}

/* Items of a chunk of the owner's share; begin == end: it has none. */
static void chunk_items(const struct work_walk *walk, int owner, int chunk, int64_t *begin,
                        int64_t *end)
{
    const struct work_claims *claims = walk->claims;
    int64_t first, last;
    thread_pool_share(claims->pool, walk->items, walk->unit, owner, &first, &last);
    thread_share(last - first, walk->unit, chunk, claims->chunks, begin, end);
    *begin += first;
    *end += first;
}

static bool next_of_share(struct work_walk *walk, int64_t *begin, int64_t *end)
{
    if (walk->tried++) return false;
    chunk_items(walk, walk->thread, 0, begin, end);
    return *begin < *end;
}

bool work_next(struct work_walk *walk, int64_t *begin, int64_t *end)
{
    struct work_claims *claims = walk->claims;
    int chunks = claims->chunks;
    if (chunks == 1) return next_of_share(walk, begin, end);
    for (; walk->tried < chunks * claims->threads; walk->tried++) {
        int after = walk->tried / chunks, chunk = walk->tried % chunks;
        int owner = (walk->thread + after) % claims->threads;
        if (after) chunk = chunks - 1 - chunk;
        chunk_items(walk, owner, chunk, begin, end);
        if (*begin == *end || !claim(claims, owner, chunk, walk->generation)) continue;
        walk->tried++;
        return true;
    }
    return false;
}
