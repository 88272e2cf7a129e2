/* rope_append: queries and keys turned, keys and values written to their pages. */
#ifndef OPS_ROPE_APPEND_ROPE_APPEND_H
#define OPS_ROPE_APPEND_ROPE_APPEND_H

#include "ir/problem.h"
#include "ops/rotation.h"

enum rope_append_input {
    ROPE_APPEND_Q,
    ROPE_APPEND_K,
    ROPE_APPEND_V,
    ROPE_APPEND_POSITIONS,
    ROPE_APPEND_SEQUENCES,
    ROPE_APPEND_PAGES,
    ROPE_APPEND_FACTORS,
    ROPE_APPEND_K_STATE,
    ROPE_APPEND_V_STATE
};
enum { ROPE_APPEND_Y = 9 };

/* rotation.h's rows follow from ROPE_APPEND_ROTATION. */
enum rope_append_attribute { ROPE_APPEND_HEADS, ROPE_APPEND_KV_HEADS, ROPE_APPEND_ROTATION };

extern const struct op op_rope_append;

void rope_append_reference(const struct problem *problem, const struct run *run,
                           void *const *operands, int64_t begin, int64_t end);

#endif
