/* The chat template that a model's files carry. */
#ifndef MODELS_CHAT_TEMPLATE_H
#define MODELS_CHAT_TEMPLATE_H

#include "base/arena.h"

struct model_source;

/* GGUF: tokenizer.chat_template.  Folders: chat_template.jinja, else chat_template of tokenizer_config.json, of several the
 * one named "default".  *text becomes NULL when there is none; it is not parsed yet. */
CHECKED status chat_template_find(struct model_source *source, struct arena *arena,
                                  const char **text, size_t *length, struct diagnostic *diagnostic);

#endif
