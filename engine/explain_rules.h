/* Which rules keep configs of a space from being candidates: how many each excludes, by the first that a config breaks. */
#ifndef ENGINE_EXPLAIN_RULES_H
#define ENGINE_EXPLAIN_RULES_H

#include "ir/space.h"

struct explained_rules {
    double excluded[SPACE_RULES_MAX]; /* configs per rule of the space */
    bool exact;                       /* otherwise estimated from a sample */
};

CHECKED status explain_rules(const struct bound_space *bound, struct arena *arena,
                             struct explained_rules **rules, struct diagnostic *diagnostic);

#endif
