/* Counters that make the N-th allocation or file operation fail.  They are the one piece of global
 * state in the library, exist only in test builds, and are atomic because fault points are passed
 * by every thread. */
#include "base/fault.h"

#ifdef HONE_FAULTS

#include <stdatomic.h>
#include <stdlib.h>

/* The number of points until one fails; 0: none does. */
static atomic_long allocations_left, io_left, points_passed;
/* Points that were passed, the first that fails (0: none), and how many do from there on. */
static atomic_long copies_left;
static struct fault_run {
    atomic_long passed, first, failing;
} devices, flips;
static atomic_flag environment_read = ATOMIC_FLAG_INIT;

static long environment_number(const char *name)
{
    const char *value = getenv(name);
    return value ? strtol(value, NULL, 10) : 0;
}

static void read_environment(void)
{
    if (atomic_flag_test_and_set(&environment_read)) return;
    atomic_store(&allocations_left, environment_number("HONE_FAIL_ALLOCATION"));
    atomic_store(&io_left, environment_number("HONE_FAIL_IO"));
    atomic_store(&devices.first, environment_number("HONE_FAIL_DEVICE"));
    atomic_store(&devices.failing, 1);
    atomic_store(&flips.first, environment_number("HONE_FLIP_COPY"));
    atomic_store(&flips.failing, 1);
    atomic_store(&copies_left, environment_number("HONE_STALL_COPY"));
}

static bool fault_point(atomic_long *left)
{
    read_environment();
    atomic_fetch_add(&points_passed, 1);
    long before = atomic_load(left);
    while (before > 0) {
        if (atomic_compare_exchange_weak(left, &before, before - 1)) return before == 1;
    }
    return false;
}

bool fault_allocation(void)
{
    return fault_point(&allocations_left);
}

bool fault_io(void)
{
    return fault_point(&io_left);
}

void fault_set(long allocation, long io)
{
    (void)atomic_flag_test_and_set(&environment_read);
    atomic_store(&allocations_left, allocation);
    atomic_store(&io_left, io);
    atomic_store(&points_passed, 0);
}

bool fault_copy(void)
{
    return fault_point(&copies_left);
}

bool fault_pending(void)
{
    return atomic_load(&allocations_left) > 0 || atomic_load(&io_left) > 0;
}

static bool run_point(struct fault_run *run)
{
    read_environment();
    long number = atomic_fetch_add(&run->passed, 1) + 1, first = atomic_load(&run->first);
    return first > 0 && number >= first && number - first < atomic_load(&run->failing);
}

static void set_run(struct fault_run *run, long first, long count)
{
    (void)atomic_flag_test_and_set(&environment_read);
    atomic_store(&run->passed, 0);
    atomic_store(&run->first, first);
    atomic_store(&run->failing, count);
}

bool fault_device(void)
{
    return run_point(&devices);
}

long fault_device_passed(void)
{
    return atomic_load(&devices.passed);
}

void fault_set_device(long first, long count)
{
    set_run(&devices, first, count);
}

bool fault_flip(void)
{
    return run_point(&flips);
}

void fault_set_flip(long first, long count)
{
    set_run(&flips, first, count);
}

long fault_points_passed(void)
{
    return atomic_load(&points_passed);
}

#endif
