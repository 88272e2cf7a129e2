/* Linears on the tensor cores that round activations to 8 or 4 bits, on numbers that such rounding keeps: the sums must
 * then be those of the reference but for the order of additions, so that a wrong scale, a swapped fragment or a
 * misplaced byte cannot hide behind the rounding.  HONE_TEST_SAMPLES=N takes N random configs beside the default,
 * HONE_TEST_CASES=WORD only the variants that contain the word. */
#include "base/random.h"
#include "codegen/cuda/nvrtc.h"
#include "ops/catalogue.h"
#include "tests/check.h"
#include "tests/ops/variant_harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char cards[] =
    "emulated:sm_89:1GiB,emulated:sm_120:1GiB,emulated:sm_86:1GiB,emulated:sm_90:1GiB";

/* Scaled sums in f32, in blocks and parts; relative to the largest output. */
static const double bound = 2e-5;

static struct variant_check all;

/* Which numbers survive. */
enum kept {
    KEPT_E4M3,  /* up to 15 eighths, times powers of two */
    KEPT_E2M1,  /* 0, 1/2, 1, 3/2, 2, 3, 4, 6, times powers of two per 32 */
    KEPT_NVFP4, /* the same with a 6 in each 16, so that scales are powers of two */
    KEPT_BYTES  /* whole numbers with a 127 in each 128 */
};

static const struct narrow_case {
    const char *text, *variant;
    enum kept kept;
    int rows;
} cases[] = {
    {"linear(f32[tokens,256], f8_e4m3_128[70,256], f32[70], f32[tokens,70])", "linear_tile_f8_cuda",
     KEPT_E4M3, 37},
    {"linear(f32[tokens,640], f8_e5m2_128[33,640])", "linear_tile_f8_cuda", KEPT_E4M3, 17},
    {"linear_gated(f32[tokens,256], f8_e4m3_128[64,256], f8_e4m3_128[64,256])",
     "linear_tile_f8_cuda", KEPT_E4M3, 9},
    {"linear_group(f32[tokens,128], f8_e4m3_128[24,128], f8_e4m3_128[9,128], f8_e4m3_128[9,128])",
     "linear_tile_f8_cuda", KEPT_E4M3, 70},
    {"linear(f32[tokens,256], f8_e4m3_128[70,256], f32[70], f32[tokens,70])",
     "linear_tile_f8_f16_cuda", KEPT_E4M3, 37},
    {"linear_gated(f32[tokens,640], f8_e5m2_128[64,640], f8_e5m2_128[64,640])",
     "linear_tile_f8_f16_cuda", KEPT_E4M3, 17},
    {"linear(f32[tokens,512], i8_128[70,512], f32[70])", "linear_tile_i8_cuda", KEPT_BYTES, 37},
    {"linear_gated(f32[tokens,128], i8_128[64,128], i8_128[64,128])", "linear_tile_i8_cuda",
     KEPT_BYTES, 9},
    {"linear(f32[tokens,256], f8_e4m3_128[128,256], f32[128], f32[tokens,128])",
     "linear_tile_mxf8_cuda", KEPT_E4M3, 37},
    {"linear(f32[tokens,640], f8_e5m2_128[33,640])", "linear_tile_mxf8_cuda", KEPT_E4M3, 17},
    {"linear(f32[tokens,640], mxfp4[70,640], f32[70])", "linear_tile_mxfp4_cuda", KEPT_E2M1, 37},
    {"linear_gated(f32[tokens,256], mxfp4[40,256], mxfp4[40,256])", "linear_tile_mxfp4_cuda",
     KEPT_E2M1, 9},
    {"linear_group(f32[tokens,128], mxfp4[24,128], mxfp4[9,128], mxfp4[9,128])",
     "linear_tile_mxfp4_cuda", KEPT_E2M1, 70},
    {"linear(f32[tokens,640], mxfp4[70,640], f32[70])", "linear_tile_mxf4_cuda", KEPT_E2M1, 37},
    {"linear_gated(f32[tokens,256], mxfp4[40,256], mxfp4[40,256])", "linear_tile_mxf4_cuda",
     KEPT_E2M1, 17},
    {"linear(f32[tokens,640], nvfp4_128[70,640], f32[70])", "linear_tile_nvf4_cuda", KEPT_NVFP4,
     37},
    {"linear_gated(f32[tokens,256], nvfp4_128[40,256], nvfp4_128[40,256])", "linear_tile_nvf4_cuda",
     KEPT_NVFP4, 17},
    {"linear_group(f32[tokens,128], nvfp4_128[24,128], nvfp4_128[9,128], nvfp4_128[9,128])",
     "linear_tile_nvf4_cuda", KEPT_NVFP4, 70},
};

/* Groups of columns differ by powers of two, and so do rows. */
static float number_kept(enum kept kept, uint64_t bits, int64_t row, int64_t column)
{
    float sign = bits & 1 ? -1 : 1;
    int piece = (int)((column / 32 + row) % 4 + (column / 128 * 2 + row) % 3);
    switch (kept) {
    case KEPT_E4M3: return ldexpf(sign * (float)(bits >> 1 & 15) / 8, piece);
    case KEPT_E2M1: return ldexpf(variant_e2m1_number(bits), piece);
    case KEPT_NVFP4:
        piece += (int)((column / 16 + 2 * row) % 3);
        return ldexpf(variant_e2m1_number(bits | (column % 16 == 5 ? 14 : 0)), piece);
    case KEPT_BYTES:
        return ldexpf(column % 128 == 77 ? 127 : sign * (float)(bits >> 1 & 63),
                      (int)((column / 128 + row) % 4));
    }
    return 0;
}

/* Random weights have blocks of much the same scale: here each differs from its neighbours', by a power of two. */
static void vary_scales(const struct tensor_type *type, unsigned char *bytes)
{
    const struct element *element = element_of(type->element);
    int64_t row_blocks = type->shape[1].scale / element->block_elements;
    for (int64_t block = 0; block < type->shape[0].scale * row_blocks; block++) {
        unsigned char *at = bytes + block * element->block_bytes;
        int turn = (int)((block / row_blocks + 2 * (block % row_blocks)) % 5);
        float scale;
        memcpy(&scale, at, sizeof scale);
        scale = ldexpf(scale, turn - 2);
        for (int g = 0; g < 8 && type->element == ELEMENT_NVFP4_128; g++)
            if (at[4 + g] >= 32) at[4 + g] = (unsigned char)(at[4 + g] - 8 * ((block + g) % 4));
        if (type->element == ELEMENT_MXFP4)
            *at = (unsigned char)(*at + turn);
        else
            memcpy(at, &scale, sizeof scale);
    }
}

static void fill_kept(struct op_trial *trial, enum kept kept)
{
    const struct problem *problem = trial->problem;
    int64_t columns = problem->operands[0].type.shape[1].scale;
    float *x = trial->originals[0];
    for (int64_t i = 0; i < trial->bytes[0] / (int64_t)sizeof *x; i++)
        x[i] =
            number_kept(kept, random_bits(trial->seed, 77, (uint64_t)i), i / columns, i % columns);
    for (int i = 1; i < problem->input_count; i++)
        if (problem->operands[i].present &&
            element_of(problem->operands[i].type.element)->block_elements > 1)
            vary_scales(&problem->operands[i].type, trial->originals[i]);
    variant_renew_trial(trial);
}

/* However the kernel says it rounds. */
static status judge(void *context, const struct space *space, const struct op_trial *trial,
                    struct diagnostic *diagnostic)
{
    (void)context;
    (void)space;
    for (int o = trial->problem->input_count; o < trial->count; o++) {
        if (!trial->bytes[o]) continue;
        const float *got = trial->operands[o], *expected = trial->expected[o];
        int64_t count = trial->bytes[o] / (int64_t)sizeof(float);
        float largest = 0;
        for (int64_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(expected[i]));
        for (int64_t i = 0; i < count; i++)
            if (!(fabs((double)got[i] - (double)expected[i]) <= bound * (double)largest))
                return fail(diagnostic, STATUS_MISMATCH, "output %d: element %lld is %g, not %g", o,
                            (long long)i, (double)got[i], (double)expected[i]);
    }
    return STATUS_OK;
}

/* On every card that has the instructions. */
static int check_case(const struct narrow_case *row, uint64_t seed)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {.rows = row->rows};
    struct variant_check own = all;
    struct problem *problem;
    struct op_trial *trial;
    own.judge = judge;
    const struct space *only[] = {catalogue_find(&all.catalogue, row->variant), NULL};
    assert_non_null(only[0]);
    own.catalogue = (struct catalogue){.spaces = only, .count = 1};
    CHECK_OK(op_case_problem(row->text, row->rows + 20, 0, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, seed, arena, &trial, &diagnostic));
    fill_kept(trial, row->kept);
    int answers = variant_check_trial(&own, trial, 1);
    all.tried = own.tried;
    all.draws = own.draws;
    arena_destroy(arena);
    return answers;
}

static void numbers_that_survive_rounding(void **state)
{
    (void)state;
    const char *wanted = getenv("HONE_TEST_CASES");
    int answers = 0, tried = 0;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        if (wanted && !strstr(cases[c].variant, wanted)) continue;
        answers += check_case(&cases[c], c + 1);
        tried++;
    }
    assert_true(answers > 0 || !tried);
}

static int tear_down(void **state)
{
    (void)state;
    variant_check_destroy(&all);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbers_that_survive_rounding)};
    if (strcmp(nvrtc_identity(), "none") == 0) {
        print_message("skipped: NVRTC is not here, so no CUDA kernel can be compiled\n");
        return 0;
    }
    if (!variant_check_open(&all, 1, cards)) {
        print_message("skipped: the stand-in driver is not here, so no CUDA kernel can run\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
