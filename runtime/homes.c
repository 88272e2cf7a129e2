/* Loading weights: pieces of a few MiB are copied, packed or read ahead by all threads, so that loading is bound by the
 * disk or by memory, and progress can be shown. */
#include "runtime/homes.h"

#include "base/memory.h"
#include "base/text.h"
#include "ir/layout.h"
#include "runtime/threads.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

/* Large enough to make a piece's overhead vanish, small enough to share one tensor between threads. */
enum { PIECE_BYTES = 4 << 20, PAGE_BYTES = 4096 };

/* A part of a weight (part: as stored, one expert say) that has to get from a file to a home. */
struct transfer_piece {
    const char *from;
    char *to; /* NULL: only read ahead */
    struct device *device;
    int64_t bytes;
    int64_t rows, columns; /* packed as a whole when layout is not ROWS */
    enum element_type element;
    enum layout layout;
    int owner; /* the thread that reads it in every step and touches its pages first; ANYBODY */
};

enum { ANYBODY = -1 };

struct loading {
    struct thread_pool *pool;
    struct transfer_piece *pieces;
    int piece_count;
    size_t piece_capacity;
    atomic_int next;
    atomic_llong done_bytes;
    int64_t total_bytes;
    const struct progress *progress;
    atomic_int failures; /* pieces that could not be moved; the first one tells why */
    struct diagnostic failure;
};

static void read_ahead(const char *from, int64_t bytes)
{
#ifdef MADV_POPULATE_READ
    uintptr_t begin = (uintptr_t)from & ~(uintptr_t)(PAGE_BYTES - 1);
    void *page = (void *)begin;
    (void)madvise(page, (size_t)((uintptr_t)from + (uintptr_t)bytes - begin), MADV_POPULATE_READ);
#else
    (void)from;
    (void)bytes;
#endif
}

/* A card gets its layouts ready-made. */
static status pack_and_store(const struct transfer_piece *piece, struct diagnostic *diagnostic)
{
    void *packed;
    TRY(memory_map((size_t)piece->bytes, &packed, diagnostic));
    layout_pack(piece->layout, piece->element, piece->rows, piece->columns, piece->from, packed);
    status code = device_store(piece->device, piece->to, packed, piece->bytes, diagnostic);
    memory_unmap(packed, (size_t)piece->bytes);
    return code;
}

static status move_piece(const struct transfer_piece *piece, struct diagnostic *diagnostic)
{
    if (piece->layout == LAYOUT_ROWS)
        return device_store(piece->device, piece->to, piece->from, piece->bytes, diagnostic);
    if (!device_memory_is_host(piece->device)) return pack_and_store(piece, diagnostic);
    layout_pack(piece->layout, piece->element, piece->rows, piece->columns, piece->from, piece->to);
    return STATUS_OK;
}

static void load_piece(struct loading *loading, const struct transfer_piece *piece)
{
    struct diagnostic reason = {0};
    if (!piece->to)
        read_ahead(piece->from, piece->bytes);
    else if (!atomic_load(&loading->failures) && move_piece(piece, &reason) != STATUS_OK &&
             atomic_fetch_add(&loading->failures, 1) == 0)
        loading->failure = reason;
}

static void load_and_tell(struct loading *loading, const struct transfer_piece *piece, int thread)
{
    load_piece(loading, piece);
    atomic_fetch_add(&loading->done_bytes, piece->bytes);
    if (thread) return;
    struct progress_state state = {.stage = "loading weights",
                                   .done = (double)atomic_load(&loading->done_bytes),
                                   .total = (double)loading->total_bytes,
                                   .seconds_left = -1};
    progress_update(loading->progress, &state);
}

static void load_pieces(void *context, int thread)
{
    struct loading *loading = context;
    for (int p = 0; p < loading->piece_count; p++)
        if (loading->pieces[p].owner == thread) load_and_tell(loading, &loading->pieces[p], thread);
    for (int p; (p = atomic_fetch_add(&loading->next, 1)) < loading->piece_count;)
        if (loading->pieces[p].owner == ANYBODY)
            load_and_tell(loading, &loading->pieces[p], thread);
}

static status add_piece(struct loading *loading, struct arena *arena,
                        const struct transfer_piece *piece, struct diagnostic *diagnostic)
{
    TRY_APPEND(loading->pieces, loading->piece_count, loading->piece_capacity, arena, diagnostic);
    loading->pieces[loading->piece_count - 1] = *piece;
    loading->total_bytes += piece->bytes;
    return STATUS_OK;
}

/* Cuts one stored part into pieces; a part in another layout is packed in one go. */
static status add_part(struct loading *loading, struct arena *arena, const char *from, char *to,
                       struct device *device, int64_t bytes, const struct tensor_type *type,
                       int64_t rows, int owner, struct diagnostic *diagnostic)
{
    struct transfer_piece piece = {.from = from,
                                   .to = to,
                                   .device = device,
                                   .bytes = bytes,
                                   .rows = rows,
                                   .columns = tensor_columns(type),
                                   .element = type->element,
                                   .layout = (enum layout)type->layout,
                                   .owner = owner};
    if (to && type->layout != LAYOUT_ROWS) return add_piece(loading, arena, &piece, diagnostic);
    for (int64_t offset = 0; offset < bytes; offset += PIECE_BYTES) {
        piece.from = from + offset;
        piece.to = to ? to + offset : NULL;
        piece.bytes = bytes - offset < PIECE_BYTES ? bytes - offset : PIECE_BYTES;
        TRY(add_piece(loading, arena, &piece, diagnostic));
    }
    return STATUS_OK;
}

/* Rows to the threads that a launch over them gives them to. */
static status add_shares(struct loading *loading, struct arena *arena, const char *from, char *to,
                         struct device *device, int64_t bytes, const struct tensor_type *type,
                         int64_t rows, struct diagnostic *diagnostic)
{
    int64_t row_bytes = bytes / rows, begin, end;
    for (int t = 0; t < thread_pool_size(loading->pool); t++) {
        thread_pool_share(loading->pool, rows, 1, t, &begin, &end);
        TRY(add_part(loading, arena, from + begin * row_bytes, to + begin * row_bytes, device,
                     (end - begin) * row_bytes, type, end - begin, t, diagnostic));
    }
    return STATUS_OK;
}

static const char *stored_name(const struct value *value)
{
    return value->source ? value->source : value->name;
}

/* The bytes of a value within its source, whose parts lie one after the other. */
struct weight_range {
    int64_t begin, end;
};

static status check_stored(const struct value *value, const struct stored_weight *stored,
                           struct weight_range *range, struct diagnostic *diagnostic)
{
    int64_t symbols[SYMBOL_COUNT] = {0};
    int64_t bytes = tensor_bytes(&value->type, symbols), whole = bytes;
    if (value->slice_whole) {
        struct tensor_type type = value->type;
        type.shape[0] = dimension_fixed(value->slice_whole);
        whole = tensor_bytes(&type, symbols);
    }
    int64_t stored_bytes = stored->part_bytes * stored->part_count;
    if (stored->type.element != value->type.element || stored_bytes != whole)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "weight %s: the plan was made for another model file (%lld bytes here, %lld in "
                    "the plan)",
                    stored_name(value), (long long)stored_bytes, (long long)whole);
    range->begin = value->slice_whole ? whole / value->slice_whole * value->slice_first : 0;
    range->end = range->begin + bytes;
    return STATUS_OK;
}

/* Every part that the range touches, to where it belongs. */
static status add_parts(struct loading *loading, struct arena *arena, const struct value *value,
                        const struct stored_weight *stored, const struct weight_range *range,
                        struct device *device, struct home *home, bool spread,
                        struct diagnostic *diagnostic)
{
    int64_t row_bytes = element_row_bytes(value->type.element, tensor_columns(&value->type));
    for (int p = 0; p < stored->part_count; p++) {
        int64_t part = p * stored->part_bytes, part_end = part + stored->part_bytes;
        int64_t begin = part > range->begin ? part : range->begin;
        int64_t end = part_end < range->end ? part_end : range->end;
        if (begin >= end) continue;
        char *to = home->bytes ? (char *)home->address + (begin - range->begin) : NULL;
        const char *from = (const char *)stored->parts[p] + (begin - part);
        int64_t bytes = end - begin, rows = bytes / row_bytes;
        TRY(spread ? add_shares(loading, arena, from, to, device, bytes, &value->type, rows,
                                diagnostic)
                   : add_part(loading, arena, from, to, device, bytes, &value->type, rows, ANYBODY,
                              diagnostic));
    }
    return STATUS_OK;
}

static status place_weight(const struct value *value, struct device *device,
                           const struct weight_source *weights, struct arena *arena,
                           struct loading *loading, struct home *home,
                           struct diagnostic *diagnostic)
{
    struct stored_weight stored;
    struct weight_range range;
    TRY(weights->find(weights->context, stored_name(value), &stored, diagnostic));
    TRY(check_stored(value, &stored, &range, diagnostic));
    int64_t part = stored.part_bytes ? range.begin / stored.part_bytes : 0;
    int64_t offset = range.begin - part * stored.part_bytes;
    const char *first = (const char *)stored.parts[part] + offset;
    /* Files may put their tensors at odd addresses; kernels and references read whole floats. */
    bool aligned = (uintptr_t)first % sizeof(float) == 0;
    bool plain = device_is_host(device) && value->type.layout == LAYOUT_ROWS;
    /* The system keeps a file's pages on the node that read them first; copies lie where they are read. */
    bool spread = plain && thread_pool_nodes(loading->pool) > 1;
    bool in_place = plain && !spread && range.end <= (part + 1) * stored.part_bytes && aligned;
    if (!in_place) {
        TRY(device_allocate(device, range.end - range.begin, &home->address, diagnostic));
        home->bytes = range.end - range.begin;
    }
    TRY(add_parts(loading, arena, value, &stored, &range, device, home, spread, diagnostic));
    if (in_place) {
        /* Kernels only read weights; the cast drops a const that the file's mapping enforces. */
        memcpy(&home->address, &first, sizeof home->address);
    }
    return STATUS_OK;
}

static status load_all(struct loading *loading, struct diagnostic *diagnostic)
{
    thread_pool_run(loading->pool, load_pieces, loading);
    if (atomic_load(&loading->failures) == 0) return STATUS_OK;
    return fail(diagnostic, loading->failure.code, "%s", loading->failure.text);
}

static status place_all(const struct plan *plan, struct device *const *devices,
                        const struct weight_source *weights, struct arena *arena,
                        struct loading *loading, struct home *homes, struct diagnostic *diagnostic)
{
    int64_t symbols[SYMBOL_COUNT];
    plan_symbols(&plan->bounds, symbols);
    for (int v = 0; v < plan->graph->value_count; v++) {
        const struct value *value = &plan->graph->values[v];
        struct device *device = devices[value->device];
        if (homes[v].address) continue;
        if (value->kind == VALUE_WEIGHT) {
            TRY(place_weight(value, device, weights, arena, loading, &homes[v], diagnostic));
        } else if (value->kind == VALUE_STATE) {
            int64_t bytes = tensor_bytes(&value->type, symbols);
            TRY(device_allocate(device, bytes, &homes[v].address, diagnostic));
            homes[v].bytes = bytes;
        }
    }
    return STATUS_OK;
}

/* As many threads as the host computes with, so that shares are the same ones; else as many as there are cores. */
static int loading_threads(const struct plan *plan, struct device *const *devices)
{
    for (int d = 0; d < plan->device_count; d++)
        if (device_is_host(devices[d])) return device_threads(devices[d]);
    return thread_count_default();
}

status homes_fill(const struct plan *plan, struct device *const *devices,
                  const struct weight_source *weights, const struct progress *progress,
                  struct arena *arena, struct home *homes, struct diagnostic *diagnostic)
{
    struct loading loading = {.progress = progress};
    TRY(thread_pool_create(loading_threads(plan, devices), &loading.pool, diagnostic));
    status code = place_all(plan, devices, weights, arena, &loading, homes, diagnostic);
    if (code == STATUS_OK) code = load_all(&loading, diagnostic);
    thread_pool_destroy(loading.pool);
    return code;
}

/* What lies in the home of `a` can serve `b`. */
static bool serves(const struct value *a, const struct value *b, int64_t a_bytes, int64_t b_bytes)
{
    if (a->kind != b->kind || a->device != b->device || a_bytes != b_bytes) return false;
    if (a->kind == VALUE_STATE) return true;
    return a->kind == VALUE_WEIGHT && a->type.element == b->type.element &&
           a->type.layout == b->type.layout && a->slice_first == b->slice_first &&
           a->slice_whole == b->slice_whole && strcmp(stored_name(a), stored_name(b)) == 0;
}

void homes_take(const struct plan *from, struct home *from_homes, const struct plan *to,
                struct home *to_homes)
{
    const struct graph *graph = to->graph, *old = from->graph;
    int64_t from_symbols[SYMBOL_COUNT], symbols[SYMBOL_COUNT];
    plan_symbols(&from->bounds, from_symbols);
    plan_symbols(&to->bounds, symbols);
    for (int v = 0; v < graph->value_count; v++) {
        const struct value *value = &graph->values[v];
        if (value->kind != VALUE_WEIGHT && value->kind != VALUE_STATE) continue;
        int64_t bytes = tensor_bytes(&value->type, symbols);
        for (int o = 0; o < old->value_count && !to_homes[v].address; o++) {
            const struct value *kept = &old->values[o];
            if (!from_homes[o].address ||
                !serves(kept, value, tensor_bytes(&kept->type, from_symbols), bytes))
                continue;
            to_homes[v] = from_homes[o];
            from_homes[o] = (struct home){0};
        }
    }
}

void homes_lend(const struct plan *from, const struct home *from_homes, const struct plan *to,
                struct home *to_homes)
{
    for (int v = 0; v < to->graph->value_count; v++) {
        const struct value *value = &to->graph->values[v];
        if (value->kind != VALUE_WEIGHT && value->kind != VALUE_STATE) continue;
        int lent = plan_find_home(from->graph, value);
        if (lent != VALUE_NONE) to_homes[v] = (struct home){.address = from_homes[lent].address};
    }
}

void homes_free(const struct plan *plan, struct device *const *devices, struct home *homes)
{
    for (int v = 0; v < plan->graph->value_count; v++) {
        if (!homes[v].bytes) continue;
        device_free(devices[plan->graph->values[v].device], homes[v].address, homes[v].bytes);
        homes[v] = (struct home){0};
    }
}
