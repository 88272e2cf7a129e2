/* Times of launches and transfers from facts, bytes and operations. */
#include "planner/step_cost.h"

#include "planner/choose.h"

#include <math.h>
#include <string.h>

static const char *const class_names[COST_CLASS_COUNT] = {
    [COST_PRODUCT_FEW] = "product_few", [COST_PRODUCT_MANY] = "product_many",
    [COST_EXPERTS_FEW] = "experts_few", [COST_EXPERTS_MANY] = "experts_many",
    [COST_ATTENTION] = "attention",     [COST_REST] = "rest",
};

const char *cost_class_name(enum cost_class class)
{
    return class_names[class];
}

/* The matrix that the operator multiplies with: a weight of two dimensions, or three where experts share an operand. */
static const struct operand *matrix_of(const struct problem *problem)
{
    for (int i = 0; i < problem->input_count; i++) {
        const struct operand *operand = &problem->operands[i];
        if (operand->present && operand->kind == VALUE_WEIGHT && operand->type.rank >= 2)
            return operand;
    }
    return NULL;
}

enum cost_class cost_class_of(const struct problem *problem, int64_t rows)
{
    bool few = rows <= CHOOSE_FEW_ROWS;
    const char *name = problem->op->name;
    if (strcmp(name, "attention") == 0) return COST_ATTENTION;
    if (strncmp(name, "grouped_", 8) == 0) return few ? COST_EXPERTS_FEW : COST_EXPERTS_MANY;
    if (strcmp(name, "embed") == 0 || !matrix_of(problem)) return COST_REST;
    return few ? COST_PRODUCT_FEW : COST_PRODUCT_MANY;
}

/* Operations per second for the operator's element types: blocks of integers are multiplied as integers, halves as halves;
 * 0: no rate is known. */
static double arithmetic_rate(const struct problem *problem, const struct device_facts *facts)
{
    const struct operand *matrix = matrix_of(problem);
    const double *values = facts->values;
    double rate = values[FACT_real_rate];
    if (!matrix) return rate;
    const struct element *element = element_of(matrix->type.element);
    double better = element->block_elements > 1           ? values[FACT_integer_rate]
                    : matrix->type.element == ELEMENT_F32 ? 0
                                                          : values[FACT_half_rate];
    return better > rate ? better : rate;
}

/* What bytes and operations take at the device's rates. */
static double roofline_seconds(const struct problem *problem, const struct device_facts *facts)
{
    struct cost cost = problem_cost(problem);
    double rate = arithmetic_rate(problem, facts), bandwidth = facts->values[FACT_read_bandwidth];
    double arithmetic = rate > 0 ? cost.operations / rate : 0;
    double memory = bandwidth > 0 ? cost.bytes / bandwidth : 0;
    return fmax(arithmetic, memory);
}

static struct problem at_size(const struct problem *problem, int64_t rows, int64_t context)
{
    struct problem sized = *problem;
    sized.rows = rows;
    if (sized.context) sized.context = context;
    return sized;
}

/* `bound_seconds` scaled by what the roofline says of both sizes; by rows where no rate is known. */
static double scaled_seconds(const struct launch_cost *launch, const struct problem *sized)
{
    double overhead =
        fmin(launch->facts->values[FACT_launch_nanoseconds] * 1e-9, launch->bound_seconds);
    double bound = roofline_seconds(launch->problem, launch->facts);
    double share = bound > 0 ? roofline_seconds(sized, launch->facts) / bound
                             : (double)launch->rows / (double)launch->problem->rows;
    return overhead + (launch->bound_seconds - overhead) * share;
}

double cost_launch_seconds(const struct launch_cost *launch)
{
    if (launch->rows <= 0) return 0;
    const struct device_facts *facts = launch->facts;
    const struct problem sized = at_size(launch->problem, launch->rows, launch->context);
    double overhead = facts->values[FACT_launch_nanoseconds] * 1e-9;
    if (launch->efficiencies) {
        enum cost_class class = cost_class_of(launch->problem, launch->rows);
        return overhead + roofline_seconds(&sized, facts) / launch->efficiencies->share[class];
    }
    double seconds = launch->bound_seconds > 0 ? scaled_seconds(launch, &sized)
                                               : overhead + roofline_seconds(&sized, facts);
    double modelled = facts->values[FACT_modelled_rate];
    if (modelled <= 0) return seconds;
    return fmax(seconds, problem_cost(&sized).operations / modelled);
}

/* ---- Transfers ---- */

static double least_known(double a, double b)
{
    return a > 0 && b > 0 ? fmin(a, b) : fmax(a, b);
}

struct transfer_cost cost_transfer(const struct device_facts *source,
                                   const struct device_facts *destination)
{
    struct transfer_cost cost = {.out_rate = source->values[FACT_link_bandwidth],
                                 .in_rate = destination->values[FACT_link_bandwidth]};
    double peer =
        least_known(source->values[FACT_peer_bandwidth], destination->values[FACT_peer_bandwidth]);
    bool direct =
        source->values[FACT_peer_bandwidth] > 0 && destination->values[FACT_peer_bandwidth] > 0;
    double latency_nanoseconds = destination->values[FACT_link_nanoseconds];
    if (direct) {
        cost.out_rate = cost.in_rate = peer;
    } else {
        cost.host_memory = true;
        latency_nanoseconds += source->values[FACT_link_nanoseconds];
    }
    cost.latency_seconds = latency_nanoseconds * 1e-9;
    cost.rate = least_known(cost.out_rate, cost.in_rate);
    if (cost.rate == 0) /* within the host's memory, read and written */
        cost.rate = destination->values[FACT_read_bandwidth] / 2;
    return cost;
}

double cost_transfer_seconds(const struct device_facts *source,
                             const struct device_facts *destination, int64_t bytes)
{
    const struct transfer_cost cost = cost_transfer(source, destination);
    return cost.latency_seconds + (cost.rate > 0 ? (double)bytes / cost.rate : 0);
}

/* ---- Steps of plans ---- */

int cost_step_image(const struct plan *plan, int step, const struct run *run, int64_t *rows)
{
    const struct node *node = &plan->graph->nodes[plan->steps[step].node];
    *rows = run->symbols[plan->graph->values[node->inputs[0]].type.shape[0].symbol];
    return plan
        ->choices[plan->steps[step].node][bucket_of_rows(*rows)][bucket_of_context(run->context)];
}

int64_t cost_step_bytes(const struct step_costs *costs, int step, const struct run *run)
{
    const struct plan_step *described = &costs->plan->steps[step];
    if (described->kind != STEP_COPY) return 0;
    return tensor_bytes(&costs->plan->graph->values[described->value].type, run->symbols);
}

static double launch_step_seconds(const struct step_costs *costs, int step, const struct run *run)
{
    int64_t rows;
    int image = cost_step_image(costs->plan, step, run, &rows);
    if (image < 0 || rows == 0) return 0;
    const struct launch_cost launch = {
        .problem = costs->plan->images[image].problem,
        .bound_seconds = costs->plan->images[image].seconds,
        .rows = rows,
        .context = run->context,
        .facts = costs->facts[costs->plan->steps[step].device],
        .efficiencies = costs->efficiencies,
    };
    return cost_launch_seconds(&launch);
}

double cost_step_seconds(const struct step_costs *costs, int step, const struct run *run)
{
    const struct plan_step *described = &costs->plan->steps[step];
    switch (described->kind) {
    case STEP_LAUNCH: return launch_step_seconds(costs, step, run);
    case STEP_COPY: {
        int source = costs->plan->graph->values[described->value].device;
        return cost_transfer_seconds(costs->facts[source], costs->facts[described->device],
                                     cost_step_bytes(costs, step, run));
    }
    case STEP_SIGNAL:
    case STEP_WAIT:
    case STEP_COLLECTIVE:
    case STEP_HOST_TASK:
    case STEP_RESOLVE: break;
    }
    return 0;
}
