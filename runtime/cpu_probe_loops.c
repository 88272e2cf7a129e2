/* The innermost loops of the probe.  Functions for wider registers are compiled for their own
 * target and only called where the facts allow it.
 *
 * Sums are single variables, written out by EACH_ macros: compilers keep arrays of them in memory.
 */
#include "runtime/cpu_probe_loops.h"

#define EACH_1(M)  M(0)
#define EACH_2(M)  EACH_1(M) M(1)
#define EACH_4(M)  EACH_2(M) M(2) M(3)
#define EACH_8(M)  EACH_4(M) M(4) M(5) M(6) M(7)
#define EACH_12(M) EACH_8(M) M(8) M(9) M(10) M(11)

/* How far ahead of its reading a stream fetches: what far-apart streams of weights need too. */
enum { AHEAD_BYTES = 2048, STEP_BYTES = 128 };

/* ---- Reading ---- */

#define SUM_ZERO(s) VECTOR sum_##s = {0};
#define SUM_JOIN(s) sum_0 ^= sum_##s;
#define READ_STEP(s)                                                                               \
    {                                                                                              \
        const uint8_t *here = memory + (s)*part + at;                                              \
        const VECTOR *from = (const VECTOR *)(const void *)here;                                   \
        __builtin_prefetch(here + AHEAD_BYTES);                                                    \
        __builtin_prefetch(here + AHEAD_BYTES + 64);                                               \
        for (size_t i = 0; i < STEP_BYTES / sizeof(VECTOR); i++) sum_##s ^= from[i];               \
    }

/* Every step reads two cache lines of each stream. */
#define READ_STREAMS(NAME, TARGET, STREAMS)                                                        \
    TARGET static uint64_t NAME##_##STREAMS(const uint8_t *memory, size_t bytes)                   \
    {                                                                                              \
        size_t part = bytes / STREAMS / STEP_BYTES * STEP_BYTES;                                   \
        EACH_##STREAMS(SUM_ZERO);                                                                  \
        for (size_t at = 0; at < part; at += STEP_BYTES) {                                         \
            EACH_##STREAMS(READ_STEP)                                                              \
        }                                                                                          \
        VECTOR last = sum_0;                                                                       \
        EACH_##STREAMS(SUM_JOIN);                                                                  \
        return (uint64_t)(last[0] ^ sum_0[0]);                                                     \
    }

#define READ(NAME, TARGET)                                                                         \
    READ_STREAMS(NAME, TARGET, 1)                                                                  \
    READ_STREAMS(NAME, TARGET, 2)                                                                  \
    READ_STREAMS(NAME, TARGET, 4)                                                                  \
    READ_STREAMS(NAME, TARGET, 8)                                                                  \
    static uint64_t NAME(const uint8_t *memory, size_t bytes, int streams)                         \
    {                                                                                              \
        switch (streams) {                                                                         \
        case 1: return NAME##_1(memory, bytes);                                                    \
        case 2: return NAME##_2(memory, bytes);                                                    \
        case 4: return NAME##_4(memory, bytes);                                                    \
        default: return NAME##_8(memory, bytes);                                                   \
        }                                                                                          \
    }

typedef int64_t words_16 __attribute__((vector_size(16), aligned(8)));
#define VECTOR words_16
READ(read_16, )
#undef VECTOR

/* ---- Multiplying ---- */

/* Sums of a round: enough to hide the latency of the arithmetic, 4 or 5 cycles times two per cycle.
 */
enum { SUMS = 12 };

/* The empty statement keeps every round: without it the compiler would see that rounds repeat. */
#define MULTIPLY_STEP(s)                                                                           \
    sum_##s = MULTIPLY(sum_##s, from[s]);                                                          \
    __asm__ volatile("" : "+x"(sum_##s) : : "memory");
#define MULTIPLY_ZERO(s) VECTOR sum_##s = ZERO;
#define MULTIPLY_JOIN(s)                                                                           \
    __builtin_memcpy(parts, &sum_##s, sizeof parts);                                               \
    result += parts[0];

/* `MULTIPLY(sum, x)` adds products of the operand x, which is in the first cache. */
#define ROUNDS(NAME, TARGET, ELEMENT, OPERAND)                                                     \
    TARGET static ELEMENT NAME(const OPERAND *operands, int64_t rounds)                            \
    {                                                                                              \
        const VECTOR *from = (const void *)operands;                                               \
        ELEMENT result = 0, parts[sizeof(VECTOR) / sizeof(ELEMENT)];                               \
        EACH_12(MULTIPLY_ZERO)                                                                     \
        for (int64_t r = 0; r < rounds; r++) {                                                     \
            EACH_12(MULTIPLY_STEP)                                                                 \
        }                                                                                          \
        EACH_12(MULTIPLY_JOIN)                                                                     \
        return result;                                                                             \
    }

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET_AVX2     __attribute__((target("avx2,fma")))
#define TARGET_AVX512   __attribute__((target("avx512f,avx512bw")))
#define TARGET_VNNI     __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define TARGET_BF16     __attribute__((target("avx512f,avx512bw,avx512bf16")))
#define TARGET_AVX_VNNI __attribute__((target("avx2,avxvnni")))

typedef int64_t words_32 __attribute__((vector_size(32), aligned(8)));
typedef int64_t words_64 __attribute__((vector_size(64), aligned(8)));
#define VECTOR words_32
READ(read_32, TARGET_AVX2)
#undef VECTOR
#define VECTOR words_64
READ(read_64, TARGET_AVX512)
#undef VECTOR

#define VECTOR         __m128
#define ZERO           _mm_setzero_ps()
#define MULTIPLY(s, x) _mm_add_ps(_mm_mul_ps(s, x), x)
ROUNDS(reals_16, , float, float)
#undef MULTIPLY
#undef ZERO
#undef VECTOR

/* Without an instruction for bytes, kernels multiply pairs of 16-bit numbers. */
#define VECTOR         __m128i
#define ZERO           _mm_setzero_si128()
#define MULTIPLY(s, x) _mm_add_epi32(s, _mm_madd_epi16(x, x))
ROUNDS(bytes_16, , int32_t, int8_t)
#undef MULTIPLY
#undef ZERO
#undef VECTOR

#define VECTOR         __m256
#define ZERO           _mm256_setzero_ps()
#define MULTIPLY(s, x) _mm256_fmadd_ps(s, _mm256_set1_ps(0.5F), x)
ROUNDS(reals_32, TARGET_AVX2, float, float)
#undef MULTIPLY
#undef ZERO
#undef VECTOR

#define VECTOR __m256i
#define ZERO   _mm256_setzero_si256()
#define MULTIPLY(s, x)                                                                             \
    _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(x, x), _mm256_set1_epi16(1)))
ROUNDS(bytes_32, TARGET_AVX2, int32_t, int8_t)
#undef MULTIPLY
#define MULTIPLY(s, x) _mm256_dpbusd_avx_epi32(s, x, x)
ROUNDS(vnni_32, TARGET_AVX_VNNI, int32_t, int8_t)
#undef MULTIPLY
#undef ZERO
#undef VECTOR

#define VECTOR         __m512
#define ZERO           _mm512_setzero_ps()
#define MULTIPLY(s, x) _mm512_fmadd_ps(s, _mm512_set1_ps(0.5F), x)
ROUNDS(reals_64, TARGET_AVX512, float, float)
#undef MULTIPLY
#undef ZERO
#undef VECTOR

#define VECTOR __m512i
#define ZERO   _mm512_setzero_si512()
#define MULTIPLY(s, x)                                                                             \
    _mm512_add_epi32(s, _mm512_madd_epi16(_mm512_maddubs_epi16(x, x), _mm512_set1_epi16(1)))
ROUNDS(bytes_64, TARGET_AVX512, int32_t, int8_t)
#undef MULTIPLY
#define MULTIPLY(s, x) _mm512_dpbusd_epi32(s, x, x)
ROUNDS(vnni_64, TARGET_VNNI, int32_t, int8_t)
#undef MULTIPLY
#undef ZERO
#undef VECTOR

/* Pairs of bf16, whose products are added up in f32. */
#define VECTOR         __m512
#define ZERO           _mm512_setzero_ps()
#define MULTIPLY(s, x) _mm512_dpbf16_ps(s, (__m512bh)(x), (__m512bh)(x))
ROUNDS(halves_64, TARGET_BF16, float, int8_t)

static void vectors_bf16(const int8_t *operand, int64_t rounds)
{
    halves_64(operand, rounds);
}

/* Four sums of 16 x 16, two tiles of rows and two of outputs: as kernels deal them.  Written out, for compilers that keep
 * the configuration's stores only when they see what reads them, and that know the instructions by other names. */
static void tiles_bf16(const int8_t *operand, int64_t rounds)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {.palette = 1};
    for (int tile = 0; tile < 8; tile++) {
        configuration.row_bytes[tile] = 64;
        configuration.rows[tile] = 16;
    }
    __asm__ volatile("ldtilecfg %0\n\ttilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\t"
                     "tilezero %%tmm3"
                     :
                     : "m"(configuration));
    for (int64_t r = 0; r < rounds; r++)
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm4\n\ttileloadd 1024(%0,%1,1), %%tmm6\n\t"
                         "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\ttileloadd 2048(%0,%1,1), %%tmm7\n\t"
                         "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\ttileloadd 3072(%0,%1,1), %%tmm5\n\t"
                         "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\ttdpbf16ps %%tmm7, %%tmm5, %%tmm3"
                         :
                         : "r"(operand), "r"((int64_t)64)
                         : "memory");
    __asm__ volatile("tilerelease");
}

static const double TILES_OPERATIONS = 4 * 16 * 16 * 32 * 2;

static void set_vectors(const struct probe_families *families, struct probe_loops *loops)
{
    int bytes = families->vector_bytes;
    if (bytes < 32) return;
    loops->read = bytes >= 64 ? read_64 : read_32;
    loops->real = bytes >= 64 ? reals_64 : reals_32;
    loops->integer = bytes >= 64 ? bytes_64 : bytes_32;
    loops->real_operations = SUMS * 2 * (double)bytes / 4;
    loops->integer_operations = SUMS * 2 * (double)bytes;
    if (families->vnni && bytes >= 64) loops->integer = vnni_64;
    if (families->avxvnni && bytes == 32) loops->integer = vnni_32;
    if (families->bf16 && bytes >= 64) {
        loops->half = vectors_bf16;
        loops->half_operations = SUMS * 32 * 2;
    }
}

struct probe_loops probe_loops_for(const struct probe_families *families)
{
    struct probe_loops loops = {.read = read_16,
                                .real = reals_16,
                                .integer = bytes_16,
                                .real_operations = SUMS * 4 * 2,
                                .integer_operations = SUMS * 8 * 2};
    set_vectors(families, &loops);
    if (families->tiles) {
        loops.half = tiles_bf16;
        loops.half_operations = TILES_OPERATIONS;
    }
    return loops;
}

#else

/* GCC's vector types become what the target has. */
typedef float reals __attribute__((vector_size(16), aligned(4)));
typedef int32_t words __attribute__((vector_size(16), aligned(4)));

#undef MULTIPLY_STEP
#define MULTIPLY_STEP(s) sum_##s = MULTIPLY(sum_##s, from[s]);

#define VECTOR reals
#define ZERO                                                                                       \
    {                                                                                              \
        0                                                                                          \
    }
#define MULTIPLY(s, x) ((s) * (x) + (x))
ROUNDS(reals_16, , float, float)
#undef VECTOR
#define VECTOR words
ROUNDS(words_16_round, , int32_t, int8_t)

struct probe_loops probe_loops_for(const struct probe_families *families)
{
    (void)families;
    return (struct probe_loops){.read = read_16,
                                .real = reals_16,
                                .integer = words_16_round,
                                .real_operations = SUMS * 4 * 2,
                                .integer_operations = SUMS * 4 * 2};
}

#endif
