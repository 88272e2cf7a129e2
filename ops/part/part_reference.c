/* The reference of part. */
#include "ops/access.h"
#include "ops/part/part.h"

#include <string.h>

void part_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end)
{
    (void)run;
    int64_t heads = problem->attributes[PART_HEADS].integer;
    int64_t size = problem->attributes[PART_SIZE].integer;
    int64_t width = fixed_dimension(problem, PART_X, 1) / heads;
    const float *x = (const float *)operands[PART_X] + problem->attributes[PART_FIRST].integer;
    float *y = operands[PART_Y];
    for (int64_t h = begin * heads; h < end * heads; h++)
        memcpy(y + h * size, x + h * width, (size_t)size * sizeof *y);
}
