/* A Hugging Face folder as a GGUF file would hold it: the description of its architecture knows both worlds' names.
 *
 * What GGUF has no key for is not lost silently: whoever writes such a file opens it again and compares the two graphs
 * (folder_compare). */
#ifndef MODELS_FOLDER_GGUF_H
#define MODELS_FOLDER_GGUF_H

#include "models/gguf_write.h"
#include "models/model.h"

/* The tensors of an opened folder under GGUF's names, rows of turned matrices in GGUF's order, experts in one tensor.
 * `source` is in the arena and lives as long as the model. */
CHECKED status folder_as_gguf(struct model *model, struct arena *arena, struct model_source *source,
                              struct diagnostic *diagnostic);

/* The metadata: hyper-parameters, tokenizer and chat template. */
CHECKED status folder_put_metadata(struct model *model, const char *name,
                                   struct gguf_writer *writer, const struct progress *progress,
                                   struct diagnostic *diagnostic);
/* Makes what `bytes`, a tensor's, are made of, if anything. */
void folder_make(const struct model *model, const void *bytes);

/* Whether both compute the same, but for the order of paired rows: operators, weights and attributes. */
CHECKED status folder_compare(const struct model *folder, const struct model *file,
                              struct diagnostic *diagnostic);

#endif
