/* Measuring a model's rates: prompt processing and generation, in rounds after one that does not count, with medians and
 * spread. */
#ifndef ENGINE_MEASURE_RATES_H
#define ENGINE_MEASURE_RATES_H

#include "engine/engine.h"

struct rate_options {
    int64_t prompt_tokens, generated_tokens;
    int rounds, sequences;
    const struct progress *progress;
};

/* A median of the rounds; spread is half the distance between the quartiles, in the same unit. */
struct rate {
    double median, spread;
};

struct measured_rates {
    struct rate prefill, decode; /* tokens per second, over all sequences */
    struct rate read_bandwidth;  /* bytes per second, sampled before and after every round */
    struct rate
        decode_bandwidth_share; /* weight bytes per token * steps per second / read bandwidth, per round */
    struct rate
        prefill_peak_share; /* operations per second / arithmetic ceiling, per round; 0: ceiling unknown */
    int rounds;
    size_t peak_memory_bytes; /* resident after loading, a prompt and a token */
};

/* The engine's context must hold prompt and generated tokens of `sequences` sequences. */
CHECKED status measure_rates(struct engine *engine, const struct rate_options *options,
                             struct measured_rates *rates, struct diagnostic *diagnostic);

/* How a kernel of the plan rounds, by the variant that its text names; references and unknown ones are exact. */
struct numerics image_numerics(const struct engine *engine, const struct plan_image *image);

/* Operations of one prompt of `tokens` through the plan, without the logits that are not computed. */
double prefill_operations(const struct plan *plan, int64_t tokens);

#endif
