/* The kernels of linear operators for many rows with chosen configs, one per path through them, against the operators'
 * references on the stand-in driver; odd sizes, and steps below the bucket's bound.  A card that takes the place of the
 * stand-in's leaves out what it cannot do. */
#include "codegen/cuda/nvrtc.h"
#include "tests/check.h"
#include "tests/ops/device_harness.h"
#include "tests/ops/variant_harness.h"

/* One list, because a process has one driver. */
static const char cards[] = "emulated:sm_90:1GiB,emulated:sm_86:1GiB,emulated:sm_75:1GiB";
enum card { HOPPER, AMPERE, TURING };

static struct variant_check check;

struct chosen {
    enum card card;
    const char *variant, *config, *problem;
    int64_t bound, rows; /* of the bucket, of the step */
};

#define BIASED    "linear(f32[tokens,136], bf16[200,136], f32[200], f32[tokens,200])"
#define PLAIN     "linear(f32[tokens,328], bf16[72,328])"
#define PLAIN_F16 "linear(f32[tokens,264], f16[200,264], _, f32[tokens,200])"
#define GROUP     "linear_group(f32[tokens,72], bf16[72,72], bf16[40,72], bf16[24,72], _, f32[40])"
#define PAIR      "linear_group(f32[tokens,64], f16[72,64], f16[64,64])"
#define GATED     "linear_gated(f32[tokens,200], bf16[104,200], bf16[104,200])"
#define GATED_F16 "linear_gated(f32[tokens,72], f16[72,72], f16[72,72]) {activation=gelu_tanh}"

static const struct chosen warpgroup_rows[] = {
#define BF16 HOPPER, "linear_warpgroup_bf16_cuda"
#define F16  HOPPER, "linear_warpgroup_f16_cuda"
    {BF16, "tile_rows=64 tile_outputs=64 consumers=1 stages=2 cluster=1 split=1 raster=1 stream=0",
     BIASED, 8, 1},
    {BF16, "tile_rows=64 tile_outputs=64 consumers=1 stages=4 cluster=1 split=1 raster=1 stream=0",
     BIASED, 20, 17},
    {BF16,
     "tile_rows=128 tile_outputs=128 consumers=2 stages=3 cluster=1 split=1 raster=1 stream=0",
     BIASED, 255, 255},
    {BF16,
     "tile_rows=128 tile_outputs=128 consumers=1 stages=3 cluster=1 split=1 raster=4 stream=0",
     BIASED, 300, 255},
    {BF16, "tile_rows=64 tile_outputs=192 consumers=1 stages=2 cluster=1 split=1 raster=4 stream=0",
     BIASED, 140, 129},
    {BF16,
     "tile_rows=128 tile_outputs=256 consumers=2 stages=3 cluster=1 split=1 raster=1 stream=0",
     BIASED, 70, 67},
    {BF16,
     "tile_rows=256 tile_outputs=128 consumers=2 stages=3 cluster=1 split=1 raster=1 stream=0",
     BIASED, 300, 3},
    {BF16, "tile_rows=64 tile_outputs=64 consumers=1 stages=3 cluster=2 split=1 raster=1 stream=0",
     BIASED, 150, 129},
    {BF16,
     "tile_rows=128 tile_outputs=128 consumers=2 stages=2 cluster=2 split=1 raster=1 stream=0",
     BIASED, 255, 255},
    {BF16, "tile_rows=64 tile_outputs=64 consumers=1 stages=2 cluster=1 split=2 raster=1 stream=0",
     PLAIN, 17, 17},
    {BF16, "tile_rows=64 tile_outputs=64 consumers=1 stages=3 cluster=2 split=2 raster=1 stream=0",
     PLAIN, 255, 200},
    {BF16, "tile_rows=64 tile_outputs=64 consumers=1 stages=2 cluster=1 split=1 raster=1 stream=0",
     GROUP, 17, 17},
    {BF16, "tile_rows=128 tile_outputs=64 consumers=2 stages=2 cluster=2 split=1 raster=1 stream=0",
     GROUP, 255, 130},
    {BF16, "tile_rows=64 tile_outputs=32 consumers=1 stages=4 cluster=1 split=1 raster=1 stream=0",
     GATED, 17, 3},
    {BF16, "tile_rows=64 tile_outputs=96 consumers=1 stages=2 cluster=1 split=2 raster=1 stream=0",
     GATED, 70, 65},
    {BF16,
     "tile_rows=128 tile_outputs=128 consumers=2 stages=2 cluster=2 split=1 raster=1 stream=0",
     GATED, 150, 150},
    {F16, "tile_rows=64 tile_outputs=64 consumers=1 stages=5 cluster=1 split=1 raster=1 stream=0",
     PLAIN_F16, 17, 17},
    {F16, "tile_rows=128 tile_outputs=192 consumers=2 stages=2 cluster=1 split=1 raster=1 stream=0",
     PLAIN_F16, 130, 129},
    {F16, "tile_rows=64 tile_outputs=64 consumers=1 stages=2 cluster=2 split=2 raster=1 stream=0",
     PLAIN_F16, 80, 67},
    {F16, "tile_rows=64 tile_outputs=64 consumers=1 stages=2 cluster=1 split=1 raster=1 stream=0",
     PAIR, 17, 5},
    {F16, "tile_rows=64 tile_outputs=64 consumers=1 stages=2 cluster=1 split=1 raster=1 stream=0",
     GATED_F16, 67, 67},
#undef BF16
#undef F16
    {0},
};

#define DEEP       "linear(f32[tokens,648], bf16[600,648], f32[600], f32[tokens,600])"
#define DEEP_GATED "linear_gated(f32[tokens,1032], f16[200,1032], f16[200,1032])"
#define DEEP_GROUP "linear_group(f32[tokens,648], bf16[328,648], bf16[104,648], bf16[72,648])"
static const struct chosen stream_rows[] = {
#define TILE(variant, raster)                                                                      \
    AMPERE, "linear_tile_" variant "_cuda",                                                        \
        "tile_rows=16 tile_outputs=32 tile_columns=32 row_warps=1 output_warps=2 stages=3 "        \
        "split=1 raster=" raster
#define BYTES "linear(f32[tokens,544], q4_0[96,544], _, f32[tokens,96])"
    {TILE("bf16", "1 stream=1"), BIASED, 84, 84},
    {TILE("bf16", "4 stream=1"), BIASED, 200, 3},
    {TILE("bf16", "4 stream=2"), BIASED, 255, 201},
    {TILE("bf16", "16 stream=1"), BIASED, 620, 600},
    {TILE("bf16", "4 stream=1"), GATED, 255, 255},
    {TILE("f16", "1 stream=2"), PLAIN_F16, 150, 67},
    {TILE("bf16", "1 stream=1"), GROUP, 255, 129},
#undef TILE
#define GROUP_64(type, cluster, raster)                                                            \
    HOPPER, "linear_warpgroup_" type "_cuda",                                                      \
        "tile_rows=64 tile_outputs=64 consumers=1 stages=3 cluster=" cluster                       \
        " split=1 raster=" raster
    {GROUP_64("bf16", "1", "4 stream=1"), DEEP, 300, 300},
    {GROUP_64("bf16", "1", "4 stream=2"), DEEP, 900, 803},
    {GROUP_64("bf16", "2", "4 stream=1"), DEEP, 2000, 1900},
    {GROUP_64("bf16", "2", "1 stream=1"), DEEP, 300, 67},
    {GROUP_64("f16", "2", "1 stream=1"), DEEP_GATED, 260, 255},
    {GROUP_64("bf16", "1", "1 stream=1"), DEEP_GROUP, 255, 255},
#undef GROUP_64
    {AMPERE, "linear_tile_bytes_cuda",
     "tile_rows=16 tile_outputs=32 tile_columns=64 row_warps=1 output_warps=2 stages=2 split=1 "
     "raster=1 stream=1",
     BYTES, 100, 97},
    {0},
};

static const struct chosen half_rows[] = {
#define HALF(columns, stages)                                                                      \
    "linear_tile_half_cuda",                                                                       \
        "tile_rows=32 tile_outputs=64 tile_columns=" columns                                       \
        " row_warps=2 output_warps=2 stages=" stages " split=1 raster=1 stream=0"
    {AMPERE, HALF("64", "3"), PLAIN_F16, 70, 67},
    {AMPERE, HALF("32", "2"), GATED_F16, 24, 17},
    {AMPERE, HALF("64", "2"), BYTES, 40, 33},
    {TURING, HALF("64", "2"), PLAIN_F16, 40, 3},
#undef HALF
    {0},
};

static void make_trial(const struct chosen *row, struct arena *arena, struct op_trial **trial)
{
    struct diagnostic diagnostic = {0};
    struct op_step step = {row->rows, 0, 0};
    struct problem *problem;
    CHECK_OK(op_case_problem(row->problem, row->bound, 0, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, (uint64_t)row->rows, arena, trial, &diagnostic));
}

static void check_rows(const struct chosen *table)
{
    for (const struct chosen *row = table; row->variant; row++) {
        struct arena *arena = arena_create(0);
        struct op_trial *trial;
        make_trial(row, arena, &trial);
        bool legal = variant_check_config(&check, (int)row->card, row->variant, row->config, trial,
                                          variant_rounded_bound);
        assert_true(legal || device_harness_has_card());
        arena_destroy(arena);
    }
}

static void test_warpgroups(void **unused)
{
    (void)unused;
    check_rows(warpgroup_rows);
}

static void test_streams(void **unused)
{
    (void)unused;
    check_rows(stream_rows);
}

static void test_half_sums(void **unused)
{
    (void)unused;
    check_rows(half_rows);
}

/* The default config, and with 17 rows a random one. */
static void test_samples(void **unused)
{
    (void)unused;
    static const char *const variants[] = {"linear_warpgroup_bf16_cuda",
                                           "linear_warpgroup_f16_cuda", "linear_tile_bf16_cuda",
                                           "linear_tile_f16_cuda"};
    static const char *const problems[] = {BIASED, PLAIN_F16, GROUP, GATED};
    static const int64_t rows[] = {1, 3, 17, 255};
    enum { VARIANTS = 4, PROBLEMS = 4, ROWS = 4 };
    int answers = 0;
    for (int p = 0; p < PROBLEMS * ROWS; p++) {
        const int64_t count = rows[p % ROWS];
        const struct chosen row = {
            .problem = problems[p / ROWS], .bound = count + 8, .rows = count};
        struct arena *arena = arena_create(0);
        struct op_trial *trial;
        make_trial(&row, arena, &trial);
        check.samples = count == 17;
        for (int v = 0; v < (count < 17 ? 2 : VARIANTS); v++)
            answers += variant_check_one(&check, v < 2 ? HOPPER : AMPERE, variants[v], trial,
                                         variant_rounded_bound);
        arena_destroy(arena);
    }
    assert_true(answers == PROBLEMS * (ROWS + 2) || device_harness_has_card());
}

/* A name picks one of them. */
int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_warpgroups),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_half_sums),
        cmocka_unit_test(test_samples),
    };
    if (strcmp(nvrtc_identity(), "none") == 0) {
        print_message("skipped: NVRTC is not here, so no CUDA kernel can be compiled\n");
        return 0;
    }
    if (!variant_check_open(&check, 1, cards)) {
        print_message("skipped: the stand-in driver is not here, so no CUDA kernel can run\n");
        return 0;
    }
    check.judge = variant_judge_unit;
    if (count > 1) cmocka_set_test_filter(words[1]);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    variant_check_destroy(&check);
    return failed;
}
