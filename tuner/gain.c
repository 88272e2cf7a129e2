/* Hopes and what comes of them. */
#include "tuner/gain.h"

#include <math.h>

/* Before anything is measured; and after the first unit, which takes the place of a guess and finds most of what there is.  Of
 * the recorded spaces (bench/spaces) the candidates behind the first four bring a tenth where they bring much. */
static const double first_hope = 0.5, second_hope = 0.1;

struct gain gain_begin(double weight, double seconds, int known)
{
    return (struct gain){.weight = fmax(weight, 0),
                         .seconds = seconds,
                         .hope = known ? 2 * second_hope * exp2(-(double)known / GAIN_UNIT)
                                       : first_hope};
}

void gain_see(struct gain *gain, double seconds)
{
    bool good = isfinite(seconds) && seconds > 0;
    double gained = 0;
    if (good && gain->measured && seconds < gain->seconds) gained = 1 - seconds / gain->seconds;
    gain->hope = good && !gain->measured ? second_hope : (gain->hope + gained) / 2;
    if (!good) return;
    gain->seconds = seconds;
    gain->measured = true;
}

double gain_expected(const struct gain *gain)
{
    double room = 1;
    if (gain->measured && gain->limit_seconds > 0)
        room = fmax(0, 1 - gain->limit_seconds / gain->seconds);
    return gain->weight * gain->seconds * fmin(gain->hope, room);
}

double gain_step_seconds(const struct gain *gains, int count)
{
    double seconds = 0;
    for (int g = 0; g < count; g++) seconds += gains[g].weight * gains[g].seconds;
    return seconds;
}

int gain_pick(const struct gain *gains, const bool *done, int count, double least)
{
    int best = -1;
    double most = least * gain_step_seconds(gains, count);
    for (int g = 0; g < count; g++) {
        double expected = gain_expected(&gains[g]);
        if (done[g] || expected < most || (best >= 0 && expected <= most)) continue;
        best = g;
        most = expected;
    }
    return best;
}
