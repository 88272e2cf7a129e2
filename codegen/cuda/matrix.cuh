// Products of small matrices by the tensor cores: fragments from shared memory, and multiplications of 16-bit numbers
// into f32 sums.
//
// A fragment of the left matrix is 16 rows by 16 columns, of the right one 16 columns (of the left) by 8; sums are 16 by
// 8.  Lane l has of the sums the rows l / 4 and l / 4 + 8, and of both the columns 2 (l % 4) and the next.
#pragma once
#include "codegen/cuda/memory.cuh"

// Four matrices of 8 rows of 16 bytes: lane l names the address of row l % 8 of matrix l / 8; word m of every lane is
// the pair l % 4 of row l / 4 of matrix m.
DEVICE void load_matrix_x4(shared_address from, unsigned (&words)[4])
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(from) : "memory");
}

// As load_matrix_x4, each matrix transposed.
DEVICE void load_matrix_x4_transposed(shared_address from, unsigned (&words)[4])
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3]) : "r"(from) : "memory");
}

// sums += left * right.  Before sm_80 an instruction takes 8 columns.
DEVICE void multiply_add_f16(float (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_0), "r"(right_1));
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(left[0]), "r"(left[1]), "r"(right_0));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(left[2]), "r"(left[3]), "r"(right_1));
#endif
}

// As multiply_add_f16, with sums of f16: a word has the two of a row.
DEVICE void multiply_add_half(unsigned (&sums)[2], const unsigned (&left)[4], unsigned right_0, unsigned right_1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
                 : "+r"(sums[0]), "+r"(sums[1])
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_0), "r"(right_1));
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3}, {%4}, {%0, %1};"
                 : "+r"(sums[0]), "+r"(sums[1]) : "r"(left[0]), "r"(left[1]), "r"(right_0));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3}, {%4}, {%0, %1};"
                 : "+r"(sums[0]), "+r"(sums[1]) : "r"(left[2]), "r"(left[3]), "r"(right_1));
#endif
}

// As multiply_add_f16; there is none before sm_80.
DEVICE void multiply_add_bf16(float (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_0), "r"(right_1));
#else
    __trap();
#endif
}

// sums += left * right for signed bytes: fragments have 32 columns instead of 16, a word has four.  From sm_80 on.
DEVICE void multiply_add_bytes(int (&sums)[4], const unsigned (&left)[4], unsigned right_0, unsigned right_1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+r"(sums[0]), "+r"(sums[1]), "+r"(sums[2]), "+r"(sums[3])
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "r"(right_0), "r"(right_1));
#else
    __trap();
#endif
}

// ---- Tiles in shared memory: rows of `row_chunks` chunks of 16 bytes ----

// Eight rows below each other have their equal chunks in different banks.
template <int row_chunks> DEVICE int tile_offset(int row, int chunk)
{
    static_assert(row_chunks == 4 || row_chunks % 8 == 0, "64 bytes, or whole lines of 128");
    const int turned = row_chunks == 4 ? chunk ^ (row >> 1 & 3) : chunk ^ (row & 7);
    return (row * row_chunks + turned) * 16;
}

// The left fragment at rows from `row` and chunks from `chunk`.
template <int row_chunks> DEVICE void load_left(shared_address tile, int row, int chunk, unsigned (&words)[4])
{
    const int lane = threadIdx.x % warp_lanes;
    load_matrix_x4(tile + tile_offset<row_chunks>(row + lane % 16, chunk + lane / 16), words);
}

// Two right fragments, of a matrix that lies transposed: 16 of its columns are rows of the tile.  Words 0 and 1 are the
// first one's, 2 and 3 the second's.
template <int row_chunks> DEVICE void load_right_pair(shared_address tile, int row, int chunk, unsigned (&words)[4])
{
    const int lane = threadIdx.x % warp_lanes;
    load_matrix_x4(tile + tile_offset<row_chunks>(row + lane % 8 + lane / 16 * 8, chunk + lane / 8 % 2), words);
}

// Two right fragments of a matrix that lies as it is: 16 of its rows from `row`, 16 of its columns from `chunk`.
template <int row_chunks> DEVICE void load_right_rows(shared_address tile, int row, int chunk, unsigned (&words)[4])
{
    const int lane = threadIdx.x % warp_lanes;
    load_matrix_x4_transposed(tile + tile_offset<row_chunks>(row + lane % 16, chunk + lane / 16), words);
}
