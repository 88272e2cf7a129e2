/* Rooflines of problems. */
#include "ir/ceiling.h"

#include <math.h>

enum ceiling_family ceiling_family_of(const struct numerics *numerics)
{
    /* bf16 has 8 significant bits, f16 has 11: what rounds more finely is multiplied as f32. */
    static const double unit_half = 0x1p-11;
    if (numerics->operand_block > 1) return CEILING_INTEGER;
    return numerics->operand_unit >= unit_half ? CEILING_HALF : CEILING_REAL;
}

const char *ceiling_family_name(enum ceiling_family family)
{
    static const char *const names[CEILING_FAMILY_COUNT] = {"f32", "f16 or bf16", "8-bit"};
    return names[family];
}

double ceiling_family_rate(enum ceiling_family family, const struct device_facts *facts)
{
    static const enum fact rates[CEILING_FAMILY_COUNT] = {FACT_real_rate, FACT_half_rate,
                                                          FACT_integer_rate};
    return fmax(facts->values[rates[family]], facts->values[FACT_real_rate]);
}

double ceiling_rate(const struct numerics *numerics, const struct device_facts *facts)
{
    return ceiling_family_rate(ceiling_family_of(numerics), facts);
}

struct ceiling ceiling_of(const struct problem *problem, const struct numerics *numerics,
                          const struct device_facts *facts)
{
    struct cost cost = problem_cost(problem);
    double rate = ceiling_rate(numerics, facts);
    double memory = facts->values[FACT_read_bandwidth];
    double cache = facts->values[FACT_cache_bandwidth], cold = 0;
    for (int i = 0; i < problem->input_count; i++)
        if (problem->operands[i].present && problem->operands[i].residency == RESIDENCY_COLD)
            cold += (double)problem_operand_bytes(problem, i);
    cold = fmin(cold, cost.bytes);
    struct ceiling ceiling = {0};
    if (memory > 0) ceiling.memory_seconds = cold / memory;
    if (cache > 0) ceiling.memory_seconds += (cost.bytes - cold) / cache;
    if (rate > 0) ceiling.arithmetic_seconds = cost.operations / rate;
    return ceiling;
}

double ceiling_seconds(const struct ceiling *ceiling)
{
    return fmax(ceiling->memory_seconds, ceiling->arithmetic_seconds);
}
