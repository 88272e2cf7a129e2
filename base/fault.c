/* Counters that make the N-th allocation or file operation fail.  They are the one piece of global
 * state in the library, exist only in test builds, and are atomic because fault points are passed
 * by every thread. */
#include "base/fault.h"

#ifdef HONE_FAULTS

#include <stdatomic.h>
#include <stdlib.h>

/* The number of points until one fails; 0: none does. */
static atomic_long allocations_left, io_left, points_passed;
/* Allocations on devices that have come, the first that fails (0: none), and how many do from there on. */
static atomic_long copies_left;
static atomic_long device_passed, device_first, device_failing;
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
    atomic_store(&device_first, environment_number("HONE_FAIL_DEVICE"));
    atomic_store(&device_failing, 1);
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
    return atomic_load(&allocations_left) > 0;
}

bool fault_device(void)
{
    read_environment();
    long number = atomic_fetch_add(&device_passed, 1) + 1, first = atomic_load(&device_first);
    return first > 0 && number >= first && number - first < atomic_load(&device_failing);
}

long fault_device_passed(void)
{
    return atomic_load(&device_passed);
}

void fault_set_device(long first, long count)
{
    (void)atomic_flag_test_and_set(&environment_read);
    atomic_store(&device_passed, 0);
    atomic_store(&device_first, first);
    atomic_store(&device_failing, count);
}

long fault_points_passed(void)
{
    return atomic_load(&points_passed);
}

#endif
