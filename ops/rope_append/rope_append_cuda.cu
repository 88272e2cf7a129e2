// rope_append: queries are turned, keys are turned and appended, values appended.  A block takes a part of one row's
// heads, of queries and of keys and values alike.  Keys that are stored in blocks are turned in shared memory first, since
// a block is rounded as a whole.
#include "codegen/cuda/encode.cuh"
#include "codegen/cuda/paging.cuh"
#include "ops/rope/rotation.cuh"

constexpr int all_heads = heads + kv_heads;
constexpr int part_heads = (all_heads + parts - 1) / parts;
constexpr int rest = head_size - rotated_elements; // elements of a head that do not turn
constexpr bool key_blocks = element_is_block(k_state_element);
constexpr int staged_heads = key_blocks ? minimum(part_heads, kv_heads) : 0;

static_assert(parts <= all_heads, "parts are whole heads");
static_assert(k_state_dimension_1 == v_state_dimension_1, "keys and values share their pages");

// Head `head`: a query's, or a key's behind those.  A key without a page has no place.
struct head_place {
    const float *from;
    float *turned;      // floats go here: a query, or a key that will be rounded
    unsigned char *key; // its row
    int key_column;
};

template <int type> DEVICE void store_turned(const head_place &place, int element, float value)
{
    if (place.turned) place.turned[element] = value;
    if constexpr (!element_is_block(type))
        if (place.key) store_element<type>(place.key, place.key_column + element, value);
}

// The key heads of this part: the first one, and how many.
struct key_range {
    int first, count;
};

DEVICE key_range keys_of(int first_head, int count)
{
    const int first = maximum(first_head - heads, 0);
    return key_range{first, maximum(first_head + count - heads - first, 0)};
}

DEVICE head_place place_of(int head, int row, const float *q, const float *k, float *y, unsigned char *key,
                           float *staged, int first_key)
{
    if (head < heads) {
        const long long at = ((long long)row * heads + head) * head_size;
        return head_place{q + at, y + at, nullptr, 0};
    }
    const int column = (head - heads) * head_size;
    return head_place{k + (long long)row * k_columns + column,
                      key_blocks ? staged + column - first_key * head_size : nullptr, key, column};
}

// A warp rounds every `warps`-th of `count` blocks, the first one from `first`.
template <int element> DEVICE void store_blocks(const float *from, unsigned char *to, int first, int count, int warps)
{
    for (int b = first; b < count; b += warps)
        store_block<element>(to + b * element_bytes(element), from[b * block_elements + lane_index()]);
}

template <int element> DEVICE void store_keys(const float *staged, key_range keys, unsigned char *row)
{
    if constexpr (element_is_block(element)) {
        __syncthreads();
        store_blocks<element>(staged, row + row_bytes(element, keys.first * head_size), warp_index(),
                              keys.count * head_size / block_elements, threads / warp_lanes);
    }
}

// The part's share of a row of values.
template <int element> DEVICE void store_values(const float *v, unsigned char *row, int part)
{
    constexpr int all_threads = parts * threads;
    if constexpr (element_is_block(element))
        store_blocks<element>(v, row, part * (threads / warp_lanes) + warp_index(), v_columns / block_elements,
                              all_threads / warp_lanes);
    else
        for (int column = part * threads + threadIdx.x; column < v_columns; column += all_threads)
            store_element<element>(row, column, v[column]);
}

KERNEL(threads)
rope_append(const float *q, const float *k, const float *v, const int *positions, const int *sequences, const int *pages,
            const float *factors, unsigned char *k_state, unsigned char *v_state, float *y, const struct step *step)
{
    __shared__ float2 turns[pair_count];
    __shared__ float staged[key_blocks ? staged_heads * head_size : 1];
    const int row = blockIdx.x / parts, part = blockIdx.x % parts;
    if (row >= step->rows) return;
    const int position = positions[row];
    const long long place = paged_row<k_state_dimension_1>(pages, step, sequences[row], position);
    unsigned char *key = place < 0 ? nullptr : k_state + place * row_bytes(k_state_element, k_columns);
    for (int pair = threadIdx.x; pair < pair_count; pair += threads) turns[pair] = rotation_turn(pair, position, factors);
    __syncthreads();
    const int first_head = part * part_heads, count = minimum(part_heads, all_heads - first_head);
    const key_range keys = keys_of(first_head, count);
    for (int i = threadIdx.x; i < count * pair_count; i += threads) {
        const int pair = i % pair_count;
        const head_place head = place_of(first_head + i / pair_count, row, q, k, y, key, staged, keys.first);
        const float2 turned = rotate(turns[pair], head.from[pair_first(pair)], head.from[pair_second(pair)]);
        store_turned<k_state_element>(head, pair_first(pair), turned.x);
        store_turned<k_state_element>(head, pair_second(pair), turned.y);
    }
    for (int i = threadIdx.x; i < count * rest; i += threads) {
        const int element = still_element(i % maximum(rest, 1));
        const head_place head = place_of(first_head + i / maximum(rest, 1), row, q, k, y, key, staged, keys.first);
        store_turned<k_state_element>(head, element, head.from[element]);
    }
    if (place < 0) return;
    store_keys<k_state_element>(staged, keys, key);
    store_values<v_state_element>(v + (long long)row * v_columns, v_state + place * row_bytes(v_state_element, v_columns), part);
}
