/* Fault injection for tests: make the N-th allocation, or the N-th call on a file, fail.
 *
 * HONE_FAIL_ALLOCATION=N and HONE_FAIL_IO=N are read once, by the first fault point, and only in
 * builds with -DHONE_FAULTS; without it the points cost nothing. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#ifdef HONE_FAULTS
bool fault_allocation(void); /* true: this allocation must fail */
bool fault_io(void);         /* true: this read, write, sync or rename must fail with ENOSPC */
void fault_set(long allocation, long io); /* from tests: 1 is the next one, 0 never */
long fault_points_passed(void);
#else
static inline bool fault_allocation(void)
{
    return false;
}

static inline bool fault_io(void)
{
    return false;
}
#endif

#endif
