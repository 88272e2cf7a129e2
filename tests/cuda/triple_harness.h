/* Triples of a variant, a test case with a config, and a card: planned first, compiled side by side in child processes, then
 * run one after the other, compared with the references (tests/ops/variant_harness.h) and counted.
 *
 * HONE_TEST_VARIANT=WORD takes the variants whose names contain the word, HONE_TEST_CASES=TEXT the cases that begin so. */
#ifndef TESTS_CUDA_TRIPLE_HARNESS_H
#define TESTS_CUDA_TRIPLE_HARNESS_H

#include "tests/ops/variant_harness.h"

/* One problem with its step; `bound`: the bucket's, in rows. */
struct triple_case {
    const char *text;
    struct op_step step;
    int64_t bound;
    uint64_t seed;
};

struct triples {
    struct variant_check *check; /* catalogue, cards, judge */
    struct arena *arena;         /* what is planned; emptied by each run */
    struct triple_plan *plan;
    struct triple_cell *cells; /* [spaces of the catalogue][cards]: what was counted */
    int unanswered;            /* cases that no variant takes */
    double began_seconds;
};

void triples_create(struct triples *triples, struct variant_check *check);
void triples_destroy(struct triples *triples);

/* Whether all variants and cases are taken. */
bool triples_are_all(void);

/* All variants that take the case, on the cards of a set of bits, with their default config and `samples` random ones.
 * Returns how many variants do. */
int triples_plan(struct triples *triples, const struct triple_case *own, unsigned cards,
                 int samples);

/* Where a variant has not met a card yet: with the first planned case that it takes there. */
void triples_plan_rest(struct triples *triples);

/* Compiles, runs and compares what is planned; fails the test when something is wrong. */
void triples_run(struct triples *triples);

/* A table of variants and cards, what was left out and why, and what it took.  Returns the number of triples. */
int triples_print(const struct triples *triples);

#endif
