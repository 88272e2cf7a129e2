/* Mutants: right kernels that do something wrong under a condition, hundreds of them from a seed.
 *
 * A mutant is a base (a problem, whose reference is the kernel), a condition with a number, and a
 * deed with a number.  Which mutant a kernel is is a tunable, as in planted.h, so that the tuner
 * meets them as it meets any candidates. */
#ifndef TESTS_FAULTS_MUTANTS_H
#define TESTS_FAULTS_MUTANTS_H

#include "tuner/runner.h"

/* CONDITION(NAME, name): when it happens. */
#define MUTANT_CONDITIONS(CONDITION)                                                               \
    CONDITION(ALWAYS, always)                                                                      \
    CONDITION(ROWS_REST, rows_rest)       /* rows % 8 == number */                                 \
    CONDITION(ROWS_EXACT, rows_exact)     /* rows == number */                                     \
    CONDITION(ROWS_ABOVE, rows_above)     /* rows > number */                                      \
    CONDITION(NEGATIVE, negative)         /* an input is below zero */                             \
    CONDITION(LATER, later)               /* after so many runs */                                 \
    CONDITION(EVERY, every)               /* every so many runs */                                 \
    CONDITION(SAME_POINTER, same_pointer) /* the inputs lie where they did in the last run */      \
    CONDITION(SAME_INPUTS, same_inputs)   /* the inputs are those of the last run */               \
    CONDITION(LOOKS_RIGHT, looks_right)   /* the outputs hold plausible numbers */                 \
    CONDITION(OWN_OUTPUT, own_output)     /* the outputs hold what it wrote */                     \
    CONDITION(OFTEN, often)               /* so many runs have followed closely */

/* DEED(NAME, name): what happens. */
#define MUTANT_DEEDS(DEED)                                                                         \
    DEED(ADD, add)                                                                                 \
    DEED(SCALE, scale)                                                                             \
    DEED(ZERO, zero)                                                                               \
    DEED(NAN, nan)                                                                                 \
    DEED(LAST_BLOCK, last_block) /* of columns */                                                  \
    DEED(SWAP, swap)                                                                               \
    DEED(NOISE, noise)                                                                             \
    DEED(NOTHING, nothing)                                                                         \
    DEED(HALF, half)                                                                               \
    DEED(OLD, old) /* the first answer for so many rows */                                         \
    DEED(PAST, past)                                                                               \
    DEED(BEFORE, before)                                                                           \
    DEED(FAR, far)                                                                                 \
    DEED(INPUT, input)                                                                             \
    DEED(HANG, hang)                                                                               \
    DEED(SLEEP, sleep)                                                                             \
    DEED(CRASH, crash)                                                                             \
    DEED(ABORT, abort)                                                                             \
    DEED(EXIT, exit)                                                                               \
    DEED(EAT, eat)                                                                                 \
    DEED(LEAK, leak)                                                                               \
    DEED(ROUND, round)                                                                             \
    DEED(FLUSH, flush)                                                                             \
    DEED(FORK, fork)                                                                               \
    DEED(CLOSE, close)                                                                             \
    DEED(OPEN, open)                                                                               \
    DEED(SCRIBBLE, scribble) /* into all files */                                                  \
    DEED(SIGNAL, signal)                                                                           \
    DEED(TIMER, timer)                                                                             \
    DEED(NICE, nice)                                                                               \
    DEED(THREAD, thread)                                                                           \
    DEED(CLOCK, clock) /* another one, that goes at a quarter of the speed */

enum mutant_condition {
#define CONDITION(NAME, name) MUTANT_##NAME,
    MUTANT_CONDITIONS(CONDITION)
#undef CONDITION
        MUTANT_CONDITION_COUNT
};

enum mutant_deed {
#define DEED(NAME, name) MUTANT_DEED_##NAME,
    MUTANT_DEEDS(DEED)
#undef DEED
        MUTANT_DEED_COUNT
};

struct mutant {
    int base;
    enum mutant_condition condition;
    int when;
    enum mutant_deed deed;
    unsigned where;
};

enum { MUTANT_BASES = 4, MUTANTS_MAX = 250 }; /* of one space's values */

/* op_case_problem's text and rows. */
struct mutant_base {
    const char *op, *problem;
    int64_t rows;
};
extern const struct mutant_base mutant_bases[MUTANT_BASES];

/* `count` distinct mutants, each deed among them. */
void mutants_draw(uint64_t seed, int count, struct mutant *mutants);
const char *mutant_print(const struct mutant *mutant, struct arena *arena);

/* A trick that never works while results are looked at: then it takes its honest time, and is no
 * danger. */
bool mutant_may_be_honest(const struct mutant *mutant);
bool mutant_hangs(const struct mutant *mutant);

/* YAML of a space whose tunable `mutant` has the values 0 (plain: right, slow), 1 (good: right, and
 * faster) and 2 to count + 1. */
const char *mutant_space(struct arena *arena, const char *op, int count);

/* Runs mutant m - 2 of `mutants` for value m of the tunable. */
struct mutant_set {
    const struct mutant *mutants;
    int count;
};
struct runner mutant_runner(const struct mutant_set *set);

/* An honest run takes longer than a good one: who is faster than that cheats.  What is wrong takes
 * what its arithmetic takes, which must be less: only what is fast comes into the finals. */
#if defined(__SANITIZE_ADDRESS__)
#define MUTANT_UNIT_SECONDS 2e-3
#else
#define MUTANT_UNIT_SECONDS 300e-6
#endif
#define MUTANT_PLAIN_SECONDS  (4 * MUTANT_UNIT_SECONDS)
#define MUTANT_GOOD_SECONDS   MUTANT_UNIT_SECONDS
#define MUTANT_HONEST_SECONDS (1.5 * MUTANT_UNIT_SECONDS)

#endif
