/* Max-min fair shares. */
#include "planner/simulate_flow.h"

#include <math.h>
#include <string.h>

/* What is left of a flow below this is rounding. */
static const double least_seconds = 1e-12;

static bool shares(const struct flow *flow)
{
    return flow->active && flow->delay <= 0 && flow->demand > 0;
}

static bool uses(const struct flow *flow, int resource)
{
    for (int r = 0; r < flow->resource_count; r++)
        if (flow->resources[r] == resource) return true;
    return false;
}

/* What flows that rise ask of each resource per unit of speed, and what the held ones use. */
static void count_use(const struct flow *flows, int count, double *rising, double *held,
                      int resource_count)
{
    memset(rising, 0, (size_t)resource_count * sizeof *rising);
    memset(held, 0, (size_t)resource_count * sizeof *held);
    for (int f = 0; f < count; f++) {
        if (!shares(&flows[f])) continue;
        for (int r = 0; r < flows[f].resource_count; r++) {
            if (flows[f].speed < 0)
                rising[flows[f].resources[r]] += flows[f].demand;
            else
                held[flows[f].resources[r]] += flows[f].demand * flows[f].speed;
        }
    }
}

static int tightest(const double *rising, const double *held, const double *capacities,
                    int resource_count, double *speed)
{
    int found = -1;
    *speed = 1;
    for (int r = 0; r < resource_count; r++) {
        if (capacities[r] <= 0 || rising[r] <= 0) continue;
        double level = fmax(capacities[r] - held[r], 0) / rising[r];
        if (level >= *speed) continue;
        *speed = level;
        found = r;
    }
    return found;
}

void flows_share(struct flow *flows, int count, const double *capacities, int resource_count,
                 double *scratch)
{
    double *rising = scratch, *held = scratch + resource_count, speed;
    for (int f = 0; f < count; f++) flows[f].speed = shares(&flows[f]) ? -1 : 1;
    for (;;) {
        count_use(flows, count, rising, held, resource_count);
        int resource = tightest(rising, held, capacities, resource_count, &speed);
        for (int f = 0; f < count; f++)
            if (flows[f].speed < 0 && (resource < 0 || uses(&flows[f], resource)))
                flows[f].speed = speed;
        if (resource < 0) return;
    }
}

double flows_next(const struct flow *flows, int count)
{
    double next = INFINITY;
    for (int f = 0; f < count; f++) {
        if (!flows[f].active) continue;
        double seconds = flows[f].delay > 0  ? flows[f].delay
                         : flows[f].left > 0 ? flows[f].left / flows[f].speed
                                             : 0;
        next = fmin(next, seconds);
    }
    return next;
}

void flows_advance(struct flow *flows, int count, double seconds)
{
    for (int f = 0; f < count; f++) {
        struct flow *flow = &flows[f];
        if (!flow->active) continue;
        double *part = flow->delay > 0 ? &flow->delay : &flow->left;
        *part -= flow->delay > 0 ? seconds : seconds * flow->speed;
        if (*part < least_seconds) *part = 0;
    }
}

bool flow_is_done(const struct flow *flow)
{
    return flow->active && flow->delay <= 0 && flow->left <= 0;
}
