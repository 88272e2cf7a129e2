/* What the steps of a plan take: the one cost function of planner, simulator and predictions.
 *
 * A launch takes the measured or estimated seconds of its image, which hold at the bounds of a bucket, scaled to the rows
 * and the context of the step by what bytes and operations would take at the device's rates.  On a virtual card with a
 * modelled speed it takes its operations at that speed, as the card itself sees to.  A transfer takes the latency of the
 * links on its way and its bytes at the slower of them; who shares a link shares its rate (planner/simulate.h).
 *
 * With efficiencies given, a launch takes its bytes or operations at the device's rates, divided by the efficiency of its
 * class: for cards and kernels of which nothing but that is known. */
#ifndef PLANNER_STEP_COST_H
#define PLANNER_STEP_COST_H

#include "ir/plan.h"

/* Few rows read weights, many rows compute (CHOOSE_FEW_ROWS). */
enum cost_class {
    COST_PRODUCT_FEW,
    COST_PRODUCT_MANY,
    COST_EXPERTS_FEW,
    COST_EXPERTS_MANY,
    COST_ATTENTION,
    COST_REST,
    COST_CLASS_COUNT
};
const char *cost_class_name(enum cost_class class);
enum cost_class cost_class_of(const struct problem *problem, int64_t rows);

struct cost_efficiencies {
    double share[COST_CLASS_COUNT]; /* of the device's rates, above 0 */
};

/* Seconds of `problem`, which takes `bound_seconds` at its bounds (0: unknown), with `rows` and `context` on a device.
 * `efficiencies`: NULL where the seconds at the bounds count. */
struct launch_cost {
    const struct problem *problem;
    double bound_seconds;
    int64_t rows, context; /* context counts where the problem has one */
    const struct device_facts *facts;
    const struct cost_efficiencies *efficiencies;
};
double cost_launch_seconds(const struct launch_cost *launch);

/* The way from one device to another.  Rates of links that it does not use are 0.  Devices are cards when they have a link
 * (FACT_link_bandwidth); from host to host bytes are copied in memory. */
struct transfer_cost {
    double latency_seconds;
    double out_rate;  /* of the source's link */
    double in_rate;   /* of the destination's link */
    double rate;      /* of the whole way, alone; 0: no limit is known */
    bool host_memory; /* whether the bytes are read from or written to the host's memory */
};
struct transfer_cost cost_transfer(const struct device_facts *source,
                                   const struct device_facts *destination);
double cost_transfer_seconds(const struct device_facts *source,
                             const struct device_facts *destination, int64_t bytes);

/* Seconds of step `step` of a plan alone on its queue; 0 for signals, waits, and launches without rows.  `facts` are of the
 * plan's devices. */
struct step_costs {
    const struct plan *plan;
    const struct device_facts *const *facts;
    const struct cost_efficiencies *efficiencies; /* NULL: the plan's seconds */
};
double cost_step_seconds(const struct step_costs *costs, int step, const struct run *run);
/* Bytes that it moves between devices; 0 for steps that move none. */
int64_t cost_step_bytes(const struct step_costs *costs, int step, const struct run *run);
/* The image that a launch uses at these rows and context; -1: none. */
int cost_step_image(const struct plan *plan, int step, const struct run *run, int64_t *rows);

#endif
