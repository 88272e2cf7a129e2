/* Checks compiled variants against the operators' references (op_harness.h).
 *
 * On the host, operands and workspaces end where their pages end, so a kernel that reads or writes behind one of
 * them faults; workspaces are poisoned; work items are handed out in uneven pieces, in any order.
 */
#ifndef TESTS_OPS_VARIANT_HARNESS_H
#define TESTS_OPS_VARIANT_HARNESS_H

#include "ir/variant.h"
#include "runtime/device.h"
#include "tests/ops/op_cases.h"

/* Every --cpu level that this machine runs, `native` first, and, where that has no tiles, the same with AMX in software
 * (tests/cpu/amx_harness.h), on which only variants are tried that do not run natively; or the cards of a list. */
enum { VARIANT_LEVELS_MAX = 8 };

/* Looks at the outputs of a kernel of this space, more closely than one bound for all kernels can.
 */
typedef status variant_judge(void *context, const struct space *space, const struct op_trial *trial,
                             struct diagnostic *diagnostic);

/* A judge: as many roundings as the space's numerics allow.  The bound is for op_trial_check before it. */
variant_judge variant_judge_unit;
extern const double variant_rounded_bound;

struct variant_check {
    struct arena *arena;
    struct catalogue catalogue;
    int level_count;
    struct device_facts levels[VARIANT_LEVELS_MAX];
    struct device
        *devices[VARIANT_LEVELS_MAX]; /* NULL: the level is this machine's, run in place */
    int trapped_level;                /* the one with AMX in software; 0: none */
    int samples;          /* configs drawn at random beside the default one, per level */
    bool takes_turns;     /* levels: each trial is on one of them */
    uint64_t draws;       /* so far: the state of the random choices */
    variant_judge *judge; /* NULL: outputs are compared with the reference's alone */
    void *judge_context;
    int tried;   /* kernels compiled, run and compared */
    int trapped; /* of these, with AMX in software */
};

/* HONE_TEST_SAMPLES replaces `samples`. */
void variant_check_create(struct variant_check *check, int samples);
/* On the cards of a list (device_harness.h) instead; false, having said so, when they cannot be had. */
bool variant_check_open(struct variant_check *check, int samples, const char *devices);
void variant_check_destroy(struct variant_check *check);

/* All variants that answer the problem of this text, on every level.  `bound` as in op_trial_check.
 * Fails the test when there is a difference, or no variant at all. */
void variant_check_case(struct variant_check *check, const char *text, const struct op_step *step,
                        double bound);

/* The same for a trial that the test made; it is counted how many variants answer. */
int variant_check_trial(struct variant_check *check, struct op_trial *trial, double bound);

/* One variant alone, with this config ("tile_rows=64 ..."), on one level; false when that is not legal there. */
bool variant_check_config(struct variant_check *check, int level, const char *variant,
                          const char *config, struct op_trial *trial, double bound);

/* One variant alone, with its default and sampled configs; false when it does not answer the problem. */
bool variant_check_one(struct variant_check *check, int level, const char *variant,
                       struct op_trial *trial, double bound);

/* One image that was compiled elsewhere: runs it, compares, judges, fails the test.  NULL: it was not compiled, and the
 * diagnostic says why. */
void variant_check_image(struct variant_check *check, int level,
                         const struct generation *generation, struct op_trial *trial,
                         const struct image *image, double bound, struct diagnostic *diagnostic);

/* After the test has changed inputs (trial->originals): runs the reference again. */
void variant_renew_trial(struct op_trial *trial);
/* Makes some of the trial's experts, or of its slots, those of no expert. */
void variant_stray_trial(struct op_trial *trial);

/* 0, 1/2, 1, 3/2, 2, 3, 4 or 6 with a sign, by the lowest four bits: what E2M1 holds. */
float variant_e2m1_number(uint64_t bits);
/* Activations of a linear become such numbers, times a power of two for each 16, one of which is a 6: what kernels keep
 * that round to nvfp4. */
void variant_narrow_trial(struct op_trial *trial);

/* The cases of a table whose texts begin with `prefix`, with all rows of op_case_rows. */
void variant_check_table(struct variant_check *check, const struct op_case *table,
                         const char *prefix, double bound);

/* One compiled image as an op_runner's context. */
struct image_run {
    const struct image *image;
    uint64_t *draws;
};
status image_run(void *context, const struct op_trial *trial, struct diagnostic *diagnostic);

#endif
