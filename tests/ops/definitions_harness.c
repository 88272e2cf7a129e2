/* The comparison behind definitions.h. */
#include "tests/check.h"
#include "tests/ops/definitions.h"

#include <math.h>

int64_t rows_of(const struct operands *operands, int operand)
{
    return tensor_rows(&operands->problem->operands[operand].type, operands->trial->run.symbols);
}

int64_t columns_of(const struct operands *operands, int operand)
{
    const struct tensor_type *type = &operands->problem->operands[operand].type;
    return dimension_value(type->shape[type->rank - 1], operands->trial->run.symbols);
}

/* Half a step of a float, and what double sums lose where terms cancel. */
static const double float_step = 6.1e-8, cancellation = 1e-11;

static double inner_tolerance(const struct definition_row *definition, const float *got,
                              int64_t count)
{
    double largest = 0;
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)got[i]));
    return definition->inner_roundings * float_step * largest;
}

static void check_output(const struct operands *operands, int output, const float *got,
                         const struct definition_row *definition)
{
    int operand = operands->problem->input_count + output;
    int64_t rows = rows_of(operands, operand), columns = columns_of(operands, operand);
    double tolerance = cancellation + inner_tolerance(definition, got, rows * columns);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            double expected = (double)definition->element(operands, output, r, c);
            double value = (double)got[r * columns + c];
            if (!(fabs(value - expected) <= float_step * fabs(expected) + tolerance))
                CHECK_FAIL("%s: output %d [%lld][%lld] is %.10g, the definition says %.10g",
                           operands->problem->text, output, (long long)r, (long long)c, value,
                           expected);
        }
}

static void check_rows(const struct op_case *op_case, int64_t rows,
                       const struct definition_row *definition)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct op_step step = {rows, op_case->context, op_case->sequences};
    struct operands operands = {0};
    struct op_trial *trial;
    struct problem *problem;
    int64_t most = 5;
    CHECK_OK(op_case_problem(op_case->text, rows, op_case->context, arena, &problem, &diagnostic));
    CHECK_OK(op_trial_create(problem, &step, (uint64_t)rows, arena, &trial, &diagnostic));
    CHECK_OK(op_trial_check(trial, op_run_pieces, &most, 0, &diagnostic));
    operands.problem = problem;
    operands.trial = trial;
    for (int i = 0; i < problem->input_count; i++)
        if (trial->originals[i])
            CHECK_OK(op_trial_values(trial, i, trial->originals[i], arena, &operands.values[i],
                                     &diagnostic));
    for (int i = problem->input_count; i < trial->count; i++) {
        float *got;
        if (!trial->operands[i]) continue;
        CHECK_OK(op_trial_values(trial, i, trial->expected[i], arena, &got, &diagnostic));
        check_output(&operands, i - problem->input_count, got, definition);
    }
    arena_destroy(arena);
}

void check_definition(const struct op_case *op_case, const struct definition_row *table)
{
    size_t length = strcspn(op_case->text, "(");
    while (table->op &&
           (strncmp(table->op, op_case->text, length) != 0 || table->op[length] != '\0'))
        table++;
    if (!table->op) CHECK_FAIL("no definition for case '%s'", op_case->text);
    for (const int64_t *rows = op_case_rows; *rows; rows++)
        if (!op_case->rows_most || *rows <= op_case->rows_most) check_rows(op_case, *rows, table);
}
