/* The roofline table of `hone bench --roofline`: every kind of step with bytes, operations, time and share of its limit. */
#ifndef CLI_ROOFLINE_H
#define CLI_ROOFLINE_H

#include "engine/engine.h"

#include <jansson.h>

/* Tokens that are generated after the prompt. */
enum { ROOFLINE_TOKENS = 7 };

/* Times a prompt of `prompt_tokens` and a decode step, step by step, between samples of the ceilings.  Adds to `document`
 * arrays "roofline_prefill" and "roofline_decode" and objects of the same names with "_total", which say what is lost where;
 * or prints tables when it is NULL. */
CHECKED status roofline_report(struct engine *engine, int64_t prompt_tokens, struct arena *arena,
                               json_t *document, struct diagnostic *diagnostic);

#endif
