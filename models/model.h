/* Models: a file or folder on disk becomes a graph, a source of weights and a tokenizer.
 *
 * Architectures are YAML files in this folder (models/llama.yaml); readers know formats (GGUF, safetensors), never
 * architectures.  Every key of a model file that changes its meaning must be consumed by the architecture, or the load
 * is refused with the key's name. */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "base/hash.h"
#include "base/progress.h"
#include "ir/graph.h"
#include "ir/weight_source.h"

struct tokenizer; /* models/tokenizer.h */

struct model_options {
    const struct op *const *ops;     /* op_table() */
    enum element_type state_element; /* of K and V: f16, bf16, f32, q8_0, q4_0 */
    bool rotates_states;             /* heads of K and V are rotated before they are rounded */
    int64_t page_tokens;             /* tokens per KV page */
    int64_t context;         /* tokens that a sequence may have in this run; 0: as trained */
    const char *settings;    /* "mla=naive,...": read as metadata hone.mla; may be NULL */
    bool allow_unknown_keys; /* warn instead of refusing */
    bool check_numbers;      /* refuse tensors with NaN or infinite numbers; reads all of them */
    const char *sums;        /* what models/check_files.h compares the files with; may be NULL */
    int threads;             /* for check_numbers; 0: one */
    const char *architecture_folder; /* further *.yaml, tried first; may be NULL */
    const struct progress *progress; /* for warnings; may be NULL */
};

struct model {
    struct arena *arena;
    const char *path, *architecture; /* "llama" */
    const char *description;         /* "llama, 22 layers, width 2048, q8_0" */
    struct graph *
        graph; /* inputs tokens, positions, sequences, pages, outputs; output logits f32[outputs,vocabulary] */
    struct weight_source weights;
    struct tokenizer *tokenizer; /* NULL when the file carries none */
    const char *chat_template;   /* models/template.h; NULL when the file carries none */
    size_t chat_template_length;
    int64_t vocabulary, context; /* context: as trained */
    int64_t layer_count;
    struct hash
        identity; /* of metadata and tensor directory: plans and captures name the model by it */
    void *files;  /* owned; closed by model_close */
};

CHECKED status model_open(const char *path, const struct model_options *options,
                          struct model **model, struct diagnostic *diagnostic);
void model_close(struct model *model);

struct synth_options; /* models/synth.h */
/* The model of a preset without a file: its graph, and weights that have no bytes; enough to plan with. */
CHECKED status model_describe(const struct synth_options *preset,
                              const struct model_options *options, struct model **model,
                              struct diagnostic *diagnostic);

/* What GGUF files call a weight of the graph; NULL where the description names no tensor of GGUF for it. */
const char *model_gguf_name(const struct model *model, const char *weight);

#endif
