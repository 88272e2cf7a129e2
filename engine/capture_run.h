/* Capturing what an engine runs (tuner/capture.h) into a file. */
#ifndef ENGINE_CAPTURE_RUN_H
#define ENGINE_CAPTURE_RUN_H

#include "engine/engine.h"

struct capture_run;

/* From here on every step is counted, and launches are waited for one by one, which makes steps a little slower.  The file is
 * added to now and then, so that a run that is killed loses little; only one run at a time may add to it.  Fails at once where
 * the file cannot be added to: it is no capture, or one of another model.  The engine must keep its plan until the end. */
CHECKED status capture_begin(struct engine *engine, const char *path, struct capture_run **run,
                             struct diagnostic *diagnostic);
/* Writes what is not written yet and frees; NULL is allowed. */
CHECKED status capture_end(struct capture_run *run, struct diagnostic *diagnostic);

#endif
