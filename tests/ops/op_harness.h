/* Runs anything that answers a problem (references in pieces, compiled kernels) against the
 * operator's reference: operands between guard bands, outputs poisoned, inputs watched.
 *
 *     op_case_problem("linear(f32[tokens,64], q8_0[96,64]) {}", 17, 0, arena, &problem, ...)
 *     op_trial_create(problem, &step, seed, arena, &trial, ...)      fills inputs, runs the
 * reference op_trial_check(trial, runner, context, 1e-5, ...)              runs and compares */
#ifndef TESTS_OPS_OP_HARNESS_H
#define TESTS_OPS_OP_HARNESS_H

#include "base/arena.h"
#include "ir/problem.h"

/* Sizes of one step; what a problem lacks is ignored. */
struct op_step {
    int64_t rows, context, sequences;
};

/* The problem of one operator: "NAME(TYPE, TYPE, _, ...) {ATTRIBUTES}", with operands left out at
 * the end absent.  A type with pages is a state, one with constant sizes a weight (i32: an input),
 * any other an input. */
CHECKED status op_case_problem(const char *text, int64_t rows, int64_t context, struct arena *arena,
                               struct problem **problem, struct diagnostic *diagnostic);

/* What a step of these sizes makes of the symbols: distinct numbers wherever operators must not
 * confuse them. */
struct run op_step_run(const struct problem *problem, const struct op_step *step);

struct op_trial {
    const struct problem *problem;
    struct run run;
    uint64_t seed;
    int count;                        /* operands, inputs then outputs */
    int64_t bytes[OP_OPERANDS_MAX];   /* 0 where absent */
    void *operands[OP_OPERANDS_MAX];  /* what is run on; between guard bands, at 64 bytes */
    void *originals[OP_OPERANDS_MAX]; /* inputs as filled */
    void *expected[OP_OPERANDS_MAX];  /* outputs and written states by the reference */
};

CHECKED status op_trial_create(const struct problem *problem, const struct op_step *step,
                               uint64_t seed, struct arena *arena, struct op_trial **trial,
                               struct diagnostic *diagnostic);

/* Whether operand `i` is written: an output or a state written in place. */
bool op_trial_written(const struct op_trial *trial, int i);

/* Restores inputs, poisons outputs and guard bands. */
void op_trial_reset(struct op_trial *trial);

typedef status op_runner(void *context, const struct op_trial *trial,
                         struct diagnostic *diagnostic);

/* Resets, runs, and fails with MISMATCH when a guard band or an input changed or an output differs
 * from the reference by more than `bound` times the operand's largest magnitude (0: in any bit).
 * Integers must be equal; numbers of a coarser type than f32 may differ by one of its steps, except
 * in rows that the reference does not touch. */
CHECKED status op_trial_check(struct op_trial *trial, op_runner *runner, void *context,
                              double bound, struct diagnostic *diagnostic);

/* A runner: the reference in pieces of up to `context` (an int64_t) items, last piece first. */
status op_run_pieces(void *context, const struct op_trial *trial, struct diagnostic *diagnostic);

/* The operand decoded to floats; integers as they are.  In `arena`. */
CHECKED status op_trial_values(const struct op_trial *trial, int operand, const void *bytes,
                               struct arena *arena, float **values, struct diagnostic *diagnostic);

int64_t op_trial_items(const struct op_trial *trial);

#endif
