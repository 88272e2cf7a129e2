/* Spaces that extend others: `extends: VARIANT`, the whole space as one tree. */
#ifndef IR_SPACE_EXTEND_H
#define IR_SPACE_EXTEND_H

#include "base/yaml.h"

/* The variant that `root` extends; NULL when it extends none. */
CHECKED status space_extends(struct yaml *root, const char **variant,
                             struct diagnostic *diagnostic);

/* What `own` says over what `base` says. */
CHECKED status space_extend(struct yaml *base, struct yaml *own, struct arena *arena,
                            struct yaml **whole, struct diagnostic *diagnostic);

#endif
