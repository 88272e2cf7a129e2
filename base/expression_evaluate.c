/* Evaluation: one pass over the steps, operands before operations.
 *
 * Everything is computed, also what a choice does not take, because that is faster than jumping.  A
 * step that fails only marks its value as failed; the mark spreads to what uses the value and
 * becomes an error when it reaches the last step.  So `a / b if b != 0 else 0` is safe, and so are
 * `and` and `or`. */
#include "base/expression.h"

#include <math.h>

enum failure {
    FAILURE_NONE,
    FAILURE_OVERFLOW,
    FAILURE_DIVISION,
    FAILURE_LOGARITHM,
    FAILURE_ALIGNMENT,
    FAILURE_REAL,
};

static const char *const failure_messages[] = {
    [FAILURE_OVERFLOW] = "the result does not fit into 64 bits",
    [FAILURE_DIVISION] = "division by zero",
    [FAILURE_LOGARITHM] = "log2 of a number that is not above zero",
    [FAILURE_ALIGNMENT] = "align to a multiple that is not above zero",
    [FAILURE_REAL] = "a real number or function where a whole number is needed",
};

static enum failure floor_divide(int64_t a, int64_t b, int64_t *result)
{
    if (b == 0) return FAILURE_DIVISION;
    if (b == -1) return __builtin_sub_overflow(0, a, result) ? FAILURE_OVERFLOW : FAILURE_NONE;
    *result = a / b - (a % b != 0 && (a < 0) != (b < 0));
    return FAILURE_NONE;
}

static enum failure ceil_divide(int64_t a, int64_t b, int64_t *result)
{
    if (b == 0) return FAILURE_DIVISION;
    if (b == -1) return __builtin_sub_overflow(0, a, result) ? FAILURE_OVERFLOW : FAILURE_NONE;
    *result = a / b + (a % b != 0 && (a < 0) == (b < 0));
    return FAILURE_NONE;
}

static enum failure floor_modulo(int64_t a, int64_t b, int64_t *result)
{
    if (b == 0) return FAILURE_DIVISION;
    int64_t remainder = b == -1 ? 0 : a % b;
    *result = remainder && (remainder < 0) != (b < 0) ? remainder + b : remainder;
    return FAILURE_NONE;
}

static enum failure align_up(int64_t a, int64_t b, int64_t *result)
{
    int64_t multiples;
    if (b <= 0) return FAILURE_ALIGNMENT;
    enum failure failure = ceil_divide(a, b, &multiples);
    if (failure) return failure;
    return __builtin_mul_overflow(multiples, b, result) ? FAILURE_OVERFLOW : FAILURE_NONE;
}

static enum failure whole_log2(int64_t a, int64_t *result)
{
    if (a <= 0) return FAILURE_LOGARITHM;
    *result = 63 - __builtin_clzll((unsigned long long)a);
    return FAILURE_NONE;
}

static enum failure absolute(int64_t a, int64_t *result)
{
    if (a == INT64_MIN) return FAILURE_OVERFLOW;
    *result = a < 0 ? -a : a;
    return FAILURE_NONE;
}

static enum failure overflowed(bool overflow)
{
    return overflow ? FAILURE_OVERFLOW : FAILURE_NONE;
}

/* `a` and `b` are the operands where the operation has them. */
static enum failure integer_operation(enum expression_operation operation, int64_t a, int64_t b,
                                      int64_t *result)
{
    switch (operation) {
    case EXPRESSION_NEGATE: return overflowed(__builtin_sub_overflow(0, a, result));
    case EXPRESSION_ADD: return overflowed(__builtin_add_overflow(a, b, result));
    case EXPRESSION_SUBTRACT: return overflowed(__builtin_sub_overflow(a, b, result));
    case EXPRESSION_MULTIPLY: return overflowed(__builtin_mul_overflow(a, b, result));
    case EXPRESSION_DIVIDE: return floor_divide(a, b, result);
    case EXPRESSION_MODULO: return floor_modulo(a, b, result);
    case EXPRESSION_CEIL_DIVIDE: return ceil_divide(a, b, result);
    case EXPRESSION_ALIGN: return align_up(a, b, result);
    case EXPRESSION_LOG2: return whole_log2(a, result);
    case EXPRESSION_ABSOLUTE: return absolute(a, result);
    case EXPRESSION_NOT: *result = a == 0; break;
    case EXPRESSION_EQUAL: *result = a == b; break;
    case EXPRESSION_UNEQUAL: *result = a != b; break;
    case EXPRESSION_LESS: *result = a < b; break;
    case EXPRESSION_LESS_EQUAL: *result = a <= b; break;
    case EXPRESSION_GREATER: *result = a > b; break;
    case EXPRESSION_GREATER_EQUAL: *result = a >= b; break;
    case EXPRESSION_MINIMUM: *result = a < b ? a : b; break;
    case EXPRESSION_MAXIMUM: *result = a > b ? a : b; break;
    default: return FAILURE_REAL;
    }
    return FAILURE_NONE;
}

struct integer_run {
    int64_t values[EXPRESSION_STEPS_MAX];
    int failed_at[EXPRESSION_STEPS_MAX]; /* 1 + the step that failed first; 0: the value is good */
    unsigned char failures[EXPRESSION_STEPS_MAX];
};

/* `and`, `or` and choices look at one operand and then at one more, or at none. */
static void lazy_step(struct integer_run *run, const struct expression_step *step, int index)
{
    int first = step->operands[0], taken;
    bool condition = run->values[first] != 0;
    run->values[index] = condition;
    run->failed_at[index] = run->failed_at[first];
    if (run->failed_at[first]) return;
    if (step->operation == EXPRESSION_SELECT) {
        taken = step->operands[condition ? 1 : 2];
        run->values[index] = run->values[taken];
    } else {
        if (condition == (step->operation == EXPRESSION_OR)) return;
        taken = step->operands[1];
        run->values[index] = run->values[taken] != 0;
    }
    run->failed_at[index] = run->failed_at[taken];
}

static void eager_step(struct integer_run *run, const struct expression_step *step, int index)
{
    int first = step->operands[0], second = step->operands[1];
    int64_t a = first >= 0 ? run->values[first] : 0, b = second >= 0 ? run->values[second] : 0;
    run->values[index] = 0;
    if (first >= 0 && run->failed_at[first]) {
        run->failed_at[index] = run->failed_at[first];
    } else if (second >= 0 && run->failed_at[second]) {
        run->failed_at[index] = run->failed_at[second];
    } else {
        enum failure failure = integer_operation(step->operation, a, b, &run->values[index]);
        run->failures[index] = (unsigned char)failure;
        run->failed_at[index] = failure ? index + 1 : 0;
    }
}

status expression_integer(const struct expression *expression, const int64_t *slots, int64_t *value,
                          struct diagnostic *diagnostic)
{
    struct integer_run run; /* each step is written before it is read */
    for (int i = 0; i < expression->step_count; i++) {
        const struct expression_step *step = &expression->steps[i];
        switch (step->operation) {
        case EXPRESSION_INTEGER:
            run.values[i] = step->integer;
            run.failed_at[i] = 0;
            break;
        case EXPRESSION_NAME:
            run.values[i] = slots[step->slot];
            run.failed_at[i] = 0;
            break;
        case EXPRESSION_AND:
        case EXPRESSION_OR:
        case EXPRESSION_SELECT: lazy_step(&run, step, i); break;
        default: eager_step(&run, step, i);
        }
    }
    int last = expression->step_count - 1, failed_at = run.failed_at[last];
    if (failed_at) {
        return expression_fail(expression, failed_at - 1, diagnostic, "%s",
                               failure_messages[run.failures[failed_at - 1]]);
    }
    *value = run.values[last];
    return STATUS_OK;
}

/* 1 / (1 + exp(-a)), without overflow for large negative `a`. */
static double sigmoid(double a)
{
    if (a >= 0) return 1 / (1 + exp(-a));
    double power = exp(a);
    return power / (1 + power);
}

/* `a` or `b` when the other is not a number, as fmin and fmax do. */
static double real_operation(enum expression_operation operation, double a, double b, double c)
{
    switch (operation) {
    case EXPRESSION_NEGATE: return -a;
    case EXPRESSION_NOT: return a == 0;
    case EXPRESSION_ADD: return a + b;
    case EXPRESSION_SUBTRACT: return a - b;
    case EXPRESSION_MULTIPLY: return a * b;
    case EXPRESSION_DIVIDE: return a / b;
    case EXPRESSION_MODULO: return a - floor(a / b) * b;
    case EXPRESSION_EQUAL: return a == b;
    case EXPRESSION_UNEQUAL: return a != b;
    case EXPRESSION_LESS: return a < b;
    case EXPRESSION_LESS_EQUAL: return a <= b;
    case EXPRESSION_GREATER: return a > b;
    case EXPRESSION_GREATER_EQUAL: return a >= b;
    case EXPRESSION_AND: return a != 0 && b != 0;
    case EXPRESSION_OR: return a != 0 || b != 0;
    case EXPRESSION_SELECT: return a != 0 ? b : c;
    case EXPRESSION_MINIMUM: return fmin(a, b);
    case EXPRESSION_MAXIMUM: return fmax(a, b);
    case EXPRESSION_ABSOLUTE: return fabs(a);
    case EXPRESSION_CEIL_DIVIDE: return ceil(a / b);
    case EXPRESSION_ALIGN: return ceil(a / b) * b;
    case EXPRESSION_LOG2: return log2(a);
    case EXPRESSION_EXP: return exp(a);
    case EXPRESSION_TANH: return tanh(a);
    case EXPRESSION_SQRT: return sqrt(a);
    case EXPRESSION_LOG: return log(a);
    case EXPRESSION_SIN: return sin(a);
    case EXPRESSION_COS: return cos(a);
    case EXPRESSION_SIGMOID: return sigmoid(a);
    default: return NAN;
    }
}

status expression_real(const struct expression *expression, const double *slots, double *value,
                       struct diagnostic *diagnostic)
{
    double values[EXPRESSION_STEPS_MAX]; /* each is written before it is read */
    (void)diagnostic; /* real arithmetic follows IEEE 754: infinities, not errors */
    for (int i = 0; i < expression->step_count; i++) {
        const struct expression_step *step = &expression->steps[i];
        const int *operands = step->operands;
        if (step->operation == EXPRESSION_INTEGER || step->operation == EXPRESSION_REAL) {
            values[i] = step->real;
        } else if (step->operation == EXPRESSION_NAME) {
            values[i] = slots[step->slot];
        } else {
            values[i] = real_operation(step->operation, operands[0] >= 0 ? values[operands[0]] : 0,
                                       operands[1] >= 0 ? values[operands[1]] : 0,
                                       operands[2] >= 0 ? values[operands[2]] : 0);
        }
    }
    *value = values[expression->step_count - 1];
    return STATUS_OK;
}
