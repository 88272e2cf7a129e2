/* Fields are copied byte by byte in a fixed order, so files are the same on every machine. */
#include "base/bytes.h"

#include <string.h>

enum { INTEGER_BYTES = 8 };

void bytes_put(struct byte_writer *writer, const void *bytes, size_t count)
{
    if (writer->failed || count == 0) return;
    if (count > writer->capacity - writer->count) {
        size_t capacity = 2 * (writer->count + count);
        uint8_t *larger = arena_allocate(writer->arena, capacity, 1);
        if (!larger) {
            writer->failed = true;
            return;
        }
        if (writer->count) memcpy(larger, writer->bytes, writer->count);
        writer->bytes = larger;
        writer->capacity = capacity;
    }
    memcpy(writer->bytes + writer->count, bytes, count);
    writer->count += count;
}

void bytes_put_integer(struct byte_writer *writer, int64_t value)
{
    uint8_t bytes[INTEGER_BYTES];
    for (int b = 0; b < INTEGER_BYTES; b++) bytes[b] = (uint8_t)((uint64_t)value >> (8 * b));
    bytes_put(writer, bytes, sizeof bytes);
}

void bytes_put_real(struct byte_writer *writer, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bytes_put_integer(writer, bits);
}

void bytes_put_block(struct byte_writer *writer, const void *bytes, size_t count)
{
    bytes_put_integer(writer, (int64_t)count);
    bytes_put(writer, bytes, count);
}

void bytes_put_text(struct byte_writer *writer, const char *text)
{
    bytes_put_block(writer, text, strlen(text));
}

void bytes_fail(struct byte_reader *reader, const char *what)
{
    if (reader->failed) return;
    reader->failed = fail(reader->diagnostic, STATUS_BAD_INPUT, "%s: offset %zu: %s", reader->file,
                          reader->at, what) != STATUS_OK;
}

status bytes_status(const struct byte_reader *reader)
{
    return reader->failed ? reader->diagnostic->code : STATUS_OK;
}

int64_t bytes_get_integer(struct byte_reader *reader)
{
    if (!reader->failed && reader->count - reader->at < INTEGER_BYTES)
        bytes_fail(reader, "the file ends too early");
    if (reader->failed) return 0;
    uint64_t value = 0;
    for (int b = 0; b < INTEGER_BYTES; b++)
        value |= (uint64_t)reader->bytes[reader->at + (size_t)b] << (8 * b);
    reader->at += INTEGER_BYTES;
    return (int64_t)value;
}

int64_t bytes_get_bounded(struct byte_reader *reader, int64_t least, int64_t most, const char *what)
{
    size_t start = reader->at;
    int64_t value = bytes_get_integer(reader);
    if (reader->failed || (value >= least && value <= most)) return value;
    reader->at = start;
    bytes_fail(reader, what);
    return 0;
}

double bytes_get_real(struct byte_reader *reader)
{
    int64_t bits = bytes_get_integer(reader);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

const void *bytes_get_block(struct byte_reader *reader, size_t *count)
{
    *count = 0;
    int64_t length = bytes_get_bounded(reader, 0, INT64_MAX, "a length is negative");
    if (!reader->failed && (uint64_t)length > reader->count - reader->at)
        bytes_fail(reader, "a length reaches beyond the end of the file");
    if (reader->failed) return NULL;
    const void *block = reader->bytes + reader->at;
    reader->at += (size_t)length;
    *count = (size_t)length;
    return block;
}

const char *bytes_get_text(struct byte_reader *reader)
{
    size_t length;
    const char *block = bytes_get_block(reader, &length);
    if (!block) return "";
    if (memchr(block, 0, length)) {
        bytes_fail(reader, "a text contains a zero byte");
        return "";
    }
    const char *copy = arena_text_range(reader->arena, block, length);
    if (copy) return copy;
    reader->failed = fail_memory(reader->diagnostic, length) != STATUS_OK;
    return "";
}

int64_t bytes_get_count(struct byte_reader *reader, size_t item_bytes, const char *what)
{
    size_t left = reader->count - reader->at;
    return bytes_get_bounded(reader, 0, (int64_t)(left / item_bytes), what);
}
