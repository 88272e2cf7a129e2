/* Random routing behind filling.h. */
#include "base/random.h"
#include "ops/filling.h"

enum { STREAM_EXPERT = 110 };

/* Token t uses neighbouring experts from a random one on: different ones, each expert equally
 * often. */
static int64_t expert_of(const struct assignments *assignments, int64_t assignment)
{
    int64_t token = assignment / assignments->used, i = assignment % assignments->used;
    uint64_t first = random_bits(assignments->seed, STREAM_EXPERT, (uint64_t)token);
    return (int64_t)((first % (uint64_t)assignments->experts + (uint64_t)i) %
                     (uint64_t)assignments->experts);
}

void fill_experts(const struct assignments *assignments, int32_t *experts)
{
    for (int64_t a = 0; a < assignments->rows * assignments->used; a++)
        experts[a] = (int32_t)expert_of(assignments, a);
}

void fill_dispatch(const struct assignments *assignments, int32_t *order, int32_t *offsets,
                   int32_t *places)
{
    int32_t starts[EXPERTS_MOST + 1] = {0};
    int64_t count = assignments->rows * assignments->used;
    for (int64_t a = 0; a < count; a++) starts[expert_of(assignments, a) + 1]++;
    for (int64_t e = 0; e < assignments->experts; e++) starts[e + 1] += starts[e];
    for (int64_t e = 0; offsets && e <= assignments->experts; e++) offsets[e] = starts[e];
    for (int64_t a = 0; a < count; a++) {
        int32_t slot = starts[expert_of(assignments, a)]++;
        if (order) order[slot] = (int32_t)a;
        if (places) places[a] = slot;
    }
}
