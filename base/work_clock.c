#include "base/work_clock.h"

#include "base/clock.h"

double work_clock_at(struct work_clock *clock, double now)
{
    if (clock->last > 0 && now - clock->last > WORK_CLOCK_JUMP_SECONDS)
        clock->left_out += now - clock->last;
    clock->last = now;
    return now - clock->left_out;
}

double work_clock_look(struct work_clock *clock)
{
    return work_clock_at(clock, clock_seconds());
}
