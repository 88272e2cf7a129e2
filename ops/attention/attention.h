/* attention: causal attention of a ragged batch over paged keys and values. */
#ifndef OPS_ATTENTION_ATTENTION_H
#define OPS_ATTENTION_ATTENTION_H

#include "ir/problem.h"

enum attention_input {
    ATTENTION_Q,
    ATTENTION_POSITIONS,
    ATTENTION_SEQUENCES,
    ATTENTION_PAGES,
    ATTENTION_K_STATE,
    ATTENTION_V_STATE,
    ATTENTION_SINKS /* per head a score that takes its share of the softmax and adds nothing */
};
enum { ATTENTION_Y = 7 };

enum attention_attribute {
    ATTENTION_HEADS,
    ATTENTION_KV_HEADS,
    ATTENTION_HEAD_SIZE,
    ATTENTION_VALUE_SIZE, /* 0: head_size */
    ATTENTION_SCALE,      /* 0: 1 / sqrt(head_size) */
    ATTENTION_WINDOW,  /* 0: all earlier tokens, otherwise this many, the token itself included */
    ATTENTION_SOFTCAP, /* 0: none, otherwise scores are softcap * tanh(score / softcap) */
    ATTENTION_VALUES_IN_KEYS /* 1: v_state is as wide as k_state; a head's values begin its row */
};

enum { ATTENTION_HEAD_MOST = 1024 };

extern const struct op op_attention;

void attention_reference(const struct problem *problem, const struct run *run,
                         void *const *operands, int64_t begin, int64_t end);

int64_t attention_items(const struct problem *problem, const struct run *run);

/* The attributes with their zeros resolved. */
struct attention_shape {
    int64_t heads, kv_heads, head_size, value_size, window;
    int64_t value_stride; /* from one head's values to the next one's */
    double scale, softcap;
};
struct attention_shape attention_shape_of(const union attribute *values);

#endif
