// Products by warpgroups, four warps with neighbouring numbers: sm_90a alone.
//
// Both matrices lie in shared memory, in rows of 128 bytes (64 columns of 16 bits) whose chunks of 16 bytes the copy
// engine has swizzled: chunk c of row r is at place c ^ r % 8.  A product takes 64 rows of the left, `outputs` rows of the
// right matrix, and 16 columns of both.  Of its sums each warp has 16 rows; lane l has of every 8 outputs the rows l / 4
// and l / 4 + 8, and of both the outputs 2 (l % 4) and the next: as with fragments (codegen/cuda/matrix.cuh).
//
// Products are asynchronous.  Their sums belong to the tensor cores from warpgroup_begin to the wait for their group.
#pragma once
#include "codegen/cuda/memory.cuh"

constexpr int warpgroup_warps = 4, warpgroup_threads = warpgroup_warps * warp_lanes;
constexpr int warpgroup_rows = 64;
constexpr int swizzle_bytes = 128; // of a row
constexpr int swizzle_pattern_bytes = 8 * swizzle_bytes;

// The dynamic shared memory, as SHARED_MEMORY, at the beginning of a pattern.  A kernel that uses it has no other.
#define SWIZZLED_MEMORY(name) extern __shared__ __align__(1024) unsigned char name[]

// A matrix of swizzled rows of 128 bytes; `address` is that of its first row, at the beginning of a pattern, plus the
// bytes of the first column wanted.  Units of 16 bytes: the address, 1 (unused with swizzled rows), 8 rows.
DEVICE unsigned long long swizzled_matrix(shared_address address)
{
    constexpr unsigned long long steps = 1ull << 16 | (unsigned long long)(swizzle_pattern_bytes / 16) << 32;
    constexpr unsigned long long swizzle_128 = 1ull << 62;
    return (unsigned long long)((address & 0x3ffff) >> 4) | steps | swizzle_128;
}

// The same matrix from some bytes further on.
DEVICE unsigned long long swizzled_matrix_behind(unsigned long long matrix, int bytes)
{
    return matrix + bytes / 16;
}

DEVICE void warpgroup_begin()
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

// Ends a group: the products since the last one.
DEVICE void warpgroup_commit()
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Until at most `groups` groups are still on their way.
template <int groups> DEVICE void warpgroup_wait()
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(groups) : "memory");
}

// Gives registers of each thread back to the multiprocessor, or takes some; all warps of a warpgroup do so.
template <int registers> DEVICE void warpgroup_lower_registers()
{
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(registers));
}

template <int registers> DEVICE void warpgroup_raise_registers()
{
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(registers));
}

// The numbers of operands, and the operands themselves, in sixteens.
#define NUMBERS_0 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define NUMBERS_1 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define NUMBERS_2 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define NUMBERS_3 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define NUMBERS_4 "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define NUMBERS_5 "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define NUMBERS_6 "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define NUMBERS_7 "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define SUMS_8(at)                                                                                                     \
    "+f"(sums[at]), "+f"(sums[at + 1]), "+f"(sums[at + 2]), "+f"(sums[at + 3]), "+f"(sums[at + 4]), "+f"(sums[at + 5]), \
        "+f"(sums[at + 6]), "+f"(sums[at + 7])
#define SUMS_16(at) SUMS_8(at), SUMS_8(at + 8)
#define NUMBERS_OF_64 NUMBERS_0 ", " NUMBERS_1
#define NUMBERS_OF_128 NUMBERS_0 ", " NUMBERS_1 ", " NUMBERS_2 ", " NUMBERS_3
#define NUMBERS_OF_192 NUMBERS_0 ", " NUMBERS_1 ", " NUMBERS_2 ", " NUMBERS_3 ", " NUMBERS_4 ", " NUMBERS_5
#define NUMBERS_OF_256 NUMBERS_0 ", " NUMBERS_1 ", " NUMBERS_2 ", " NUMBERS_3 ", " NUMBERS_4 ", " NUMBERS_5 ", " NUMBERS_6 ", " NUMBERS_7
#define SUMS_OF_64 SUMS_16(0), SUMS_16(16)
#define SUMS_OF_128 SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48)
#define SUMS_OF_192 SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48), SUMS_16(64), SUMS_16(80)
#define SUMS_OF_256 SUMS_16(0), SUMS_16(16), SUMS_16(32), SUMS_16(48), SUMS_16(64), SUMS_16(80), SUMS_16(96), SUMS_16(112)

// sums += left * right; `left` and `right` are operands `outputs / 2` and the next.
#define WARPGROUP_PRODUCT(type, outputs, left_number, right_number)                                                    \
    asm volatile("wgmma.mma_async.sync.aligned.m64n" #outputs "k16.f32." type "." type " {" NUMBERS_OF_##outputs "}, "   \
                 "%" #left_number ", %" #right_number ", 1, 1, 1, 0, 0;"                                               \
                 : SUMS_OF_##outputs : "l"(left), "l"(right) : "memory")
#define WARPGROUP_PRODUCTS(type)                                                                                       \
    if constexpr (outputs == 64) WARPGROUP_PRODUCT(type, 64, 32, 33);                                                  \
    if constexpr (outputs == 128) WARPGROUP_PRODUCT(type, 128, 64, 65);                                                \
    if constexpr (outputs == 192) WARPGROUP_PRODUCT(type, 192, 96, 97);                                                \
    if constexpr (outputs == 256) WARPGROUP_PRODUCT(type, 256, 128, 129)

template <bool brain, int outputs>
DEVICE void warpgroup_multiply_add(float (&sums)[outputs / 2], unsigned long long left, unsigned long long right)
{
    static_assert(outputs % 64 == 0 && outputs <= 256, "whole sixteens of sums");
    if constexpr (brain) {
        WARPGROUP_PRODUCTS("bf16");
    } else {
        WARPGROUP_PRODUCTS("f16");
    }
}
