/* The model of time. */
#include "emulator/cost.h"

#include "emulator/ptx.h"

_Static_assert((int)EMULATOR_CATEGORIES == (int)CATEGORY_COUNT, "one counter per category");

/* Clocks of a multiprocessor per warp instruction, with its four schedulers busy: 32 lanes over the
 * lanes that the unit has (128 for float, 64 for integer on most, 16 for the special functions). */
static const struct {
    const char *name;
    double clocks;
} categories[CATEGORY_COUNT] = {
    [CATEGORY_INTEGER] = {"integer", 0.5},
    [CATEGORY_FLOAT] = {"float", 0.25},
    [CATEGORY_HALF] = {"half", 0.25},
    [CATEGORY_DOUBLE] = {"double", 16},
    [CATEGORY_CONVERT] = {"convert", 0.5},
    [CATEGORY_SPECIAL] = {"special", 2},
    [CATEGORY_MOVE] = {"move", 0.25},
    [CATEGORY_CONTROL] = {"control", 0.5},
    [CATEGORY_BARRIER] = {"barrier", 2},
    [CATEGORY_GLOBAL] = {"global", 1},
    [CATEGORY_SHARED] = {"shared", 0}, /* by waves */
    [CATEGORY_LOCAL] = {"local", 1},
    [CATEGORY_ATOMIC] = {"atomic", 4},
    [CATEGORY_EXCHANGE] = {"exchange", 1},
    [CATEGORY_MATRIX_LOAD] = {"matrix_load", 0}, /* by waves */
    [CATEGORY_MATRIX] = {"matrix", 0},           /* by operations */
    [CATEGORY_ASYNCHRONOUS] = {"asynchronous", 1},
};

static const double launch_seconds = 3e-6;        /* a kernel that does nothing */
static const double link_bytes_per_second = 20e9; /* PCIe 4.0 x16, what copies reach */
static const double link_latency_seconds = 8e-6;

const char *cost_category_name(size_t category)
{
    return category < CATEGORY_COUNT ? categories[category].name : NULL;
}

double cost_clocks(const struct cost_card *card, const struct hone_emulator_counters *counters)
{
    double clocks = (double)counters->shared_waves;
    for (size_t c = 0; c < CATEGORY_COUNT; c++)
        clocks += (double)counters->instructions[c] * categories[c].clocks;
    /* Products run beside other instructions. */
    double products = (double)counters->matrix_work / card->matrix_operations_per_clock;
    return products > clocks ? products : clocks;
}

double cost_seconds(const struct cost_card *card, double busiest_clocks,
                    const struct hone_emulator_counters *counters)
{
    double seconds = busiest_clocks / card->clock_hz;
    double cache = (double)counters->global_sectors * 32 / card->cache_bytes_per_second;
    double memory = (double)counters->unique_sectors * 32 / card->memory_bytes_per_second;
    if (cache > seconds) seconds = cache;
    if (memory > seconds) seconds = memory;
    return launch_seconds + seconds;
}

double cost_copy_seconds(uint64_t bytes)
{
    return link_latency_seconds + (double)bytes / link_bytes_per_second;
}

double cost_memory_seconds(const struct cost_card *card, uint64_t bytes)
{
    return launch_seconds + (double)bytes / card->memory_bytes_per_second;
}
