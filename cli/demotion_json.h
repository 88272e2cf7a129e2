/* What was given up for want of memory, as JSON. */
#ifndef CLI_DEMOTION_JSON_H
#define CLI_DEMOTION_JSON_H

#include "engine/engine.h"

#include <jansson.h>

/* [{"device", "gave_up", "reason", "message"}], empty where everything fitted. */
json_t *demotion_json(const struct engine_report *report);

#endif
