/* The roofline table of `hone bench --roofline`: every kind of step with bytes, operations, time and share of its limit. */
#ifndef CLI_ROOFLINE_H
#define CLI_ROOFLINE_H

#include "engine/engine.h"

#include <jansson.h>

/* Times one prompt of `prompt_tokens` and one decode step, step by step.  Adds arrays "roofline_prefill" and
 * "roofline_decode" to `document`, or prints tables when it is NULL. */
CHECKED status roofline_report(struct engine *engine, int64_t prompt_tokens, struct arena *arena,
                               json_t *document, struct diagnostic *diagnostic);

#endif
