/* The few ways in which bytes of a GGUF file are taken, each of them bounded. */
#include "models/gguf_cursor.h"

status gguf_take(struct gguf_cursor *cursor, uint64_t count, const char *what,
                 const uint8_t **bytes)
{
    if (count > gguf_left(cursor)) {
        bool whole = cursor->limit == cursor->file_bytes;
        return GGUF_FAIL(cursor, cursor->position,
                         "%.100s needs %" PRIu64 " bytes, but %s has only %" PRIu64 " left", what,
                         count, whole ? "the file" : "the header (256 MiB allowed)",
                         gguf_left(cursor));
    }
    *bytes = cursor->bytes + cursor->position;
    cursor->position += count;
    return STATUS_OK;
}

status gguf_take_u32(struct gguf_cursor *cursor, const char *what, uint32_t *value)
{
    const uint8_t *bytes;
    TRY(gguf_take(cursor, sizeof *value, what, &bytes));
    memcpy(value, bytes, sizeof *value);
    return STATUS_OK;
}

status gguf_take_u64(struct gguf_cursor *cursor, const char *what, uint64_t *value)
{
    const uint8_t *bytes;
    TRY(gguf_take(cursor, sizeof *value, what, &bytes));
    memcpy(value, bytes, sizeof *value);
    return STATUS_OK;
}

/* What is left is an upper bound of the room: other fields may follow before the entries. */
status gguf_take_count(struct gguf_cursor *cursor, uint64_t least_bytes, uint64_t most,
                       const char *what, uint64_t *count)
{
    uint64_t at = cursor->position, value;
    TRY(gguf_take_u64(cursor, what, &value));
    if (value > most) {
        return GGUF_FAIL(cursor, at,
                         "%.100s: a count of %" PRIu64 "; at most %" PRIu64 " are allowed", what,
                         value, most);
    }
    if (value > gguf_left(cursor) / least_bytes) {
        return GGUF_FAIL(cursor, at,
                         "%.100s: a count of %" PRIu64 ", but there is room for at "
                         "most %" PRIu64,
                         what, value, gguf_left(cursor) / least_bytes);
    }
    *count = value;
    return STATUS_OK;
}

status gguf_take_text(struct gguf_cursor *cursor, const char *what, const char **text,
                      uint64_t *length)
{
    const uint8_t *bytes;
    TRY(gguf_take_u64(cursor, what, length));
    TRY(gguf_take(cursor, *length, what, &bytes));
    *text = (const char *)bytes;
    return STATUS_OK;
}
