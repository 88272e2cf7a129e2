/* The expression language of Hone's data files: shapes, rules, launch geometry, estimates, and the
 * bodies of pointwise operators.
 *
 *     or      and      not a      == != < <= > >=      + - * / %      -a      (a)
 *     a if condition else b      min(a, b) max(a, b) abs(a) ceil_div(a, b) align(a, b) log2(a)
 *     exp(a) tanh(a) sqrt(a) log(a) sin(a) cos(a) sigmoid(a)   (real evaluation only)
 *     integers, reals (1.5, 2e-3), names (letters, digits, _ and .), true, false
 *
 * An expression is parsed once into a postfix program over named slots; the names are bound to slot
 * numbers by a resolver, so evaluating needs no lookup.  The same program can be evaluated in
 * integers or in reals, or walked by a printer or an emitter (the structs below are public for that
 * purpose).
 *
 * Integers are 64 bits; overflow and division by zero are errors, not surprises; `/`, `%` and log2
 * round down.  Reals follow IEEE 754: `/` is exact division, a % b is a - floor(a / b) * b. */
#ifndef BASE_EXPRESSION_H
#define BASE_EXPRESSION_H

#include "base/arena.h"

#include <stdint.h>

enum { EXPRESSION_STEPS_MAX = 1024 };

/* clang-format off */
enum expression_operation {
    EXPRESSION_INTEGER, /* push integer */
    EXPRESSION_REAL,    /* push real */
    EXPRESSION_NAME,    /* push slot */
    EXPRESSION_NEGATE, EXPRESSION_NOT,
    EXPRESSION_ADD, EXPRESSION_SUBTRACT, EXPRESSION_MULTIPLY, EXPRESSION_DIVIDE, EXPRESSION_MODULO,
    EXPRESSION_EQUAL, EXPRESSION_UNEQUAL, EXPRESSION_LESS, EXPRESSION_LESS_EQUAL,
    EXPRESSION_GREATER, EXPRESSION_GREATER_EQUAL,
    EXPRESSION_AND, EXPRESSION_OR,
    EXPRESSION_SELECT, /* condition, a, b -> condition ? a : b; only the errors of the one taken count */
    EXPRESSION_MINIMUM, EXPRESSION_MAXIMUM, EXPRESSION_ABSOLUTE, EXPRESSION_CEIL_DIVIDE,
    EXPRESSION_ALIGN, /* the first multiple of b that is not below a */
    EXPRESSION_LOG2,
    EXPRESSION_EXP, EXPRESSION_TANH, EXPRESSION_SQRT, EXPRESSION_LOG, EXPRESSION_SIN, EXPRESSION_COS,
    EXPRESSION_SIGMOID,
    EXPRESSION_OPERATION_COUNT
};
/* clang-format on */

/* A tree node: operands are indices of earlier steps, so walking `steps` in order visits
 * operands first. */
struct expression_step {
    enum expression_operation operation;
    int operands[3]; /* steps; -1 where unused */
    int slot;        /* NAME */
    int column;      /* of the text, from 1, for messages */
    int64_t integer;
    double real; /* INTEGER as well */
};

/* A set of slots. */
__extension__ typedef unsigned __int128 slot_mask;
enum { SLOT_MASK_BITS = 128 };

static inline slot_mask slot_bit(int slot)
{
    return (slot_mask)1 << slot;
}

struct expression {
    const char *text;
    const char *origin; /* "file:line:column" of the text, for messages; may be NULL */
    int step_count;
    struct expression_step *steps; /* the last one is the value */
    slot_mask slots_used;          /* bit s: slot s is read (slots above 127 set no bit) */
};

/* The slot of a name of `length` bytes, or -1 when there is no such name. */
typedef int expression_resolver(const void *context, const char *name, size_t length);

/* At most 4 KiB of text, EXPRESSION_STEPS_MAX steps, 64 levels.  Errors name the column and, for
 * unknown names, the name.  `resolve` may be NULL where no names are allowed. */
CHECKED status expression_parse(const char *text, const char *origin, expression_resolver *resolve,
                                const void *context, struct arena *arena,
                                struct expression **expression, struct diagnostic *diagnostic);

/* `slots[s]` is the value of slot s.  Conditions are 0 and 1. */
CHECKED status expression_integer(const struct expression *expression, const int64_t *slots,
                                  int64_t *value, struct diagnostic *diagnostic);
CHECKED status expression_real(const struct expression *expression, const double *slots,
                               double *value, struct diagnostic *diagnostic);

/* fail() with origin, text and the column of `step` in front. */
CHECKED PRINTF_LIKE(4, 5) status
    expression_fail(const struct expression *expression, int step, struct diagnostic *diagnostic,
                    const char *format, ...);
#define expression_fail(...) certain_failure((expression_fail)(__VA_ARGS__))

#endif
