/* Rotary position embedding: the angles of rope and rope_append, and how attributes name them. */
#ifndef OPS_ROTATION_H
#define OPS_ROTATION_H

#include "ir/op.h"

enum rotation_pairing {
    PAIRING_INTERLEAVED, /* elements 2i and 2i + 1 */
    PAIRING_HALVES       /* elements i and i + rotated / 2 */
};

enum rotation_scaling { SCALING_NONE, SCALING_LINEAR, SCALING_LLAMA3, SCALING_YARN, SCALING_LONG };

/* The rows that both operators' attribute tables have in common, in this order. */
enum rotation_attribute {
    ROTATION_HEAD_SIZE,
    ROTATION_ROTATED, /* elements of a head that turn; 0: all of them */
    ROTATION_PAIRING,
    ROTATION_BASE,
    ROTATION_SCALING,
    ROTATION_FACTOR,
    ROTATION_LOW_FACTOR,       /* llama3 */
    ROTATION_HIGH_FACTOR,      /* llama3 */
    ROTATION_ORIGINAL_CONTEXT, /* llama3, yarn */
    ROTATION_BETA_FAST,        /* yarn */
    ROTATION_BETA_SLOW,        /* yarn */
    /* yarn, long: multiplies sine and cosine; 0: 0.1 ln(factor) + 1, and for long
                                  sqrt(1 + ln(factor) / ln(original_context)) */
    ROTATION_ATTENTION_FACTOR,
    ROTATION_TRUNCATE, /* yarn: whether the ramp's ends are rounded outwards */
    ROTATION_FIRST,    /* where within a head the rotated elements begin */
    ROTATION_ATTRIBUTE_COUNT
};

enum { ROTATION_PAIRS_MAX = 512, ROTATION_HEAD_MOST = 2 * ROTATION_PAIRS_MAX };

extern const char *const rotation_pairing_names[];
extern const char *const rotation_scaling_names[];

/* The rows themselves, from row `first` of the operator's table on. */
#define ROTATION_ATTRIBUTES(first)                                                                 \
    [(first) +                                                                                     \
        ROTATION_HEAD_SIZE] = {.name = "head_size",                                                \
                               .kind = ATTRIBUTE_INTEGER,                                          \
                               .required = true,                                                   \
                               .least = 2,                                                         \
                               .most = ROTATION_HEAD_MOST},                                        \
        [(first) + ROTATION_ROTATED] = {.name = "rotated",                                         \
                                        .kind = ATTRIBUTE_INTEGER,                                 \
                                        .least = 0,                                                \
                                        .most = ROTATION_HEAD_MOST},                               \
        [(first) + ROTATION_PAIRING] = {.name = "pairing",                                         \
                                        .kind = ATTRIBUTE_CHOICE,                                  \
                                        .required = true,                                          \
                                        .choices = rotation_pairing_names},                        \
        [(first) + ROTATION_BASE] = {.name = "base",                                               \
                                     .kind = ATTRIBUTE_REAL,                                       \
                                     .otherwise = 10000,                                           \
                                     .least = 1.000001,                                            \
                                     .most = 1e15},                                                \
        [(first) + ROTATION_SCALING] = {.name = "scaling",                                         \
                                        .kind = ATTRIBUTE_CHOICE,                                  \
                                        .choices = rotation_scaling_names},                        \
        [(first) + ROTATION_FACTOR] = {.name = "factor",                                           \
                                       .kind = ATTRIBUTE_REAL,                                     \
                                       .otherwise = 1,                                             \
                                       .least = 1e-6,                                              \
                                       .most = 1e6},                                               \
        [(first) + ROTATION_LOW_FACTOR] = {.name = "low_factor",                                   \
                                           .kind = ATTRIBUTE_REAL,                                 \
                                           .otherwise = 1,                                         \
                                           .least = 1e-6,                                          \
                                           .most = 1e6},                                           \
        [(first) + ROTATION_HIGH_FACTOR] = {.name = "high_factor",                                 \
                                            .kind = ATTRIBUTE_REAL,                                \
                                            .otherwise = 4,                                        \
                                            .least = 1e-6,                                         \
                                            .most = 1e6},                                          \
        [(first) + ROTATION_ORIGINAL_CONTEXT] = {.name = "original_context",                       \
                                                 .kind = ATTRIBUTE_REAL,                           \
                                                 .otherwise = 8192,                                \
                                                 .least = 1,                                       \
                                                 .most = 1e9},                                     \
        [(first) + ROTATION_BETA_FAST] = {.name = "beta_fast",                                     \
                                          .kind = ATTRIBUTE_REAL,                                  \
                                          .otherwise = 32,                                         \
                                          .least = 1e-6,                                           \
                                          .most = 1e6},                                            \
        [(first) + ROTATION_BETA_SLOW] = {.name = "beta_slow",                                     \
                                          .kind = ATTRIBUTE_REAL,                                  \
                                          .otherwise = 1,                                          \
                                          .least = 1e-6,                                           \
                                          .most = 1e6},                                            \
        [(first) + ROTATION_ATTENTION_FACTOR] = {.name = "attention_factor",                       \
                                                 .kind = ATTRIBUTE_REAL,                           \
                                                 .least = 0,                                       \
                                                 .most = 1e6},                                     \
        [(first) + ROTATION_TRUNCATE] = {.name = "truncate",                                       \
                                         .kind = ATTRIBUTE_INTEGER,                                \
                                         .otherwise = 1,                                           \
                                         .least = 0,                                               \
                                         .most = 1},                                               \
        [(first) + ROTATION_FIRST] = {                                                             \
            .name = "first", .kind = ATTRIBUTE_INTEGER, .least = 0, .most = ROTATION_HEAD_MOST}

/* Radians per position for each pair, and what sine and cosine are multiplied with. */
struct rotation {
    int64_t head_size, first, pairs;
    enum rotation_pairing pairing;
    double magnitude;
    double frequencies[ROTATION_PAIRS_MAX];
};

/* `attributes` points at row ROTATION_HEAD_SIZE.  `factors` (one per pair, or NULL) divide the
 * frequencies: some files carry a scaling this way. */
void rotation_create(const union attribute *attributes, const float *factors,
                     struct rotation *rotation);

/* Checks what the bounds of single attributes cannot: rotated is even and within the head. */
CHECKED status rotation_check(const union attribute *attributes, struct diagnostic *diagnostic);
int64_t rotation_rotated(const union attribute *attributes);

/* Sine and cosine of each pair at one position, times the magnitude. */
struct turns {
    double sines[ROTATION_PAIRS_MAX], cosines[ROTATION_PAIRS_MAX];
};
void rotation_turns(const struct rotation *rotation, int64_t position, struct turns *turns);

/* Turns one head; `from` and `to` may be the same. */
void rotation_apply(const struct rotation *rotation, const struct turns *turns, const float *from,
                    float *to);

#endif
