/* Predicted against measured, step by step: one prompt chunk and one generated token with a clock at every step. */
#ifndef ENGINE_PREDICT_STEPS_H
#define ENGINE_PREDICT_STEPS_H

#include "engine/predict.h"

/* Steps of one kind: launches of an image, or copies to a device. */
struct step_comparison {
    enum step_kind kind;
    const struct plan_image *image; /* LAUNCH */
    int device;
    int steps;
    double measured_seconds, predicted_seconds; /* of all of them */
};

struct phase_comparison {
    int64_t tokens, context; /* of the step */
    struct step_comparison *rows;
    int count;
    size_t capacity;
};

/* A step that is timed waits for its devices after every launch, so both sums are longer than an ordinary step. */
CHECKED status predict_steps(struct engine *engine, int64_t prompt_tokens, struct arena *arena,
                             struct phase_comparison *prefill, struct phase_comparison *decode,
                             struct diagnostic *diagnostic);

#endif
