// Many rows: a block takes `tile_rows` rows and the heads of one group, which share keys and values; each head of a row
// is a slot, and a warp has 16 * row_fragments slots.  It goes through the tokens that any of its rows sees in tiles of
// `tile_tokens`, of which `stages` are in shared memory or on their way there.  Scores and weighted values are products
// of the tensor cores; every slot keeps its largest score and its sum of weights as it goes (online softmax).  Scores are
// in units of log2 e, so that their exponentials are powers of two.  The rows of a tile may belong to several sequences,
// which are taken one after the other.
#pragma once
#include "ops/attention/attention_tile_tokens.cuh"

constexpr int query_bytes = tile_slots * key_pitch;
constexpr int token_fragments = tile_tokens / 8, value_fragments = padded_values / 8, query_steps = padded_keys / 16;
constexpr float log2_e = 1.44269504088896341f;

static_assert(heads % kv_heads == 0 && group <= tile_slots, "a row's heads fit a tile");
static_assert(row_fragments * (padded_values + tile_tokens) <= 512, "sums and scores fit the registers");
static_assert(!queries_in_registers || row_fragments * padded_keys <= 256, "queries fit the registers");

struct query_fragments {
    unsigned words[row_fragments][queries_in_registers ? query_steps : 1][4];
};

// What a thread knows of its slots: two of each fragment.
struct slot_sums {
    float largest[row_fragments][2], weight[row_fragments][2];
    float values[row_fragments][value_fragments][4];
};

// The tokens of one sequence that they see.
struct slot_ranges {
    int first[row_fragments][2], last[row_fragments][2];
};

DEVICE int slot_of(int fragment, int half)
{
    return (warp_index() * row_fragments + fragment) * 16 + half * 8 + lane_index() / 4;
}

// Rounded, in shared memory; zeros behind the last row and the head's size.
DEVICE void store_queries(const float *q, shared_address to, int first_row, int kv_head, const struct step *step)
{
    constexpr int chunks = padded_keys / 8;
    const float factor = (scale > 0 ? scale : 1.0f / sqrtf((float)head_size)) * (softcap > 0 ? 1.0f : log2_e);
    for (int i = threadIdx.x; i < tile_slots * chunks; i += tile_threads) {
        const int slot = i / chunks, chunk = i % chunks, row = first_row + slot / group;
        float numbers[8] = {};
        if (slot < tile_rows * group && row < step->rows && chunk * 8 < head_size) {
            const long long head = (long long)row * heads + kv_head * group + slot % group;
            load_floats(q + head * head_size + chunk * 8, numbers);
        }
        unsigned pairs[4];
        UNROLL for (int p = 0; p < 4; p++) pairs[p] = pack_pair(numbers[2 * p] * factor, numbers[2 * p + 1] * factor);
        store_shared_16(to + slot * key_pitch + chunk * 16, make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]));
    }
}

DEVICE void load_queries(shared_address queries, int fragment, int step_index, unsigned (&words)[4])
{
    const int slot = (warp_index() * row_fragments + fragment) * 16 + lane_index() % 16;
    load_matrix_x4(queries + slot * key_pitch + (step_index * 2 + lane_index() / 16) * 16, words);
}

DEVICE void score_tile(shared_address queries, const query_fragments &held, shared_address keys,
                       float (&scores)[row_fragments][token_fragments][4])
{
    const int lane = lane_index();
    UNROLL for (int s = 0; s < query_steps; s++) {
        unsigned left[row_fragments][4];
        UNROLL for (int f = 0; f < row_fragments; f++) {
            if constexpr (queries_in_registers) {
                UNROLL for (int w = 0; w < 4; w++) left[f][w] = held.words[f][s][w];
            } else {
                load_queries(queries, f, s, left[f]);
            }
        }
        UNROLL for (int n = 0; n < token_fragments; n += 2) {
            unsigned right[4];
            const int token = n * 8 + lane % 8 + lane / 16 * 8;
            load_matrix_x4(keys + token * key_pitch + (s * 2 + lane / 8 % 2) * 16, right);
            UNROLL for (int f = 0; f < row_fragments; f++)
                UNROLL for (int i = 0; i < 2; i++)
                    multiply_add_pairs(scores[f][n + i], left[f], right[2 * i], right[2 * i + 1]);
        }
    }
}

// softcap * tanh(score / softcap), where tanh(x) = 1 - 2 / (e^2x + 1).
DEVICE float capped(float score)
{
    const float power = exponential_2(score * (2.0f * log2_e / softcap));
    return softcap * log2_e * (1.0f - 2.0f / (power + 1.0f));
}

// What a row does not see has the score minus infinity.
DEVICE void mask_scores(float (&scores)[token_fragments][4], int half, int first_token, int first, int last)
{
    UNROLL for (int n = 0; n < token_fragments; n++)
        UNROLL for (int i = 0; i < 2; i++) {
            const int token = first_token + n * 8 + lane_index() % 4 * 2 + i;
            if (token < first || token > last) scores[n][2 * half + i] = -infinity();
        }
}

// Scores become weights; the sums shrink to the new largest score.
DEVICE void weigh_scores(float (&scores)[token_fragments][4], slot_sums &sums, int fragment, int half)
{
    float largest = sums.largest[fragment][half], weight = 0;
    UNROLL for (int n = 0; n < token_fragments; n++)
        largest = fmaxf(largest, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
    largest = warp_maximum<4>(largest);
    const float base = largest == -infinity() ? 0.0f : largest;
    const float shrink = exponential_2(sums.largest[fragment][half] - base);
    UNROLL for (int n = 0; n < token_fragments; n++)
        UNROLL for (int i = 0; i < 2; i++) {
            float &score = scores[n][2 * half + i];
            score = exponential_2(score - base);
            weight += score;
        }
    sums.largest[fragment][half] = largest;
    sums.weight[fragment][half] = sums.weight[fragment][half] * shrink + weight;
    UNROLL for (int n = 0; n < value_fragments; n++)
        UNROLL for (int i = 0; i < 2; i++) sums.values[fragment][n][2 * half + i] *= shrink;
}

DEVICE void add_values(const float (&weights)[row_fragments][token_fragments][4], shared_address values, slot_sums &sums)
{
    const int lane = lane_index();
    UNROLL for (int k = 0; k < tile_tokens / 16; k++) {
        unsigned left[row_fragments][4];
        UNROLL for (int f = 0; f < row_fragments; f++)
            UNROLL for (int w = 0; w < 4; w++) {
                const float(&four)[4] = weights[f][2 * k + w / 2];
                left[f][w] = pack_pair(four[w % 2 * 2], four[w % 2 * 2 + 1]);
            }
        UNROLL for (int n = 0; n < value_fragments; n += 2) {
            unsigned right[4];
            load_matrix_x4_transposed(values + (k * 16 + lane % 16) * value_pitch + (n + lane / 16) * 16, right);
            UNROLL for (int f = 0; f < row_fragments; f++)
                UNROLL for (int i = 0; i < 2; i++)
                    multiply_add_pairs(sums.values[f][n + i], left[f], right[2 * i], right[2 * i + 1]);
        }
    }
}

// Slots that see a token without a page get no number.
DEVICE void spoil_slots(const token_source &source, const slot_ranges &ranges, int first_token, slot_sums &sums,
                        const struct step *step)
{
    UNROLL for (int f = 0; f < row_fragments; f++)
        UNROLL for (int half = 0; half < 2; half++) {
            const int end = minimum(first_token + tile_tokens - 1, ranges.last[f][half]);
            for (int token = maximum(first_token, ranges.first[f][half]); token <= end; token++)
                if (paged_row<page_tokens>(source.pages, step, source.sequence, token) < 0)
                    sums.weight[f][half] = not_a_number();
        }
}

DEVICE void attend_tile(shared_address queries, const query_fragments &held, shared_address stage, int first_token,
                        const slot_ranges &ranges, slot_sums &sums)
{
    float scores[row_fragments][token_fragments][4] = {};
    score_tile(queries, held, stage, scores);
    UNROLL for (int f = 0; f < row_fragments; f++) {
        if constexpr (softcap > 0)
            UNROLL for (int n = 0; n < token_fragments; n++)
                UNROLL for (int i = 0; i < 4; i++) scores[f][n][i] = capped(scores[f][n][i]);
        UNROLL for (int half = 0; half < 2; half++) {
            const int first = ranges.first[f][half], last = ranges.last[f][half];
            if (first_token < first || first_token + tile_tokens - 1 > last)
                mask_scores(scores[f], half, first_token, first, last);
            weigh_scores(scores[f], sums, f, half);
        }
    }
    add_values(scores, stage + keys_bytes, sums);
}

// All tokens of one sequence that the tile's rows see.
DEVICE void attend_run(const token_source &source, const tile_run &run, shared_address queries,
                       const query_fragments &held, const slot_ranges &ranges, slot_sums &sums, const struct step *step)
{
    const shared_address memory = queries + query_bytes;
    bool missing[stages] = {};
    __syncthreads(); // all warps are through with the run before
    UNROLL for (int s = 0; s < stages - 1; s++) {
        missing[s] = copy_tokens(source, memory + s * stage_bytes, run.first + s * tile_tokens, run.last, step);
        copy_async_commit();
    }
    for (int first = run.first; first <= run.last; first += stages * tile_tokens)
        UNROLL for (int s = 0; s < stages; s++) { // so that the stage is known to the compiler
            const int token = first + s * tile_tokens;
            constexpr int ahead = stages - 1;
            if (token > run.last) break;
            if constexpr (ahead > 0) {
                copy_async_wait<(ahead > 0 ? ahead - 1 : 0)>();
            } else {
                __syncthreads();
                missing[0] = copy_tokens(source, memory, token, run.last, step);
                copy_async_commit();
                copy_async_wait<0>();
            }
            const bool any_missing = __syncthreads_or(missing[s]);
            if constexpr (ahead > 0) {
                const int next = (s + ahead) % stages;
                missing[next] = copy_tokens(source, memory + next * stage_bytes, token + ahead * tile_tokens, run.last, step);
                copy_async_commit();
            }
            if (any_missing) spoil_slots(source, ranges, token, sums, step);
            attend_tile(queries, held, memory + s * stage_bytes, token, ranges, sums);
        }
    copy_async_wait<0>();
}

// What a slot's values are multiplied by in the end.  A sink has a weight and no value.
DEVICE float final_factor(const float *sinks, int head, float largest, float weight)
{
    if constexpr (!sinks_present) return 1.0f / weight;
    const float sink = sinks[head] * log2_e, most = fmaxf(largest, sink);
    const float shrink = exponential_2(largest - most);
    return shrink / (weight * shrink + exponential_2(sink - most));
}

DEVICE void store_values(const slot_sums &sums, const float *sinks, float *y, int first_row, int kv_head,
                         const struct step *step)
{
    UNROLL for (int f = 0; f < row_fragments; f++)
        UNROLL for (int half = 0; half < 2; half++) {
            const int slot = slot_of(f, half), row = first_row + slot / group, head = kv_head * group + slot % group;
            const float weight = warp_sum<4>(sums.weight[f][half]);
            if (slot >= tile_rows * group || row >= step->rows) continue;
            const float factor = final_factor(sinks, head, sums.largest[f][half], weight);
            float *to = y + ((long long)row * heads + head) * values;
            UNROLL for (int n = 0; n < value_fragments; n++) {
                const int column = n * 8 + lane_index() % 4 * 2;
                const float pair[2] = {sums.values[f][n][2 * half] * factor, sums.values[f][n][2 * half + 1] * factor};
                if (column < values) store_floats(to + column, pair);
            }
        }
}

DEVICE slot_ranges ranges_of(const tile_rows_seen &seen, int sequence)
{
    slot_ranges ranges;
    UNROLL for (int f = 0; f < row_fragments; f++)
        UNROLL for (int half = 0; half < 2; half++) {
            const int row = minimum(slot_of(f, half) / group, tile_rows - 1);
            const bool its = seen.sequence[row] == sequence;
            ranges.first[f][half] = its ? seen.first[row] : 0;
            ranges.last[f][half] = its ? seen.last[row] : -1;
        }
    return ranges;
}

KERNEL(tile_threads)
attention_tile(const float *q, const int *positions, const int *sequences, const int *pages,
               const unsigned char *k_state, const unsigned char *v_state, const float *sinks, float *y,
               const struct step *step)
{
    SHARED_MEMORY(tile_memory);
    __shared__ tile_rows_seen seen;
    const shared_address queries = shared_address_of(tile_memory);
    // The last rows see most and begin first.
    const int tile = ceil_divide(step->rows, tile_rows) - 1 - (int)blockIdx.x / kv_heads, kv_head = blockIdx.x % kv_heads;
    if (tile < 0) return;
    const int first_row = tile * tile_rows;
    query_fragments held;
    slot_sums sums = {};
    store_queries(q, queries, first_row, kv_head, step);
    look_at_rows(positions, sequences, first_row, step, seen);
    __syncthreads();
    UNROLL for (int f = 0; f < row_fragments; f++) {
        UNROLL for (int half = 0; half < 2; half++) {
            const int row = minimum(slot_of(f, half) / group, tile_rows - 1);
            sums.largest[f][half] = -infinity();
            if (seen.sequence[row] < 0) sums.weight[f][half] = not_a_number();
        }
        if constexpr (queries_in_registers)
            UNROLL for (int s = 0; s < query_steps; s++) load_queries(queries, f, s, held.words[f][s]);
    }
    for (tile_run run = run_after(seen, -1); run.sequence >= 0; run = run_after(seen, run.sequence)) {
        const token_source source = {pages, k_state, v_state, kv_head, run.sequence};
        attend_run(source, run, queries, held, ranges_of(seen, run.sequence), sums, step);
    }
    store_values(sums, sinks, y, first_row, kv_head, step);
}
