/* Files of routing traces (routing_trace.h says what is in them).  They are taken from strangers: every count is held
 * against the bytes that are left, and every id against the number of experts. */
#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "ops/filling.h"
#include "planner/routing_trace.h"

#include <string.h>

static const char magic[8] = {'H', 'O', 'N', 'E', 'R', 'O', 'U', 'T'};

enum {
    VERSION = 1,
    BYTE_IDS = 256, /* so many experts have ids of one byte */
    ROWS_BYTES_MOST = 5,
    ROWS_BITS = 7,
    HASH_BYTES = 16
};

/* A gigabyte holds two million tokens of a model with 60 layers and 8 experts used. */
static const size_t FILE_BYTES_MOST = (size_t)1 << 30;

static void put_rows(struct byte_writer *writer, int64_t rows)
{
    do {
        uint8_t byte = (uint8_t)(rows & 127);
        rows >>= ROWS_BITS;
        if (rows) byte |= 128;
        bytes_put(writer, &byte, 1);
    } while (rows);
}

static void put_ids(struct byte_writer *writer, const uint16_t *ids, int64_t count, int experts)
{
    for (int64_t i = 0; i < count; i++) {
        const uint8_t bytes[2] = {(uint8_t)(ids[i] & 255), (uint8_t)(ids[i] >> 8)};
        bytes_put(writer, bytes, experts > BYTE_IDS ? 2 : 1);
    }
}

status routing_trace_write(const struct routing_trace *trace, const char *path,
                           struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct byte_writer writer = {.arena = scratch};
    int64_t steps = routing_trace_steps(trace), rows;
    const int64_t head[] = {VERSION, trace->layer_count, trace->experts, trace->used, steps};
    bytes_put(&writer, magic, sizeof magic);
    for (size_t h = 0; h < sizeof head / sizeof *head; h++) bytes_put_integer(&writer, head[h]);
    for (int l = 0; l < trace->layer_count; l++) bytes_put_integer(&writer, trace->layers[l]);
    for (int64_t e = 0; e < steps * trace->layer_count; e++) {
        const uint16_t *ids = routing_trace_rows(trace, 0, (int)e, &rows);
        put_rows(&writer, rows);
        put_ids(&writer, ids, rows * trace->used, trace->experts);
    }
    if (!writer.failed) {
        struct hash hash = hash_bytes(writer.bytes, writer.count);
        bytes_put_integer(&writer, (int64_t)hash.high);
        bytes_put_integer(&writer, (int64_t)hash.low);
    }
    status code = writer.failed ? fail_memory(diagnostic, writer.count)
                                : file_write(path, writer.bytes, writer.count, diagnostic);
    arena_destroy(scratch);
    return code;
}

static int64_t get_rows(struct byte_reader *reader, size_t row_bytes)
{
    int64_t rows = 0;
    for (int b = 0; b < ROWS_BYTES_MOST && reader->at < reader->count; b++) {
        uint8_t byte = reader->bytes[reader->at++];
        rows |= (int64_t)(byte & 127) << (ROWS_BITS * b);
        if (byte >= 128) continue;
        if ((uint64_t)rows <= (reader->count - reader->at) / row_bytes) return rows;
        break;
    }
    bytes_fail(reader, "the number of rows does not end, or more rows are announced than follow");
    return 0;
}

static status read_rows(struct byte_reader *reader, struct routing_trace *trace,
                        struct arena *scratch)
{
    size_t id_bytes = trace->experts > BYTE_IDS ? 2 : 1;
    int64_t rows = get_rows(reader, id_bytes * (size_t)trace->used);
    int64_t count = rows * trace->used;
    int32_t *ids;
    TRY(bytes_status(reader));
    arena_reset(scratch);
    TRY_NEW(ids, scratch, count, reader->diagnostic);
    for (int64_t i = 0; i < count; i++, reader->at += id_bytes) {
        const uint8_t *at = reader->bytes + reader->at;
        ids[i] = id_bytes == 2 ? at[0] | at[1] << 8 : at[0];
        if (ids[i] < trace->experts) continue;
        bytes_fail(reader, "there is no such expert");
        return bytes_status(reader);
    }
    return routing_trace_append(trace, ids, rows, reader->diagnostic);
}

static status read_head(struct byte_reader *reader, struct arena *arena, int64_t *steps,
                        struct routing_trace **trace)
{
    int *layers;
    reader->at = sizeof magic;
    bytes_get_bounded(reader, VERSION, VERSION, "version");
    int64_t layer_count = bytes_get_bounded(reader, 1, ROUTING_LAYERS_MOST, "number of layers");
    int64_t experts = bytes_get_bounded(reader, 1, EXPERTS_MOST, "number of experts");
    int64_t used = bytes_get_bounded(reader, 1, EXPERTS_USED_MOST, "number of experts used");
    /* A step has at least a byte per layer. */
    int64_t most = layer_count > 0 ? (int64_t)reader->count / layer_count : 0;
    *steps = bytes_get_bounded(reader, 0, most, "number of steps");
    TRY(bytes_status(reader));
    TRY_NEW(layers, arena, layer_count, reader->diagnostic);
    for (int l = 0; l < layer_count; l++)
        layers[l] = (int)bytes_get_bounded(reader, 0, INT32_MAX, "number of a layer");
    TRY(bytes_status(reader));
    struct diagnostic reason = {0};
    if (routing_trace_create(arena, layers, (int)layer_count, (int)experts, (int)used, trace,
                             &reason) == STATUS_OK)
        return STATUS_OK;
    bytes_fail(reader, reason.text);
    return bytes_status(reader);
}

static status read_all(struct byte_reader *reader, struct arena *arena, struct arena *scratch,
                       struct routing_trace **trace)
{
    int64_t steps;
    TRY(read_head(reader, arena, &steps, trace));
    for (int64_t e = 0; e < steps * (*trace)->layer_count; e++)
        TRY(read_rows(reader, *trace, scratch));
    if (reader->at == reader->count) return STATUS_OK;
    bytes_fail(reader, "there are bytes behind the last step");
    return bytes_status(reader);
}

/* The hash stands behind what the reader is given. */
static status check_whole(const char *path, const char *bytes, size_t count,
                          struct diagnostic *diagnostic)
{
    if (count < sizeof magic + HASH_BYTES || memcmp(bytes, magic, sizeof magic) != 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: offset 0: this is no routing trace; record one with "
                    "`hone run MODEL --record-routing FILE`",
                    path);
    struct hash hash = hash_bytes(bytes, count - HASH_BYTES);
    struct diagnostic ignored = {0};
    struct byte_reader tail = {.bytes = (const uint8_t *)bytes,
                               .file = path,
                               .count = count,
                               .at = count - HASH_BYTES,
                               .diagnostic = &ignored};
    const struct hash kept = {.high = (uint64_t)bytes_get_integer(&tail),
                              .low = (uint64_t)bytes_get_integer(&tail)};
    if (hash_equal(hash, kept)) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%s: offset %zu: the checksum is another one: the file was cut off or changed; "
                "record it again",
                path, count - HASH_BYTES);
}

status routing_trace_read(const char *path, struct arena *arena, struct routing_trace **trace,
                          struct diagnostic *diagnostic)
{
    char *bytes;
    size_t count;
    struct arena *file = arena_create(0), *scratch = arena_create(0);
    status code = file && scratch ? STATUS_OK : fail_memory(diagnostic, 0);
    if (code == STATUS_OK)
        code = file_read(path, FILE_BYTES_MOST, file, &bytes, &count, diagnostic);
    if (code == STATUS_OK) code = check_whole(path, bytes, count, diagnostic);
    if (code == STATUS_OK) {
        struct byte_reader reader = {.file = path,
                                     .bytes = (const uint8_t *)bytes,
                                     .count = count - HASH_BYTES,
                                     .arena = file,
                                     .diagnostic = diagnostic};
        code = read_all(&reader, arena, scratch, trace);
    }
    arena_destroy(scratch);
    arena_destroy(file);
    return code;
}
