/* JSON through jansson, with limits that are checked before it allocates anything. */
#ifndef MODELS_JSON_READ_H
#define MODELS_JSON_READ_H

#include "base/status.h"

#include <jansson.h>
#include <stdint.h>

enum {
    JSON_DEPTH_MAX = 64,
    JSON_STRING_BYTES_MAX = 1 << 20,
    JSON_NODES_MAX = 4000000, /* about 400 MB inside jansson; the largest known file has a tenth */
};

/* Parses a whole document, an object.  Duplicate keys, NUL characters, numbers out of range, and
 * everything else that is not strict JSON are refused with line and column.  Free `*root` with
 * json_decref. */
CHECKED status json_read(const char *file, const char *bytes, size_t byte_count, json_t **root,
                         struct diagnostic *diagnostic);
/* The same for files of programs that write a key twice: the last counts. */
CHECKED status json_read_repeated(const char *file, const char *bytes, size_t byte_count,
                                  json_t **root, struct diagnostic *diagnostic);

#endif
