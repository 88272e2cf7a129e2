/* Arenas: every small allocation of Hone has one of a few named lifetimes (a graph, a plan, a
 * candidate under evaluation) and dies with its arena.  Nothing is freed singly.
 *
 * Memory comes zeroed and aligned to 16 bytes.  An allocation that fails returns NULL, leaves the
 * arena usable and is reported by the caller through TRY_NEW.  Tests make the N-th allocation fail
 * (fault.h). */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/status.h"

#include <stdarg.h>
#include <stddef.h>

struct arena;

/* `limit_bytes` bounds the arena's whole size (0: no bound), so that a hostile file cannot ask for
 * more than its reader allows.  NULL when memory is out. */
struct arena *arena_create(size_t limit_bytes);
void arena_destroy(struct arena *arena); /* NULL is allowed */
void arena_reset(struct arena *arena);   /* frees everything in it, keeps the arena */
size_t arena_bytes(const struct arena *arena);

void *arena_allocate(struct arena *arena, size_t count, size_t item_bytes);
void *arena_copy(struct arena *arena, const void *bytes, size_t byte_count);
char *arena_text(struct arena *arena, const char *text);
char *arena_text_range(struct arena *arena, const char *text, size_t length);
char *arena_print(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/* Makes room for one more item in an arena-owned array; the old array stays where it was.  Returns
 * the array (moved or not) or NULL. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity,
                 size_t item_bytes);

/* pointer = zeroed room for `count` items, or return from the calling function. */
#define TRY_NEW(pointer, arena, count, diagnostic)                                                 \
    do {                                                                                           \
        size_t new_count_ = (size_t)(count);                                                       \
        (pointer) = arena_allocate((arena), new_count_, sizeof *(pointer));                        \
        if (!(pointer)) return fail_memory((diagnostic), new_count_ * sizeof *(pointer));          \
    } while (0)

/* Returns from the calling function when `pointer` (just allocated) is NULL. */
#define TRY_MEMORY(pointer, diagnostic)                                                            \
    do {                                                                                           \
        if (!(pointer)) return fail_memory((diagnostic), 0);                                       \
    } while (0)

/* Appends room for one item to (items, count, capacity); the new, zeroed one is `items[count - 1]`
 */
#define TRY_APPEND(items, count, capacity, arena, diagnostic)                                      \
    do {                                                                                           \
        void *grown_ =                                                                             \
            arena_grow((arena), (items), (size_t)(count), &(capacity), sizeof *(items));           \
        if (!grown_) return fail_memory((diagnostic), sizeof *(items));                            \
        (items) = grown_;                                                                          \
        (count)++;                                                                                 \
    } while (0)

#endif
