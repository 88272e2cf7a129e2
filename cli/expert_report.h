/* What became of the experts that cards keep for a while. */
#ifndef CLI_EXPERT_REPORT_H
#define CLI_EXPERT_REPORT_H

#include "engine/engine.h"

#include <jansson.h>

/* {"slots", "policy", "asked", "hits", "fetched", "computed", "fetched_bytes", and the measured "fetch_seconds",
 * "host_seconds", "host_row_seconds"}; null where the plan has no slots. */
json_t *expert_report_json(struct engine *engine);
/* A line on stderr; nothing where the plan has no slots. */
void expert_report_print(struct engine *engine);

#endif
