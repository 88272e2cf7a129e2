/* Modules and their functions. */
#include "emulator/driver.h"

#include <stdio.h>
#include <string.h>

/* Where the caller wants to read why a module was refused. */
struct jit_log {
    char *text;
    size_t bytes;
};

static struct jit_log find_log(unsigned count, const CUjit_option *options, void **values)
{
    struct jit_log log = {0};
    for (unsigned i = 0; i < count; i++) {
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER) log.text = values[i];
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) log.bytes = (size_t)values[i];
        if (options[i] == CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES) values[i] = NULL;
    }
    return log;
}

static void write_log(struct jit_log log, const char *text, unsigned count,
                      const CUjit_option *options, void **values)
{
    int used = 0;
    if (log.text && log.bytes) used = snprintf(log.text, log.bytes, "%s", text);
    for (unsigned i = 0; i < count; i++)
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) values[i] = (void *)(uintptr_t)used;
    if (!driver_state.quiet && *text) fprintf(stderr, "emulator: %s\n", text);
    pthread_mutex_lock(&driver_state.lock);
    if (*text) snprintf(driver_state.last_fault, sizeof driver_state.last_fault, "%.600s", text);
    pthread_mutex_unlock(&driver_state.lock);
}

/* Variables of a module lie side by side: a kernel's constants are many and small. */
enum { VARIABLE_ALIGNMENT_BYTES = 16 };

static uint64_t variable_room(const struct variable *variable)
{
    return (variable->bytes + VARIABLE_ALIGNMENT_BYTES - 1) / VARIABLE_ALIGNMENT_BYTES *
           VARIABLE_ALIGNMENT_BYTES;
}

static CUresult place_variables(struct module *module, int device)
{
    uint64_t total = 0, address;
    for (size_t i = 0; i < module->variable_count; i++)
        total += variable_room(&module->variables[i]);
    if (!total) return CUDA_SUCCESS;
    TRY_CUDA(memory_allocate(device, total, &address));
    pthread_rwlock_rdlock(&driver_state.memory);
    for (size_t i = 0; i < module->variable_count; i++) {
        struct variable *variable = &module->variables[i];
        unsigned char *host = variable->bytes ? memory_resolve(address, variable->bytes) : NULL;
        variable->address = host ? address : 0;
        if (host) memcpy(host, variable->initial, variable->bytes);
        address += variable_room(variable);
    }
    pthread_rwlock_unlock(&driver_state.memory);
    return CUDA_SUCCESS;
}

static CUresult name_functions(CUmodule module)
{
    const struct module *code = module->module;
    module->functions =
        arena_allocate(module->arena, code->function_count, sizeof *module->functions);
    if (!module->functions) return CUDA_ERROR_OUT_OF_MEMORY;
    for (size_t i = 0; i < code->function_count; i++) {
        if (!code->functions[i].is_entry) continue;
        module->functions[module->function_count++] = (struct CUfunc_st){
            .module = module, .function = &code->functions[i], .dynamic_shared_limit = 48 * 1024};
    }
    return CUDA_SUCCESS;
}

static CUresult read_ptx(CUmodule module, const char *text, struct diagnostic *diagnostic)
{
    size_t length = strlen(text);
    int target = driver_state.cards.cards[module->context->device].architecture->target;
    char *copy = arena_text_range(module->arena, text, length);
    if (!copy) return CUDA_ERROR_OUT_OF_MEMORY;
    status code = module_read(copy, length, module->arena, &module->module, diagnostic);
    if (code == STATUS_NO_MEMORY) return CUDA_ERROR_OUT_OF_MEMORY;
    if (code != STATUS_OK) return CUDA_ERROR_INVALID_PTX;
    if (module->module->target > target) {
        (void)fail(diagnostic, STATUS_DEVICE, "the PTX is for sm_%d, the card is sm_%d",
                   module->module->target, target);
        return CUDA_ERROR_INVALID_PTX;
    }
    TRY_CUDA(place_variables(module->module, module->context->device));
    return name_functions(module);
}

static bool is_ptx(const char *text)
{
    while (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r') text++;
    return !strncmp(text, "//", 2) || !strncmp(text, ".version", 8) || !strncmp(text, "/*", 2);
}

static CUresult module_load(CUmodule *result, const char *image, struct diagnostic *diagnostic)
{
    CUcontext context;
    TRY_CUDA(driver_enter(&context));
    if (!result || !image) return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver_state.lock);
    enum fault_kind fault = faults_next(&driver_state.faults, FAULT_LOAD);
    pthread_mutex_unlock(&driver_state.lock);
    if (fault == FAULT_INVALID) return CUDA_ERROR_INVALID_PTX;
    if (fault == FAULT_OOM) return CUDA_ERROR_OUT_OF_MEMORY;
    /* Machine code is for cards. */
    if (!memcmp(image, "\177ELF", 4) || !memcmp(image, "\x50\xed\x55\xba", 4))
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    if (!is_ptx(image)) return CUDA_ERROR_INVALID_IMAGE;
    struct arena *arena = arena_create(0);
    CUmodule module = arena ? arena_allocate(arena, 1, sizeof *module) : NULL;
    if (!module) {
        arena_destroy(arena);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *module = (struct CUmod_st){.arena = arena, .context = context};
    CUresult code = read_ptx(module, image, diagnostic);
    if (code != CUDA_SUCCESS)
        (void)cuModuleUnload(module);
    else
        *result = module;
    return code;
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count,
                            CUjit_option *options, void **values)
{
    struct diagnostic diagnostic = {0};
    struct jit_log log = find_log(count, options, values);
    CUresult code = module_load(module, image, &diagnostic);
    write_log(log, diagnostic.text, count, options, values);
    return code;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image)
{
    return cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

CUresult cuModuleUnload(CUmodule module)
{
    if (!module) return CUDA_ERROR_INVALID_HANDLE;
    size_t first = 0, count = module->module ? module->module->variable_count : 0;
    while (first < count && !module->module->variables[first].address) first++;
    if (first < count) (void)memory_release(module->module->variables[first].address, false);
    arena_destroy(module->arena);
    return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    if (!function || !module || !name) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < module->function_count; i++) {
        if (strcmp(module->functions[i].function->name, name)) continue;
        *function = &module->functions[i];
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}

CUresult cuModuleGetFunctionCount(unsigned *count, CUmodule module)
{
    if (!count || !module) return CUDA_ERROR_INVALID_VALUE;
    *count = (unsigned)module->function_count;
    return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal(CUdeviceptr *pointer, size_t *bytes, CUmodule module, const char *name)
{
    if (!module || !name) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < module->module->variable_count; i++) {
        const struct variable *variable = &module->module->variables[i];
        if (strcmp(variable->name, name)) continue;
        if (pointer) *pointer = variable->address;
        if (bytes) *bytes = variable->bytes;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}

/* Libraries are modules that belong to no context; here to the one that loads them. */
CUresult cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *options,
                           void **values, unsigned count, CUlibraryOption *library_options,
                           void **library_values, unsigned library_count)
{
    (void)library_options;
    (void)library_values;
    (void)library_count;
    return cuModuleLoadDataEx((CUmodule *)library, code, count, options, values);
}

CUresult cuLibraryUnload(CUlibrary library)
{
    return cuModuleUnload((CUmodule)library);
}

CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name)
{
    return cuModuleGetFunction((CUfunction *)kernel, (CUmodule)library, name);
}

CUresult cuLibraryGetModule(CUmodule *module, CUlibrary library)
{
    if (!module || !library) return CUDA_ERROR_INVALID_VALUE;
    *module = (CUmodule)library;
    return CUDA_SUCCESS;
}

CUresult cuKernelGetFunction(CUfunction *function, CUkernel kernel)
{
    if (!function || !kernel) return CUDA_ERROR_INVALID_VALUE;
    *function = (CUfunction)kernel;
    return CUDA_SUCCESS;
}
