/* For tests of the stand-in driver: its functions by name, and kernels from CUDA C by NVRTC.
 *
 * HONE_TEST_CUDA_DRIVER=libcuda.so.1 makes the same tests run on a real card: what the stand-in
 * takes the instructions to do is then compared with what they do.  Kernels for architectures that
 * the card does not have, and tests of what only the stand-in notices, are left out. */
#ifndef TESTS_EMULATOR_HARNESS_H
#define TESTS_EMULATOR_HARNESS_H

#include "emulator/emulator.h"
#include "emulator/ptx_type.h"
#include "tests/check.h"

#if defined(__has_include)
#if __has_include(<cuda.h>)
#define HAVE_CUDA_HEADER 1
#include <cuda.h>
#endif
#endif

#ifdef HAVE_CUDA_HEADER

/* The macros of cuda.h give each its version. */
#define EMULATOR_FUNCTIONS(F)                                                                      \
    F(cuInit)                                                                                      \
    F(cuDriverGetVersion)                                                                          \
    F(cuDeviceGetCount)                                                                            \
    F(cuDeviceGet)                                                                                 \
    F(cuDeviceGetName) F(cuDeviceGetAttribute) F(cuDeviceTotalMem) F(cuDeviceCanAccessPeer) F(     \
        cuDevicePrimaryCtxRetain) F(cuDevicePrimaryCtxRelease) F(cuDevicePrimaryCtxReset)          \
        F(cuCtxSetCurrent) F(cuCtxSynchronize) F(cuCtxEnablePeerAccess) F(cuMemAlloc) F(cuMemFree) \
            F(cuMemHostAlloc) F(cuMemFreeHost) F(cuMemGetInfo) F(cuMemcpyHtoD) F(cuMemcpyDtoH) F(  \
                cuMemcpyHtoDAsync) F(cuMemcpyDtoHAsync) F(cuMemcpyDtoDAsync) F(cuMemcpyPeerAsync)  \
                F(cuMemcpy2D) F(cuMemsetD8Async) F(cuMemsetD32) F(cuStreamCreate) F(               \
                    cuStreamDestroy) F(cuStreamSynchronize) F(cuStreamWaitEvent)                   \
                    F(cuStreamBeginCapture) F(cuStreamEndCapture) F(cuStreamIsCapturing) F(        \
                        cuEventCreate) F(cuEventDestroy) F(cuEventRecord) F(cuEventSynchronize)    \
                        F(cuEventElapsedTime) F(cuModuleLoadData) F(cuModuleLoadDataEx)            \
                            F(cuModuleUnload) F(cuModuleGetFunction) F(cuModuleGetGlobal) F(       \
                                cuLibraryLoadData) F(cuLibraryUnload) F(cuLibraryGetKernel)        \
                                F(cuKernelGetFunction) F(cuFuncGetAttribute) F(cuFuncSetAttribute) \
                                    F(cuLaunchKernel) F(cuLaunchKernelEx)                          \
                                        F(cuLaunchCooperativeKernel) F(cuLaunchHostFunc)           \
                                            F(cuOccupancyMaxActiveBlocksPerMultiprocessor)         \
                                                F(cuGraphInstantiate) F(cuGraphLaunch)             \
                                                    F(cuGraphDestroy) F(cuGraphExecDestroy)        \
                                                        F(cuGraphExecUpdate) F(cuGraphGetNodes)    \
                                                            F(cuGraphExecKernelNodeSetParams)      \
                                                                F(cuTensorMapEncodeTiled)          \
                                                                    F(cuGetProcAddress)            \
                                                                        F(cuGetErrorName)          \
                                                                            F(cuGetErrorString)

struct emulator {
    void *library;
    bool real;      /* a card */
    int capability; /* 90 */
#define MEMBER(name) __typeof__(name) *name;
    EMULATOR_FUNCTIONS(MEMBER)
#undef MEMBER
    hone_emulator_last_launches_function *last_launches;
    hone_emulator_last_fault_function *last_fault;
};

/* Loads the stand-in with these cards and faults (NULL: none) and makes card 0's context current.
 * False, after a line that says why, where there is no NVRTC or no stand-in. */
bool emulator_open(struct emulator *emulator, const char *library, const char *cards,
                   const char *faults);
#define EMULATOR_LIBRARY HONE_BUILD_FOLDER "/lib/hone/emulator/libcuda.so.1"
void emulator_close(struct emulator *emulator);

/* The main of a test with these cards: its tests, behind a set-up (NULL: none), on the file's own `emulator`.  Where it cannot
 * be had, or without the toolkit's header (emulator_absent_harness.c), nothing is tested. */
#define EMULATOR_TESTS(cards, set_up, ...)                                                         \
    int main(void)                                                                                 \
    {                                                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        if (!emulator_open(&emulator, EMULATOR_LIBRARY, cards, NULL)) return 0;                    \
        int failed = cmocka_run_group_tests(tests, set_up, NULL);                                  \
        emulator_close(&emulator);                                                                 \
        return failed;                                                                             \
    }

/* Whether kernels for "sm_90a" can run: on the stand-in always.  emulator_run skips the test where
 * they cannot. */
bool emulator_can_run(const struct emulator *emulator, const char *architecture);
/* Skips the test on a real card. */
void emulator_only(const struct emulator *emulator);

/* PTX of `source` for "sm_86"; in `arena`.  Fails the test when it does not compile. */
const char *emulator_compile(struct arena *arena, const char *architecture, const char *source);

/* A matrix in the input (or, with `output`, in the output) behind a tensor map. */
struct emulated_tensor {
    bool output;
    CUtensorMapDataType type;
    size_t offset_bytes, pitch_bytes;
    cuuint64_t sizes[2]; /* columns, rows */
    cuuint32_t box[2];
    CUtensorMapSwizzle swizzle;
};

enum { EMULATED_TENSORS = 3 };

struct emulation {
    /* With one kernel k(const void *input, void *output), and behind these one parameter
     * `const __grid_constant__ struct map` per tensor. */
    const char *architecture, *source;
    struct emulated_tensor tensors[EMULATED_TENSORS];
    int tensor_count;
    unsigned blocks, threads, shared_bytes, cluster;
    const void *input;
    size_t input_bytes;
    void *output; /* what is there at first is copied to the card */
    size_t output_bytes;
};

/* Compiles, copies, launches, copies back; returns what the launch did. */
CUresult emulator_run(struct emulator *emulator, const struct emulation *emulation);

/* Relative to the sum of magnitudes, for products that are added in f32: cards add in other orders
 * and drop bits of the smaller summands; for fp8 they keep 14 bits. */
static inline double emulator_tolerance(const struct emulator *emulator, int element_bits)
{
    return !emulator->real ? 1e-6 : element_bits <= 8 ? 1e-3 : 1e-5;
}

/* As emulator_run; the test fails when the launch does, under this name. */
void emulator_run_right(struct emulator *emulator, const struct emulation *emulation,
                        const char *name);

/* Random bits that are the same in every run. */
uint32_t emulator_random(uint64_t *state);

/* bf16 numbers from -1 to 1. */
void emulator_random_bf16(uint64_t state, uint16_t *numbers, int count);

/* Byte `i` of numbers of `bits` bits each, from random bits: of moderate size in every format. */
unsigned char emulator_number_byte(enum ptx_type type, int bits, int i, uint32_t random);

#endif
#endif
