// Transaction barriers (mbarrier), and the copies that they count: boxes of matrices, brought into shared memory by the
// copy engine; clusters of blocks.  sm_90 and newer.
//
// A barrier has phases.  One ends when as many arrivals as the barrier was started with, and all bytes that were
// expected, have come; waiting names the parity of the phase that must have ended: 0 for the first, 1 for the second.
// A barrier that was just started passes for one whose phase of parity 1 has ended.
#pragma once
#include "codegen/cuda/memory.cuh"

// What the host encodes of a matrix (tensor_maps of ir/space.h); kernels take it as `const __grid_constant__ tensor_map`.
struct __align__(64) tensor_map {
    unsigned long long words[16];
};

constexpr int transaction_bytes = 8; // of a barrier in shared memory, at a multiple of as many

DEVICE void transaction_start(shared_address barrier, int arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(barrier), "r"(arrivals) : "memory");
}

// Behind the last start, before the barrier of the block or cluster that shows them to the others.
DEVICE void transaction_fence_starts()
{
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

DEVICE void transaction_arrive(shared_address barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" :: "r"(barrier) : "memory");
}

// Arrives, and makes the phase wait for this many bytes.
DEVICE void transaction_arrive_expecting(shared_address barrier, int bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" :: "r"(barrier), "r"(bytes) : "memory");
}

// At the barrier that has this address in block `rank` of the cluster.
DEVICE void transaction_arrive_at(shared_address barrier, int rank)
{
    asm volatile("{\n.reg .b32 there;\nmapa.shared::cluster.u32 there, %0, %1;\n"
                 "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [there];\n}"
                 :: "r"(barrier), "r"(rank) : "memory");
}

DEVICE bool transaction_has_passed(shared_address barrier, int parity)
{
    int passed;
    asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.b32 %0, 1, 0, p;\n}"
                 : "=r"(passed) : "r"(barrier), "r"(parity) : "memory");
    return passed;
}

DEVICE void transaction_wait(shared_address barrier, int parity)
{
    while (!transaction_has_passed(barrier, parity)) {}
}

// So that the first copy by this map does not wait for it.
DEVICE void prefetch_tensor_map(const tensor_map *map)
{
    asm volatile("prefetch.tensormap [%0];" :: "l"(map) : "memory");
}

// The map's box from this column and row on; `barrier` counts its bytes, those outside of the matrix too.
DEVICE void copy_box(shared_address to, const tensor_map *map, shared_address barrier, int column, int row)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], "
                 "[%2];" :: "r"(to), "l"(map), "r"(barrier), "r"(column), "r"(row) : "memory");
}

// To this place, counted by the barrier at this place, in all blocks of the cluster whose bits are set.
DEVICE void copy_box_to(shared_address to, const tensor_map *map, shared_address barrier, int column, int row,
                        unsigned blocks)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster "
                 "[%0], [%1, {%3, %4}], [%2], %5;"
                 :: "r"(to), "l"(map), "r"(barrier), "r"(column), "r"(row), "h"((unsigned short)blocks) : "memory");
}

DEVICE int cluster_rank()
{
    int rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

// All threads of the cluster come here; none goes on before.
DEVICE void cluster_synchronize()
{
    __syncwarp(); // lanes come together
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
