/* The stand-in driver for tests. */
#include "tests/cuda/emulator_harness.h"

#ifdef HAVE_CUDA_HEADER

#include "codegen/cuda/kernel_sources.h"
#include "codegen/cuda/nvrtc.h"
#include "emulator/number.h"

#include <dlfcn.h>

#define TEXT_OF(name)       #name
#define EXPANDED_TEXT(name) TEXT_OF(name)

static bool nvrtc_is_there(void)
{
    struct diagnostic diagnostic = {0};
    struct nvrtc nvrtc;
    struct arena *arena = arena_create(0);
    bool there = arena && nvrtc_open(arena, &nvrtc, &diagnostic) == STATUS_OK;
    arena_destroy(arena);
    return there;
}

static void set_variable(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

static void *find_function(void *library, const char *name)
{
    void *function = dlsym(library, name);
    if (!function) CHECK_FAIL("the stand-in has no %s", name);
    return function;
}

/* A card counts nothing and gives no reasons. */
static size_t no_launches(struct hone_emulator_counters *counters, size_t most)
{
    (void)counters;
    (void)most;
    return 0;
}

static const char *no_fault(void)
{
    return "";
}

static void find_reports(struct emulator *emulator)
{
    if (emulator->real) {
        emulator->last_launches = no_launches;
        emulator->last_fault = no_fault;
        return;
    }
    *(void **)&emulator->last_launches =
        find_function(emulator->library, "hone_emulator_last_launches");
    *(void **)&emulator->last_fault = find_function(emulator->library, "hone_emulator_last_fault");
}

static void find_capability(struct emulator *emulator)
{
    int major = 0, minor = 0;
    emulator->cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0);
    emulator->cuDeviceGetAttribute(&minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0);
    emulator->capability = major * 10 + minor;
}

bool emulator_can_run(const struct emulator *emulator, const char *architecture)
{
    int number = atoi(architecture + 3);
    bool exact = architecture[strlen(architecture) - 1] == 'a';
    if (!emulator->real) return true;
    return exact ? emulator->capability == number : emulator->capability >= number;
}

void emulator_only(const struct emulator *emulator)
{
    if (emulator->real) skip();
}

bool emulator_open(struct emulator *emulator, const char *library, const char *cards,
                   const char *faults)
{
    CUcontext context;
    const char *driver = getenv("HONE_TEST_CUDA_DRIVER");
    *emulator = (struct emulator){.real = driver && *driver};
    if (emulator->real) library = driver;
    if (!emulator->real) set_variable("HONE_EMULATED_CARDS", cards);
    set_variable("HONE_EMULATOR_FAULTS", faults);
    set_variable("HONE_EMULATOR_QUIET", "1");
    emulator->library = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    if (!emulator->library || !nvrtc_is_there()) {
        print_message("skipped: %s\n", emulator->library
                                           ? "there is no NVRTC (libnvrtc.so of a CUDA toolkit)"
                                           : "the stand-in CUDA driver was not built");
        return false;
    }
#define FIND(name)                                                                                 \
    *(void **)&emulator->name = find_function(emulator->library, EXPANDED_TEXT(name));
    EMULATOR_FUNCTIONS(FIND)
#undef FIND
    find_reports(emulator);
    if (emulator->cuInit(0) != CUDA_SUCCESS) return true; /* a fault that the test asked for */
    assert_int_equal(emulator->cuDevicePrimaryCtxRetain(&context, 0), CUDA_SUCCESS);
    assert_int_equal(emulator->cuCtxSetCurrent(context), CUDA_SUCCESS);
    find_capability(emulator);
    return true;
}

void emulator_close(struct emulator *emulator)
{
    if (emulator->library && !emulator->real) dlclose(emulator->library);
    *emulator = (struct emulator){0};
}

/* Kernels of tests may include the device vocabulary. */
static int create_program(const struct nvrtc *nvrtc, struct arena *arena, const char *source,
                          nvrtc_program *program)
{
    static const struct space none;
    int count = kernel_source_count(&none);
    const char **texts = arena_allocate(arena, (size_t)count, sizeof *texts);
    const char **names = arena_allocate(arena, (size_t)count, sizeof *names);
    for (int s = 0; s < count; s++) {
        struct kernel_source file = kernel_source_at(&none, s);
        texts[s] = file.text;
        names[s] = file.path;
    }
    return nvrtc->create_program(program, source, "test.cu", count, texts, names);
}

const char *emulator_compile(struct arena *arena, const char *architecture, const char *source)
{
    struct diagnostic diagnostic = {0};
    struct nvrtc nvrtc;
    nvrtc_program program;
    size_t bytes;
    char option[32];
    const char *options[] = {option, "--std=c++17"};
    snprintf(option, sizeof option, "-arch=%s", architecture);
    CHECK_OK(nvrtc_open(arena, &nvrtc, &diagnostic));
    assert_int_equal(create_program(&nvrtc, arena, source, &program), 0);
    if (nvrtc.compile_program(program, 2, options) != NVRTC_SUCCESS) {
        nvrtc.log_bytes(program, &bytes);
        char *log = arena_allocate(arena, bytes, 1);
        nvrtc.log(program, log);
        CHECK_FAIL("%s: %s", architecture, log);
    }
    assert_int_equal(nvrtc.text_bytes(program, &bytes), 0);
    char *text = arena_allocate(arena, bytes, 1);
    assert_int_equal(nvrtc.text(program, text), 0);
    nvrtc.destroy_program(&program);
    return text;
}

static CUfunction load_kernel(struct emulator *emulator, const char *ptx, CUmodule *module)
{
    CUfunction function;
    CUresult code = emulator->cuModuleLoadData(module, ptx);
    if (code != CUDA_SUCCESS) CHECK_FAIL("module: %d: %s", code, emulator->last_fault());
    assert_int_equal(emulator->cuModuleGetFunction(&function, *module, "k"), CUDA_SUCCESS);
    return function;
}

static CUresult launch_kernel(struct emulator *emulator, CUfunction function,
                              const struct emulation *emulation, void **arguments)
{
    CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION};
    attribute.value.clusterDim.x = emulation->cluster;
    attribute.value.clusterDim.y = attribute.value.clusterDim.z = 1;
    CUlaunchConfig config = {.gridDimX = emulation->blocks,
                             .gridDimY = 1,
                             .gridDimZ = 1,
                             .blockDimX = emulation->threads,
                             .blockDimY = 1,
                             .blockDimZ = 1,
                             .sharedMemBytes = emulation->shared_bytes,
                             .attrs = &attribute,
                             .numAttrs = emulation->cluster > 0};
    if (emulation->shared_bytes > 48 * 1024)
        assert_int_equal(
            emulator->cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                         (int)emulation->shared_bytes),
            CUDA_SUCCESS);
    return emulator->cuLaunchKernelEx(&config, function, arguments, NULL);
}

static void encode_tensor(struct emulator *emulator, const struct emulated_tensor *tensor,
                          CUdeviceptr base, CUtensorMap *map)
{
    cuuint64_t pitch = tensor->pitch_bytes;
    cuuint32_t steps[2] = {1, 1};
    CUresult code = emulator->cuTensorMapEncodeTiled(
        map, tensor->type, 2, (void *)(uintptr_t)(base + tensor->offset_bytes), tensor->sizes,
        &pitch, tensor->box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, tensor->swizzle,
        CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    assert_int_equal(code, CUDA_SUCCESS);
}

/* The stand-in's card is as new afterwards, also when the kernel failed. */
static void release_run(struct emulator *emulator, CUmodule module, CUdeviceptr input,
                        CUdeviceptr output)
{
    if (emulator->real) {
        if (input) emulator->cuMemFree(input);
        emulator->cuMemFree(output);
    } else {
        emulator->cuDevicePrimaryCtxReset(0);
    }
    emulator->cuModuleUnload(module);
}

CUresult emulator_run(struct emulator *emulator, const struct emulation *emulation)
{
    struct arena *arena = arena_create(0);
    CUmodule module;
    CUdeviceptr input = 0, output = 0;
    if (!emulator_can_run(emulator, emulation->architecture)) {
        arena_destroy(arena);
        skip();
    }
    const char *ptx = emulator_compile(arena, emulation->architecture, emulation->source);
    CUfunction function = load_kernel(emulator, ptx, &module);
    if (emulation->input_bytes) {
        assert_int_equal(emulator->cuMemAlloc(&input, emulation->input_bytes), CUDA_SUCCESS);
        emulator->cuMemcpyHtoD(input, emulation->input, emulation->input_bytes);
    }
    assert_int_equal(emulator->cuMemAlloc(&output, emulation->output_bytes), CUDA_SUCCESS);
    emulator->cuMemcpyHtoD(output, emulation->output, emulation->output_bytes);
    CUtensorMap maps[EMULATED_TENSORS];
    void *arguments[] = {&input, &output, &maps[0], &maps[1], &maps[2]};
    for (int t = 0; t < emulation->tensor_count; t++)
        encode_tensor(emulator, &emulation->tensors[t],
                      emulation->tensors[t].output ? output : input, &maps[t]);
    CUresult result = launch_kernel(emulator, function, emulation, arguments);
    if (result == CUDA_SUCCESS)
        assert_int_equal(emulator->cuMemcpyDtoH(emulation->output, output, emulation->output_bytes),
                         CUDA_SUCCESS);
    release_run(emulator, module, input, output);
    arena_destroy(arena);
    return result;
}

void emulator_run_right(struct emulator *emulator, const struct emulation *emulation,
                        const char *name)
{
    CUresult result = emulator_run(emulator, emulation);
    if (result) CHECK_FAIL("%s: %d: %s", name, result, emulator->last_fault());
}

void emulator_random_bf16(uint64_t state, uint16_t *numbers, int count)
{
    for (int i = 0; i < count; i++)
        numbers[i] = bf16_encode((float)((int)(emulator_random(&state) % 2001) - 1000) / 1000.0f);
}

unsigned char emulator_number_byte(enum ptx_type type, int bits, int i, uint32_t random)
{
    if (bits == 16 && i % 2)
        return (unsigned char)((random & 0x83) | (type == TYPE_F16 ? 0x38 : 0x3c));
    if (bits == 32 && i % 4 == 3) return (unsigned char)((random & 0x80) | 0x3e);
    if (type == TYPE_E4M3 || type == TYPE_E5M2) return (unsigned char)(random & 0xbf);
    return (unsigned char)random;
}

uint32_t emulator_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 32);
}

#else
/* Without the toolkit's header there is nothing to test. */
extern int emulator_harness_is_empty;
#endif
