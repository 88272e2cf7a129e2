/* The reference of rope. */
#include "ops/access.h"
#include "ops/rope/rope.h"

void rope_reference(const struct problem *problem, const struct run *run, void *const *operands,
                    int64_t begin, int64_t end)
{
    (void)run;
    struct rotation rotation;
    struct turns turns;
    rotation_create(problem->attributes + ROPE_ROTATION, operands[ROPE_FACTORS], &rotation);
    int64_t heads = problem->attributes[ROPE_HEADS].integer, size = rotation.head_size;
    const int32_t *positions = operands[ROPE_POSITIONS];
    const float *x = operands[ROPE_X];
    float *y = operands[ROPE_Y];
    for (int64_t r = begin; r < end; r++) {
        rotation_turns(&rotation, positions[r], &turns);
        for (int64_t h = r * heads; h < (r + 1) * heads; h++)
            rotation_apply(&rotation, &turns, x + h * size, y + h * size);
    }
}
