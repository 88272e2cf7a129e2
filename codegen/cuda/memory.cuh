// Loads and stores of several neighbours at once.
#pragma once
#include "codegen/cuda/types.cuh"

// `count` neighbours; the address is a multiple of their size in bytes (up to 16 bytes are one access).
template <int count> DEVICE void load_floats(const float *from, float (&values)[count])
{
    static_assert(count == 1 || count == 2 || count % 4 == 0, "1, 2 or whole groups of 4");
    if constexpr (count == 1) {
        values[0] = *from;
    } else if constexpr (count == 2) {
        const float2 pair = *(const float2 *)from;
        values[0] = pair.x, values[1] = pair.y;
    } else {
        UNROLL for (int i = 0; i < count; i += 4) {
            const float4 four = *(const float4 *)(from + i);
            values[i] = four.x, values[i + 1] = four.y, values[i + 2] = four.z, values[i + 3] = four.w;
        }
    }
}

template <int count> DEVICE void store_floats(float *to, const float (&values)[count])
{
    static_assert(count == 1 || count == 2 || count % 4 == 0, "1, 2 or whole groups of 4");
    if constexpr (count == 1) {
        *to = values[0];
    } else if constexpr (count == 2) {
        *(float2 *)to = make_float2(values[0], values[1]);
    } else {
        UNROLL for (int i = 0; i < count; i += 4)
            *(float4 *)(to + i) = make_float4(values[i], values[i + 1], values[i + 2], values[i + 3]);
    }
}

// A word at an address that is a multiple of 2 only, as in blocks of 34 or 18 bytes.
DEVICE unsigned load_word_of_halves(const void *from)
{
    const unsigned short *halves = (const unsigned short *)from;
    return (unsigned)halves[0] | (unsigned)halves[1] << 16;
}

// ---- Shared memory by 32-bit address ----

typedef unsigned shared_address;

DEVICE shared_address shared_address_of(const void *shared)
{
    return (shared_address)__cvta_generic_to_shared(shared);
}

DEVICE void store_shared_16(shared_address to, uint4 value)
{
    asm volatile("st.shared.v4.b32 [%0], {%1, %2, %3, %4};"
                 :: "r"(to), "r"(value.x), "r"(value.y), "r"(value.z), "r"(value.w) : "memory");
}

DEVICE void store_shared_8(shared_address to, uint2 value)
{
    asm volatile("st.shared.v2.b32 [%0], {%1, %2};" :: "r"(to), "r"(value.x), "r"(value.y) : "memory");
}

DEVICE void store_shared_4(shared_address to, unsigned value)
{
    asm volatile("st.shared.b32 [%0], %1;" :: "r"(to), "r"(value) : "memory");
}

DEVICE unsigned load_shared_4(shared_address from)
{
    unsigned value;
    asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(from) : "memory");
    return value;
}

DEVICE float load_shared_float(shared_address from)
{
    float value;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(value) : "r"(from) : "memory");
    return value;
}

DEVICE float2 load_shared_floats(shared_address from)
{
    float2 pair;
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(pair.x), "=f"(pair.y) : "r"(from) : "memory");
    return pair;
}

// 16 bytes from global to shared memory, both at multiples of 16; zeros where `wanted` is false (the address must be
// valid all the same).  Asynchronous from sm_80 on: copies belong to groups that are waited for.
DEVICE void copy_async_16(shared_address to, const void *from, bool wanted)
{
#if __CUDA_ARCH__ >= 800
    const int bytes = wanted ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(to), "l"(from), "r"(bytes) : "memory");
#else
    store_shared_16(to, wanted ? *(const uint4 *)from : make_uint4(0, 0, 0, 0));
#endif
}

// As copy_async_16, for 4 bytes at multiples of 4.
DEVICE void copy_async_4(shared_address to, const void *from, bool wanted)
{
#if __CUDA_ARCH__ >= 800
    const int bytes = wanted ? 4 : 0;
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" :: "r"(to), "l"(from), "r"(bytes) : "memory");
#else
    store_shared_4(to, wanted ? *(const unsigned *)from : 0);
#endif
}

// Ends a group: the copies of this thread since the last one.
DEVICE void copy_async_commit()
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until at most `groups` of this thread's groups are still on their way.
template <int groups> DEVICE void copy_async_wait()
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" :: "n"(groups) : "memory");
#endif
}
