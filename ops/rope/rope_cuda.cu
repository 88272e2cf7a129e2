// rope: a block turns some heads of one row; sines and cosines are shared by them.
#include "ops/rope/rotation.cuh"

constexpr int width = x_columns;
constexpr int part_heads = (heads + parts - 1) / parts;
constexpr int rest = head_size - rotated_elements; // elements of a head that do not turn

static_assert(parts <= heads, "parts are whole heads");

KERNEL(threads) rope(const float *x, const int *positions, const float *factors, float *y, const struct step *step)
{
    __shared__ float2 turns[pair_count];
    const int row = blockIdx.x / parts, first_head = blockIdx.x % parts * part_heads;
    if (row >= step->rows) return;
    const int position = positions[row];
    for (int pair = threadIdx.x; pair < pair_count; pair += threads) turns[pair] = rotation_turn(pair, position, factors);
    __syncthreads();
    const int count = minimum(part_heads, heads - first_head);
    const long long begin = (long long)row * width + first_head * head_size;
    for (int i = threadIdx.x; i < count * pair_count; i += threads) {
        const int pair = i % pair_count;
        const long long head = begin + i / pair_count * head_size;
        const float2 turned = rotate(turns[pair], x[head + pair_first(pair)], x[head + pair_second(pair)]);
        y[head + pair_first(pair)] = turned.x;
        y[head + pair_second(pair)] = turned.y;
    }
    for (int i = threadIdx.x; i < count * rest; i += threads) {
        const long long at = begin + i / maximum(rest, 1) * head_size + still_element(i % maximum(rest, 1));
        y[at] = x[at];
    }
}
