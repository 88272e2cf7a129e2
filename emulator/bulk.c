/* Carrying out bulk copies: whole blocks of bytes, or boxes of a tensor with a tensor map. */
#include "emulator/bulk.h"

#include "emulator/tensor_map.h"
#include "emulator/transaction.h"

#include <string.h>

enum { CHUNK_BYTES = 16, POISON = 0xff };

struct bulk_copy *bulk_add(struct gang *gang, struct bulk_list *list)
{
    void *grown =
        arena_grow(gang->arena, list->items, list->count, &list->capacity, sizeof *list->items);
    if (!grown) return NULL;
    list->items = grown;
    return &list->items[list->count++];
}

struct tensor_row tensor_row_at(const struct tensor_map *map, const int32_t *coordinates,
                                uint32_t index)
{
    struct tensor_row row = {.address = map->address};
    int64_t first = coordinates[0], size = (int64_t)map->sizes[0];
    int64_t begin = first < 0 ? 0 : first, end = first + map->box[0];
    if (end > size) end = size;
    bool inside = begin < end;
    for (uint32_t axis = 1; axis < map->rank; axis++) {
        int64_t at = (int64_t)coordinates[axis] + index % map->box[axis];
        index /= map->box[axis];
        inside = inside && at >= 0 && at < (int64_t)map->sizes[axis];
        row.address += (uint64_t)at * map->strides[axis];
    }
    if (!inside) return (struct tensor_row){.lead = tensor_row_bytes(map)};
    row.address += (uint64_t)begin * map->element_bytes;
    row.lead = (uint32_t)(begin - first) * map->element_bytes;
    row.bytes = (uint32_t)(end - begin) * map->element_bytes;
    return row;
}

static const struct tensor_map *map_of(const struct bulk_copy *copy)
{
    const struct tensor_map *map = (const void *)copy->map;
    return map->magic ? map : NULL;
}

/* ---- Issuing ---- */

static enum outcome issue_rows(struct warp *warp, const struct instruction *instruction,
                               const struct bulk_copy *copy)
{
    const struct tensor_map *map = map_of(copy);
    for (uint32_t r = 0; r < tensor_rows(map); r++) {
        struct tensor_row row = tensor_row_at(map, copy->coordinates, r);
        if (!row.bytes) continue;
        if (!global_at(warp, instruction, copy->lane, row.address, row.bytes, 1))
            return OUTCOME_FAULT;
        if (!copy->shared_fetch) count_range(warp, row.address, row.bytes);
    }
    return OUTCOME_NEXT;
}

enum outcome bulk_issue(struct warp *warp, const struct instruction *instruction,
                        const struct bulk_copy *copy, bool into_shared)
{
    struct block *block = copy->block;
    if (copy->bytes > block->shared_bytes || copy->offset > block->shared_bytes - copy->bytes)
        return warp_fault(warp, instruction, MACHINE_ILLEGAL_ADDRESS,
                          "a copy of %u bytes at shared byte %u; the block has %u bytes",
                          copy->bytes, copy->offset, block->shared_bytes);
    if (map_of(copy) && issue_rows(warp, instruction, copy) == OUTCOME_FAULT) return OUTCOME_FAULT;
    if (!into_shared)
        return shadow_read_async(warp, instruction, copy->offset, copy->bytes) ? OUTCOME_NEXT
                                                                               : OUTCOME_FAULT;
    if (!shadow_expect(warp, instruction, copy->lane, block, copy->offset, copy->bytes))
        return OUTCOME_FAULT;
    memset(block->shared + copy->offset, POISON, copy->bytes);
    return OUTCOME_NEXT;
}

/* ---- Carrying out ---- */

/* Global memory was looked at when the copy was issued. */
static unsigned char *host_of(struct warp *warp, uint64_t address, uint32_t bytes)
{
    const struct instruction *here = &warp->block->gang->launch->module->code[warp->pc];
    return global_at(warp, here, 0, address, bytes, 1);
}

static void fill_outside(const struct tensor_map *map, unsigned char *row, uint32_t bytes)
{
    if (!map->fill_nan) {
        memset(row, 0, bytes);
        return;
    }
    memset(row, 0xff, bytes); /* NaN in every float type */
}

static bool load_box(struct warp *warp, const struct bulk_copy *copy)
{
    unsigned char bytes[256 * 8]; /* a box has up to 256 elements a row */
    const struct tensor_map *map = map_of(copy);
    uint32_t row_bytes = tensor_row_bytes(map);
    for (uint32_t r = 0; r < tensor_rows(map); r++) {
        struct tensor_row row = tensor_row_at(map, copy->coordinates, r);
        fill_outside(map, bytes, row_bytes);
        if (row.bytes) {
            const unsigned char *from = host_of(warp, row.address, row.bytes);
            if (!from) return false;
            memcpy(bytes + row.lead, from, row.bytes);
        }
        for (uint32_t b = 0; b < row_bytes; b += CHUNK_BYTES) {
            uint32_t to = swizzled(copy->offset + r * row_bytes + b, map->swizzle_bytes);
            memcpy(copy->block->shared + to, bytes + b, CHUNK_BYTES);
        }
    }
    return true;
}

static bool store_box(struct warp *warp, const struct bulk_copy *copy)
{
    unsigned char bytes[256 * 8];
    const struct tensor_map *map = map_of(copy);
    uint32_t row_bytes = tensor_row_bytes(map);
    for (uint32_t r = 0; r < tensor_rows(map); r++) {
        struct tensor_row row = tensor_row_at(map, copy->coordinates, r);
        if (!row.bytes) continue;
        for (uint32_t b = 0; b < row_bytes; b += CHUNK_BYTES) {
            uint32_t from = swizzled(copy->offset + r * row_bytes + b, map->swizzle_bytes);
            memcpy(bytes + b, copy->block->shared + from, CHUNK_BYTES);
        }
        unsigned char *to = host_of(warp, row.address, row.bytes);
        if (!to) return false;
        memcpy(to, bytes + row.lead, row.bytes);
    }
    return true;
}

static bool load_bytes(struct warp *warp, const struct bulk_copy *copy)
{
    if (map_of(copy)) {
        if (!load_box(warp, copy)) return false;
    } else {
        memcpy(copy->block->shared + copy->offset, copy->global, copy->bytes);
    }
    shadow_arrive(copy->block, copy->offset, copy->bytes,
                  copy->foreign ? SHADOW_NOBODY : copy->warp, copy->clock, true);
    return true;
}

/* Who waits for the barrier has seen what the copy's issuer had seen. */
static void complete(const struct bulk_copy *copy)
{
    struct transaction *transaction = transaction_find(copy->block, copy->transaction);
    if (!transaction) return;
    if (!copy->foreign && transaction->arriving[copy->warp] < copy->clock)
        transaction->arriving[copy->warp] = copy->clock;
    transaction_bytes(copy->block, transaction, copy->bytes);
}

enum outcome bulk_arrive(struct warp *warp, struct block *block, uint32_t transaction)
{
    struct bulk_list *list = &warp->block->gang->bulk;
    size_t left = 0;
    bool good = true;
    for (size_t i = 0; i < list->count; i++) {
        const struct bulk_copy *copy = &list->items[i];
        if (copy->block != block || copy->transaction != transaction) {
            list->items[left++] = *copy;
            continue;
        }
        good = good && load_bytes(warp, copy);
        complete(copy);
    }
    list->count = left;
    return good ? OUTCOME_NEXT : OUTCOME_FAULT;
}

enum outcome bulk_store(struct warp *warp, const struct instruction *instruction, uint32_t kept)
{
    struct bulk_list *list = &warp->stores;
    size_t left = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct bulk_copy *copy = &list->items[i];
        if (!lane_runs(warp, copy->lane) || copy->group + kept >= warp->store_groups[copy->lane]) {
            list->items[left++] = *copy;
            continue;
        }
        if (!shadow_read_async(warp, instruction, copy->offset, copy->bytes)) return OUTCOME_FAULT;
        if (!map_of(copy))
            memcpy(copy->global, copy->block->shared + copy->offset, copy->bytes);
        else if (!store_box(warp, copy))
            return OUTCOME_FAULT;
    }
    list->count = left;
    return OUTCOME_NEXT;
}

enum outcome bulk_check_exit(struct warp *warp, const struct instruction *instruction)
{
    for (size_t i = 0; i < warp->stores.count; i++)
        if (lane_runs(warp, warp->stores.items[i].lane))
            return warp_fault(warp, instruction, MACHINE_HAZARD,
                              "thread %u returns without having waited for its bulk copies out of "
                              "shared memory",
                              warp->index * WARP_LANES + warp->stores.items[i].lane);
    return OUTCOME_NEXT;
}
