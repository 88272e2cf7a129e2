/* What the simulator says, printed: `hone show --timeline` and `hone bench --predict`. */
#ifndef CLI_PREDICTION_H
#define CLI_PREDICTION_H

#include "cli/command.h"
#include "engine/measure_rates.h"

#include <jansson.h>

/* Simulates the engine's plan and writes the time line to the file of --timeline; prints the predicted rates and how busy
 * each queue is. */
CHECKED status timeline_report(const struct engine *engine, const struct arguments *arguments,
                               struct arena *arena, struct diagnostic *diagnostic);

/* The prompt and the generation that it shows. */
CHECKED status timeline_tokens(const struct arguments *arguments, int64_t *prompt,
                               int64_t *generated, struct diagnostic *diagnostic);

/* Compares what was measured with what the simulator says, for the whole and, by one more prompt and token, for each kind of
 * step.  Adds an object "prediction" to `document`, or prints tables when it is NULL. */
CHECKED status prediction_report(struct engine *engine, const struct rate_options *options,
                                 const struct measured_rates *rates, struct arena *arena,
                                 json_t *document, struct diagnostic *diagnostic);

/* The number of --prompt, or of tokens where it is absent. */
CHECKED status prompt_tokens(const struct arguments *arguments, int64_t otherwise, int64_t *tokens,
                             struct diagnostic *diagnostic);

#endif
