/* Captures: the problems that a workload really had, how often and for how long, and how its tokens were routed.
 *
 * `hone run --capture FILE` adds to the file, `hone tune --from FILE` tunes what is in it (docs/capture.md).  The file is
 * YAML that people can read; it is replaced as a whole, so a run that dies leaves what was there before. */
#ifndef TUNER_CAPTURE_H
#define TUNER_CAPTURE_H

#include "base/arena.h"
#include "base/hash.h"
#include "ir/op.h"

enum {
    CAPTURE_ALIGNMENT_MOST = 4096, /* bytes; addresses are not looked at beyond pages */
    CAPTURE_ROWS_MOST = 1 << 15,   /* problems, buckets or routers of one file */
    CAPTURE_EXPERTS_MOST = 4096    /* of one router; more than any operator allows */
};

/* Steps of one bucket. */
struct capture_bucket {
    int64_t rows, context; /* its bounds */
    int64_t steps;
    double seconds; /* of their launches */
};

/* A problem on a class of devices. */
struct capture_problem {
    const char *device_class, *problem; /* canonical text */
    int64_t launches, rows;             /* rows: of all launches together */
    double seconds;
    int operand_count;
    int alignment
        [OP_OPERANDS_MAX]; /* largest power of two that divides the operand's addresses; 0: absent */
};

/* What a layer's router chose in steps of one bucket of rows. */
struct capture_router {
    int layer, experts, used; /* used: per token */
    int64_t rows;             /* the bucket's bound */
    int64_t batches, tokens;
    int64_t distinct, distinct_least,
        distinct_most; /* experts of a batch: sum over batches, and extremes */
    int64_t *counts;   /* [experts] how often each was chosen */
};

struct capture {
    struct arena *arena;
    struct hash model;       /* its identity */
    const char *description; /* of the model, for people */
    int64_t runs, steps;
    struct capture_bucket *buckets;
    struct capture_problem *problems;
    struct capture_router *routers;
    int bucket_count, problem_count, router_count;
    size_t bucket_capacity, problem_capacity, router_capacity;
};

CHECKED status capture_create(struct arena *arena, struct hash model, const char *description,
                              struct capture **capture, struct diagnostic *diagnostic);

/* The row of this key, made when it is not there yet. */
CHECKED status capture_add_bucket(struct capture *capture, int64_t rows, int64_t context,
                                  struct capture_bucket **row, struct diagnostic *diagnostic);
CHECKED status capture_add_problem(struct capture *capture, const char *device_class,
                                   const char *problem, struct capture_problem **row,
                                   struct diagnostic *diagnostic);
CHECKED status capture_add_router(struct capture *capture, int layer, int64_t rows, int experts,
                                  int used, struct capture_router **row,
                                  struct diagnostic *diagnostic);

void capture_see_operand(struct capture_problem *row, int operand, const void *address);
/* One batch: `ids` [rows, row->used]; ids that are no expert are not counted. */
void capture_see_batch(struct capture_router *row, const int32_t *ids, int64_t rows);

/* Adds what `other` counted; STATUS_USAGE where it is of another model. */
CHECKED status capture_merge(struct capture *capture, const struct capture *other,
                             struct diagnostic *diagnostic);

/* Of all problems together. */
double capture_seconds(const struct capture *capture);

/* capture_file.c */
CHECKED status capture_read(const char *path, struct arena *arena, struct capture **capture,
                            struct diagnostic *diagnostic);
CHECKED status capture_write(const struct capture *capture, const char *path,
                             struct diagnostic *diagnostic);
/* Reads the file, where there is one, merges, and writes it. */
CHECKED status capture_append(const struct capture *capture, const char *path,
                              struct diagnostic *diagnostic);

#endif
