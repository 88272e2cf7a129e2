/* Little-endian fields in a byte sequence: writing, and reading what may be hostile.
 *
 * Both ends keep a sticky failure, so a format is written and read as a plain list of fields and checked once. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/arena.h"

#include <stdint.h>

struct byte_writer {
    struct arena *arena;
    uint8_t *bytes;
    size_t count, capacity;
    bool failed; /* memory was out */
};

void bytes_put(struct byte_writer *writer, const void *bytes, size_t count);
void bytes_put_integer(struct byte_writer *writer, int64_t value); /* 8 bytes */
void bytes_put_real(struct byte_writer *writer, double value);
void bytes_put_text(struct byte_writer *writer, const char *text); /* length, bytes */
void bytes_put_block(struct byte_writer *writer, const void *bytes, size_t count);

struct byte_reader {
    const char *file; /* for messages */
    const uint8_t *bytes;
    size_t count, at;
    struct arena *arena;
    bool failed;
    struct diagnostic *diagnostic; /* holds the first failure, with the offset */
};

/* After a failure all of these return zeros, NULL or "". */
int64_t bytes_get_integer(struct byte_reader *reader);
/* An integer within [least, most]; `what` names it in the message. */
int64_t bytes_get_bounded(struct byte_reader *reader, int64_t least, int64_t most,
                          const char *what);
double bytes_get_real(struct byte_reader *reader);
const char *bytes_get_text(struct byte_reader *reader); /* a copy; no zero bytes inside */
const void *bytes_get_block(struct byte_reader *reader, size_t *count); /* points into the input */
/* A count of items that take at least `item_bytes` each: never more than what is left can hold. */
int64_t bytes_get_count(struct byte_reader *reader, size_t item_bytes, const char *what);
void bytes_fail(struct byte_reader *reader, const char *what);
status bytes_status(const struct byte_reader *reader);

#endif
