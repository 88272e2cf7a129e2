/* Profiles of devices that are not here (ir/profiles/NAME.yaml): what `--devices rtx3090` means
 * when planning and compiling. */
#ifndef IR_PROFILES_H
#define IR_PROFILES_H

#include "ir/device_facts.h"

CHECKED status profile_read(const char *name, struct arena *arena, struct device_facts *facts,
                            struct diagnostic *diagnostic);

/* The names of all profiles, sorted, NULL-terminated; NULL when memory is out. */
const char *const *profile_names(struct arena *arena);

#endif
