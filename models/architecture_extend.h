/* Descriptions that extend others (`extends: NAME`): the whole description as one tree. */
#ifndef MODELS_ARCHITECTURE_EXTEND_H
#define MODELS_ARCHITECTURE_EXTEND_H

#include "base/yaml.h"

/* Where descriptions are found by name. */
struct architecture_files {
    const void *context;
    status (*find)(const void *context, const char *name, struct arena *arena, struct yaml **root,
                   struct diagnostic *diagnostic);
};

/* `own` itself when it extends nothing.  `depth` is 0 for callers. */
CHECKED status architecture_extend(const struct architecture_files *files, struct yaml *own,
                                   int depth, struct arena *arena, struct yaml **whole,
                                   struct diagnostic *diagnostic);

#endif
