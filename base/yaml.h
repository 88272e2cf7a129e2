/* A YAML file as a small tree that keeps positions, on libyaml.
 *
 * Files are treated as hostile: at most 1 MiB, 64 levels and 100,000 nodes; keys at most 128 bytes,
 * scalars at most 64 KiB; anchors, aliases, tags, merge keys, duplicate keys and several documents
 * are refused.  Scalars stay text; the typed readers below convert plainly written values and
 * refuse everything else. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include "base/arena.h"

#include <stdint.h>

enum yaml_kind { YAML_SCALAR, YAML_LIST, YAML_MAP };

struct yaml {
    enum yaml_kind kind;
    bool plain; /* a scalar written without quotes */
    bool used;  /* set by yaml_find: keys that nothing asked for are errors (yaml_check_used) */
    int line, column;         /* from 1 */
    int key_line, key_column; /* where the key stands, when it is a value in a map */
    const char *file;         /* for messages */
    const char *text;         /* scalar */
    const char *key;          /* when it is a value in a map */
    int count;                /* children of a list or map */
    struct yaml *items;
};

CHECKED status yaml_parse(const char *file, const char *bytes, size_t byte_count,
                          struct arena *arena, struct yaml **root, struct diagnostic *diagnostic);
CHECKED status yaml_read(const char *path, struct arena *arena, struct yaml **root,
                         struct diagnostic *diagnostic);

/* NULL when `map` is not a map or has no such key. */
struct yaml *yaml_find(struct yaml *map, const char *key);

/* Fail with file:line:column when the node is missing or has another type. */
CHECKED status yaml_require(struct yaml *map, const char *key, enum yaml_kind kind,
                            struct yaml **value, struct diagnostic *diagnostic);
CHECKED status yaml_text(struct yaml *map, const char *key, const char **value,
                         struct diagnostic *diagnostic);
CHECKED status yaml_integer(const struct yaml *scalar, int64_t *value,
                            struct diagnostic *diagnostic);
CHECKED status yaml_real(const struct yaml *scalar, double *value, struct diagnostic *diagnostic);
CHECKED status yaml_boolean(const struct yaml *scalar, bool *value, struct diagnostic *diagnostic);

/* Fails on the first key, at any depth, that nothing asked for; suggests the nearest of `known`
 * (may be NULL).  Call yaml_use_all on subtrees that are consumed as a whole. */
CHECKED status yaml_check_used(const struct yaml *root, const char *const *known,
                               struct diagnostic *diagnostic);
void yaml_use_all(struct yaml *node);

/* fail() with "file:line:column: " in front. */
CHECKED PRINTF_LIKE(3, 4) status
    yaml_fail(const struct yaml *node, struct diagnostic *diagnostic, const char *format, ...);
#define yaml_fail(...) certain_failure((yaml_fail)(__VA_ARGS__))

#endif
