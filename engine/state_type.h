/* How keys, values and latents are cached, as people write it: "f16", "q8_0", "q4_0,rotate". */
#ifndef ENGINE_STATE_TYPE_H
#define ENGINE_STATE_TYPE_H

#include "engine/engine.h"

/* Sets the options' state_element, rotates_states and states_given; NULL is f16. */
CHECKED status state_type_parse(const char *text, struct engine_options *options,
                                struct diagnostic *diagnostic);

#endif
