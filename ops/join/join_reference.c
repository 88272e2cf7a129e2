/* The reference of join. */
#include "ops/access.h"
#include "ops/join/join.h"

#include <string.h>

void join_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end)
{
    (void)run;
    int64_t heads = problem->attributes[JOIN_HEADS].integer;
    bool shared = problem->attributes[JOIN_SHARED].integer;
    int64_t size = fixed_dimension(problem, JOIN_X, 1) / heads;
    int64_t tail_size = fixed_dimension(problem, JOIN_TAIL, 1) / (shared ? 1 : heads);
    const float *x = operands[JOIN_X], *tail = operands[JOIN_TAIL];
    float *y = operands[JOIN_Y];
    for (int64_t h = begin * heads; h < end * heads; h++) {
        float *head = y + h * (size + tail_size);
        int64_t other = shared ? h / heads : h;
        memcpy(head, x + h * size, (size_t)size * sizeof *y);
        memcpy(head + size, tail + other * tail_size, (size_t)tail_size * sizeof *y);
    }
}
