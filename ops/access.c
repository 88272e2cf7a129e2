/* Pieces and costs of operators that work row by row and touch each operand once. */
#include "ops/access.h"

int64_t leading_items(const struct problem *problem, const struct run *run)
{
    return run_dimension(problem, run, 0, 0);
}

double cost_operand_bytes(const struct problem *problem)
{
    double bytes = 0;
    for (int i = 0; i < problem->input_count + problem->output_count; i++)
        if (problem->operands[i].present) bytes += (double)problem_operand_bytes(problem, i);
    return bytes;
}

struct cost cost_pointwise(const struct problem *problem, double operations_per_element)
{
    int64_t symbols[SYMBOL_COUNT];
    problem_symbols(problem, symbols);
    const struct tensor_type *output = operand_type(problem, problem->input_count);
    return (struct cost){
        .operations = operations_per_element * (double)tensor_elements(output, symbols),
        .bytes = cost_operand_bytes(problem),
    };
}
