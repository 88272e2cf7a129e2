// dispatch: a stable counting sort by one block.  Each warp counts its share of the assignments by expert and then places
// them behind those of the warps before it; lanes with the same expert keep their order.
#include "codegen/cuda/warp.cuh"
#include "config.cuh"

constexpr int block_threads = warps * warp_lanes;
// The space names `first_expert`, the first whose offset is wanted, and `bins`, one per expert and the last one for ids that are no expert.
constexpr int no_bin = -1;

struct share {
    int begin, end; // assignments
};

DEVICE share share_of_warp(int count)
{
    const int size = align_up(ceil_divide(count, warps), warp_lanes), begin = minimum(warp_index() * size, count);
    return share{begin, minimum(begin + size, count)};
}

DEVICE int bin_of(const int *ids, int assignment, int end)
{
    if (assignment >= end) return no_bin;
    const int id = ids[assignment];
    return id >= 0 && id < bins - 1 ? id : bins - 1;
}

// The lanes of this one's bin, and how many of them are before it.
struct peers {
    int count, before;
};

DEVICE peers peers_of(int bin)
{
    const unsigned same = __match_any_sync(all_lanes, bin);
    return peers{__popc(same), __popc(same & ((1u << lane_index()) - 1))};
}

DEVICE void count_share(const int *ids, const share &own, int *counts)
{
    for (int at = own.begin; at < own.end; at += warp_lanes) {
        const int bin = bin_of(ids, at + lane_index(), own.end);
        const peers mine = peers_of(bin);
        if (bin != no_bin && mine.before == 0) counts[bin] += mine.count;
        __syncwarp();
    }
}

// Of one warp: totals become the first slots of their bins.
DEVICE void add_up(int *totals, int *offsets)
{
    int carry = 0;
    for (int first = 0; first < bins; first += warp_lanes) {
        const int bin = first + lane_index(), own = bin < bins ? totals[bin] : 0;
        int sum = own;
        UNROLL for (int distance = 1; distance < warp_lanes; distance *= 2) {
            const int other = __shfl_up_sync(all_lanes, sum, distance);
            if (lane_index() >= distance) sum += other;
        }
        if (bin < bins) totals[bin] = carry + sum - own;
        if (bin >= first_expert && bin < first_expert + offsets_columns) offsets[bin - first_expert] = carry + sum - own;
        carry += __shfl_sync(all_lanes, sum, warp_lanes - 1);
    }
}

DEVICE void place_share(const int *ids, const share &own, int *next, int *order, int *places)
{
    for (int at = own.begin; at < own.end; at += warp_lanes) {
        const int assignment = at + lane_index(), bin = bin_of(ids, assignment, own.end);
        const peers mine = peers_of(bin);
        if (bin != no_bin) {
            const int slot = next[bin] + mine.before;
            order[slot] = assignment;
            places[assignment] = slot;
        }
        __syncwarp();
        if (bin != no_bin && mine.before == 0) next[bin] += mine.count;
        __syncwarp();
    }
}

KERNEL(block_threads)
dispatch(const int *ids, int *order, int *offsets, int *places, const struct step *step)
{
    __shared__ int counts[warps][bins]; // of each warp; then, where its next assignment goes
    __shared__ int totals[bins];
    const share own = share_of_warp(step->rows * experts_columns);
    for (int b = threadIdx.x; b < warps * bins; b += block_threads) counts[b / bins][b % bins] = 0;
    __syncthreads();
    count_share(ids, own, counts[warp_index()]);
    __syncthreads();
    for (int b = threadIdx.x; b < bins; b += block_threads) {
        int sum = 0;
        for (int w = 0; w < warps; w++) {
            const int count = counts[w][b];
            counts[w][b] = sum;
            sum += count;
        }
        totals[b] = sum;
    }
    __syncthreads();
    if (warp_index() == 0) add_up(totals, offsets);
    __syncthreads();
    for (int b = threadIdx.x; b < warps * bins; b += block_threads) counts[b / bins][b % bins] += totals[b % bins];
    __syncthreads();
    place_share(ids, own, counts[warp_index()], order, places);
}
