/* Arenas as lists of blocks.  A block is carved from its start; what does not fit goes into a new
 * block, and large objects get a block of their own, so that they do not strand the room left in
 * the current one.
 *
 * An arena belongs to one thread at a time.  Under AddressSanitizer unused bytes are poisoned and
 * objects are kept apart, so that reading past one, or using one after arena_reset, is reported
 * like any heap error. */
#include "base/arena.h"

#include "base/fault.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { RED_ZONE_BYTES = 16 };
#define POISON(bytes, count)   ASAN_POISON_MEMORY_REGION((bytes), (count))
#define UNPOISON(bytes, count) ASAN_UNPOISON_MEMORY_REGION((bytes), (count))
#else
enum { RED_ZONE_BYTES = 0 };
#define POISON(bytes, count)   ((void)(bytes), (void)(count))
#define UNPOISON(bytes, count) ((void)(bytes), (void)(count))
#endif

enum {
    ALIGNMENT_BYTES = 16,
    FIRST_BLOCK_BYTES = 4096,      /* many arenas hold one problem and need no second block */
    LARGEST_BLOCK_BYTES = 1 << 20, /* doubling stops here: at most this much is had in vain */
};

struct block {
    struct block *next;
    size_t used_bytes, total_bytes;
    size_t unused_; /* keeps `bytes` aligned to 16 */
    unsigned char bytes[];
};

_Static_assert(offsetof(struct block, bytes) % ALIGNMENT_BYTES == 0, "objects are aligned");

struct arena {
    struct block *current; /* the head of the list; only this block is carved from */
    size_t limit_bytes, allocated_bytes;
    size_t next_block_bytes;
};

struct arena *arena_create(size_t limit_bytes)
{
    if (fault_allocation()) return NULL;
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena) return NULL;
    arena->limit_bytes = limit_bytes ? limit_bytes : SIZE_MAX;
    arena->next_block_bytes = FIRST_BLOCK_BYTES;
    return arena;
}

static void blocks_free(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        UNPOISON(block->bytes, block->total_bytes);
        free(block);
        block = next;
    }
}

void arena_destroy(struct arena *arena)
{
    if (!arena) return;
    blocks_free(arena->current);
    free(arena);
}

void arena_reset(struct arena *arena)
{
    struct block *kept = arena->current;
    arena->allocated_bytes = 0;
    if (!kept) return;
    blocks_free(kept->next);
    kept->next = NULL;
    UNPOISON(kept->bytes, kept->total_bytes);
    memset(kept->bytes, 0, kept->used_bytes);
    kept->used_bytes = 0;
    POISON(kept->bytes, kept->total_bytes);
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->allocated_bytes;
}

static struct block *block_create(size_t total_bytes)
{
    struct block *block = calloc(1, sizeof *block + total_bytes);
    if (!block) return NULL;
    block->total_bytes = total_bytes;
    POISON(block->bytes, total_bytes);
    return block;
}

/* A block with room for `bytes`.  A block of one large object goes behind the current one. */
static struct block *arena_block(struct arena *arena, size_t bytes)
{
    struct block *current = arena->current;
    if (current && current->total_bytes - current->used_bytes >= bytes) return current;
    bool own = bytes > arena->next_block_bytes / 4;
    struct block *block = block_create(own ? bytes : arena->next_block_bytes);
    if (!block) return NULL;
    if (own && current) {
        block->next = current->next;
        current->next = block;
        return block;
    }
    if (!own && arena->next_block_bytes < LARGEST_BLOCK_BYTES) arena->next_block_bytes *= 2;
    block->next = current;
    arena->current = block;
    return block;
}

/* `bytes` rounded up to the alignment, or false when that is more than the arena may hold. */
static bool arena_admit(const struct arena *arena, size_t bytes, size_t *rounded)
{
    size_t left = arena->limit_bytes - arena->allocated_bytes;
    if (bytes > SIZE_MAX / 2 || bytes > left) return false;
    *rounded = (bytes + ALIGNMENT_BYTES - 1) / ALIGNMENT_BYTES * ALIGNMENT_BYTES;
    return *rounded <= left;
}

void *arena_allocate(struct arena *arena, size_t count, size_t item_bytes)
{
    size_t bytes, rounded;
    if (fault_allocation() || __builtin_mul_overflow(count, item_bytes, &bytes)) return NULL;
    if (!bytes) bytes = 1; /* so that every object has an address of its own */
    if (!arena_admit(arena, bytes, &rounded)) return NULL;
    struct block *block = arena_block(arena, rounded + RED_ZONE_BYTES);
    if (!block) return NULL;
    unsigned char *object = block->bytes + block->used_bytes;
    block->used_bytes += rounded + RED_ZONE_BYTES;
    arena->allocated_bytes += rounded;
    UNPOISON(object, bytes);
    return object;
}

void *arena_copy(struct arena *arena, const void *bytes, size_t byte_count)
{
    void *copy = arena_allocate(arena, byte_count, 1);
    if (copy && byte_count) memcpy(copy, bytes, byte_count);
    return copy;
}

char *arena_text_range(struct arena *arena, const char *text, size_t length)
{
    if (length == SIZE_MAX) return NULL;
    char *copy = arena_allocate(arena, length + 1, 1);
    if (copy && length) memcpy(copy, text, length);
    return copy;
}

char *arena_text(struct arena *arena, const char *text)
{
    return arena_text_range(arena, text, strlen(text));
}

char *arena_print(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) return NULL;
    char *text = arena_allocate(arena, (size_t)length + 1, 1);
    if (!text) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

/* Lengthens the object that was allocated last where it stands.  Never under AddressSanitizer,
 * where the move exposes pointers into the old array. */
static bool arena_extend(struct arena *arena, const void *object, size_t bytes, size_t more_bytes)
{
    struct block *block = arena->current;
    size_t rounded;
    if (RED_ZONE_BYTES || !object || !block || bytes % ALIGNMENT_BYTES) return false;
    if ((const unsigned char *)object + bytes != block->bytes + block->used_bytes) return false;
    if (!arena_admit(arena, more_bytes, &rounded)) return false;
    if (block->total_bytes - block->used_bytes < rounded) return false;
    block->used_bytes += rounded;
    arena->allocated_bytes += rounded;
    return true;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity,
                 size_t item_bytes)
{
    size_t bytes, larger = *capacity ? *capacity * 2 : 8;
    if (count < *capacity) {
        memset((unsigned char *)items + count * item_bytes, 0, item_bytes);
        return items;
    }
    if (larger < *capacity || __builtin_mul_overflow(larger, item_bytes, &bytes)) return NULL;
    size_t old_bytes = *capacity * item_bytes;
    if (fault_allocation()) return NULL;
    if (!arena_extend(arena, items, old_bytes, bytes - old_bytes)) {
        void *moved = arena_allocate(arena, larger, item_bytes);
        if (!moved) return NULL;
        if (count) memcpy(moved, items, count * item_bytes);
        items = moved;
    }
    *capacity = larger;
    return items;
}
