/* safetensors: a JSON header with names, types, shapes and byte ranges, then the bytes. */
#ifndef MODELS_SAFETENSORS_H
#define MODELS_SAFETENSORS_H

#include "models/model_source.h"

enum { SAFETENSORS_HEADER_BYTES_MAX = 100000000 }; /* as the reference reader */

/* Adds one file's tensors to `source`, after all checks that the reference reader makes: every type
 * known, every range as long as its shape says, ranges without overlap or hole up to the file's
 * end. */
CHECKED status safetensors_open(const char *path, struct model_source *source,
                                struct diagnostic *diagnostic);

/* Adds the files that "model.safetensors.index.json" in `folder` names. */
CHECKED status safetensors_open_index(const char *folder, const char *index_path,
                                      struct model_source *source, struct diagnostic *diagnostic);

#endif
