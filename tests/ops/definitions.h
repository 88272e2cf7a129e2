/* Checks references against definitions that a test writes down on its own: one function per
 * operator that gives one element of one output in long double, from decoded operands. */
#ifndef TESTS_OPS_DEFINITIONS_H
#define TESTS_OPS_DEFINITIONS_H

#include "tests/ops/op_cases.h"

/* A trial's inputs, decoded; integers are exact in float below 2^24.  NULL where absent. */
struct operands {
    const struct problem *problem;
    const struct op_trial *trial;
    float *values[OP_OPERANDS_MAX];
};

typedef long double definition_function(const struct operands *operands, int output, int64_t row,
                                        int64_t column);

struct definition_row {
    const char *op; /* NULL ends a table */
    definition_function *element;
    int inner_roundings; /* of intermediate results to float, where the operator is a fused one */
};

/* Rows and columns of an operand in the run. */
int64_t rows_of(const struct operands *operands, int operand);
int64_t columns_of(const struct operands *operands, int operand);

/* Every row count that the case allows and the case's op in the table: the reference's outputs are
 * the
 * definition's within half a float step (and as much of the largest output per inner rounding),
 * pieces give the same bits as the whole, guard bands and inputs stay as they were. */
void check_definition(const struct op_case *op_case, const struct definition_row *table);

#endif
