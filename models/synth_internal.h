/* Shared by the files of the synthesiser (internal). */
#ifndef MODELS_SYNTH_INTERNAL_H
#define MODELS_SYNTH_INTERNAL_H

#include "models/gguf_write.h"
#include "models/synth.h"

/* How the numbers of a weight are drawn: uniformly from centre - spread to centre + spread. */
struct synth_weight {
    const char *name; /* in the file */
    struct tensor_type type;
    float centre, spread;
};

struct synth_weights {
    struct synth_weight *items;
    int count;
    size_t capacity;
};

/* The vocabulary's metadata (synth_tokens.c); nothing when there is no room for all bytes. */
CHECKED status synth_put_tokens(struct gguf_writer *writer, int64_t count, struct arena *arena,
                                struct diagnostic *diagnostic);

/* Fills all tensors, which were announced in the order of `weights` (synth_fill.c). */
CHECKED status synth_fill(struct gguf_writer *writer, const struct synth_weights *weights,
                          const struct synth_options *options, struct arena *arena,
                          struct diagnostic *diagnostic);

#endif
