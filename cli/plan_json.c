/* `hone plan --json`: the placement piece by piece, and the predictions. */
#include "cli/plan_report.h"

#include <string.h>

static json_t *counts_json(const int64_t *counts, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(list, json_integer(counts[i]));
    return list;
}

static json_t *piece_json(const struct placement *placement, const struct placement_piece *piece)
{
    int devices = placement->device_count;
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "part", placement_part_name(piece->part),
                  "units", (json_int_t)piece->units, "unit_bytes", (json_int_t)piece->unit_bytes,
                  "home", counts_json(piece->home, devices + 1), "prefill",
                  counts_json(piece->work[PLACEMENT_PREFILL], devices), "decode",
                  counts_json(piece->work[PLACEMENT_DECODE], devices));
    if (piece->part == PLACEMENT_EXPERTS)
        json_object_set_new(object, "slots", counts_json(piece->slots, devices));
    return object;
}

static json_t *layers_json(const struct placement *placement)
{
    json_t *layers = json_array();
    for (int l = 0; l < placement->layer_count; l++) {
        json_t *pieces = json_array();
        for (int part = PLACEMENT_ATTENTION; part <= PLACEMENT_EXPERTS; part++)
            if (placement->layers[l].pieces[part].units)
                json_array_append_new(pieces,
                                      piece_json(placement, &placement->layers[l].pieces[part]));
        json_array_append_new(layers, pieces);
    }
    return layers;
}

static json_t *devices_json(const struct planned_model *planned)
{
    json_t *devices = json_array();
    for (int d = 0; d < planned->machine->device_count; d++)
        json_array_append_new(
            devices, json_pack("{s:s, s:i, s:I}", "device", planned->machine->devices[d].name,
                               "node", planned->machine->devices[d].node, "usable_bytes",
                               (json_int_t)planned->result.best.input->devices[d].memory_bytes));
    return devices;
}

static json_t *times_json(const struct planned_model *planned, const struct solve_times *times)
{
    return json_pack("{s:f, s:f, s:f}", "prefill_tokens_per_second",
                     planned->request.prompt_tokens / times->prefill_seconds,
                     "decode_tokens_per_second",
                     (double)planned->request.bounds.sequences / times->decode_seconds,
                     "total_seconds", times->total_seconds);
}

static json_t *limit_json(const struct planned_model *planned)
{
    struct place_limit limit;
    place_limit(&planned->result.best, &limit);
    const struct solve_times times = {.prefill_seconds = limit.prefill_seconds,
                                      .decode_seconds = limit.decode_seconds,
                                      .total_seconds = limit.total_seconds};
    json_t *object = times_json(planned, &times);
    for (int p = 0; p < PLACEMENT_PHASES; p++)
        json_object_set_new(
            object, p == PLACEMENT_PREFILL ? "prefill_bound" : "decode_bound",
            json_string(limit.memory_bound[p] ? "memory of the host" : "computing"));
    return object;
}

status plan_report_json(const struct planned_model *planned, struct arena *arena, json_t **document,
                        struct diagnostic *diagnostic)
{
    const struct place_result *result = &planned->result;
    const struct place_plan *best = &result->best;
    const struct solve_times *times = &best->solution.times;
    json_t *object = times_json(planned, times);
    const char *prefill = solve_resource_name(best->input, times->bounds[PLACEMENT_PREFILL], arena);
    const char *decode = solve_resource_name(best->input, times->bounds[PLACEMENT_DECODE], arena);
    json_object_set_new(object, "prefill_bound", json_string(prefill));
    json_object_set_new(object, "decode_bound", json_string(decode));
    json_object_set_new(object, "limit", limit_json(planned));
    json_object_set_new(object, "bound_share",
                        json_real(best->solution.bound_seconds / times->ranked_seconds));
    json_object_set_new(object, "prompt_chunk", json_integer(best->chunk));
    json_object_set_new(object, "stream_rows", json_integer(result->placement->stream_rows));
    json_object_set_new(object, "measured", json_integer(result->measured));
    json_object_set_new(object, "times", json_integer(result->problems));
    json_object_set_new(object, "programs", json_integer(best->solution.programs));
    json_object_set_new(object, "planning_seconds", json_real(planned->seconds));
    json_object_set_new(object, "devices", devices_json(planned));
    json_object_set_new(object, "embed", piece_json(result->placement, &result->placement->embed));
    json_object_set_new(object, "output",
                        piece_json(result->placement, &result->placement->output));
    json_object_set_new(object, "layers", layers_json(result->placement));
    if (result->second.solution.option_count)
        json_object_set_new(object, "runner_up",
                            times_json(planned, &result->second.solution.times));
    if (result->rule.solution.option_count)
        json_object_set_new(object, "rule", times_json(planned, &result->rule.solution.times));
    if (result->rule.solution.option_count && result->in_order_times.short_bytes <= 0)
        json_object_set_new(object, "rule_in_order", times_json(planned, &result->in_order_times));
    *document = object;
    return object ? STATUS_OK : fail_memory(diagnostic, 0);
}
