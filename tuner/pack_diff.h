/* What two stores, or packs, would choose: problem by problem and class by class, the decision of each one's records. */
#ifndef TUNER_PACK_DIFF_H
#define TUNER_PACK_DIFF_H

#include "tuner/decision.h"
#include "tuner/store.h"

enum pack_relation {
    PACK_SAME,    /* the same candidate, as fast as far as noise lets one say */
    PACK_TIMES,   /* the same candidate, other times */
    PACK_CHOICES, /* other candidates */
    PACK_ONLY_A,  /* B has nothing good for the problem on this class */
    PACK_ONLY_B,
    PACK_RELATION_COUNT
};

/* One side's decision. */
struct pack_choice {
    const char *candidate; /* NULL: none */
    enum decision_basis basis;
    double seconds, spread; /* median, half of its interval */
};

struct pack_difference {
    const char *problem, *device_class;
    enum pack_relation relation;
    struct pack_choice a, b;
    double ratio; /* b's time to a's; 0 where one has none */
};

struct pack_diff {
    struct pack_difference
        *rows; /* by problem and class; those that are the same are not among them */
    int row_count;
    size_t row_capacity;
    int counts[PACK_RELATION_COUNT];
};

/* Whether two medians differ by more than their intervals and a per cent. */
bool pack_times_differ(double a, double a_spread, double b, double b_spread);

const char *pack_relation_name(enum pack_relation relation);

/* `op` NULL: problems of all operators.  The rows and their texts live in `arena`. */
CHECKED status pack_compare(struct store *a, struct store *b, const char *op, struct arena *arena,
                            struct pack_diff *diff, struct diagnostic *diagnostic);

/* Visits each problem on each class of devices that has records, in the order of their texts. */
struct pack_subject {
    const char *problem, *device_class;
    struct hash problem_key;
};
CHECKED status pack_subjects(struct store *const *stores, int store_count, const char *op,
                             struct arena *arena, struct pack_subject **subjects, int *count,
                             struct diagnostic *diagnostic);

#endif
