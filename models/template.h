/* Chat templates: the bounded part of the Jinja language that model files use to turn a conversation into a prompt.
 *
 * Rendered as transformers does it: trim_blocks and lstrip_blocks are on, data cannot be changed but for namespaces, and
 * there are loop controls, raise_exception, strftime_now and a tojson that escapes no HTML.  A template is hostile: what it
 * may take of depth, steps, memory and output is bounded (template_render.h), it reaches nothing but its variables.
 *
 * What is not there (include, extends, import, blocks, call, recursive loops, rarely used filters) is refused by name with
 * line and column when the template is parsed. */
#ifndef MODELS_TEMPLATE_H
#define MODELS_TEMPLATE_H

#include "base/arena.h"

#include <jansson.h>
#include <stdint.h>

struct template;

enum { TEMPLATE_BYTES_MAX = 1 << 20 }; /* ten times the longest known */

/* `name` is for messages: "NAME:LINE:COLUMN: reason".  The template lies in the arena, and keeps nothing of `source`. */
CHECKED status template_parse(const char *name, const char *source, size_t length,
                              struct arena *arena, struct template **result,
                              struct diagnostic *diagnostic);

/* Renders with the members of `variables`, an object.  `now`: seconds since 1970, what strftime_now shows in local time. */
CHECKED status template_render(const struct template *template, json_t *variables, int64_t now,
                               struct arena *arena, char **text, size_t *length,
                               struct diagnostic *diagnostic);

#endif
