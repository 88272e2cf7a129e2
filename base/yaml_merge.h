/* A YAML map over another one: what a file says itself, and what it takes over from the file that it extends.
 *
 * A key that only one of the two has is taken from there.  Of a key that both have, the own value replaces the other
 * one, with two exceptions.  In maps named in `by_entry` entries are taken over one by one: an own entry replaces the one
 * of its name, `none` removes it.  Own entries keep their order and stand where those that they replace stood, or
 * before; the rest follows behind, so that an entry may use whatever stands above it in either file.  Lists named in
 * `lists` are put together, the other one's items first. */
#ifndef BASE_YAML_MERGE_H
#define BASE_YAML_MERGE_H

#include "base/yaml.h"

/* Keys of the two maps; each list ends with NULL. */
struct yaml_merge {
    const char *const *by_entry;
    const char *const *lists;
    const char *const *own_only; /* never taken over */
};

/* Nothing in the result counts as used.  It shares what it takes over with both maps. */
CHECKED status yaml_merge(const struct yaml_merge *merge, struct yaml *base, struct yaml *own,
                          struct arena *arena, struct yaml **merged, struct diagnostic *diagnostic);

#endif
