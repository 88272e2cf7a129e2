/* All architectures that Hone knows: those compiled in (models/NAME.yaml) and those of a folder. */
#ifndef MODELS_ARCHITECTURE_CATALOGUE_H
#define MODELS_ARCHITECTURE_CATALOGUE_H

#include "base/embedded.h"
#include "models/architecture.h"

extern const struct embedded_file embedded_architectures[]; /* models/NAME.yaml */

struct architecture_catalogue {
    struct architecture **items; /* those of the folder first */
    int count;
    size_t capacity;
    /* Keys that change nothing in any architecture (models/harmless.yaml). */
    const char **harmless[SOURCE_FORMAT_COUNT];
    int harmless_count[SOURCE_FORMAT_COUNT];
};

/* `folder` may be NULL. */
CHECKED status architectures_read(const char *folder, const struct op *const *ops,
                                  struct arena *arena, struct architecture_catalogue *catalogue,
                                  struct diagnostic *diagnostic);

/* The first one that answers to the source's name and whose condition holds. */
CHECKED status architecture_choose(const struct architecture_catalogue *catalogue,
                                   struct model_source *source, struct arena *arena,
                                   const struct architecture **architecture,
                                   struct diagnostic *diagnostic);

/* The tree of an embedded file of the models folder, by its name without folder and ending. */
CHECKED status embedded_yaml(const char *name, struct arena *arena, struct yaml **root,
                             struct diagnostic *diagnostic);

#endif
