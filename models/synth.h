/* Model files of published shapes with random weights, for tuning and benchmarks. */
#ifndef MODELS_SYNTH_H
#define MODELS_SYNTH_H

#include "base/progress.h"
#include "ir/op.h"
#include "models/model_source.h"

struct synth_options {
    const struct op *const *ops; /* op_table() */
    const char *preset;          /* a key of models/presets.yaml */
    enum element_type element;   /* of matrices; norms, biases and routers are f32 */
    int64_t layers;              /* 0: as many as the preset says */
    uint64_t seed;               /* equal seeds give equal files, on any number of threads */
    int threads;
    const char *architecture_folder; /* may be NULL */
    const struct progress *progress; /* may be NULL */
};

/* Writes a GGUF file with a byte-level vocabulary of the right length. */
CHECKED status synth_write(const char *path, const struct synth_options *options,
                           struct diagnostic *diagnostic);

/* What such a file would hold, without it: metadata, and tensors that have no bytes. */
CHECKED status synth_describe(const struct synth_options *options, struct arena *arena,
                              struct model_source *source, struct diagnostic *diagnostic);

/* Names of all presets, NULL-terminated. */
CHECKED status synth_presets(struct arena *arena, const char *const **names,
                             struct diagnostic *diagnostic);

#endif
