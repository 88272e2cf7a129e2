/* First fit in a good order.
 *
 * Blocks are placed one after the other, each at the lowest offset where it overlaps no placed
 * block that is alive with it.  Everything lies in the order: three are tried (largest first;
 * largest bytes times lifetime first; by start), then the best is improved by moving the block that
 * sets the height to the front, until the height is the lower bound or nothing was gained for a
 * while.  Finding the best order is NP-hard; graphs of layers come out at or near the bound. */
#include "ir/memory_pack.h"

#include "base/checked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Orders that an improvement may try in vain.  Each costs as much as placing all blocks. */
    PATIENCE = 24,
    /* Above this many blocks the three first orders must do. */
    IMPROVED_BLOCKS_MAX = 4096
};

struct span {
    int64_t begin, end;
};

struct packer {
    struct memory_block *blocks; /* sorted by `first` */
    int count;
    int *latest;  /* [count] the largest `last` of blocks 0..i: bounds the search to the left */
    bool *placed; /* [count] */
    struct span *spans; /* [count] what is taken, while one block is placed */
    int *order, *best;  /* [count] */
    int64_t *offsets;   /* [count] of the best order */
    int64_t bound, best_bytes;
};

static int64_t block_bytes(const struct memory_block *block)
{
    int64_t excess = block->bytes % MEMORY_PACK_ALIGNMENT_BYTES;
    return block->bytes + (excess ? MEMORY_PACK_ALIGNMENT_BYTES - excess : 0);
}

/* Inserts the span of a placed block, sorted by its beginning. */
static int add_span(struct packer *packer, int count, const struct memory_block *block)
{
    struct span span = {block->offset, block->offset + block_bytes(block)};
    int at = count;
    for (; at > 0 && packer->spans[at - 1].begin > span.begin; at--)
        packer->spans[at] = packer->spans[at - 1];
    packer->spans[at] = span;
    return count + 1;
}

/* What placed blocks that are alive with block `b` take. */
static int collect_spans(struct packer *packer, int b)
{
    const struct memory_block *block = &packer->blocks[b];
    int count = 0;
    for (int i = b - 1; i >= 0 && packer->latest[i] >= block->first; i--)
        if (packer->placed[i] && packer->blocks[i].last >= block->first)
            count = add_span(packer, count, &packer->blocks[i]);
    for (int i = b + 1; i < packer->count && packer->blocks[i].first <= block->last; i++)
        if (packer->placed[i]) count = add_span(packer, count, &packer->blocks[i]);
    return count;
}

static void place_block(struct packer *packer, int b)
{
    struct memory_block *block = &packer->blocks[b];
    int spans = collect_spans(packer, b);
    int64_t bytes = block_bytes(block), offset = 0;
    for (int s = 0; s < spans && packer->spans[s].begin < offset + bytes; s++)
        if (packer->spans[s].end > offset) offset = packer->spans[s].end;
    block->offset = offset;
    packer->placed[b] = true;
}

/* Places all blocks in `order`; returns the height. */
static int64_t place_all(struct packer *packer)
{
    int64_t height = 0;
    memset(packer->placed, 0, (size_t)packer->count * sizeof *packer->placed);
    for (int i = 0; i < packer->count; i++) {
        const struct memory_block *block = &packer->blocks[packer->order[i]];
        place_block(packer, packer->order[i]);
        if (block->offset + block_bytes(block) > height)
            height = block->offset + block_bytes(block);
    }
    return height;
}

/* Tries `order` and keeps it if it is the best so far. */
static bool try_order(struct packer *packer)
{
    int64_t bytes = place_all(packer);
    if (bytes >= packer->best_bytes) return false;
    packer->best_bytes = bytes;
    memcpy(packer->best, packer->order, (size_t)packer->count * sizeof *packer->order);
    for (int b = 0; b < packer->count; b++) packer->offsets[b] = packer->blocks[b].offset;
    return true;
}

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_starts(const void *a, const void *b)
{
    const struct memory_block *x = a, *y = b;
    if (x->first != y->first) return x->first < y->first ? -1 : 1;
    return (x->last > y->last) - (x->last < y->last);
}

/* An order's entry: qsort knows no context, so the key travels with the block's number. */
struct ranked {
    double key;
    int block;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    int by_key = compare_numbers(y->key, x->key); /* largest first */
    return by_key ? by_key : (x->block > y->block) - (x->block < y->block);
}

/* bytes * lifetime^power, largest first. */
static void order_by_size(struct packer *packer, struct ranked *ranked, int power)
{
    for (int b = 0; b < packer->count; b++) {
        const struct memory_block *block = &packer->blocks[b];
        double lifetime = power ? (double)(block->last - block->first + 1) : 1;
        ranked[b] = (struct ranked){(double)block->bytes * lifetime, b};
    }
    qsort(ranked, (size_t)packer->count, sizeof *ranked, compare_ranked);
    for (int i = 0; i < packer->count; i++) packer->order[i] = ranked[i].block;
}

static bool try_first_orders(struct packer *packer, struct ranked *ranked)
{
    for (int i = 0; i < packer->count; i++) packer->order[i] = i;
    try_order(packer);
    for (int power = 0; power <= 1 && packer->best_bytes > packer->bound; power++) {
        order_by_size(packer, ranked, power);
        try_order(packer);
    }
    return packer->best_bytes == packer->bound;
}

/* Position in `order` of the block that reaches highest. */
static int highest_block(const struct packer *packer)
{
    int64_t height = -1;
    int highest = 0;
    for (int i = 0; i < packer->count; i++) {
        const struct memory_block *block = &packer->blocks[packer->order[i]];
        if (block->offset + block_bytes(block) <= height) continue;
        height = block->offset + block_bytes(block);
        highest = i;
    }
    return highest;
}

static void move_to_front(int *order, int from)
{
    int block = order[from];
    memmove(order + 1, order, (size_t)from * sizeof *order);
    order[0] = block;
}

static void improve(struct packer *packer)
{
    memcpy(packer->order, packer->best, (size_t)packer->count * sizeof *packer->order);
    place_all(packer);
    for (int vain = 0; vain < PATIENCE && packer->best_bytes > packer->bound; vain++) {
        move_to_front(packer->order, highest_block(packer));
        if (try_order(packer)) vain = 0;
    }
}

static status packer_open(struct packer *packer, struct arena *scratch,
                          struct diagnostic *diagnostic)
{
    TRY_NEW(packer->latest, scratch, packer->count, diagnostic);
    TRY_NEW(packer->placed, scratch, packer->count, diagnostic);
    TRY_NEW(packer->spans, scratch, packer->count, diagnostic);
    TRY_NEW(packer->order, scratch, packer->count, diagnostic);
    TRY_NEW(packer->best, scratch, packer->count, diagnostic);
    TRY_NEW(packer->offsets, scratch, packer->count, diagnostic);
    packer->best_bytes = INT64_MAX;
    for (int b = 0; b < packer->count; b++) {
        int last = packer->blocks[b].last;
        packer->latest[b] = b && packer->latest[b - 1] > last ? packer->latest[b - 1] : last;
    }
    return memory_pack_bound(packer->blocks, packer->count, scratch, &packer->bound, diagnostic);
}

status memory_pack(struct memory_block *blocks, int count, struct arena *scratch,
                   int64_t *total_bytes, struct diagnostic *diagnostic)
{
    struct packer packer = {.blocks = blocks, .count = count};
    struct ranked *ranked;
    *total_bytes = 0;
    if (count == 0) return STATUS_OK;
    for (int b = 0; b < count; b++)
        if (blocks[b].bytes < 0 || blocks[b].bytes > MEMORY_PACK_BYTES_MAX)
            return fail(diagnostic, STATUS_NO_MEMORY, "a value of %" PRId64 " bytes is too large",
                        blocks[b].bytes);
    qsort(blocks, (size_t)count, sizeof *blocks, compare_starts);
    TRY(packer_open(&packer, scratch, diagnostic));
    TRY_NEW(ranked, scratch, count, diagnostic);
    if (!try_first_orders(&packer, ranked) && count <= IMPROVED_BLOCKS_MAX) improve(&packer);
    for (int b = 0; b < count; b++) blocks[b].offset = packer.offsets[b];
    *total_bytes = packer.best_bytes;
    return STATUS_OK;
}

/* Walks the times at which blocks start; those that ended before are taken off by a second list,
 * sorted by end. */
static int compare_ends(const void *a, const void *b)
{
    const struct memory_block *x = a, *y = b;
    return (x->last > y->last) - (x->last < y->last);
}

status memory_pack_bound(const struct memory_block *blocks, int count, struct arena *scratch,
                         int64_t *bytes, struct diagnostic *diagnostic)
{
    struct memory_block *ends;
    int64_t alive = 0;
    int ended = 0;
    *bytes = 0;
    if (count == 0) return STATUS_OK;
    TRY_NEW(ends, scratch, count, diagnostic);
    memcpy(ends, blocks, (size_t)count * sizeof *ends);
    qsort(ends, (size_t)count, sizeof *ends, compare_ends);
    for (int b = 0; b < count; b++) {
        for (; ends[ended].last < blocks[b].first; ended++) alive -= block_bytes(&ends[ended]);
        alive += block_bytes(&blocks[b]);
        if (alive > *bytes) *bytes = alive;
    }
    return STATUS_OK;
}
