/* Hugging Face folders: config.json, and the tensors in one or several safetensors files. */
#ifndef MODELS_HUGGINGFACE_H
#define MODELS_HUGGINGFACE_H

#include "models/model_source.h"

/* Keys of nested objects are joined with dots: rope_scaling.factor. */
CHECKED status huggingface_open(const char *folder, const struct progress *progress,
                                struct model_source *source, struct diagnostic *diagnostic);

#endif
