/* How well a model predicts a text, by itself and compared with another model.
 *
 * The text is cut into windows of `window` tokens that overlap by half.  Each window begins with the begin token where
 * the model wants one, and scores the tokens of its second half (the first window: all), so every token of the text but
 * the first is scored once, behind at least half a window of context where there is that much text. */
#ifndef ENGINE_EVALUATE_TEXT_H
#define ENGINE_EVALUATE_TEXT_H

#include "engine/engine.h"

struct text_evaluation {
    struct engine *engine;
    struct engine *reference; /* the model to compare with; NULL: none */
    int64_t window; /* tokens, begin token included; 0: WINDOW_DEFAULT or the engine's context */
    int64_t limit;  /* tokens of the text; 0: all */
    const struct progress *progress;
};

enum { EVALUATION_WINDOW_DEFAULT = 512 };

struct text_score {
    int64_t tokens;                      /* scored */
    double perplexity, perplexity_error; /* error: standard error of the mean, carried over */
    /* With a reference only: */
    double reference_perplexity;
    double kl_divergence, kl_error; /* of the model from the reference, mean over tokens, in nats */
    double kl_99, kl_largest;       /* what 99 % of the tokens stay below; the worst */
    double top_token_agreement;     /* share of tokens where both find the same most probable */
};

CHECKED status evaluate_text(const struct text_evaluation *evaluation, const char *text,
                             size_t length, struct arena *arena, struct text_score *score,
                             struct diagnostic *diagnostic);

#endif
