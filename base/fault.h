/* Fault injection for tests: make the N-th allocation, or the N-th call on a file, fail.
 *
 * HONE_FAIL_ALLOCATION=N, HONE_FAIL_IO=N, HONE_FAIL_DEVICE=N, HONE_STALL_COPY=N and HONE_FLIP_COPY=N
 * are read once, by the first fault point, and only in builds with -DHONE_FAULTS; without it the
 * points cost nothing. */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>

#ifdef HONE_FAULTS
bool fault_allocation(void); /* true: this allocation must fail */
bool fault_io(void);         /* true: this read, write, sync or rename must fail with ENOSPC */
void fault_set(long allocation, long io); /* from tests: 1 is the next one, 0 never */
bool fault_pending(void);                 /* what is to fail has not come yet */
long fault_points_passed(void);
bool fault_copy(void);                       /* true: this copy of a virtual card never ends */
bool fault_flip(void);                       /* true: this copy between devices arrives damaged */
bool fault_device(void);                     /* true: this allocation on a device must fail */
void fault_set_flip(long first, long count); /* as below */
/* From the `first` one on, `count` of them fail; first 0: none. */
void fault_set_device(long first, long count);
long fault_device_passed(void); /* since then */
#else
static inline bool fault_allocation(void)
{
    return false;
}

static inline bool fault_io(void)
{
    return false;
}

static inline bool fault_copy(void)
{
    return false;
}

static inline bool fault_flip(void)
{
    return false;
}

static inline bool fault_device(void)
{
    return false;
}
#endif

#endif
