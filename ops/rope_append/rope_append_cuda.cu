// rope_append: queries are turned, keys are turned and appended, values appended.  A block takes a part of one row's
// heads, of queries and of keys and values alike.
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/paging.cuh"
#include "ops/rope/rotation.cuh"

constexpr int all_heads = heads + kv_heads;
constexpr int part_heads = (all_heads + parts - 1) / parts;
constexpr int rest = head_size - rotated_elements; // elements of a head that do not turn

static_assert(parts <= all_heads, "parts are whole heads");
static_assert(k_state_dimension_1 == v_state_dimension_1, "keys and values share their pages");

// Head `head`: a query's, or a key's behind those.  A key without a page has no place.
struct head_place {
    const float *from;
    float *query;
    unsigned char *key; // its row
    int key_column;
};

DEVICE void store_turned(const head_place &place, int element, float value)
{
    if (place.query)
        place.query[element] = value;
    else if (place.key)
        store_element<k_state_element>(place.key, place.key_column + element, value);
}

DEVICE head_place place_of(int head, int row, const float *q, const float *k, float *y, unsigned char *key)
{
    if (head < heads) {
        const long long at = ((long long)row * heads + head) * head_size;
        return head_place{q + at, y + at, nullptr, 0};
    }
    const int column = (head - heads) * head_size;
    return head_place{k + (long long)row * k_columns + column, nullptr, key, column};
}

KERNEL(threads)
rope_append(const float *q, const float *k, const float *v, const int *positions, const int *sequences, const int *pages,
            const float *factors, unsigned char *k_state, unsigned char *v_state, float *y, const struct step *step)
{
    __shared__ float2 turns[pair_count];
    const int row = blockIdx.x / parts, part = blockIdx.x % parts;
    if (row >= step->rows) return;
    const int position = positions[row];
    const long long place = paged_row<k_state_dimension_1>(pages, step, sequences[row], position);
    unsigned char *key = place < 0 ? nullptr : k_state + place * row_bytes(k_state_element, k_columns);
    for (int pair = threadIdx.x; pair < pair_count; pair += threads) turns[pair] = rotation_turn(pair, position, factors);
    __syncthreads();
    const int first_head = part * part_heads, count = minimum(part_heads, all_heads - first_head);
    for (int i = threadIdx.x; i < count * pair_count; i += threads) {
        const int pair = i % pair_count;
        const head_place head = place_of(first_head + i / pair_count, row, q, k, y, key);
        const float2 turned = rotate(turns[pair], head.from[pair_first(pair)], head.from[pair_second(pair)]);
        store_turned(head, pair_first(pair), turned.x);
        store_turned(head, pair_second(pair), turned.y);
    }
    for (int i = threadIdx.x; i < count * rest; i += threads) {
        const int element = still_element(i % maximum(rest, 1));
        const head_place head = place_of(first_head + i / maximum(rest, 1), row, q, k, y, key);
        store_turned(head, element, head.from[element]);
    }
    if (place < 0) return;
    unsigned char *value = v_state + place * row_bytes(v_state_element, v_columns);
    for (int column = part * threads + threadIdx.x; column < v_columns; column += parts * threads)
        store_element<v_state_element>(value, column, v[(long long)row * v_columns + column]);
}
