/* Limits first: one pass over the bytes that counts depth, values and the length of strings, so
 * that a hostile file cannot make the parser recurse or allocate beyond them. */
#include "models/json_read.h"

struct scan {
    const char *bytes;
    size_t count, at;
    int depth;
    int64_t nodes;
    const char *excess; /* the limit that was passed */
};

/* Behind the string whose opening quote is at `scan->at`. */
static void skip_string(struct scan *scan)
{
    size_t begin = ++scan->at;
    while (scan->at < scan->count && scan->bytes[scan->at] != '"') {
        scan->at += scan->bytes[scan->at] == '\\' ? 2 : 1;
    }
    if (scan->at - begin > JSON_STRING_BYTES_MAX) scan->excess = "a string longer than 1 MiB";
}

static void scan_limits(struct scan *scan)
{
    for (; scan->at < scan->count && !scan->excess; scan->at++) {
        switch (scan->bytes[scan->at]) {
        case '"': skip_string(scan); break;
        case '{':
        case '[':
            scan->nodes++;
            if (++scan->depth > JSON_DEPTH_MAX) scan->excess = "more than 64 levels";
            break;
        case '}':
        case ']': scan->depth--; break;
        case ':':
        case ',':
            if (++scan->nodes > JSON_NODES_MAX) scan->excess = "more than 4000000 values";
            break;
        default: break;
        }
    }
}

static status read_document(const char *file, const char *bytes, size_t byte_count, size_t flags,
                            json_t **root, struct diagnostic *diagnostic)
{
    struct scan scan = {.bytes = bytes, .count = byte_count};
    json_error_t error;
    scan_limits(&scan);
    if (scan.excess) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: byte %zu: %s", file, scan.at,
                    scan.excess);
    }
    *root = json_loadb(bytes, byte_count, flags, &error);
    if (!*root && json_error_code(&error) == json_error_out_of_memory) {
        return fail_memory(diagnostic, byte_count);
    }
    if (!*root) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s:%d:%d: %s", file, error.line,
                    error.column, error.text);
    }
    if (json_is_object(*root)) return STATUS_OK;
    json_decref(*root);
    *root = NULL;
    return fail(diagnostic, STATUS_BAD_INPUT, "%.500s:1:1: a JSON object is needed here", file);
}

status json_read(const char *file, const char *bytes, size_t byte_count, json_t **root,
                 struct diagnostic *diagnostic)
{
    return read_document(file, bytes, byte_count, JSON_REJECT_DUPLICATES, root, diagnostic);
}

status json_read_repeated(const char *file, const char *bytes, size_t byte_count, json_t **root,
                          struct diagnostic *diagnostic)
{
    return read_document(file, bytes, byte_count, 0, root, diagnostic);
}
