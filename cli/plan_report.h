/* Printing what the planner says: as text and as JSON. */
#ifndef CLI_PLAN_REPORT_H
#define CLI_PLAN_REPORT_H

#include "engine/plan_model.h"

#include <jansson.h>

CHECKED status plan_report_print(const struct planned_model *planned, struct arena *arena,
                                 struct diagnostic *diagnostic);
CHECKED status plan_report_json(const struct planned_model *planned, struct arena *arena,
                                json_t **document, struct diagnostic *diagnostic);

#endif
