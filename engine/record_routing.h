/* A record of what the routers of an engine's model choose while it runs. */
#ifndef ENGINE_RECORD_ROUTING_H
#define ENGINE_RECORD_ROUTING_H

#include "engine/engine.h"
#include "planner/routing_trace.h"

struct routing_recorder;

/* Records every step from here on, into `arena`; STATUS_USAGE where the model has no routed experts.  The engine must keep
 * its layers until the last step that is recorded. */
CHECKED status routing_record(struct engine *engine, struct arena *arena,
                              struct routing_recorder **recorder, struct diagnostic *diagnostic);
/* What was recorded so far; the first failure of recording, if there was one. */
CHECKED status routing_recorded(const struct routing_recorder *recorder,
                                const struct routing_trace **trace, struct diagnostic *diagnostic);

#endif
