/* Reserving, finding and making deferred bytes. */
#include "models/deferred.h"

#include "base/memory.h"

#include <stdlib.h>

/* Addresses are reserved in chunks of at least so many bytes: few mappings for many tensors. */
enum { CHUNK_BYTES = 64 << 20, ALIGNMENT_BYTES = 64 };

static status add_chunk(struct deferred_list *list, struct arena *arena, size_t byte_count,
                        struct diagnostic *diagnostic)
{
    struct deferred_chunk chunk = {.byte_count =
                                       byte_count > CHUNK_BYTES ? byte_count : CHUNK_BYTES};
    TRY_APPEND(list->chunks, list->chunk_count, list->chunk_capacity, arena, diagnostic);
    list->chunks[list->chunk_count - 1] = chunk;
    status outcome = memory_map(chunk.byte_count, &chunk.memory, diagnostic);
    if (outcome == STATUS_OK)
        list->chunks[list->chunk_count - 1] = chunk;
    else
        list->chunk_count--;
    return outcome;
}

status deferred_add(struct deferred_list *list, struct arena *arena, struct deferred *deferred,
                    struct diagnostic *diagnostic)
{
    size_t wanted = (size_t)deferred->byte_count + ALIGNMENT_BYTES - 1;
    wanted -= wanted % ALIGNMENT_BYTES;
    struct deferred_chunk *last = list->chunk_count ? &list->chunks[list->chunk_count - 1] : NULL;
    if (!last || last->byte_count - last->used < wanted) {
        TRY(add_chunk(list, arena, wanted, diagnostic));
        last = &list->chunks[list->chunk_count - 1];
    }
    TRY_APPEND(list->rows, list->count, list->capacity, arena, diagnostic);
    deferred->bytes = (uint8_t *)last->memory + last->used;
    last->used += wanted;
    list->rows[list->count - 1] = deferred;
    return STATUS_OK;
}

void deferred_make(struct deferred *deferred)
{
    if (deferred->made) return;
    deferred->make(deferred);
    deferred->made = true;
}

static int compare_rows(const void *a, const void *b)
{
    const struct deferred *first = *(struct deferred *const *)a;
    const struct deferred *second = *(struct deferred *const *)b;
    return (first->bytes > second->bytes) - (first->bytes < second->bytes);
}

void deferred_sort(struct deferred_list *list)
{
    if (list->count) qsort(list->rows, (size_t)list->count, sizeof *list->rows, compare_rows);
    list->sorted = list->count;
}

static bool holds(const struct deferred *row, const void *bytes)
{
    uintptr_t first = (uintptr_t)row->bytes, at = (uintptr_t)bytes;
    return at >= first && at - first < (uintptr_t)row->byte_count;
}

void deferred_make_at(const struct deferred_list *list, const void *bytes)
{
    int low = 0, high = list->sorted; /* the row is the last one that begins at or before `bytes` */
    while (low < high) {
        int middle = low + (high - low) / 2;
        if ((uintptr_t)list->rows[middle]->bytes <= (uintptr_t)bytes)
            low = middle + 1;
        else
            high = middle;
    }
    if (low && holds(list->rows[low - 1], bytes)) deferred_make(list->rows[low - 1]);
    for (int i = list->count - 1; i >= list->sorted; i--) {
        if (!holds(list->rows[i], bytes)) continue;
        deferred_make(list->rows[i]);
        return;
    }
}

void deferred_close(struct deferred_list *list)
{
    for (int i = 0; i < list->chunk_count; i++)
        memory_unmap(list->chunks[i].memory, list->chunks[i].byte_count);
    *list = (struct deferred_list){0};
}
