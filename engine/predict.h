/* What a plan will take, by the simulator (planner/simulate.h), and its time line as files: a trace for Chrome's or
 * Perfetto's viewer, and a drawing. */
#ifndef ENGINE_PREDICT_H
#define ENGINE_PREDICT_H

#include "engine/engine.h"
#include "planner/simulate.h"

struct prediction {
    struct simulation simulation;
    struct timeline *timeline;
    int prefill_count; /* runs of the prompt, before those of generation */
    int64_t prompt_tokens, generated_tokens;
    int sequences;
    double prefill_seconds, decode_seconds;
    double prefill_tokens_per_second, decode_tokens_per_second; /* over all sequences; 0: none */
};

/* The engine's plan on its devices, which need not be here. */
CHECKED status predict(const struct engine *engine, int64_t prompt_tokens, int64_t generated_tokens,
                       int sequences, struct arena *arena, struct prediction *prediction,
                       struct diagnostic *diagnostic);

/* Seconds that queue `queue` of the time line is busy between two times. */
double prediction_busy(const struct timeline *timeline, int queue, double begin, double end);
/* "rtx3090 0" and "rtx3090 0, copies"; NULL when memory is out. */
const char *prediction_queue_name(const struct timeline *timeline, int queue, struct arena *arena);
/* "layer 3 linear", "copy x.3", "inputs" */
const char *prediction_span_name(const struct timeline *timeline, const struct timeline_span *span,
                                 struct arena *arena);

/* Files as text; NULL when memory is out.  `model` is a name for the title. */
const char *timeline_trace_print(const struct timeline *timeline, struct arena *arena);
const char *timeline_drawing_print(const struct prediction *prediction, const char *model,
                                   struct arena *arena);

#endif
