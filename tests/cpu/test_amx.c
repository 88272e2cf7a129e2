/* The instructions of AMX as the trap carries them out (amx_harness.h): against plain loops, in odd shapes, with state per
 * thread, and what it refuses.  On a processor that has tiles the same tests ask the processor. */
#include "base/random.h"
#include "runtime/cpu_probe_loops.h"
#include "tests/check.h"
#include "tests/cpu/amx_harness.h"

#if defined(__x86_64__)

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ROWS = 16, ROW_BYTES = 64, UNIT = 4, SPARE = 24 };

struct configuration {
    uint8_t bytes[64];
} __attribute__((aligned(64)));

/* A tile in memory, its rows further apart than they are long. */
struct rows {
    uint8_t bytes[ROWS][ROW_BYTES + SPARE];
} __attribute__((aligned(64)));

static struct configuration shape(int m, int k_bytes, int n)
{
    struct configuration c = {{1}};
    const int rows[3] = {m, k_bytes / UNIT, m}, row_bytes[3] = {n * UNIT, n * UNIT, k_bytes};
    for (int t = 0; t < 3; t++) {
        c.bytes[16 + 2 * t] = (uint8_t)row_bytes[t];
        c.bytes[48 + t] = (uint8_t)rows[t];
    }
    return c;
}

/* Tile 0: the sums, 1: the right operand, 2: the left one. */
#define CONFIGURE(c) __asm__ volatile("ldtilecfg %0" : : "m"(c))
#define DESCRIBE(c)  __asm__ volatile("sttilecfg %0" : "=m"(c))
#define RELEASE()    __asm__ volatile("tilerelease")
#define LOAD(t, from, gap)                                                                         \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #t : : "r"(from), "r"(gap) : "memory")
/* With a displacement and a scale. */
#define LOAD_ONCE(t, from, gap)                                                                    \
    __asm__ volatile("tileloaddt1 64(%0,%1,2), %%tmm" #t                                           \
                     :                                                                             \
                     : "r"((uintptr_t)(from)-64), "r"((gap) / 2)                                   \
                     : "memory")
#define STORE(t, to, gap)                                                                          \
    __asm__ volatile("tilestored %%tmm" #t ", (%0,%1,1)" : : "r"(to), "r"(gap) : "memory")
#define MULTIPLY(operation) __asm__ volatile(operation " %tmm1, %tmm2, %tmm0")

static void fill(struct rows *rows, uint64_t seed)
{
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < ROW_BYTES + SPARE; i++)
            rows->bytes[r][i] = (uint8_t)random_bits(seed, (uint64_t)r, (uint64_t)i);
}

/* Pairs of bf16 between -2 and 2. */
static void fill_numbers(struct rows *rows, uint64_t seed)
{
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i + 1 < ROW_BYTES; i += 2) {
            float number = (float)random_normal(seed, (uint64_t)r, (uint64_t)i);
            memcpy(&rows->bytes[r][i], (char *)&number + 2, 2);
        }
}

static int byte_at(const struct rows *rows, int row, int at, bool is_signed)
{
    return is_signed ? (int8_t)rows->bytes[row][at] : rows->bytes[row][at];
}

static int32_t right_sum(const struct rows *a, const struct rows *b, int m, int n, int k_bytes,
                         bool a_signed, bool b_signed)
{
    int32_t sum = 0;
    for (int k = 0; k < k_bytes; k++)
        sum += byte_at(a, m, k, a_signed) * byte_at(b, k / UNIT, n * UNIT + k % UNIT, b_signed);
    return sum;
}

static void multiply_bytes(int form, const struct rows *a, const struct rows *b, struct rows *sums)
{
    const int64_t gap = sizeof a->bytes[0];
    LOAD(0, sums, gap);
    LOAD_ONCE(1, b, gap);
    LOAD(2, a, gap);
    switch (form) {
    case 0: MULTIPLY("tdpbuud"); break;
    case 1: MULTIPLY("tdpbusd"); break;
    case 2: MULTIPLY("tdpbsud"); break;
    default: MULTIPLY("tdpbssd"); break;
    }
    STORE(0, sums, gap);
}

/* One product of this shape in all four forms: the sums, and nothing beside them. */
static void check_bytes(int m, int n, int k_bytes, uint64_t seed)
{
    struct rows a, b, before, sums;
    struct configuration c = shape(m, k_bytes, n), again;
    fill(&a, seed);
    fill(&b, seed + 1);
    CONFIGURE(c);
    DESCRIBE(again);
    assert_memory_equal(&c, &again, sizeof c);
    for (int form = 0; form < 4; form++) {
        fill(&before, seed + 2);
        sums = before;
        multiply_bytes(form, &a, &b, &sums);
        for (int row = 0; row < m; row++)
            for (int column = 0; column < n; column++) {
                int32_t first;
                memcpy(&first, &before.bytes[row][column * UNIT], sizeof first);
                uint32_t right = (uint32_t)first + (uint32_t)right_sum(&a, &b, row, column, k_bytes,
                                                                       form & 2, form & 1);
                memcpy(&before.bytes[row][column * UNIT], &right, sizeof right);
            }
        assert_memory_equal(&before, &sums, sizeof sums);
    }
    RELEASE();
}

static void products_of_bytes_are_exact(void **state)
{
    (void)state;
    (void)amx_harness_open();
    check_bytes(16, 16, 64, 1);
    check_bytes(1, 1, 4, 2);
    check_bytes(7, 5, 36, 3);
    check_bytes(16, 3, 32, 4);
}

static float bf16_at(const struct rows *rows, int row, int at)
{
    float number = 0;
    memcpy((char *)&number + 2, &rows->bytes[row][at], 2);
    return number;
}

static void products_of_bf16_agree_with_sums_in_double(void **state)
{
    (void)state;
    (void)amx_harness_open();
    struct rows a, b, sums;
    const int m = 11, n = 13, k_bytes = 60;
    struct configuration c = shape(m, k_bytes, n);
    fill_numbers(&a, 5);
    fill_numbers(&b, 6);
    CONFIGURE(c);
    __asm__ volatile("tilezero %tmm0");
    LOAD(1, &b, (int64_t)sizeof b.bytes[0]);
    LOAD(2, &a, (int64_t)sizeof a.bytes[0]);
    MULTIPLY("tdpbf16ps");
    MULTIPLY("tdpbf16ps");
    STORE(0, &sums, (int64_t)sizeof sums.bytes[0]);
    RELEASE();
    for (int row = 0; row < m; row++)
        for (int column = 0; column < n; column++) {
            double right = 0;
            float got;
            for (int k = 0; k < k_bytes / 2; k++)
                right += 2 * (double)bf16_at(&a, row, 2 * k) *
                         (double)bf16_at(&b, k / 2, column * UNIT + k % 2 * 2);
            memcpy(&got, &sums.bytes[row][column * UNIT], sizeof got);
            assert_true(fabs((double)got - right) < 1e-4);
        }
}

static void *other_thread(void *argument)
{
    (void)argument;
    check_bytes(3, 4, 8, 7);
    return NULL;
}

static void threads_have_their_own_tiles(void **state)
{
    (void)state;
    (void)amx_harness_open();
    struct rows a, b, sums, expected;
    pthread_t thread;
    struct configuration c = shape(16, 64, 16);
    fill(&a, 8);
    fill(&sums, 9);
    CONFIGURE(c);
    LOAD(0, &sums, (int64_t)sizeof sums.bytes[0]);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    expected = b = sums;
    STORE(0, &b, (int64_t)sizeof b.bytes[0]);
    assert_memory_equal(&b, &expected, sizeof b);
    RELEASE();
}

/* ---- What is refused ---- */

static void unconfigured(void)
{
    RELEASE();
    __asm__ volatile("tilezero %tmm0");
}

static void unfitting(void)
{
    struct configuration c = shape(16, 64, 16);
    c.bytes[48 + 1] = 15; /* rows of the right operand */
    CONFIGURE(c);
    MULTIPLY("tdpbf16ps");
}

static void left_out(void)
{
    struct configuration c = shape(16, 64, 16);
    CONFIGURE(c);
    __asm__ volatile("tilezero %tmm3");
}

static void large(void)
{
    struct configuration c = shape(17, 64, 16);
    CONFIGURE(c);
}

static void unknown_palette(void)
{
    struct configuration c = {{2}};
    CONFIGURE(c);
}

static void other_instruction(void)
{
    __asm__ volatile("ud2");
}

static void wrong_uses_end_the_process(void **state)
{
    static void (*const uses[])(void) = {unconfigured, unfitting,       left_out,
                                         large,        unknown_palette, other_instruction};
    (void)state;
    (void)amx_harness_open();
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
        int ended = 0;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            signal(SIGABRT, SIG_DFL);
            signal(SIGSEGV, SIG_DFL);
            uses[i]();
            _exit(0);
        }
        assert_int_equal(waitpid(child, &ended, 0), child);
        assert_true(WIFSIGNALED(ended) || WEXITSTATUS(ended) != 0);
    }
}

/* The probe's loop is right to the instruction. */
static void the_probe_runs(void **state)
{
    static const int8_t operand[PROBE_OPERAND_BYTES] __attribute__((aligned(64)));
    (void)state;
    bool trapped = amx_harness_open() == AMX_TRAPPED;
    long before = amx_harness_trapped();
    const struct probe_families with = {.vector_bytes = 64, .vnni = true, .tiles = true};
    const struct probe_families without = {.vector_bytes = 64, .vnni = true};
    struct probe_loops loops = probe_loops_for(&with);
    loops.half(operand, 3);
    assert_true(loops.half_operations == 4 * 16384);
    if (trapped) assert_int_equal(amx_harness_trapped() - before, 1 + 4 + 3 * 8 + 1);
    assert_null(probe_loops_for(&without).half);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_of_bytes_are_exact),
        cmocka_unit_test(products_of_bf16_agree_with_sums_in_double),
        cmocka_unit_test(threads_have_their_own_tiles),
        cmocka_unit_test(the_probe_runs),
        cmocka_unit_test(wrong_uses_end_the_process),
    };
    enum amx_way way = amx_harness_open();
    if (way == AMX_ABSENT) return 0;
    print_message("AMX: %s\n", way == AMX_REAL ? "the processor's" : "trapped, in software");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    print_message("%ld instructions carried out in software\n", amx_harness_trapped());
    return failed;
}

#else

int main(void)
{
    print_message("no x86-64: no tiles to test\n");
    return 0;
}

#endif
