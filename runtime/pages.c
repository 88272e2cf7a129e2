/* Page numbers and reference counts; the pages' contents live on the devices (execute.c). */
#include "runtime/pages.h"

struct page_pool {
    int64_t page_count, page_tokens, sequence_count, stride, free_count;
    int32_t *free_pages; /* [page_count], the first free_count are free */
    int32_t *users;      /* [page_count] */
    int32_t *table;      /* [sequence_count, stride] */
    int64_t *lengths;    /* [sequence_count] tokens; -1: closed */
};

status page_pool_create(int64_t pages, int64_t page_tokens, int64_t sequences, int64_t stride,
                        struct arena *arena, struct page_pool **result,
                        struct diagnostic *diagnostic)
{
    struct page_pool *pool;
    TRY_NEW(pool, arena, 1, diagnostic);
    *pool = (struct page_pool){.page_count = pages,
                               .page_tokens = page_tokens,
                               .sequence_count = sequences,
                               .stride = stride,
                               .free_count = pages};
    TRY_NEW(pool->free_pages, arena, pages, diagnostic);
    TRY_NEW(pool->users, arena, pages, diagnostic);
    TRY_NEW(pool->table, arena, sequences * stride, diagnostic);
    TRY_NEW(pool->lengths, arena, sequences, diagnostic);
    for (int64_t p = 0; p < pages; p++) pool->free_pages[p] = (int32_t)(pages - 1 - p);
    for (int64_t s = 0; s < sequences; s++) pool->lengths[s] = -1;
    *result = pool;
    return STATUS_OK;
}

static int64_t pages_for(const struct page_pool *pool, int64_t tokens)
{
    return (tokens + pool->page_tokens - 1) / pool->page_tokens;
}

static int32_t *row_of(const struct page_pool *pool, int sequence)
{
    return pool->table + sequence * pool->stride;
}

static int32_t take_page(struct page_pool *pool)
{
    int32_t page = pool->free_pages[--pool->free_count];
    pool->users[page] = 1;
    return page;
}

static void give_page(struct page_pool *pool, int32_t page)
{
    if (--pool->users[page] == 0) pool->free_pages[pool->free_count++] = page;
}

status sequence_open(struct page_pool *pool, int *sequence, struct diagnostic *diagnostic)
{
    for (int s = 0; s < pool->sequence_count; s++) {
        if (pool->lengths[s] >= 0) continue;
        pool->lengths[s] = 0;
        *sequence = s;
        return STATUS_OK;
    }
    return fail(diagnostic, STATUS_NO_MEMORY,
                "all %lld sequences are in use; ask for more with --sequences",
                (long long)pool->sequence_count);
}

void sequence_close(struct page_pool *pool, int sequence)
{
    sequence_truncate(pool, sequence, 0);
    pool->lengths[sequence] = -1;
}

int64_t sequence_length(const struct page_pool *pool, int sequence)
{
    return pool->lengths[sequence];
}

status sequence_extend(struct page_pool *pool, int sequence, int64_t tokens,
                       struct diagnostic *diagnostic)
{
    int64_t length = pool->lengths[sequence] + tokens;
    int64_t have = pages_for(pool, pool->lengths[sequence]), need = pages_for(pool, length);
    if (need > pool->stride)
        return fail(diagnostic, STATUS_NO_MEMORY,
                    "%lld tokens do not fit into the context of %lld: ask for more with --context",
                    (long long)length, (long long)(pool->stride * pool->page_tokens));
    if (need - have > pool->free_count)
        return fail(diagnostic, STATUS_NO_MEMORY,
                    "the KV cache is full: %lld pages are needed, %lld are free",
                    (long long)(need - have), (long long)pool->free_count);
    for (int64_t p = have; p < need; p++) row_of(pool, sequence)[p] = take_page(pool);
    pool->lengths[sequence] = length;
    return STATUS_OK;
}

void sequence_truncate(struct page_pool *pool, int sequence, int64_t length)
{
    int64_t have = pages_for(pool, pool->lengths[sequence]), keep = pages_for(pool, length);
    int32_t *row = row_of(pool, sequence);
    for (int64_t p = keep; p < have; p++) {
        give_page(pool, row[p]);
        row[p] = 0;
    }
    pool->lengths[sequence] = length;
}

status sequence_fork(struct page_pool *pool, int from, int64_t length, int *sequence, int *original,
                     int *copied, struct diagnostic *diagnostic)
{
    int64_t shared = length / pool->page_tokens;
    bool partial = length % pool->page_tokens != 0;
    *original = *copied = -1;
    if (partial && pool->free_count == 0)
        return fail(diagnostic, STATUS_NO_MEMORY, "the KV cache is full: no page for a fork");
    TRY(sequence_open(pool, sequence, diagnostic));
    const int32_t *source = row_of(pool, from);
    int32_t *row = row_of(pool, *sequence);
    for (int64_t p = 0; p < shared; p++) {
        row[p] = source[p];
        pool->users[row[p]]++;
    }
    if (partial) {
        *original = source[shared];
        *copied = row[shared] = take_page(pool);
    }
    pool->lengths[*sequence] = length;
    return STATUS_OK;
}

const int32_t *page_table(const struct page_pool *pool)
{
    return pool->table;
}

int64_t page_table_stride(const struct page_pool *pool)
{
    return pool->stride;
}

int64_t pages_free(const struct page_pool *pool)
{
    return pool->free_count;
}
