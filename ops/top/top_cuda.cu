// top: numbers become keys that are ordered as whole numbers, the number in the high half and the column, upside down,
// in the low one: no two keys are equal, and the largest of some keys are the winners in their order.
//
// A block keeps the `count` largest keys that it has seen in order in shared memory.  Larger ones than the last of them
// wait behind; when there may be no room for the next ones, all are sorted.  Of random numbers few ever wait.
#include "codegen/cuda/warp.cuh"
#include "config.cuh"

using key = unsigned long long; // 0: none

constexpr int row_columns = x_columns;
constexpr int step_numbers = threads * vector;

DEVICE constexpr int power_above(int least)
{
    int power = 1;
    while (power < least) power *= 2;
    return power;
}

constexpr int capacity = count == 1 ? threads / warp_lanes : power_above(count + step_numbers);
constexpr int full = capacity - step_numbers; // more than these leave no room for the next step

static_assert(parts * part_columns >= row_columns, "parts cover the row");

// NaN becomes none, and minus nought equals nought.
DEVICE key key_of(float value, int column)
{
    if (value != value) return 0;
    const unsigned bits = __float_as_uint(value + 0.0f);
    const unsigned ordered = bits >> 31 ? ~bits : bits | 0x80000000u;
    return (key)ordered << 32 | ~(unsigned)column;
}

DEVICE int column_of(key found)
{
    return (int)~(unsigned)found;
}

DEVICE key larger(key a, key b)
{
    return a > b ? a : b;
}

// The largest of all threads' keys, in keys[0].
DEVICE void keep_one(key mine, key (&keys)[capacity])
{
    UNROLL for (int distance = warp_lanes / 2; distance > 0; distance /= 2)
        mine = larger(mine, __shfl_xor_sync(all_lanes, mine, distance));
    if (lane_index() == 0) keys[warp_index()] = mine;
    __syncthreads();
    if (threadIdx.x == 0)
        for (int w = 1; w < threads / warp_lanes; w++) keys[0] = larger(keys[0], keys[w]);
    __syncthreads();
}

// All keys in falling order (Batcher's bitonic sort).
DEVICE void sort_keys(key (&keys)[capacity])
{
    for (int size = 2; size <= capacity; size *= 2)
        for (int distance = size / 2; distance > 0; distance /= 2) {
            __syncthreads();
            for (int pair = threadIdx.x; pair < capacity / 2; pair += threads) {
                const int low = pair / distance * distance * 2 + pair % distance, high = low + distance;
                const key a = keys[low], b = keys[high];
                if ((a < b) == ((low & size) == 0)) keys[low] = b, keys[high] = a;
            }
        }
    __syncthreads();
}

// The `count` largest of some keys, in order, in keys[0 .. count); `key_at(i)` is called once for each of them.
template <class KeyAt> DEVICE void keep_largest(int candidates, key (&keys)[capacity], KeyAt key_at)
{
    if constexpr (count == 1) {
        key mine = 0;
        for (int i = threadIdx.x; i < candidates; i += threads) mine = larger(mine, key_at(i));
        keep_one(mine, keys);
    } else {
        __shared__ int next;
        for (int i = threadIdx.x; i < capacity; i += threads) keys[i] = 0;
        if (threadIdx.x == 0) next = count;
        __syncthreads();
        int held = count;
        for (int first = 0; first < candidates; first += step_numbers) {
            const key least = keys[count - 1];
            UNROLL for (int v = 0; v < vector; v++) {
                const int at = first + v * threads + threadIdx.x;
                const key mine = at < candidates ? key_at(at) : 0;
                const bool waits = mine > least;
                if (waits) keys[atomicAdd(&next, 1)] = mine;
                held += __syncthreads_count(waits);
            }
            if (held <= full && first + step_numbers < candidates) continue;
            sort_keys(keys);
            for (int i = count + threadIdx.x; i < capacity; i += threads) keys[i] = 0;
            if (threadIdx.x == 0) next = count;
            held = count;
            __syncthreads();
        }
    }
}

KERNEL(threads) top_parts(const float *x, key *found, int *strangers, const struct step *step)
{
    __shared__ key keys[capacity];
    __shared__ int not_numbers;
    const int row = blockIdx.x / parts, begin = blockIdx.x % parts * part_columns;
    if (row >= step->rows) return;
    if (threadIdx.x == 0) not_numbers = 0;
    __syncthreads();
    const float *numbers = x + (long long)row * row_columns;
    const int candidates = maximum(minimum(part_columns, row_columns - begin), 0);
    keep_largest(candidates, keys, [&](int i) {
        const float value = numbers[begin + i];
        if (value != value) atomicAdd(&not_numbers, 1);
        return key_of(value, begin + i);
    });
    for (int i = threadIdx.x; i < count; i += threads) found[(long long)blockIdx.x * count + i] = keys[i];
    if (threadIdx.x == 0) strangers[blockIdx.x] = not_numbers;
}

KERNEL(threads)
top_join(const float *x, const key *found, const int *strangers, int *ids, float *values, int *not_numbers,
         const struct step *step)
{
    __shared__ key keys[capacity];
    const long long row = blockIdx.x;
    if (row >= step->rows) return;
    keep_largest(parts * count, keys, [&](int i) { return found[row * parts * count + i]; });
    for (int i = threadIdx.x; i < count; i += threads) {
        const int column = keys[i] ? column_of(keys[i]) : -1;
        ids[row * count + i] = column;
        values[row * count + i] = column < 0 ? not_a_number() : x[row * row_columns + column];
    }
    if (threadIdx.x != 0) return;
    int sum = 0;
    for (int p = 0; p < parts; p++) sum += strangers[row * parts + p];
    not_numbers[row] = sum;
}
