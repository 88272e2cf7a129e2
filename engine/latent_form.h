/* The form of latent attention (MLA): with "mla=auto" the one whose plan is the faster here. */
#ifndef ENGINE_LATENT_FORM_H
#define ENGINE_LATENT_FORM_H

#include "engine/engine.h"

/* "naive", "absorbed" or "auto" becomes the options' settings; NULL is the model's default. */
CHECKED status latent_form_parse(const char *text, struct engine_options *options,
                                 struct diagnostic *diagnostic);

/* Settles "mla=auto": plans of both forms are made, without code, and compared by what a step of one
 * token and a token of a whole chunk take at the longest context: measured where there are records,
 * estimated otherwise. */
CHECKED status latent_form_settle(const char *path, struct engine_options *options,
                                  struct diagnostic *diagnostic);

#endif
