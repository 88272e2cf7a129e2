/* Each loop is written once with vectors of a given width and instantiated with the target attribute of its family; on
 * other architectures only the plain width exists. */
#include "runtime/cpu_probe_loops.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { READ_STEP_BYTES = 128, PREFETCH_BYTES = 2048, ACCUMULATORS = 10 };

/* Reads two cache lines of every stream per step and asks for those 2 KiB ahead: one stream alone does not fill the memory
 * system's queues, hardware prefetchers stop at page ends. */
#define DEFINE_READ(name, attribute, bytes_wide)                                                   \
    typedef uint64_t name##_vector __attribute__((vector_size(bytes_wide), aligned(8)));           \
    attribute static uint64_t name(const uint8_t *memory, size_t bytes, int streams)               \
    {                                                                                              \
        size_t run = bytes / (size_t)streams / 4096 * 4096;                                        \
        name##_vector sum[8] = {0};                                                                \
        for (size_t at = 0; at < run; at += READ_STEP_BYTES)                                       \
            for (int s = 0; s < streams; s++) {                                                    \
                const uint8_t *line = memory + (size_t)s * run + at;                               \
                __builtin_prefetch(line + PREFETCH_BYTES);                                         \
                __builtin_prefetch(line + PREFETCH_BYTES + 64);                                    \
                for (int v = 0; v < READ_STEP_BYTES; v += bytes_wide)                              \
                    sum[s & 7] ^= *(const name##_vector *)(const void *)(line + v);                \
            }                                                                                      \
        uint64_t result = 0;                                                                       \
        for (int s = 0; s < 8; s++) result ^= sum[s][0] ^ sum[s][1];                               \
        return result;                                                                             \
    }

/* accumulator = accumulator * factor + operand: ten chains cover the latency of any recent core. */
#define DEFINE_REAL(name, attribute, bytes_wide)                                                   \
    typedef float name##_vector __attribute__((vector_size(bytes_wide), aligned(4)));              \
    attribute static float name(const float *operand, int64_t rounds)                              \
    {                                                                                              \
        name##_vector sums[ACCUMULATORS] = {{0}}, factor = {0};                                    \
        factor += 0.5f;                                                                            \
        const int lanes = bytes_wide / 4;                                                          \
        for (int64_t round = 0; round < rounds; round++)                                           \
            for (int a = 0; a < ACCUMULATORS; a++)                                                 \
                sums[a] = sums[a] * factor +                                                       \
                          *(const name##_vector *)(const void *)(operand +                         \
                                                                 ((round * 16) & 1023) + a * lanes); \
        float result = 0;                                                                          \
        for (int a = 0; a < ACCUMULATORS; a++) result += sums[a][0];                               \
        return result;                                                                             \
    }

#define CONTRACT __attribute__((optimize("fp-contract=fast", "unroll-loops", "O3")))
#define PLAIN __attribute__((optimize("O3", "unroll-loops")))

DEFINE_READ(read_plain, PLAIN, 16)
DEFINE_REAL(real_plain, CONTRACT, 16)

/* What any machine can do: the compiler's own vectorisation of an 8-bit dot product. */
PLAIN static int32_t integer_plain(const int8_t *operand, int64_t rounds)
{
    int32_t sum = 0;
    for (int64_t round = 0; round < rounds; round++)
        for (int i = 0; i < 64; i++)
            sum += (int32_t)operand[i] * (int32_t)operand[64 + ((i + (int)round) & 63)];
    return sum;
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2,fma"), optimize("fp-contract=fast", "unroll-loops", "O3")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,prefer-vector-width=512"), optimize("fp-contract=fast", "unroll-loops", "O3")))
DEFINE_READ(read_avx2, AVX2, 32)
DEFINE_REAL(real_avx2, AVX2, 32)
DEFINE_READ(read_avx512, AVX512, 64)
DEFINE_REAL(real_avx512, AVX512, 64)

AVX2 static int32_t integer_avx2(const int8_t *operand, int64_t rounds)
{
    __m256i sums[ACCUMULATORS], ones = _mm256_set1_epi16(1), factor = _mm256_set1_epi8(3);
    for (int a = 0; a < ACCUMULATORS; a++) sums[a] = _mm256_setzero_si256();
    for (int64_t round = 0; round < rounds; round++)
        for (int a = 0; a < ACCUMULATORS; a++) {
            const void *from = operand + ((round * 64) & 4095) + a * 32;
            __m256i products = _mm256_maddubs_epi16(factor, _mm256_loadu_si256(from));
            sums[a] = _mm256_add_epi32(sums[a], _mm256_madd_epi16(products, ones));
        }
    for (int a = 1; a < ACCUMULATORS; a++) sums[0] = _mm256_add_epi32(sums[0], sums[a]);
    return _mm256_extract_epi32(sums[0], 0);
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni"), optimize("O3", "unroll-loops"))) static int32_t
integer_vnni(const int8_t *operand, int64_t rounds)
{
    __m512i sums[ACCUMULATORS], factor = _mm512_set1_epi8(3);
    for (int a = 0; a < ACCUMULATORS; a++) sums[a] = _mm512_setzero_si512();
    for (int64_t round = 0; round < rounds; round++)
        for (int a = 0; a < ACCUMULATORS; a++)
            sums[a] = _mm512_dpbusd_epi32(sums[a], factor, _mm512_loadu_si512(operand + ((round * 64) & 4095) + a * 64));
    for (int a = 1; a < ACCUMULATORS; a++) sums[0] = _mm512_add_epi32(sums[0], sums[a]);
    return _mm512_cvtsi512_si32(sums[0]);
}
#endif

struct probe_loops probe_loops_for(int vector_bytes, int vnni, int avxvnni)
{
    struct probe_loops loops = {.read = read_plain,
                                .real = real_plain,
                                .integer = integer_plain,
                                .real_operations = 2.0 * 4 * ACCUMULATORS,
                                .integer_operations = 2.0 * 64};
#if defined(__x86_64__)
    (void)avxvnni; /* its dot product has the width of AVX2's and is measured with it */
    if (vector_bytes >= 32) {
        loops = (struct probe_loops){read_avx2, real_avx2, integer_avx2, 2.0 * 8 * ACCUMULATORS, 2.0 * 32 * ACCUMULATORS};
    }
    if (vector_bytes >= 64) {
        loops.read = read_avx512;
        loops.real = real_avx512;
        loops.real_operations = 2.0 * 16 * ACCUMULATORS;
        if (vnni) {
            loops.integer = integer_vnni;
            loops.integer_operations = 2.0 * 64 * ACCUMULATORS;
        }
    }
#else
    (void)vector_bytes;
    (void)vnni;
    (void)avxvnni;
#endif
    return loops;
}
