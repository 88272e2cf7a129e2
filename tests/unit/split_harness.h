/* What tests of split and streamed plans share: small models, and engines that run the same tokens. */
#ifndef TESTS_UNIT_SPLIT_HARNESS_H
#define TESTS_UNIT_SPLIT_HARNESS_H

#include "engine/engine.h"
#include "tests/scratch_harness.h"

enum { SPLIT_PROMPT = 20, SPLIT_GENERATED = 2, SPLIT_LOGITS_MOST = 1 << 14 };

struct placing {
    const char *devices, *split, *stream;
    int64_t chunk;
};

struct engine_options placing_options(const struct placing *placing, bool references,
                                      const char *cache);

/* A model of random weights in the scratch folder. */
const char *split_synthesise(struct scratch *scratch, const char *preset,
                             enum element_type element);

/* The last prompt token's logits, then those of a few further tokens: how many numbers. */
int64_t split_run(struct engine *engine, float logits[static SPLIT_LOGITS_MOST]);

/* Every placing gives the first one's logits, bit for bit; from the second on, `step` by `step`. */
void check_placings(const char *model, const struct placing *placings, int count, bool references,
                    const char *cache, int from, int step);

#endif
