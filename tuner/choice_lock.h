/* A lock: the choices of kernels that a model was run with, kept in a file (plan.lock) so that they are made again.
 *
 *     form: 1
 *     hone: 0.1.0
 *     mode: locked
 *     choices:
 *     - {device: "cpu-...", problem: "linear(...)", candidate: "linear_dot_cpu ...", numerics: "...", source: "..."}
 *
 * What the modes mean is the decision's business (tuner/decision.h).  The file is a text that people compare and merge; it
 * names candidates and holds no code. */
#ifndef TUNER_CHOICE_LOCK_H
#define TUNER_CHOICE_LOCK_H

#include "ir/variant.h"

enum lock_mode {
    LOCK_LOCKED,        /* the locked candidate, or an error */
    LOCK_SAME_NUMERICS, /* the fastest that rounds and sums as the locked one does */
    LOCK_FREE,          /* the fastest; the locked one stays unless it is beaten */
    LOCK_MODE_COUNT
};

struct locked_choice {
    const char *device_class, *problem;
    struct hash problem_key;
    const char *candidate;
    const char *numerics; /* candidate_numerics' text */
    struct hash source;   /* of the variant; 0: the reference */
};

struct choice_lock {
    const char *path;
    enum lock_mode mode;           /* in force: the file's, unless another was asked for */
    enum lock_mode written;        /* the file's */
    bool adds;                     /* choices that the file lacks are made, and may be written */
    struct locked_choice *choices; /* by class and problem */
    int count;
    size_t capacity;
    struct arena *arena;
};

const char *lock_mode_name(enum lock_mode mode);
bool lock_mode_by_name(const char *name, enum lock_mode *mode);

/* `mode` NULL: the file's, or `locked` where there is none yet, which only who `adds` may do without. */
CHECKED status lock_open(const char *path, const char *mode, bool adds, struct arena *arena,
                         struct choice_lock **lock, struct diagnostic *diagnostic);

/* NULL when the lock, which may be NULL, has no choice for the problem. */
const struct locked_choice *lock_find(const struct choice_lock *lock, const char *device_class,
                                      struct hash problem_key);

/* Takes a choice up; one that is there stays where the mode is `locked`, and is replaced elsewhere.  `text` is a candidate's
 * of the catalogue. */
CHECKED status lock_set(struct choice_lock *lock, const struct catalogue *catalogue,
                        const char *device_class, const struct problem *problem, const char *text,
                        struct diagnostic *diagnostic);

/* Written whole or not at all; the same choices give the same bytes. */
CHECKED status lock_write(const struct choice_lock *lock, struct diagnostic *diagnostic);

#endif
