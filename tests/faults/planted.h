/* Kernels with planted mistakes, for the tuner to find out.
 *
 * They answer linear(f32[rows,k], f32[n,k]).  Which mistake a kernel has is a tunable of a space of
 * its own, so that the tuner meets them as it meets any candidates.  All but two are made to look
 * fast. */
#ifndef TESTS_FAULTS_PLANTED_H
#define TESTS_FAULTS_PLANTED_H

#include "tuner/runner.h"

/* PLANT(name, statuses that may be recorded) */
#define PLANTS(PLANT)                                                                              \
    PLANT(plain, "ok")                                                                             \
    PLANT(good, "ok")                                                                              \
    PLANT(slow, "ok")                                                                              \
    PLANT(first_element, "mismatch")                                                               \
    PLANT(one_element, "mismatch")                                                                 \
    PLANT(last_row, "mismatch")                                                                    \
    PLANT(odd_rest, "mismatch")                                                                    \
    PLANT(nothing, "mismatch")                                                                     \
    PLANT(half_output, "mismatch")                                                                 \
    PLANT(skips_columns, "mismatch")                                                               \
    PLANT(last_term, "mismatch")                                                                   \
    PLANT(coarse, "mismatch")                                                                      \
    PLANT(nan_result, "mismatch")                                                                  \
    PLANT(infinite, "mismatch")                                                                    \
    PLANT(swapped_rows, "mismatch")                                                                \
    PLANT(stale, "mismatch")                                                                       \
    PLANT(remembers, "mismatch")                                                                   \
    PLANT(adds_to_output, "mismatch")                                                              \
    PLANT(past_end, "out_of_bounds")                                                               \
    PLANT(before_start, "out_of_bounds")                                                           \
    PLANT(far_write, "out_of_bounds crashed")                                                      \
    PLANT(corrupts_input, "out_of_bounds")                                                         \
    PLANT(corrupts_weight, "out_of_bounds")                                                        \
    PLANT(corrupts_later_copy, "out_of_bounds")                                                    \
    PLANT(random_noise, "nondeterministic")                                                        \
    PLANT(late_noise, "nondeterministic")                                                          \
    PLANT(late_mistake, "mismatch")                                                                \
    PLANT(hangs, "timeout")                                                                        \
    PLANT(hangs_later, "timeout")                                                                  \
    PLANT(segfault, "crashed")                                                                     \
    PLANT(divides_by_zero, "crashed")                                                              \
    PLANT(aborts, "crashed")                                                                       \
    PLANT(exits, "crashed")                                                                        \
    PLANT(kills_itself, "crashed")                                                                 \
    PLANT(overflows_stack, "crashed")                                                              \
    PLANT(closes_files, "crashed")                                                                 \
    PLANT(crashes_later, "crashed")                                                                \
    PLANT(eats_memory, "memory crashed timeout")                                                   \
    PLANT(keeps_memory, "memory timeout")                                                          \
    PLANT(no_workspace, "memory")                                                                  \
    PLANT(compile_fails, "compile")                                                                \
    PLANT(compile_aborts, "compile")                                                               \
    PLANT(compile_hangs, "timeout")

enum plant {
#define PLANT(name, statuses) PLANT_##name,
    PLANTS(PLANT)
#undef PLANT
        PLANT_COUNT
};

const char *plant_name(enum plant plant);
const char *plant_statuses(enum plant plant); /* record statuses, separated by blanks */

/* "variant: planted_cpu ...": YAML of the space; `only` restricts it to one mistake beside plain
 * and good (-1: all). */
const char *planted_space(struct arena *arena, int only);

struct runner planted_runner(void);

#endif
