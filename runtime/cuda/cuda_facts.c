/* The facts of a card, from the driver's attributes.  Rates are what clocks and widths promise; hone devices measures. */
#include "ir/card.h"
#include "runtime/cuda/cuda_cublaslt.h"

static const struct {
    CUdevice_attribute attribute;
    enum fact fact;
} attribute_facts[] = {
    {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, FACT_cores},
    {CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, FACT_l2_bytes},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, FACT_shared_bytes_per_block},
    {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR, FACT_shared_bytes_per_core},
    {CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, FACT_registers_per_core},
    {CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, FACT_threads_per_core},
    {CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR, FACT_blocks_per_core},
};

/* Enqueuing an empty kernel on a current machine. */
static const double launch_nanoseconds = 2500;

/* Of a card whose driver does not tell its memory's clock: that of a small one. */
static const double memory_bytes_per_second = 300e9;

/* What a link of 16 lanes of the fourth generation moves one way. */
static const double link_bytes_per_second = 24e9;

/* From enqueuing a small copy to its end. */
static const double link_nanoseconds = 6000;

static double attribute(const struct cuda_driver *driver, CUdevice card, CUdevice_attribute wanted)
{
    int value = 0;
    return driver->cuDeviceGetAttribute(&value, wanted, card) == CUDA_SUCCESS ? value : 0;
}

static status read_facts(const struct cuda_driver *driver, CUdevice card, double *values,
                         struct diagnostic *diagnostic)
{
    struct device_facts facts = {0};
    for (size_t a = 0; a < sizeof attribute_facts / sizeof *attribute_facts; a++)
        facts.values[attribute_facts[a].fact] =
            attribute(driver, card, attribute_facts[a].attribute);
    facts.values[FACT_sm] =
        10 * attribute(driver, card, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) +
        attribute(driver, card, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
    /* Both edges of the clock carry bits. */
    facts.values[FACT_read_bandwidth] =
        2 * 1e3 * attribute(driver, card, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE) *
        attribute(driver, card, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH) / 8;
    if (facts.values[FACT_read_bandwidth] <= 0)
        facts.values[FACT_read_bandwidth] = memory_bytes_per_second;
    facts.values[FACT_link_bandwidth] = link_bytes_per_second;
    facts.values[FACT_link_nanoseconds] = link_nanoseconds;
    facts.values[FACT_launch_nanoseconds] = launch_nanoseconds;
    TRY(card_complete(&facts, 1e3 * attribute(driver, card, CU_DEVICE_ATTRIBUTE_CLOCK_RATE),
                      diagnostic));
    for (int f = 0; f < FACT_COUNT; f++) values[f] = facts.values[f];
    return STATUS_OK;
}

/* Other programs have their part of the memory, which only a context can tell. */
static status read_memory(const struct cuda_driver *driver, CUdevice card, const char *owner,
                          struct card_description *description, struct diagnostic *diagnostic)
{
    size_t available = 0, total = 0;
    CUcontext context;
    TRY(cuda_check(driver, driver->cuDevicePrimaryCtxRetain(&context, card), owner,
                   "starting the card", diagnostic));
    CUresult result = driver->cuCtxSetCurrent(context);
    if (result == CUDA_SUCCESS) result = driver->cuMemGetInfo(&available, &total);
    driver->cuCtxSetCurrent(NULL);
    driver->cuDevicePrimaryCtxRelease(card);
    description->free_bytes = (int64_t)available;
    description->values[FACT_memory_bytes] = (double)total;
    return cuda_check(driver, result, owner, "asking for its memory", diagnostic);
}

static status describe_card(const struct cuda_driver *driver, int ordinal, const char *owner,
                            struct card_description *description, struct diagnostic *diagnostic)
{
    CUdevice card;
    int count = 0;
    TRY(cuda_check(driver, driver->cuDeviceGetCount(&count), owner, "counting the cards",
                   diagnostic));
    if (ordinal >= count)
        return fail(diagnostic, STATUS_DEVICE, "%s: there is no such card; the driver sees %d",
                    owner, count);
    TRY(cuda_check(driver, driver->cuDeviceGet(&card, ordinal), owner, "finding the card",
                   diagnostic));
    TRY(cuda_check(driver,
                   driver->cuDeviceGetName(description->name, (int)sizeof description->name, card),
                   owner, "asking for its name", diagnostic));
    TRY(read_facts(driver, card, description->values, diagnostic));
    return read_memory(driver, card, owner, description, diagnostic);
}

status cuda_describe(const char *emulated_cards, int ordinal, const char *owner,
                     struct arena *arena, struct card_description *description,
                     struct diagnostic *diagnostic)
{
    struct cuda_driver driver;
    TRY(cuda_driver_open(emulated_cards, arena, &driver, diagnostic));
    status code = describe_card(&driver, ordinal, owner, description, diagnostic);
    cuda_driver_close(&driver);
    description->values[FACT_has_cublaslt] = cuda_cublaslt_is_here(emulated_cards, arena);
    return code;
}
