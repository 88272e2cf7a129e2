/* A model's file again, with its matrices in other element types.
 *
 * The source is read through its mapping and the result is written piece by piece, so a model may be
 * larger than the memory.  What a matrix becomes is decided by, in this order: the first rule whose
 * pattern matches its name, what no file quantises (norms, biases, routers), the mix, the type; and
 * where a row is no whole number of blocks, by the nearest type whose blocks fit. */
#ifndef MODELS_QUANTIZE_H
#define MODELS_QUANTIZE_H

#include "base/arena.h"
#include "base/progress.h"
#include "ir/element.h"
#include "models/importance.h"

/* For tensors whose name matches `pattern`, with * and ? as in file names. */
struct quantize_rule {
    const char *pattern;
    enum element_type element;
};

struct quantize_options {
    const char *type; /* "q4_K"; or a mix: "q4_K_M" */
    const struct quantize_rule *rules;
    int rule_count;
    int threads;
    const struct op *const *ops;     /* op_table(): folders are read as models */
    struct importance *importance;   /* what errors cost by column; NULL: all the same */
    const struct progress *progress; /* may be NULL */
};

struct quantized_tensor {
    const char *name;
    enum element_type from, to;
    bool weighted; /* by the importance of its columns */
    int64_t elements, from_bytes, to_bytes;
};

struct quantize_report {
    struct quantized_tensor *tensors;
    int tensor_count;
    int64_t from_bytes, to_bytes; /* of all tensors */
};

/* "PATTERN=TYPE" */
CHECKED status quantize_rule_parse(const char *text, struct arena *arena,
                                   struct quantize_rule *rule, struct diagnostic *diagnostic);

/* Reads the GGUF file or Hugging Face folder `source`, writes the GGUF file `path`, which may be the same.  The report is
 * in the arena. */
CHECKED status quantize_write(const char *source, const char *path,
                              const struct quantize_options *options, struct arena *arena,
                              struct quantize_report *report, struct diagnostic *diagnostic);

#endif
