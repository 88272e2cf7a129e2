// route: a warp per token.  Lane l has experts l, l + 32, ... in registers; the used ones are taken one by one, the largest
// first and the lowest index among equals.
#include "codegen/cuda/warp.cuh"
#include "config.cuh"

constexpr int block_threads = warps * warp_lanes;
constexpr int all_experts = logits_columns;
constexpr int group_size = all_experts / groups;

// Without a bias and without groups logits order experts as their scores do, and are not rounded.
constexpr bool by_logit = !bias_present && groups == 1;

static_assert(used <= warp_lanes && groups <= warp_lanes, "each has a lane");
static_assert(per_lane <= 32, "experts that are taken are bits of a word");

struct found {
    float value;
    int index; // -1: none
};

DEVICE found better(found a, found b)
{
    const bool second = b.index >= 0 && (a.index < 0 || b.value > a.value || (b.value == a.value && b.index < a.index));
    return second ? b : a;
}

// The same in all lanes, even where NaN makes them disagree.
DEVICE found warp_best(found mine)
{
    UNROLL for (int distance = warp_lanes / 2; distance > 0; distance /= 2) {
        const found other = {__shfl_xor_sync(all_lanes, mine.value, distance),
                             __shfl_xor_sync(all_lanes, mine.index, distance)};
        mine = better(mine, other);
    }
    return found{__shfl_sync(all_lanes, mine.value, 0), __shfl_sync(all_lanes, mine.index, 0)};
}

DEVICE int expert_of(int i)
{
    return i * warp_lanes + lane_index();
}

DEVICE float score_of(float logit)
{
    if constexpr (score == score_sigmoid) return 1.0f / (1.0f + expf(-logit));
    if constexpr (score == score_sqrt_softplus) return sqrtf(fmaxf(logit, 0.0f) + log1pf(expf(-fabsf(logit))));
    return logit;
}

DEVICE void make_scores(const float (&raw)[per_lane], float (&scores)[per_lane])
{
    if constexpr (score != score_softmax) {
        UNROLL for (int i = 0; i < per_lane; i++) scores[i] = score_of(raw[i]);
    } else {
        float largest = -infinity(), sum = 0;
        UNROLL for (int i = 0; i < per_lane; i++) largest = fmaxf(largest, raw[i]);
        largest = warp_maximum<warp_lanes>(largest);
        UNROLL for (int i = 0; i < per_lane; i++) {
            scores[i] = expert_of(i) < all_experts ? expf(raw[i] - largest) : 0.0f;
            sum += scores[i];
        }
        sum = warp_sum<warp_lanes>(sum);
        UNROLL for (int i = 0; i < per_lane; i++) scores[i] /= sum;
    }
}

// By its largest choice, or the sum of its two largest ones.
DEVICE float score_group(const float (&choices)[per_lane], int group)
{
    float first = -infinity(), second = -infinity();
    UNROLL for (int i = 0; i < per_lane; i++) {
        if (expert_of(i) >= all_experts || expert_of(i) / group_size != group) continue;
        second = fmaxf(second, fminf(first, choices[i]));
        first = fmaxf(first, choices[i]);
    }
    UNROLL for (int distance = warp_lanes / 2; distance > 0; distance /= 2) {
        const float other_first = __shfl_xor_sync(all_lanes, first, distance);
        const float other_second = __shfl_xor_sync(all_lanes, second, distance);
        second = fmaxf(fmaxf(second, other_second), fminf(first, other_first));
        first = fmaxf(first, other_first);
    }
    return group_score == group_score_top2sum ? first + second : first;
}

DEVICE void keep_groups(float (&choices)[per_lane])
{
    const int lane = lane_index();
    float mine = 0; // of the group with this lane's number
    unsigned kept = 0;
    NO_UNROLL for (int g = 0; g < groups; g++) {
        const float value = score_group(choices, g);
        if (lane == g) mine = value;
    }
    NO_UNROLL for (int k = 0; k < groups_used; k++) {
        const bool open = lane < groups && !(kept >> lane & 1);
        kept |= 1u << warp_best(found{mine, open ? lane : -1}).index;
    }
    UNROLL for (int i = 0; i < per_lane; i++)
        if (!(kept >> minimum(expert_of(i) / group_size, warp_lanes - 1) & 1))
            choices[i] = group_fill == group_fill_zero ? 0.0f : -infinity();
}

// The best choice that is not taken; `value` is what its weight is made of.
DEVICE int take_best(const float (&choices)[per_lane], const float (&values)[per_lane], unsigned &taken, float &value)
{
    found mine = {0.0f, -1};
    UNROLL for (int i = 0; i < per_lane; i++) {
        const bool open = expert_of(i) < all_experts && !(taken >> i & 1);
        if (open && (mine.index < 0 || choices[i] > mine.value)) mine = found{choices[i], expert_of(i)};
    }
    const int expert = warp_best(mine).index, owner = expert % warp_lanes;
    float own = 0;
    UNROLL for (int i = 0; i < per_lane; i++)
        if (i == expert / warp_lanes) own = values[i];
    if (lane_index() == owner) taken |= 1u << (expert / warp_lanes);
    value = __shfl_sync(all_lanes, own, owner);
    return expert;
}

// Of the lanes below `used`.
DEVICE float finish_weight(float weight)
{
    const bool active = lane_index() < used;
    if constexpr (post == post_softmax) {
        weight = expf(weight - warp_maximum<warp_lanes>(active ? weight : -infinity()));
        weight /= warp_sum<warp_lanes>(active ? weight : 0.0f);
    }
    if constexpr (post == post_renormalise) {
        const float sum = warp_sum<warp_lanes>(active ? weight : 0.0f);
        weight /= fmaxf(sum, config::floor) + epsilon;
    }
    return weight * scale;
}

KERNEL(block_threads)
route(const float *logits, const float *bias, int *experts, float *weights, const struct step *step)
{
    const int row = blockIdx.x * warps + warp_index(), lane = lane_index();
    if (row >= step->rows) return;
    float raw[per_lane], scores[per_lane], choices[per_lane], weight = 0;
    UNROLL for (int i = 0; i < per_lane; i++)
        raw[i] = expert_of(i) < all_experts ? logits[(long long)row * all_experts + expert_of(i)] : -infinity();
    make_scores(raw, scores);
    UNROLL for (int i = 0; i < per_lane; i++) {
        choices[i] = by_logit ? raw[i] : scores[i];
        if (bias_present && expert_of(i) < all_experts) choices[i] += bias[expert_of(i)];
    }
    if constexpr (groups > 1) keep_groups(choices);
    unsigned taken = 0;
    int expert = 0;
    NO_UNROLL for (int k = 0; k < used; k++) {
        float value;
        const int best = take_best(choices, weight_from == weight_from_logit ? raw : scores, taken, value);
        if (lane == k) expert = best, weight = value;
    }
    weight = finish_weight(weight);
    if (lane >= used) return;
    experts[(long long)row * used + lane] = expert;
    weights[(long long)row * used + lane] = weight;
}
