/* The content of a folder of variants: its name by hash, copies of it, and putting one back. */
#ifndef ENGINE_EXPERIMENT_FOLDER_H
#define ENGINE_EXPERIMENT_FOLDER_H

#include "base/arena.h"
#include "base/hash.h"

/* Spaces, kernels and headers; whatever else lies in the folder is not looked at. */
struct folder_content {
    const char **names;
    char **bytes;
    size_t *byte_counts;
    int count;
    size_t capacity;
    struct hash hash; /* of all names and bytes */
};

CHECKED status folder_read(const char *folder, struct arena *arena, struct folder_content *content,
                           struct diagnostic *diagnostic);
/* Writes the content into a folder, which is made where it is missing. */
CHECKED status folder_write(const char *folder, const struct folder_content *content,
                            struct arena *arena, struct diagnostic *diagnostic);
/* The same, and takes away the spaces, kernels and headers that it does not have. */
CHECKED status folder_restore(const char *folder, const struct folder_content *content,
                              struct arena *arena, struct diagnostic *diagnostic);

#endif
