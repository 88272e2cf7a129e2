/* What references and costs need to know of a problem's operands. */
#ifndef OPS_ACCESS_H
#define OPS_ACCESS_H

#include "ir/problem.h"

static inline const struct tensor_type *operand_type(const struct problem *problem, int operand)
{
    return &problem->operands[operand].type;
}

/* Dimension `d` of an operand in this run. */
static inline int64_t run_dimension(const struct problem *problem, const struct run *run,
                                    int operand, int d)
{
    return dimension_value(operand_type(problem, operand)->shape[d], run->symbols);
}

/* A fixed dimension; the shape rules see to it that it is one. */
static inline int64_t fixed_dimension(const struct problem *problem, int operand, int d)
{
    return operand_type(problem, operand)->shape[d].scale;
}

static inline int64_t ceil_divide(int64_t count, int64_t size)
{
    return (count + size - 1) / size;
}

static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The usual number of pieces: one per row of the first operand. */
int64_t leading_items(const struct problem *problem, const struct run *run);

/* Bytes of all operands that are present, each read or written once. */
double cost_operand_bytes(const struct problem *problem);

/* The cost of an operator that does `operations_per_element` on each element of its first output
 * and touches every operand once. */
struct cost cost_pointwise(const struct problem *problem, double operations_per_element);

#endif
