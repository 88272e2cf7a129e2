/* Unicode's normalisation forms, which some models' text went through before it was learned. */
#ifndef MODELS_TOKENIZER_NORMALIZE_H
#define MODELS_TOKENIZER_NORMALIZE_H

#include "base/arena.h"

/* `text` is whole UTF-8.  The result is `text` itself where nothing can change, or lies in the
 * arena; it has at most three times the bytes.  Linear in the length whatever the text. */
CHECKED status normalize_composed(const char *text, size_t length, struct arena *arena,
                                  const char **normal, size_t *normal_length,
                                  struct diagnostic *diagnostic);

/* Any of the four: `compatible` for KC and KD, `composed` for C and KC.  A character becomes at most 18. */
CHECKED status normalize_form(const char *text, size_t length, bool compatible, bool composed,
                              struct arena *arena, const char **normal, size_t *normal_length,
                              struct diagnostic *diagnostic);

#endif
