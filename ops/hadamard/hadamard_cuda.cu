// hadamard: a warp takes a stretch, or 32 columns of narrower ones: column c of it is number c / 32 of lane c % 32, so
// the stages of a column's low bits exchange lanes and those of its high bits numbers.
#include "codegen/cuda/warp.cuh"
#include "config.cuh"

constexpr int share = maximum(size / warp_lanes, 1); // numbers of a lane
constexpr int stretch = share * warp_lanes;

KERNEL(threads)
hadamard(const float *x, float *y, const struct step *step)
{
    const int row = blockIdx.x / parts, index = blockIdx.x % parts * (threads / warp_lanes) + warp_index();
    if (row >= step->rows * per_row || index >= stretches) return;
    const long long at = (long long)row * x_columns;
    float numbers[share];
    UNROLL for (int i = 0; i < share; i++) {
        const int column = index * stretch + i * warp_lanes + lane_index();
        numbers[i] = column < x_columns ? x[at + column] : 0.0f;
    }
    UNROLL for (int distance = 1; distance < minimum(size, warp_lanes); distance *= 2)
        UNROLL for (int i = 0; i < share; i++) {
            const float other = __shfl_xor_sync(all_lanes, numbers[i], distance);
            numbers[i] = lane_index() & distance ? other - numbers[i] : numbers[i] + other;
        }
    UNROLL for (int distance = 1; distance < share; distance *= 2)
        UNROLL for (int i = 0; i < share; i++) {
            if (i & distance) continue;
            const float a = numbers[i], b = numbers[i + distance];
            numbers[i] = a + b, numbers[i + distance] = a - b;
        }
    const float scale = 1.0f / sqrtf((float)size);
    UNROLL for (int i = 0; i < share; i++) {
        const int column = index * stretch + i * warp_lanes + lane_index();
        if (column < x_columns) y[at + column] = numbers[i] * scale;
    }
}
