/* Conditions in the language of other tuners (Python's expressions, with C's && || ! as well) as
 * expressions of Hone's spaces (base/expression.h).  What has no counterpart there is refused by
 * name: powers, lists of configs, calls other than min, max and abs. */
#ifndef ENGINE_PYTHON_RULE_H
#define ENGINE_PYTHON_RULE_H

#include "base/arena.h"

enum { PYTHON_RULE_BYTES_MAX = 4096 };

/* `where` begins messages. */
CHECKED status python_rule_translate(const char *text, const char *where, struct arena *arena,
                                     const char **rule, struct diagnostic *diagnostic);

#endif
