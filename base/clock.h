/* The monotonic clock.  No logic of Hone depends on the time of day. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

double clock_seconds(void);
int64_t clock_nanoseconds(void);
int64_t clock_wall_seconds(void); /* time of day, for records; nothing is decided by it */

#endif
