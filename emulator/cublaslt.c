/* The stand-in cuBLASLt's handle, and the objects that describe a product. */
#include "emulator/cublaslt.h"

#include <dlfcn.h>
#include <string.h>

enum { OLD_VERSION = 120805 };

/* ---- The driver ---- */

static bool find_function(void *library, const char *name, void *slot)
{
    void *address = dlsym(library, name);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

/* Only what has been loaded already: the program that gives the streams has loaded it. */
static void *find_driver(void)
{
    static const char name[] = "/libcuda.so.1";
    char path[4096];
    Dl_info info;
    if (!dladdr(name, &info) || !info.dli_fname) return NULL;
    const char *end = strrchr(info.dli_fname, '/');
    size_t length = end ? (size_t)(end - info.dli_fname) : 0;
    if (length + sizeof name > sizeof path) return NULL;
    memcpy(path, info.dli_fname, length);
    memcpy(path + length, name, sizeof name);
    return dlopen(length ? path : name + 1, RTLD_NOW | RTLD_NOLOAD | RTLD_LOCAL);
}

static int scripted_faults(void *driver)
{
    hone_emulator_library_faults_function *faults;
    return driver && find_function(driver, "hone_emulator_library_faults", &faults) ? faults() : 0;
}

size_t library_version(void)
{
    void *driver = find_driver();
    bool old = scripted_faults(driver) & LIBRARY_FAULT_OLD;
    if (driver) dlclose(driver);
    return old ? OLD_VERSION : CUBLAS_VERSION;
}

size_t cublasLtGetVersion(void)
{
    return library_version();
}

const char *cublasLtGetStatusString(cublasStatus_t result)
{
    switch (result) {
    case CUBLAS_STATUS_SUCCESS: return "the operation completed successfully";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "the library was not initialized";
    case CUBLAS_STATUS_ALLOC_FAILED: return "the resource allocation failed";
    case CUBLAS_STATUS_INVALID_VALUE: return "an unsupported value or parameter was passed";
    case CUBLAS_STATUS_ARCH_MISMATCH: return "the device lacks a feature";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "the program failed to execute on the device";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "the functionality is not supported";
    default: return "an internal operation failed";
    }
}

/* ---- Objects ---- */

/* An arena with the object in it; every kind begins with the arena. */
static void *create_object(size_t bytes)
{
    struct arena *arena = arena_create(0);
    struct arena **object = arena ? arena_allocate(arena, 1, bytes) : NULL;
    if (object)
        *object = arena;
    else
        arena_destroy(arena);
    return object;
}

static cublasStatus_t destroy_object(void *object)
{
    if (object) arena_destroy(*(struct arena **)object);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
    struct library_card card;
    if (!handle) return CUBLAS_STATUS_INVALID_VALUE;
    void *driver = find_driver();
    if (!driver) return CUBLAS_STATUS_NOT_INITIALIZED;
    struct cublasLtContext *library = create_object(sizeof *library);
    bool found = library &&
                 find_function(driver, "hone_emulator_library_submit", &library->submit) &&
                 find_function(driver, "hone_emulator_library_card", &library->card);
    if (!found || scripted_faults(driver) & LIBRARY_FAULT_MISSING || library->card(&card) != 0) {
        destroy_object(library);
        dlclose(driver);
        return library ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_ALLOC_FAILED;
    }
    library->driver = driver;
    *handle = library;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle)
{
    if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
    dlclose(handle->driver);
    return destroy_object(handle);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *handle, cudaDataType type,
                                          uint64_t rows, uint64_t columns, int64_t leading)
{
    struct matrix_layout *layout = create_object(sizeof *layout);
    if (!layout) return CUBLAS_STATUS_ALLOC_FAILED;
    layout->type = (uint32_t)type;
    layout->order = CUBLASLT_ORDER_COL;
    layout->rows = rows;
    layout->columns = columns;
    layout->leading = leading;
    *handle = (cublasLtMatrixLayout_t)(void *)layout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t handle)
{
    return destroy_object(handle);
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *handle, cublasComputeType_t compute,
                                        cudaDataType_t scale)
{
    struct matmul_operation *operation = create_object(sizeof *operation);
    if (!operation) return CUBLAS_STATUS_ALLOC_FAILED;
    operation->compute = (int32_t)compute;
    operation->scale = (int32_t)scale;
    operation->epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    operation->bias_type = -1; /* that of D */
    *handle = (cublasLtMatmulDesc_t)(void *)operation;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t handle)
{
    return destroy_object(handle);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *handle)
{
    struct matmul_preference *preference = create_object(sizeof *preference);
    if (!preference) return CUBLAS_STATUS_ALLOC_FAILED;
    for (int a = 0; a < 4; a++) preference->alignment_bytes[a] = DEFAULT_ALIGNMENT_BYTES;
    *handle = (cublasLtMatmulPreference_t)(void *)preference;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t handle)
{
    return destroy_object(handle);
}

/* ---- Attributes ---- */

static cublasStatus_t assign(void *slot, size_t slot_bytes, const void *value, size_t bytes)
{
    if (!slot) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!value || bytes != slot_bytes) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(slot, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t handle,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void *value, size_t bytes)
{
    struct matrix_layout *layout = (struct matrix_layout *)(void *)handle;
    switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE:
        return assign(&layout->type, sizeof layout->type, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
        return assign(&layout->order, sizeof layout->order, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
        return assign(&layout->rows, sizeof layout->rows, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
        return assign(&layout->columns, sizeof layout->columns, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_LD:
        return assign(&layout->leading, sizeof layout->leading, value, bytes);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t handle,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t bytes)
{
    struct matmul_operation *own = (struct matmul_operation *)(void *)handle;
    switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return assign(&own->transposed[0], sizeof(int32_t), value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return assign(&own->transposed[1], sizeof(int32_t), value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return assign(&own->epilogue, sizeof own->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
        return assign(&own->pointer_mode, sizeof(int32_t), value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return assign(&own->bias, sizeof own->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return assign(&own->bias_type, sizeof(int32_t), value, bytes);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t handle,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void *value, size_t bytes)
{
    struct matmul_preference *own = (struct matmul_preference *)(void *)handle;
    uint32_t *alignments = own->alignment_bytes;
    switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        return assign(&own->workspace_bytes, sizeof own->workspace_bytes, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
        return assign(&alignments[0], sizeof *alignments, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
        return assign(&alignments[1], sizeof *alignments, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
        return assign(&alignments[2], sizeof *alignments, value, bytes);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        return assign(&alignments[3], sizeof *alignments, value, bytes);
    default: return CUBLAS_STATUS_NOT_SUPPORTED;
    }
}
