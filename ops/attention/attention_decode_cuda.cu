// Few rows, each against its whole context: a block takes some heads that share keys and values, of one row and one part
// of its context.  Groups of lanes take a token each; every group keeps its own largest score, sum of weights and
// weighted values, which are merged at the end: within the block, and by a second kernel where there are several parts.
// Scores are in units of log2 e, so that their exponentials are powers of two.
#include "codegen/cuda/block.cuh"
#include "codegen/cuda/paging.cuh"
#include "codegen/cuda/warp.cuh"

constexpr int page_tokens = k_state_dimension_1;
constexpr int block_threads = warps * warp_lanes;
constexpr int lane_groups = block_threads / lanes_per_token;
constexpr int head_parts = group / heads_together;
constexpr int record = values + 2; // of a part: largest score, sum of weights, weighted values
constexpr float log2_e = 1.44269504088896341f;

static_assert(group % heads_together == 0, "heads of a block share keys and values evenly");
static_assert(k_state_dimension_1 == v_state_dimension_1, "keys and values share their pages");
static_assert(warps * heads_together * record * 4 <= 40960, "what warps exchange fits the shared memory");

// Neighbours that a lane reads at once, and how often.
DEVICE constexpr int vector_of(int element, int size)
{
    return element == element_f32 ? (size % 4 == 0 ? 4 : 1) : size % 8 == 0 ? 8 : size % 2 == 0 ? 2 : 1;
}

DEVICE constexpr int slices_of(int vector, int size)
{
    return ceil_divide(size, lanes_per_token * vector);
}

// Values may be the first numbers of wider heads; a vector lies in no two of them.
constexpr int value_stride = v_state_columns / kv_heads;
constexpr int key_vector = vector_of(k_state_element, head_size), key_slices = slices_of(key_vector, head_size);
constexpr int value_vector = minimum(vector_of(v_state_element, values), vector_of(v_state_element, value_stride));
constexpr int value_slices = slices_of(value_vector, values);

// A lane's share of one head's key or value.
template <int element, int size, int vector, int slices>
DEVICE void load_share(const unsigned char *row, bool wanted, float (&share)[slices][vector])
{
    UNROLL for (int s = 0; s < slices; s++) {
        const int column = (s * lanes_per_token + lane_index() % lanes_per_token) * vector;
        UNROLL for (int v = 0; v < vector; v++) share[s][v] = 0;
        if (wanted && column < size) load_elements<element>(row, column, share[s]);
    }
}

// What one group of lanes knows of one head.
struct softmax_sum {
    float largest, weight;
    float values[value_slices][value_vector];
};

DEVICE float score_of(const float (&query)[key_slices][key_vector], const float (&key)[key_slices][key_vector])
{
    float score = 0;
    UNROLL for (int s = 0; s < key_slices; s++)
        UNROLL for (int v = 0; v < key_vector; v++) score += query[s][v] * key[s][v];
    score = warp_sum<lanes_per_token>(score);
    if constexpr (softcap > 0) score = softcap * log2_e * tanhf(score / softcap);
    return score;
}

DEVICE float shrink_of(float from, float to)
{
    return from == -infinity() ? 0.0f : exponential_2(from - to);
}

// The score of a head's sink, which has a weight and no value.
DEVICE float sink_of(const float *sinks, int head)
{
    return sinks_present ? sinks[head] * log2_e : -infinity();
}

// Adds a token to a head's sum; a token that is not there has the score minus infinity.
DEVICE void sum_add(softmax_sum &sum, float score, const float (&value)[value_slices][value_vector])
{
    const float largest = fmaxf(sum.largest, score);
    const float shrink = shrink_of(sum.largest, largest), weight = shrink_of(score, largest);
    sum.largest = largest;
    sum.weight = sum.weight * shrink + weight;
    UNROLL for (int s = 0; s < value_slices; s++)
        UNROLL for (int v = 0; v < value_vector; v++)
            sum.values[s][v] = sum.values[s][v] * shrink + weight * value[s][v];
}

// Merges the sums of the groups of one warp into those of its first group.
DEVICE void sum_merge(softmax_sum &sum)
{
    UNROLL for (int distance = lanes_per_token; distance < warp_lanes; distance *= 2) {
        const float other = __shfl_xor_sync(all_lanes, sum.largest, distance);
        const float largest = fmaxf(sum.largest, other), shrink = shrink_of(sum.largest, largest);
        sum.largest = largest;
        sum.weight *= shrink;
        sum.weight += __shfl_xor_sync(all_lanes, sum.weight, distance);
        UNROLL for (int s = 0; s < value_slices; s++)
            UNROLL for (int v = 0; v < value_vector; v++) {
                sum.values[s][v] *= shrink;
                sum.values[s][v] += __shfl_xor_sync(all_lanes, sum.values[s][v], distance);
            }
    }
}

// The tokens [begin, end) that a block takes of a row.
struct token_range {
    int sequence, begin, end;
    bool whole; // the row has a sequence and its position a page
};

DEVICE token_range tokens_of(const int *positions, const int *sequences, int row, int part, const struct step *step)
{
    const int position = positions[row], sequence = sequences[row];
    const bool whole = position >= 0 && sequence >= 0 && sequence < step->sequences &&
                       position / page_tokens < step->stride;
    const int first = window > 0 ? maximum(0, position - window + 1) : 0;
    const int count = whole ? position - first + 1 : 0, share = ceil_divide(count, parts);
    const int begin = minimum(part * share, count);
    return token_range{sequence, first + begin, first + minimum(begin + share, count), whole};
}

// Warps' sums meet in shared memory; thread c finishes column c of a head.
DEVICE void store_heads(softmax_sum (&sums)[heads_together], const float *sinks, float *partial, float *y,
                        long long first_head, int part)
{
    __shared__ float records[warps][heads_together][record];
    UNROLL for (int h = 0; h < heads_together; h++) {
        sum_merge(sums[h]);
        float *to = records[warp_index()][h];
        if (lane_index() >= lanes_per_token) continue;
        if (lane_index() == 0) to[0] = sums[h].largest, to[1] = sums[h].weight;
        UNROLL for (int s = 0; s < value_slices; s++)
            UNROLL for (int v = 0; v < value_vector; v++) {
                const int column = (s * lanes_per_token + lane_index()) * value_vector + v;
                if (column < values) to[2 + column] = sums[h].values[s][v];
            }
    }
    __syncthreads();
    for (int i = threadIdx.x; i < heads_together * values; i += block_threads) {
        const int h = i / values, column = i % values;
        const float sink = parts == 1 ? sink_of(sinks, (first_head + h) % heads) : -infinity();
        float largest = sink, weight = 0, value = 0;
        UNROLL for (int w = 0; w < warps; w++) largest = fmaxf(largest, records[w][h][0]);
        weight = shrink_of(sink, largest);
        UNROLL for (int w = 0; w < warps; w++) {
            const float shrink = shrink_of(records[w][h][0], largest);
            weight += records[w][h][1] * shrink;
            value += records[w][h][2 + column] * shrink;
        }
        if constexpr (parts == 1) {
            y[(first_head + h) * values + column] = value / weight;
        } else {
            float *to = partial + ((first_head + h) * parts + part) * record;
            if (column == 0) to[0] = largest, to[1] = weight;
            to[2 + column] = value;
        }
    }
}

KERNEL(block_threads)
attention_decode(const float *q, const int *positions, const int *sequences, const int *pages,
                 const unsigned char *k_state, const unsigned char *v_state, const float *sinks, float *partial,
                 float *y, const struct step *step)
{
    const int part = blockIdx.x % parts, head_part = blockIdx.x / parts % head_parts;
    const int kv_head = blockIdx.x / (parts * head_parts) % kv_heads, row = blockIdx.x / (parts * head_parts * kv_heads);
    if (row >= step->rows) return;
    const token_range tokens = tokens_of(positions, sequences, row, part, step);
    const long long first_head = (long long)row * heads + kv_head * group + head_part * heads_together;
    const float factor = (scale > 0 ? scale : 1.0f / sqrtf((float)head_size)) * (softcap > 0 ? 1.0f : log2_e);
    float queries[heads_together][key_slices][key_vector];
    softmax_sum sums[heads_together];
    UNROLL for (int h = 0; h < heads_together; h++) {
        sums[h] = softmax_sum{};
        sums[h].largest = -infinity();
        if (!tokens.whole) sums[h].weight = not_a_number();
        UNROLL for (int s = 0; s < key_slices; s++)
            UNROLL for (int v = 0; v < key_vector; v++) {
                const int column = (s * lanes_per_token + lane_index() % lanes_per_token) * key_vector + v;
                queries[h][s][v] = column < head_size ? q[(first_head + h) * head_size + column] * factor : 0.0f;
            }
    }
    const int lane_group = threadIdx.x / lanes_per_token;
    // All lanes of a warp make the same number of steps: they meet in the sums over lanes.
    for (int first = tokens.begin; first < tokens.end; first += lane_groups * depth) {
        float keys[depth][key_slices][key_vector], shares[depth][value_slices][value_vector];
        bool there[depth];
        UNROLL for (int d = 0; d < depth; d++) {
            const int token = first + d * lane_groups + lane_group;
            const bool wanted = token < tokens.end;
            const long long place = wanted ? paged_row<page_tokens>(pages, step, tokens.sequence, token) : -1;
            there[d] = place >= 0;
            if (wanted && !there[d]) UNROLL for (int h = 0; h < heads_together; h++) sums[h].weight = not_a_number();
            const unsigned char *key = k_state + place * row_bytes(k_state_element, k_state_columns);
            const unsigned char *value = v_state + place * row_bytes(v_state_element, v_state_columns);
            load_share<k_state_element, head_size>(key + row_bytes(k_state_element, kv_head * head_size), there[d], keys[d]);
            load_share<v_state_element, values>(value + row_bytes(v_state_element, kv_head * value_stride), there[d], shares[d]);
        }
        UNROLL for (int d = 0; d < depth; d++)
            UNROLL for (int h = 0; h < heads_together; h++) {
                const float score = score_of(queries[h], keys[d]);
                sum_add(sums[h], there[d] ? score : -infinity(), shares[d]);
            }
    }
    store_heads(sums, sinks, partial, y, first_head, part);
}

// One warp per head of a row.
KERNEL(warp_lanes)
attention_merge(const float *partial, const float *sinks, float *y, const struct step *step)
{
    const long long head = blockIdx.x;
    if (head >= (long long)step->rows * heads) return;
    const float *records = partial + head * parts * record;
    const float sink = sink_of(sinks, head % heads);
    float largest = sink;
    for (int p = 0; p < parts; p++) largest = fmaxf(largest, records[p * record]);
    float weight = shrink_of(sink, largest);
    for (int p = 0; p < parts; p++) weight += records[p * record + 1] * shrink_of(records[p * record], largest);
    for (int column = threadIdx.x; column < values; column += warp_lanes) {
        float value = 0;
        for (int p = 0; p < parts; p++) value += records[p * record + 2 + column] * shrink_of(records[p * record], largest);
        y[head * values + column] = value / weight;
    }
}
