// Types of kernels, and what all of them begin with.  No header of the toolkit is included anywhere: NVRTC has the
// built-in variables, vectors (float4, uint4) and intrinsics by itself.
#pragma once

#define DEVICE static __device__ __forceinline__
#define KERNEL(threads) extern "C" __global__ void __launch_bounds__(threads)
// As KERNEL, with a number of blocks that must fit a multiprocessor: bounds the registers.
#define KERNEL_RESIDENT(threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks)
#define UNROLL _Pragma("unroll")
#define NO_UNROLL _Pragma("unroll 1")

// The dynamic shared memory of the launch.  Only 32-bit shared addresses and this array are used, never generic
// pointers into shared memory.
#define SHARED_MEMORY(name) extern __shared__ __align__(128) unsigned char name[]

// The sizes of this step (struct kernel_step of ir/image.h); the grid covers the problem's bounds, blocks beyond `rows`
// have nothing to do.
struct step {
    int rows, context, stride, sequences;
};

// 16-bit floating numbers, as bits.
struct half {
    unsigned short bits;
};
struct bfloat {
    unsigned short bits;
};

constexpr int warp_lanes = 32;
constexpr unsigned all_lanes = 0xffffffffu;

DEVICE float infinity()
{
    return __int_as_float(0x7f800000);
}

DEVICE float not_a_number()
{
    return __int_as_float(0x7fffffff);
}

template <class T> DEVICE constexpr T minimum(T a, T b)
{
    return a < b ? a : b;
}

template <class T> DEVICE constexpr T maximum(T a, T b)
{
    return a > b ? a : b;
}

DEVICE constexpr int ceil_divide(int count, int size)
{
    return (count + size - 1) / size;
}

DEVICE constexpr int align_up(int count, int size)
{
    return ceil_divide(count, size) * size;
}
