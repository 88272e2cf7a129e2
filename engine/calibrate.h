/* Importance matrices from a text: the model reads it, and the activations that meet each weight are summed. */
#ifndef ENGINE_CALIBRATE_H
#define ENGINE_CALIBRATE_H

#include "engine/evaluate_text.h"
#include "models/importance.h"

/* Evaluates the text and adds what every linear map sees to `importance`.  All devices of the engine must be the host. */
CHECKED status calibrate(const struct text_evaluation *evaluation, const char *text, size_t length,
                         struct importance *importance, struct text_score *score,
                         struct diagnostic *diagnostic);

#endif
