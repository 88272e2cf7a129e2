/* A reading position in a GGUF file (internal to the reader).  Every read is compared with what is
 * left; the position never passes `limit`. */
#ifndef MODELS_GGUF_CURSOR_H
#define MODELS_GGUF_CURSOR_H

#include "base/checked.h"
#include "models/gguf.h"

#include <inttypes.h>
#include <string.h>

struct gguf_cursor {
    const char *file;
    const uint8_t *bytes;
    uint64_t position, limit, file_bytes; /* limit: end of the file or of what a header may take */
    struct arena *arena;
    const struct progress *progress;
    struct diagnostic *diagnostic;
};

/* fail() with the file and byte `offset` in front. */
#define GGUF_FAIL(cursor, offset, format, ...)                                                     \
    fail((cursor)->diagnostic, STATUS_BAD_INPUT, "%.500s: byte %" PRIu64 ": " format,              \
         (cursor)->file, (uint64_t)(offset), __VA_ARGS__)

static inline uint64_t gguf_left(const struct gguf_cursor *cursor)
{
    return cursor->limit - cursor->position;
}

/* The next `count` bytes of the field `what`. */
CHECKED status gguf_take(struct gguf_cursor *cursor, uint64_t count, const char *what,
                         const uint8_t **bytes);
CHECKED status gguf_take_u32(struct gguf_cursor *cursor, const char *what, uint32_t *value);
CHECKED status gguf_take_u64(struct gguf_cursor *cursor, const char *what, uint64_t *value);

/* A count of entries that take at least `least_bytes` each. */
CHECKED status gguf_take_count(struct gguf_cursor *cursor, uint64_t least_bytes, uint64_t most,
                               const char *what, uint64_t *count);

/* A text: its length, then its bytes. */
CHECKED status gguf_take_text(struct gguf_cursor *cursor, const char *what, const char **text,
                              uint64_t *length);

/* One metadata entry into the source (gguf_metadata.c). */
CHECKED status gguf_take_metadata(struct gguf_cursor *cursor, struct model_source *source);

/* The directory of `count` tensors and its check against the data behind it (gguf_tensors.c). */
CHECKED status gguf_take_tensors(struct gguf_cursor *cursor, uint64_t count, uint64_t alignment,
                                 struct model_source *source);

#endif
