/* From an engine's plan to a time line, and words for what is in it. */
#include "engine/predict.h"

#include <math.h>

static double rate(double tokens, double seconds)
{
    return seconds > 0 ? tokens / seconds : 0;
}

/* Chunks of a prompt follow each other where every device that works has a queue of its own (runtime/execute.h). */
static int steps_in_flight(const struct plan *plan, struct device *const *devices)
{
    if (plan->prefill && steps_in_flight(plan->prefill, devices) == 1) return 1;
    for (int s = 0; s < plan->step_count; s++)
        if (device_is_host(devices[plan->steps[s].device])) return 1;
    return 2;
}

status predict(const struct engine *engine, int64_t prompt_tokens, int64_t generated_tokens,
               int sequences, struct arena *arena, struct prediction *prediction,
               struct diagnostic *diagnostic)
{
    const struct workload workload = {.prefill = engine_plan(engine),
                                      .decode = engine_plan(engine),
                                      .prompt_tokens = prompt_tokens,
                                      .generated_tokens = generated_tokens,
                                      .sequences = sequences};
    int count;
    struct device *const *devices = engine_devices(engine, &count);
    const struct device_facts **facts;
    struct simulated_run *runs;
    TRY_NEW(facts, arena, count, diagnostic);
    for (int d = 0; d < count; d++) facts[d] = device_facts(devices[d]);
    *prediction = (struct prediction){.simulation = {.facts = facts},
                                      .prompt_tokens = prompt_tokens,
                                      .generated_tokens = generated_tokens,
                                      .sequences = sequences};
    prediction->simulation.in_flight = steps_in_flight(engine_plan(engine), devices);
    TRY(workload_runs(&workload, arena, &runs, &prediction->simulation.run_count,
                      &prediction->prefill_count, diagnostic));
    prediction->simulation.runs = runs;
    TRY(simulate(&prediction->simulation, arena, &prediction->timeline, diagnostic));
    prediction->prefill_seconds = prediction->timeline->run_ends[prediction->prefill_count - 1];
    prediction->decode_seconds = prediction->timeline->seconds - prediction->prefill_seconds;
    prediction->prefill_tokens_per_second =
        rate((double)prompt_tokens * sequences, prediction->prefill_seconds);
    prediction->decode_tokens_per_second =
        rate((double)generated_tokens * sequences, prediction->decode_seconds);
    return STATUS_OK;
}

double prediction_busy(const struct timeline *timeline, int queue, double begin, double end)
{
    double seconds = 0;
    for (int s = 0; s < timeline->span_count; s++) {
        const struct timeline_span *span = &timeline->spans[s];
        if (span->queue == queue)
            seconds += fmax(fmin(span->end, end) - fmax(span->start, begin), 0);
    }
    return seconds;
}

const char *prediction_queue_name(const struct timeline *timeline, int queue, struct arena *arena)
{
    const struct timeline_queue *described = &timeline->queues[queue];
    const struct plan *plan = timeline->simulation->runs[0].plan;
    return arena_print(arena, "%d: %s%s", described->device,
                       plan->devices[described->device].specification,
                       described->copies ? ", copies" : "");
}

const char *prediction_span_name(const struct timeline *timeline, const struct timeline_span *span,
                                 struct arena *arena)
{
    const struct plan *plan = timeline->simulation->runs[span->run].plan;
    switch (span->kind) {
    case SPAN_WRITE: return "inputs";
    case SPAN_READ: return "outputs";
    case SPAN_COPY:
        return arena_print(arena, "copy %s",
                           plan->graph->values[plan->steps[span->step].value].name);
    case SPAN_LAUNCH: break;
    }
    const struct node *node = &plan->graph->nodes[plan->steps[span->step].node];
    if (node->layer < 0) return node->op->name;
    return arena_print(arena, "layer %d %s", node->layer, node->op->name);
}
