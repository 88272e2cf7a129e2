/* The trace event format that chrome://tracing and ui.perfetto.dev read: a process per device, a thread per queue, a
 * complete event ("X") per span, times in microseconds. */
#include "engine/predict.h"

#include <jansson.h>

static const char *const categories[] = {
    [SPAN_LAUNCH] = "launch", [SPAN_COPY] = "copy", [SPAN_WRITE] = "write", [SPAN_READ] = "read"};

static json_t *name_event(const char *kind, int device, int thread, const char *name)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "ph", "M", "name", kind, "pid", device, "tid",
                     thread, "args", "name", name);
}

static void add_names(const struct timeline *timeline, json_t *events)
{
    const struct plan *plan = timeline->simulation->runs[0].plan;
    for (int q = 0; q < timeline->queue_count; q++) {
        const struct timeline_queue *queue = &timeline->queues[q];
        if (!queue->copies)
            json_array_append_new(events, name_event("process_name", queue->device, 0,
                                                     plan->devices[queue->device].specification));
        json_array_append_new(events, name_event("thread_name", queue->device, queue->copies,
                                                 queue->copies ? "copies" : "computing"));
    }
}

static json_t *span_event(const struct timeline *timeline, const struct timeline_span *span,
                          struct arena *arena)
{
    const struct timeline_queue *queue = &timeline->queues[span->queue];
    const struct simulated_run *run = &timeline->simulation->runs[span->run];
    const char *name = prediction_span_name(timeline, span, arena);
    json_t *arguments = json_pack("{s:i, s:I}", "run", span->run, "tokens",
                                  (json_int_t)run->run.symbols[SYMBOL_TOKENS]);
    if (span->step >= 0) json_object_set_new(arguments, "step", json_integer(span->step));
    if (span->bytes) json_object_set_new(arguments, "bytes", json_integer(span->bytes));
    if (span->kind == SPAN_LAUNCH) {
        int64_t rows;
        int image = cost_step_image(run->plan, span->step, &run->run, &rows);
        json_object_set_new(arguments, "kernel", json_string(run->plan->images[image].candidate));
        json_object_set_new(arguments, "problem",
                            json_string(run->plan->images[image].problem->text));
    }
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:f, s:f, s:o}", "ph", "X", "name",
                     name ? name : "?", "cat", categories[span->kind], "pid", queue->device, "tid",
                     (int)queue->copies, "ts", span->start * 1e6, "dur",
                     (span->end - span->start) * 1e6, "args", arguments);
}

static int append(const char *bytes, size_t count, void *text)
{
    text_append_range(text, bytes, count);
    return 0;
}

const char *timeline_trace_print(const struct timeline *timeline, struct arena *arena)
{
    struct text text = {.arena = arena};
    json_t *events = json_array();
    add_names(timeline, events);
    for (int s = 0; s < timeline->span_count; s++)
        json_array_append_new(events, span_event(timeline, &timeline->spans[s], arena));
    json_t *document = json_pack("{s:s, s:o}", "displayTimeUnit", "ms", "traceEvents", events);
    int failed = !document || json_dump_callback(document, append, &text,
                                                 JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(document);
    return failed ? NULL : text_finish(&text);
}
