/* What was generated, as JSON. */
#ifndef CLI_GENERATION_JSON_H
#define CLI_GENERATION_JSON_H

#include "engine/generate.h"

#include <jansson.h>

/* {"text", "tokens", "end"} */
json_t *generation_json(const struct generation_result *result, struct arena *arena);

#endif
