/* Spaces in the open T1 schema, as YAML of Hone's spaces (ir/space.h): tunables and rules.
 *
 * T1 says nothing of operands, so what launches the kernel is the reader's to add. */
#ifndef ENGINE_SPACE_T1_H
#define ENGINE_SPACE_T1_H

#include "base/arena.h"

#include <stdint.h>

struct space_t1 {
    const char *kernel; /* "" where the file's name for it is none */
    const char *body;   /* `tunables` and `rules` */
    int parameter_count, rule_count;
    uint64_t raw_count, legal_count; /* without rules and with them, exactly */
};

/* NULL when the file is no T1 file. */
CHECKED status space_t1_read(const char *path, struct arena *arena, struct space_t1 **space,
                             struct diagnostic *diagnostic);

/* `op`: the operator that the kernel answers. */
CHECKED status space_t1_write(const struct space_t1 *space, const char *op, const char *path,
                              struct arena *arena, struct diagnostic *diagnostic);

#endif
