/* What the stand-in driver saw of a kernel, for people and as JSON. */
#ifndef CLI_EMULATION_REPORT_H
#define CLI_EMULATION_REPORT_H

#include "cli/console.h"
#include "tuner/emulate.h"

/* "its results are right", or what is not. */
const char *emulation_verdict(const struct emulation *emulation);

/* Both fail when the driver's report is not what docs/emulator.md says. */
CHECKED status emulation_json(const struct emulation *emulation, json_t **document,
                              struct diagnostic *diagnostic);
CHECKED status emulation_print(const struct emulation *emulation, struct diagnostic *diagnostic);

#endif
