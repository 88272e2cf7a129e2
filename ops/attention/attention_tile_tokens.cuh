// What a tile's rows see, and the copies of keys and values of tokens into shared memory.
#pragma once
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/matrix.cuh"
#include "codegen/cuda/paging.cuh"
#include "codegen/cuda/warp.cuh"

constexpr int page_tokens = k_state_dimension_1;
constexpr bool brain = k_state_element == element_bf16;
constexpr int tile_threads = warps * warp_lanes;
constexpr int tile_slots = 16 * row_fragments * warps, tile_rows = tile_slots / group;
constexpr int value_stride = v_state_columns / kv_heads; // values may be the first numbers of wider heads
constexpr int padded_keys = align_up(head_size, 16), padded_values = align_up(values, 16);
// Bytes between rows in shared memory: an odd number of chunks, so that eight rows below each other are in different
// banks.
constexpr int key_pitch = (padded_keys / 8 + 1) * 16, value_pitch = (padded_values / 8 + 1) * 16;
constexpr int keys_bytes = tile_tokens * key_pitch, stage_bytes = keys_bytes + tile_tokens * value_pitch;
constexpr int token_lanes = 8; // that copy a token's chunks side by side

static_assert(k_state_dimension_1 == v_state_dimension_1, "keys and values share their pages");
static_assert(v_state_element == k_state_element, "keys and values have one type");
static_assert(k_state_element == element_f16 || brain || element_is_block(k_state_element), "numbers of 16 bits, or blocks");
static_assert(head_size % 8 == 0 && values % 8 == 0, "heads are whole chunks");
static_assert(tile_tokens % 16 == 0, "whole fragments of tokens");
static_assert(sm >= 80 || (!brain && stages == 1), "no asynchronous copies and no bf16 before sm_80");

DEVICE unsigned pack_pair(float low, float high)
{
    return brain ? pack_bfloat(low, high) : pack_half(low, high);
}

DEVICE void multiply_add_pairs(float (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1)
{
    if constexpr (brain) multiply_add_bf16(sums, left, right_0, right_1);
    else multiply_add_f16(sums, left, right_0, right_1);
}

// Of every row of the tile: its sequence, and the tokens that it sees.  Rows that see nothing have sequence -1.
struct tile_rows_seen {
    int sequence[tile_rows], first[tile_rows], last[tile_rows];
};

DEVICE void look_at_rows(const int *positions, const int *sequences, int first_row, const struct step *step,
                         tile_rows_seen &seen)
{
    for (int r = threadIdx.x; r < tile_rows; r += tile_threads) {
        const int row = minimum(first_row + r, step->rows - 1), position = positions[row], sequence = sequences[row];
        const bool whole = first_row + r < step->rows && position >= 0 && sequence >= 0 &&
                           sequence < step->sequences && position / page_tokens < step->stride;
        seen.sequence[r] = whole ? sequence : -1;
        seen.first[r] = window > 0 ? maximum(0, position - window + 1) : 0;
        seen.last[r] = position;
    }
}

// The tokens of one sequence that any row sees.
struct tile_run {
    int sequence, first, last;
};

// The next sequence behind `sequence`, in order of their numbers; -1 where there is none.
DEVICE tile_run run_after(const tile_rows_seen &seen, int sequence)
{
    tile_run run = {-1, 0, -1};
    NO_UNROLL for (int r = 0; r < tile_rows; r++) {
        const int its = seen.sequence[r];
        if (its <= sequence || (run.sequence >= 0 && its > run.sequence)) continue;
        const bool same = its == run.sequence;
        run.first = same ? minimum(run.first, seen.first[r]) : seen.first[r];
        run.last = same ? maximum(run.last, seen.last[r]) : seen.last[r];
        run.sequence = its;
    }
    return run;
}

struct token_source {
    const int *pages;
    const unsigned char *k_state, *v_state;
    int kv_head, sequence;
};

// Eight numbers of a row, as pairs.
DEVICE uint4 widen_chunk(const unsigned char *row, int chunk)
{
    float numbers[8];
    load_elements<k_state_element>(row, chunk * 8, numbers);
    return make_uint4(pack_pair(numbers[0], numbers[1]), pack_pair(numbers[2], numbers[3]),
                      pack_pair(numbers[4], numbers[5]), pack_pair(numbers[6], numbers[7]));
}

// A row of `size` numbers, and zeros up to `padded`; all zeros where the token is not wanted.
template <int size, int padded> DEVICE void copy_token(shared_address to, const unsigned char *from, bool wanted)
{
    UNROLL for (int first = 0; first < padded / 8; first += token_lanes) {
        const int chunk = first + threadIdx.x % token_lanes;
        const bool inside = wanted && chunk < size / 8;
        if (padded / 8 % token_lanes != 0 && chunk >= padded / 8) continue;
        if constexpr (element_is_block(k_state_element))
            store_shared_16(to + chunk * 16, inside ? widen_chunk(from, chunk) : make_uint4(0, 0, 0, 0));
        else
            copy_async_16(to + chunk * 16, from + (inside ? chunk * 16 : 0), inside);
    }
}

// Keys and values of the tokens [first, first + tile_tokens), up to `last`; true where one of this thread's has no page.
DEVICE bool copy_tokens(const token_source &source, shared_address stage, int first, int last, const struct step *step)
{
    bool missing = false;
    for (int t = threadIdx.x / token_lanes; t < tile_tokens; t += tile_threads / token_lanes) {
        const bool wanted = first + t <= last;
        const long long place = wanted ? paged_row<page_tokens>(source.pages, step, source.sequence, first + t) : -1;
        const bool there = place >= 0;
        const unsigned char *key = source.k_state, *value = source.v_state;
        if (there) {
            key += place * row_bytes(k_state_element, k_state_columns) + row_bytes(k_state_element, source.kv_head * head_size);
            value += place * row_bytes(v_state_element, v_state_columns) + row_bytes(v_state_element, source.kv_head * value_stride);
        }
        copy_token<head_size, padded_keys>(stage + t * key_pitch, key, there);
        copy_token<values, padded_values>(stage + keys_bytes + t * value_pitch, value, there);
        missing = missing || (wanted && !there);
    }
    return missing;
}
