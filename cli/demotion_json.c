/* What was given up for want of memory, as JSON. */
#include "cli/demotion_json.h"

json_t *demotion_json(const struct engine_report *report)
{
    json_t *all = json_array();
    for (int d = 0; d < report->demotion_count; d++) {
        const struct engine_demotion *demotion = &report->demotions[d];
        json_array_append_new(all, json_pack("{s:s, s:s, s:s, s:s}", "device", demotion->device,
                                             "gave_up", demotion_name(demotion->rung), "reason",
                                             demotion->reason, "message", demotion->text));
    }
    return all;
}
