/* Bytes that are made from a file's bytes when a weight is asked for: tensors laid out anew, and parts
 * of tensors in another order.  Until then they take addresses and no memory, so that opening a model
 * costs nothing for weights that nobody loads. */
#ifndef MODELS_DEFERRED_H
#define MODELS_DEFERRED_H

#include "base/arena.h"
#include "base/status.h"

#include <stdint.h>

/* The first member of whatever says how the bytes are made. */
struct deferred {
    void (*make)(const struct deferred *deferred); /* fills `bytes`, which are zero */
    uint8_t *bytes;
    int64_t byte_count;
    bool made;
};

struct deferred_chunk {
    void *memory;
    size_t byte_count, used;
};

struct deferred_list {
    struct deferred **rows; /* the first `sorted` by address */
    int count, sorted, chunk_count;
    size_t capacity, chunk_capacity;
    struct deferred_chunk *chunks;
};

/* Reserves deferred->byte_count bytes, aligned to 64. */
CHECKED status deferred_add(struct deferred_list *list, struct arena *arena,
                            struct deferred *deferred, struct diagnostic *diagnostic);
void deferred_make(struct deferred *deferred);

void deferred_sort(struct deferred_list *list);
/* Makes what `bytes` points into, if anything. */
void deferred_make_at(const struct deferred_list *list, const void *bytes);
void deferred_close(struct deferred_list *list);

#endif
