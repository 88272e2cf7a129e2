/* Reading one parameter from a model's metadata (internal to binding). */
#ifndef MODELS_BIND_METADATA_H
#define MODELS_BIND_METADATA_H

#include "models/architecture_bind.h"

/* A parameter's value on its way from the file. */
struct reading {
    struct bound_architecture *bound;
    const struct parameter *parameter;
    const char *key; /* for messages */
};

/* The entry of a key as descriptions write it; `*found` is false when the file does not have it. */
CHECKED status reading_find(struct reading *reading, const char *written, struct metadata *entry,
                            bool *found);
/* Checks the entry's value and stores it, in every layer that it is for. */
CHECKED status reading_take(struct reading *reading, const struct metadata *entry);

CHECKED status reading_check(struct reading *reading, double value); /* the bounds */
CHECKED status reading_store(struct reading *reading, int64_t layer, int64_t integer, double real);
bool reading_is_given(const struct reading *reading);

#endif
