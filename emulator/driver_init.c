/* cuInit, versions, and what the cards say about themselves. */
#include "base/text.h"
#include "emulator/driver.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct driver driver_state = {.lock = PTHREAD_MUTEX_INITIALIZER,
                              .memory = PTHREAD_RWLOCK_INITIALIZER};

static int host_cores(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed)) return 1;
    return CPU_COUNT(&allowed) > 0 ? CPU_COUNT(&allowed) : 1;
}

static unsigned read_checks(const char *text)
{
    if (!text || !*text || !strcmp(text, "all")) return CHECK_ALL;
    unsigned checks = 0;
    if (strstr(text, "initialised")) checks |= CHECK_INITIALISED;
    if (strstr(text, "races")) checks |= CHECK_RACES;
    if (strstr(text, "counters")) checks |= CHECK_COUNTERS;
    return checks;
}

static CUresult initialise(struct driver *driver)
{
    struct diagnostic diagnostic = {0};
    int64_t threads = 0;
    const char *asked = getenv("HONE_EMULATOR_THREADS");
    if (!driver->arena) driver->arena = arena_create(0);
    if (!driver->arena) return CUDA_ERROR_OUT_OF_MEMORY;
    if (cards_read(getenv("HONE_EMULATED_CARDS"), &driver->cards, &diagnostic) != STATUS_OK ||
        faults_read(getenv("HONE_EMULATOR_FAULTS"), &driver->faults, &diagnostic) != STATUS_OK) {
        fprintf(stderr, "emulator: %s\n", diagnostic.text);
        snprintf(driver->last_fault, sizeof driver->last_fault, "%.600s", diagnostic.text);
        return CUDA_ERROR_INVALID_VALUE;
    }
    driver->checks = read_checks(getenv("HONE_EMULATOR_CHECKS"));
    driver->quiet = getenv("HONE_EMULATOR_QUIET") != NULL;
    driver->threads = host_cores();
    if (asked && text_to_integer(asked, &threads) && threads > 0 && threads <= 64)
        driver->threads = (int)threads;
    for (int device = 0; device < CARDS_MAX; device++) driver->contexts[device].device = device;
    if (driver->faults.no_device) return CUDA_ERROR_NO_DEVICE;
    driver->initialised = true;
    return CUDA_SUCCESS;
}

CUresult cuInit(unsigned flags)
{
    struct driver *driver = &driver_state;
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    pthread_mutex_lock(&driver->lock);
    CUresult result = driver->initialised ? CUDA_SUCCESS : initialise(driver);
    pthread_mutex_unlock(&driver->lock);
    return result;
}

/* When the library is unloaded: what it knew of its cards.  At the end of a process that still uses one, whose threads may
 * be at work there, it stays. */
__attribute__((destructor)) static void forget_cards(void)
{
    for (int device = 0; device < CARDS_MAX; device++)
        if (driver_state.contexts[device].retained) return;
    arena_destroy(driver_state.arena);
    driver_state.arena = NULL;
}

CUresult cuDriverGetVersion(int *version)
{
    if (!version) return CUDA_ERROR_INVALID_VALUE;
    const char *faults = getenv("HONE_EMULATOR_FAULTS");
    *version = faults && strstr(faults, "driver=old") ? OLD_DRIVER_VERSION : DRIVER_VERSION;
    return CUDA_SUCCESS;
}

static CUresult check_device(CUdevice device)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    return device >= 0 && device < driver_state.cards.count ? CUDA_SUCCESS
                                                            : CUDA_ERROR_INVALID_DEVICE;
}

CUresult cuDeviceGetCount(int *count)
{
    if (!driver_state.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (!count) return CUDA_ERROR_INVALID_VALUE;
    *count = driver_state.cards.count;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    TRY_CUDA(check_device(ordinal));
    if (!device) return CUDA_ERROR_INVALID_VALUE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    TRY_CUDA(check_device(device));
    if (!name || length < 1) return CUDA_ERROR_INVALID_VALUE;
    snprintf(name, (size_t)length, "%s", driver_state.cards.cards[device].architecture->name);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid(CUuuid *uuid, CUdevice device)
{
    TRY_CUDA(check_device(device));
    if (!uuid) return CUDA_ERROR_INVALID_VALUE;
    memset(uuid, 0, sizeof *uuid);
    memcpy(uuid->bytes, "emulated", 8);
    uuid->bytes[15] = (char)device;
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem(size_t *bytes, CUdevice device)
{
    TRY_CUDA(check_device(device));
    if (!bytes) return CUDA_ERROR_INVALID_VALUE;
    *bytes = driver_state.cards.cards[device].memory_bytes;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(char *text, int length, CUdevice device)
{
    TRY_CUDA(check_device(device));
    if (!text || length < 13) return CUDA_ERROR_INVALID_VALUE;
    snprintf(text, (size_t)length, "0000:%02x:00.0", (unsigned)device + 1);
    return CUDA_SUCCESS;
}

/* Attributes that differ between architectures; -1 for the others. */
static int architecture_attribute(const struct card *card, CUdevice_attribute attribute)
{
    const struct architecture *of = card->architecture;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return of->target / 10;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return of->target % 10;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return (int)card->cost.multiprocessors;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR:
        return (int)of->shared_per_multiprocessor;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return (int)of->shared_per_block;
    case CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK:
        return (int)of->reserved_shared_per_block;
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR:
        return (int)of->threads_per_multiprocessor;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR:
        return (int)of->blocks_per_multiprocessor;
    case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return (int)of->clock_kilohertz;
    case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return (int)of->memory_kilohertz;
    case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return (int)of->bus_bits;
    case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return (int)of->cache_bytes;
    case CU_DEVICE_ATTRIBUTE_MAX_PERSISTING_L2_CACHE_SIZE: return (int)(of->cache_bytes / 4 * 3);
    case CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH:
    case CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED: return of->target >= 90;
    case CU_DEVICE_ATTRIBUTE_MAX_PITCH: return INT32_MAX;
    default: return -1;
    }
}

static const struct {
    CUdevice_attribute attribute;
    int value;
} common_attributes[] = {
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y, 1024},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z, 64},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, INT32_MAX},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z, 65535},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
    {CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, 65536},
    {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, 65536},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 65536},
    {CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT, 2},
    {CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY, 1},
    {CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS, 1},
    {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
    {CU_DEVICE_ATTRIBUTE_STREAM_PRIORITIES_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, 1},
    {CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_COMPUTE_PREEMPTION_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_GLOBAL_L1_CACHE_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_LOCAL_L1_CACHE_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_HOST_REGISTER_SUPPORTED, 1},
    {CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM, 1},
};

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
    TRY_CUDA(check_device(device));
    if (!value || attribute < 1 || attribute >= CU_DEVICE_ATTRIBUTE_MAX)
        return CUDA_ERROR_INVALID_VALUE;
    *value = architecture_attribute(&driver_state.cards.cards[device], attribute);
    if (*value >= 0) return CUDA_SUCCESS;
    *value = attribute == CU_DEVICE_ATTRIBUTE_PCI_BUS_ID ? device + 1 : 0;
    for (size_t i = 0; i < sizeof common_attributes / sizeof *common_attributes; i++)
        if (common_attributes[i].attribute == attribute) *value = common_attributes[i].value;
    return CUDA_SUCCESS;
}

CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device)
{
    TRY_CUDA(check_device(device));
    if (!major || !minor) return CUDA_ERROR_INVALID_VALUE;
    *major = driver_state.cards.cards[device].architecture->target / 10;
    *minor = driver_state.cards.cards[device].architecture->target % 10;
    return CUDA_SUCCESS;
}

CUresult cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer)
{
    TRY_CUDA(check_device(device));
    TRY_CUDA(check_device(peer));
    if (!can) return CUDA_ERROR_INVALID_VALUE;
    *can = device != peer && !driver_state.faults.no_peer;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attribute, CUdevice device,
                                 CUdevice peer)
{
    int can;
    TRY_CUDA(cuDeviceCanAccessPeer(&can, device, peer));
    if (!value) return CUDA_ERROR_INVALID_VALUE;
    *value = attribute == CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK ? 0 : can;
    return CUDA_SUCCESS;
}
