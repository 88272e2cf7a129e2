/* Which element type a tensor gets (internal to quantising). */
#ifndef MODELS_QUANTIZE_CHOICE_H
#define MODELS_QUANTIZE_CHOICE_H

#include "models/model_source.h"
#include "models/quantize.h"

enum { QUANTIZE_WARNED_MAX = 16 };

struct quantize_choice {
    const struct quantize_options *options;
    enum element_type element; /* of the type or the mix */
    bool medium;               /* a mix: the matrices that matter most in a finer type */
    int64_t layers;
    bool has_output; /* or the embedding is tied to it */
    int64_t
        warned_columns[QUANTIZE_WARNED_MAX]; /* row lengths that were warned of: one line each */
    int warned_count;
};

/* Fails with the names that there are. */
CHECKED status quantize_type_check(const char *type, struct diagnostic *diagnostic);

CHECKED status quantize_choice_of(const struct quantize_options *options,
                                  const struct model_source *source, struct quantize_choice *choice,
                                  struct diagnostic *diagnostic);

CHECKED status quantize_choose(struct quantize_choice *choice, const struct stored_tensor *tensor,
                               enum element_type *element, struct diagnostic *diagnostic);

#endif
