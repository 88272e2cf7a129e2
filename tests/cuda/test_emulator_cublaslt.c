/* The stand-in cuBLASLt by itself: products against sums in double precision, every algorithm that it lists, refusals,
 * capture, and scripted faults. */
#include "emulator/emulator.h"
#include "tests/check.h"

#if defined(__has_include)
#if __has_include(<cublasLt.h>)
#define HAVE_CUBLASLT_HEADER 1
#endif
#endif

#ifdef HAVE_CUBLASLT_HEADER

#include <cublasLt.h>
#include <cuda.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(name)       #name
#define EXPANDED_TEXT(name) TEXT_OF(name)
#define DRIVER_FUNCTIONS(F)                                                                                            \
    F(cuInit) F(cuDevicePrimaryCtxRetain) F(cuCtxSetCurrent) F(cuStreamCreate) F(cuStreamDestroy) F(cuStreamSynchronize) \
    F(cuStreamBeginCapture) F(cuStreamEndCapture) F(cuGraphInstantiateWithFlags) F(cuGraphLaunch) F(cuGraphExecDestroy)  \
    F(cuGraphDestroy) F(cuMemAlloc) F(cuMemFree) F(cuMemcpyHtoDAsync) F(cuMemcpyDtoHAsync) F(cuMemsetD8Async)           \
    F(cuEventCreate) F(cuEventDestroy) F(cuEventRecord) F(cuEventElapsedTime)
#define LIBRARY_FUNCTIONS(F)                                                                                           \
    F(cublasLtCreate) F(cublasLtDestroy) F(cublasLtGetVersion) F(cublasLtMatmulDescCreate) F(cublasLtMatmulDescDestroy)  \
    F(cublasLtMatmulDescSetAttribute) F(cublasLtMatrixLayoutCreate) F(cublasLtMatrixLayoutDestroy)                      \
    F(cublasLtMatrixLayoutSetAttribute) F(cublasLtMatmulPreferenceCreate) F(cublasLtMatmulPreferenceDestroy)            \
    F(cublasLtMatmulPreferenceSetAttribute) F(cublasLtMatmulAlgoGetHeuristic) F(cublasLtMatmulAlgoGetIds)               \
    F(cublasLtMatmulAlgoInit) F(cublasLtMatmulAlgoCapGetAttribute) F(cublasLtMatmulAlgoConfigSetAttribute)              \
    F(cublasLtMatmulAlgoCheck) F(cublasLtMatmul)

enum { LISTED_MAX = 64, WORKSPACE_BYTES = 1 << 20 };

struct bench {
    void *driver, *library;
#define FIELD(name) __typeof__(&name) name;
    DRIVER_FUNCTIONS(FIELD) LIBRARY_FUNCTIONS(FIELD)
#undef FIELD
    cublasLtHandle_t handle;
    CUstream stream;
    CUdeviceptr workspace;
};

/* y[rows][outputs] = x[rows][inner] w[outputs][inner]^T (+ bias) (+ c), in columns as the product asks it. */
struct matmul {
    int rows, outputs, inner;
    bool bias, residual;
    cublasLtMatmulDesc_t operation;
    cublasLtMatrixLayout_t w_layout, x_layout, y_layout;
    CUdeviceptr w, x, y, c, b;
    float *expected;
};

static uint16_t round_bfloat(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

static float widen(uint16_t code)
{
    uint32_t bits = (uint32_t)code << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static bool bench_open(struct bench *bench, const char *cards, const char *faults)
{
    CUcontext context;
    *bench = (struct bench){0};
    setenv("HONE_EMULATED_CARDS", cards, 1);
    setenv("HONE_EMULATOR_QUIET", "1", 1);
    if (faults)
        setenv("HONE_EMULATOR_FAULTS", faults, 1);
    else
        unsetenv("HONE_EMULATOR_FAULTS");
    bench->driver = dlopen(HONE_BUILD_FOLDER "/lib/hone/emulator/libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    bench->library = dlopen(HONE_BUILD_FOLDER "/lib/hone/emulator/libcublasLt.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!bench->driver || !bench->library) {
        print_message("skipped: the stand-in cuBLASLt was not built\n");
        return false;
    }
#define FIND(name)                                                                                                     \
    if (!(*(void **)&bench->name = dlsym(bench->driver, EXPANDED_TEXT(name)))) CHECK_FAIL("no %s", #name);
    DRIVER_FUNCTIONS(FIND)
#undef FIND
#define FIND(name)                                                                                                     \
    if (!(*(void **)&bench->name = dlsym(bench->library, EXPANDED_TEXT(name)))) CHECK_FAIL("no %s", #name);
    LIBRARY_FUNCTIONS(FIND)
#undef FIND
    assert_int_equal(bench->cuInit(0), CUDA_SUCCESS);
    assert_int_equal(bench->cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    assert_int_equal(bench->cuCtxSetCurrent(context), CUDA_SUCCESS);
    assert_int_equal(bench->cuStreamCreate(&bench->stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
    assert_int_equal(bench->cuMemAlloc(&bench->workspace, WORKSPACE_BYTES), CUDA_SUCCESS);
    return true;
}

static void bench_start(struct bench *bench)
{
    assert_int_equal(bench->cublasLtCreate(&bench->handle), CUBLAS_STATUS_SUCCESS);
}

static void bench_close(struct bench *bench)
{
    if (bench->handle) bench->cublasLtDestroy(bench->handle);
    bench->cuStreamDestroy(bench->stream);
    bench->cuMemFree(bench->workspace);
    dlclose(bench->library);
    dlclose(bench->driver);
}

static CUdeviceptr send(struct bench *bench, const void *bytes, size_t count)
{
    CUdeviceptr address;
    assert_int_equal(bench->cuMemAlloc(&address, count), CUDA_SUCCESS);
    assert_int_equal(bench->cuMemcpyHtoDAsync(address, bytes, count, bench->stream), CUDA_SUCCESS);
    return address;
}

static float draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (float)(int32_t)(*state >> 33) / (float)(1 << 30) - 1;
}

static CUdeviceptr send_bfloats(struct bench *bench, int count, uint64_t *state, float *values)
{
    uint16_t *codes = malloc((size_t)count * sizeof *codes);
    for (int i = 0; i < count; i++) {
        codes[i] = round_bfloat(draw(state));
        values[i] = widen(codes[i]);
    }
    CUdeviceptr address = send(bench, codes, (size_t)count * sizeof *codes);
    free(codes);
    return address;
}

static CUdeviceptr send_floats(struct bench *bench, int count, uint64_t *state, float *values)
{
    for (int i = 0; i < count; i++) values[i] = draw(state);
    return send(bench, values, (size_t)count * sizeof *values);
}

static void expect(struct matmul *matmul, const float *x, const float *w, const float *b, const float *c)
{
    for (int r = 0; r < matmul->rows; r++)
        for (int n = 0; n < matmul->outputs; n++) {
            double sum = matmul->bias ? (double)b[n] : 0;
            for (int k = 0; k < matmul->inner; k++)
                sum += (double)x[r * matmul->inner + k] * (double)w[n * matmul->inner + k];
            if (matmul->residual) sum += (double)c[r * matmul->outputs + n];
            matmul->expected[r * matmul->outputs + n] = (float)sum;
        }
}

static void describe(struct bench *bench, struct matmul *matmul)
{
    const int32_t transposed = CUBLAS_OP_T, epilogue = CUBLASLT_EPILOGUE_BIAS;
    const void *bias = (const void *)(uintptr_t)matmul->b;
    uint64_t rows = (uint64_t)matmul->rows, outputs = (uint64_t)matmul->outputs, inner = (uint64_t)matmul->inner;
    bench->cublasLtMatmulDescCreate(&matmul->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    bench->cublasLtMatmulDescSetAttribute(matmul->operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    if (matmul->bias) {
        bench->cublasLtMatmulDescSetAttribute(matmul->operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
        bench->cublasLtMatmulDescSetAttribute(matmul->operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
    }
    bench->cublasLtMatrixLayoutCreate(&matmul->w_layout, CUDA_R_16BF, inner, outputs, matmul->inner);
    bench->cublasLtMatrixLayoutCreate(&matmul->x_layout, CUDA_R_16BF, inner, rows, matmul->inner);
    bench->cublasLtMatrixLayoutCreate(&matmul->y_layout, CUDA_R_32F, outputs, rows, matmul->outputs);
}

static void matmul_open(struct bench *bench, struct matmul *matmul)
{
    uint64_t state = 7;
    int rows = matmul->rows, outputs = matmul->outputs, inner = matmul->inner;
    float *x = malloc((size_t)(rows * inner) * sizeof *x), *w = malloc((size_t)(outputs * inner) * sizeof *w);
    float *b = malloc((size_t)outputs * sizeof *b), *c = malloc((size_t)(rows * outputs) * sizeof *c);
    matmul->expected = malloc((size_t)(rows * outputs) * sizeof(float));
    matmul->x = send_bfloats(bench, rows * inner, &state, x);
    matmul->w = send_bfloats(bench, outputs * inner, &state, w);
    matmul->b = send_floats(bench, outputs, &state, b);
    matmul->c = send_floats(bench, rows * outputs, &state, c);
    assert_int_equal(bench->cuMemAlloc(&matmul->y, (size_t)(rows * outputs) * sizeof(float)), CUDA_SUCCESS);
    expect(matmul, x, w, b, c);
    describe(bench, matmul);
    free(x), free(w), free(b), free(c);
}

static void matmul_close(struct bench *bench, struct matmul *matmul)
{
    const CUdeviceptr all[] = {matmul->x, matmul->w, matmul->b, matmul->c, matmul->y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) bench->cuMemFree(all[i]);
    bench->cublasLtMatmulDescDestroy(matmul->operation);
    bench->cublasLtMatrixLayoutDestroy(matmul->w_layout);
    bench->cublasLtMatrixLayoutDestroy(matmul->x_layout);
    bench->cublasLtMatrixLayoutDestroy(matmul->y_layout);
    free(matmul->expected);
}

static int list(struct bench *bench, struct matmul *matmul, uint64_t workspace_bytes,
                cublasLtMatmulHeuristicResult_t results[LISTED_MAX])
{
    cublasLtMatmulPreference_t preference;
    int count = 0;
    bench->cublasLtMatmulPreferenceCreate(&preference);
    bench->cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                                sizeof workspace_bytes);
    cublasStatus_t result = bench->cublasLtMatmulAlgoGetHeuristic(bench->handle, matmul->operation, matmul->w_layout,
                                                                  matmul->x_layout, matmul->y_layout, matmul->y_layout,
                                                                  preference, LISTED_MAX, results, &count);
    bench->cublasLtMatmulPreferenceDestroy(preference);
    return result == CUBLAS_STATUS_SUCCESS ? count : -(int)result;
}

static cublasStatus_t multiply(struct bench *bench, struct matmul *matmul, const cublasLtMatmulAlgo_t *algo,
                               size_t workspace_bytes)
{
    const float alpha = 1, beta = matmul->residual ? 1 : 0;
    return bench->cublasLtMatmul(bench->handle, matmul->operation, &alpha, (void *)(uintptr_t)matmul->w,
                                 matmul->w_layout, (void *)(uintptr_t)matmul->x, matmul->x_layout, &beta,
                                 (void *)(uintptr_t)matmul->c, matmul->y_layout, (void *)(uintptr_t)matmul->y,
                                 matmul->y_layout, algo, (void *)(uintptr_t)bench->workspace, workspace_bytes,
                                 bench->stream);
}

static void check_result(struct bench *bench, const struct matmul *matmul)
{
    int count = matmul->rows * matmul->outputs;
    float *y = malloc((size_t)count * sizeof *y);
    assert_int_equal(bench->cuMemcpyDtoHAsync(y, matmul->y, (size_t)count * sizeof *y, bench->stream), CUDA_SUCCESS);
    assert_int_equal(bench->cuStreamSynchronize(bench->stream), CUDA_SUCCESS);
    for (int i = 0; i < count; i++)
        if (!(fabsf(y[i] - matmul->expected[i]) <= 1e-4f * (float)matmul->inner))
            CHECK_FAIL("element %d is %g, must be %g", i, (double)y[i], (double)matmul->expected[i]);
    assert_int_equal(bench->cuMemsetD8Async(matmul->y, 0xff, (size_t)count * sizeof *y, bench->stream), CUDA_SUCCESS);
    free(y);
}

static void every_algorithm_computes_the_product(void **unused)
{
    static const struct matmul shapes[] = {{.rows = 17, .outputs = 40, .inner = 64},
                                           {.rows = 5, .outputs = 33, .inner = 24, .bias = true},
                                           {.rows = 31, .outputs = 64, .inner = 96, .residual = true},
                                           {.rows = 1, .outputs = 7, .inner = 13, .bias = true, .residual = true}};
    (void)unused;
    struct bench bench;
    if (!bench_open(&bench, "sm_86:1GiB", NULL)) skip();
    bench_start(&bench);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        cublasLtMatmulHeuristicResult_t results[LISTED_MAX];
        struct matmul matmul = shapes[s];
        matmul_open(&bench, &matmul);
        int count = list(&bench, &matmul, WORKSPACE_BYTES, results);
        assert_true(matmul.inner % 8 ? count == 1 : count > 8);
        for (int r = 0; r < count; r++) {
            assert_int_equal(multiply(&bench, &matmul, &results[r].algo, WORKSPACE_BYTES), CUBLAS_STATUS_SUCCESS);
            check_result(&bench, &matmul);
        }
        assert_int_equal(multiply(&bench, &matmul, NULL, 0), CUBLAS_STATUS_SUCCESS);
        check_result(&bench, &matmul);
        matmul_close(&bench, &matmul);
    }
    bench_close(&bench);
}

static void the_first_of_the_list_is_not_always_the_fastest(void **unused)
{
    (void)unused;
    struct matmul matmul = {.rows = 190, .outputs = 700, .inner = 512};
    cublasLtMatmulHeuristicResult_t results[LISTED_MAX];
    struct bench bench;
    CUevent events[2];
    float least = INFINITY, first = 0, took;
    if (!bench_open(&bench, "sm_86:1GiB", NULL)) skip();
    bench_start(&bench);
    matmul_open(&bench, &matmul);
    int count = list(&bench, &matmul, 0, results);
    for (int e = 0; e < 2; e++) bench.cuEventCreate(&events[e], CU_EVENT_DEFAULT);
    for (int r = 0; r < count; r++) {
        bench.cuEventRecord(events[0], bench.stream);
        assert_int_equal(multiply(&bench, &matmul, &results[r].algo, 0), CUBLAS_STATUS_SUCCESS);
        bench.cuEventRecord(events[1], bench.stream);
        assert_int_equal(bench.cuEventElapsedTime(&took, events[0], events[1]), CUDA_SUCCESS);
        if (r == 0) first = took;
        least = fminf(least, took);
    }
    assert_true(least < first);
    for (int e = 0; e < 2; e++) bench.cuEventDestroy(events[e]);
    matmul_close(&bench, &matmul);
    bench_close(&bench);
}

/* Operands that are multiples of 2 only: no algorithm with wide loads is listed, and none of these runs. */
static void addresses_that_do_not_fit_are_noticed(void **unused)
{
    (void)unused;
    struct matmul matmul = {.rows = 9, .outputs = 48, .inner = 32};
    cublasLtMatmulHeuristicResult_t results[LISTED_MAX];
    cublasLtMatmulPreference_t preference;
    const uint32_t two = 2;
    struct bench bench;
    int count = 0;
    if (!bench_open(&bench, "sm_86:1GiB", NULL)) skip();
    bench_start(&bench);
    matmul_open(&bench, &matmul);
    bench.cublasLtMatmulPreferenceCreate(&preference);
    bench.cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &two, sizeof two);
    assert_int_equal(bench.cublasLtMatmulAlgoGetHeuristic(bench.handle, matmul.operation, matmul.w_layout, matmul.x_layout,
                                                          matmul.y_layout, matmul.y_layout, preference, LISTED_MAX,
                                                          results, &count),
                     CUBLAS_STATUS_SUCCESS);
    assert_int_equal(count, 1);
    bench.cublasLtMatmulPreferenceDestroy(preference);
    CUdeviceptr right = matmul.y;
    matmul.y += 4;
    assert_true(list(&bench, &matmul, 0, results) > 1);
    assert_int_equal(multiply(&bench, &matmul, &results[0].algo, 0), CUBLAS_STATUS_NOT_SUPPORTED);
    matmul.y = right;
    matmul_close(&bench, &matmul);
    bench_close(&bench);
}

/* What the list gives can be put together by hand, and AlgoCheck agrees with it. */
static void algorithms_are_built_from_capabilities(void **unused)
{
    (void)unused;
    struct matmul matmul = {.rows = 9, .outputs = 48, .inner = 32};
    cublasLtMatmulHeuristicResult_t result;
    cublasLtMatmulAlgo_t algo;
    struct bench bench;
    uint32_t tiles[32], stages[32], reduction = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    size_t tile_bytes = 0, stage_bytes = 0;
    int ids[8], count = 0, splits = 4;
    if (!bench_open(&bench, "sm_86:1GiB", NULL)) skip();
    bench_start(&bench);
    matmul_open(&bench, &matmul);
    assert_int_equal(bench.cublasLtMatmulAlgoGetIds(bench.handle, CUBLAS_COMPUTE_32F, CUDA_R_32F, CUDA_R_16BF,
                                                    CUDA_R_16BF, CUDA_R_32F, CUDA_R_32F, 8, ids, &count),
                     CUBLAS_STATUS_SUCCESS);
    assert_int_equal(count, 2);
    assert_int_equal(bench.cublasLtMatmulAlgoInit(bench.handle, CUBLAS_COMPUTE_32F, CUDA_R_32F, CUDA_R_16BF, CUDA_R_16BF,
                                                  CUDA_R_32F, CUDA_R_32F, ids[1], &algo),
                     CUBLAS_STATUS_SUCCESS);
    bench.cublasLtMatmulAlgoCapGetAttribute(&algo, CUBLASLT_ALGO_CAP_TILE_IDS, tiles, sizeof tiles, &tile_bytes);
    bench.cublasLtMatmulAlgoCapGetAttribute(&algo, CUBLASLT_ALGO_CAP_STAGES_IDS, stages, sizeof stages, &stage_bytes);
    assert_true(tile_bytes >= sizeof *tiles && stage_bytes >= sizeof *stages);
    assert_int_equal(bench.cublasLtMatmulAlgoCheck(bench.handle, matmul.operation, matmul.w_layout, matmul.x_layout,
                                                   matmul.y_layout, matmul.y_layout, &algo, &result),
                     CUBLAS_STATUS_INVALID_VALUE); /* it has no tile yet */
    bench.cublasLtMatmulAlgoConfigSetAttribute(&algo, CUBLASLT_ALGO_CONFIG_TILE_ID, tiles, sizeof *tiles);
    bench.cublasLtMatmulAlgoConfigSetAttribute(&algo, CUBLASLT_ALGO_CONFIG_STAGES_ID, stages, sizeof *stages);
    bench.cublasLtMatmulAlgoConfigSetAttribute(&algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &splits, sizeof splits);
    bench.cublasLtMatmulAlgoConfigSetAttribute(&algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME, &reduction, sizeof reduction);
    assert_int_equal(bench.cublasLtMatmulAlgoCheck(bench.handle, matmul.operation, matmul.w_layout, matmul.x_layout,
                                                   matmul.y_layout, matmul.y_layout, &algo, &result),
                     CUBLAS_STATUS_SUCCESS);
    assert_int_equal(result.workspaceSize, 4 * 9 * 48 * sizeof(float));
    assert_int_equal(multiply(&bench, &matmul, &algo, result.workspaceSize - 1), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(multiply(&bench, &matmul, &algo, result.workspaceSize), CUBLAS_STATUS_SUCCESS);
    check_result(&bench, &matmul);
    matmul_close(&bench, &matmul);
    bench_close(&bench);
}

static void captured_products_are_replayed(void **unused)
{
    (void)unused;
    struct matmul matmul = {.rows = 6, .outputs = 16, .inner = 32, .residual = true};
    struct bench bench;
    CUgraph graph;
    CUgraphExec executable;
    if (!bench_open(&bench, "sm_90:1GiB", NULL)) skip();
    bench_start(&bench);
    matmul_open(&bench, &matmul);
    assert_int_equal(bench.cuStreamBeginCapture(bench.stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL), CUDA_SUCCESS);
    assert_int_equal(multiply(&bench, &matmul, NULL, WORKSPACE_BYTES), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(bench.cuStreamEndCapture(bench.stream, &graph), CUDA_SUCCESS);
    assert_int_equal(bench.cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
    for (int run = 0; run < 2; run++) {
        assert_int_equal(bench.cuGraphLaunch(executable, bench.stream), CUDA_SUCCESS);
        check_result(&bench, &matmul);
    }
    bench.cuGraphExecDestroy(executable);
    bench.cuGraphDestroy(graph);
    matmul_close(&bench, &matmul);
    bench_close(&bench);
}

static void what_it_does_not_know_it_refuses(void **unused)
{
    (void)unused;
    struct matmul matmul = {.rows = 6, .outputs = 16, .inner = 32};
    cublasLtMatmulHeuristicResult_t results[LISTED_MAX];
    const int32_t row_order = CUBLASLT_ORDER_ROW, gelu = CUBLASLT_EPILOGUE_GELU;
    const uint64_t wrong = 31;
    struct bench bench;
    if (!bench_open(&bench, "sm_75:1GiB", NULL)) skip();
    bench_start(&bench);
    matmul_open(&bench, &matmul);
    assert_int_equal(list(&bench, &matmul, 0, results), -(int)CUBLAS_STATUS_NOT_SUPPORTED); /* bf16 on sm_75 */
    assert_int_equal(bench.cublasLtMatmulDescSetAttribute(matmul.operation, CUBLASLT_MATMUL_DESC_FAST_ACCUM, &gelu, 1),
                     CUBLAS_STATUS_NOT_SUPPORTED);
    bench.cublasLtMatmulDescSetAttribute(matmul.operation, CUBLASLT_MATMUL_DESC_EPILOGUE, &gelu, sizeof gelu);
    assert_int_equal(multiply(&bench, &matmul, NULL, 0), CUBLAS_STATUS_NOT_SUPPORTED);
    bench.cublasLtMatrixLayoutSetAttribute(matmul.x_layout, CUBLASLT_MATRIX_LAYOUT_ROWS, &wrong, sizeof wrong);
    assert_int_equal(multiply(&bench, &matmul, NULL, 0), CUBLAS_STATUS_INVALID_VALUE);
    bench.cublasLtMatrixLayoutSetAttribute(matmul.x_layout, CUBLASLT_MATRIX_LAYOUT_ORDER, &row_order, sizeof row_order);
    assert_int_equal(multiply(&bench, &matmul, NULL, 0), CUBLAS_STATUS_INVALID_VALUE);
    matmul_close(&bench, &matmul);
    bench_close(&bench);
}

static void stray_operands_and_scripted_faults_fail(void **unused)
{
    static const struct {
        const char *faults;
        bool stray;
    } rows[] = {{NULL, true}, {"library:1=illegal", false}, {"library:1=lost", false}};
    (void)unused;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct matmul matmul = {.rows = 6, .outputs = 16, .inner = 32};
        struct bench bench;
        if (!bench_open(&bench, "sm_86:1GiB", rows[r].faults)) skip();
        bench_start(&bench);
        matmul_open(&bench, &matmul);
        CUdeviceptr right = matmul.y;
        if (rows[r].stray) matmul.y += 16;
        assert_int_equal(multiply(&bench, &matmul, NULL, 0), CUBLAS_STATUS_EXECUTION_FAILED);
        assert_int_not_equal(bench.cuStreamSynchronize(bench.stream), CUDA_SUCCESS);
        matmul.y = right;
        matmul_close(&bench, &matmul);
        bench_close(&bench);
    }
    struct bench bench;
    if (!bench_open(&bench, "sm_86:1GiB", "library=none")) skip();
    assert_int_equal(bench.cublasLtCreate(&bench.handle), CUBLAS_STATUS_NOT_INITIALIZED);
    bench.handle = NULL;
    bench_close(&bench);
    if (!bench_open(&bench, "sm_86:1GiB", "library=old")) skip();
    assert_true(bench.cublasLtGetVersion() < CUBLAS_VERSION);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_computes_the_product),
        cmocka_unit_test(the_first_of_the_list_is_not_always_the_fastest),
        cmocka_unit_test(algorithms_are_built_from_capabilities),
        cmocka_unit_test(addresses_that_do_not_fit_are_noticed),
        cmocka_unit_test(captured_products_are_replayed),
        cmocka_unit_test(what_it_does_not_know_it_refuses),
        cmocka_unit_test(stray_operands_and_scripted_faults_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else
int main(void)
{
    print_message("skipped: cublasLt.h is not here\n");
    return 0;
}
#endif
