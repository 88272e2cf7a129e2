/* The tokenizer that a GGUF file carries in its metadata. */
#ifndef MODELS_TOKENIZER_GGUF_H
#define MODELS_TOKENIZER_GGUF_H

#include "models/tokenizer.h"

struct model_source;

/* Reads and marks as used every key of the tokenizer that is understood; what it leaves unused may
 * change the meaning of text.  `*tokenizer` becomes NULL when the file carries none.  It needs
 * `source` only until this returns; close it with tokenizer_close. */
CHECKED status tokenizer_from_gguf(struct model_source *source, struct arena *arena,
                                   struct tokenizer **tokenizer, const struct progress *progress,
                                   struct diagnostic *diagnostic);

#endif
