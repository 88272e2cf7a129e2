/* The tokenizer of a Hugging Face folder: tokenizer.json. */
#ifndef MODELS_TOKENIZER_HUGGINGFACE_H
#define MODELS_TOKENIZER_HUGGINGFACE_H

#include "models/tokenizer.h"

struct model_source;

/* `*tokenizer` becomes NULL when the folder has no tokenizer.json, or, after a warning, one of a kind
 * that is not read (anything but byte-level BPE, BPE of SentencePiece's kind and unigram models).  A damaged one fails.  `source` gives the folder and
 * the ids in its config.json; it is needed only until this returns. */
CHECKED status tokenizer_from_huggingface(struct model_source *source, struct arena *arena,
                                          struct tokenizer **tokenizer,
                                          const struct progress *progress,
                                          struct diagnostic *diagnostic);

/* What is done with the tokenizer that a folder describes, which is there only during the call. */
struct tokenizer_use {
    status (*use)(void *context, const struct tokenizer_source *source,
                  struct diagnostic *diagnostic);
    void *context;
};

/* Calls `use` if the folder has a tokenizer.json of a kind that is read; a warning otherwise. */
CHECKED status tokenizer_use_huggingface(struct model_source *source,
                                         const struct tokenizer_use *use,
                                         const struct progress *progress,
                                         struct diagnostic *diagnostic);

#endif
