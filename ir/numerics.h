/* Numerics classes: how a kernel may round, stated by its space, and the error that this allows.
 *
 *     numerics: {operands: q8 per block of 32, accumulation: f32, order: [unroll]}
 *
 * operands: `exact` (used as they are; the default), f32, f16, bf16, or `q8 per block of N` (or e4m3,
 * or e2m1): what the kernel rounds its activations to before it multiplies.  accumulation: f64, f32, f16, or i32
 * (exact sums of integers, scaled in f32).  order: the tunables that the order of sums depends on
 * (candidate_numerics); all of them where it is absent. */
#ifndef IR_NUMERICS_H
#define IR_NUMERICS_H

#include "base/yaml.h"
#include "ir/element.h"

struct numerics {
    const char *text; /* "operands q8 per block of 32, accumulation f32", for people and records */
    double operand_unit; /* largest relative error of rounding an operand; 0: none */
    int operand_block;   /* the error is relative to the largest of this many neighbours; 1: to the
                            number */
    double accumulation_unit; /* largest relative error of one addition */
};

/* `map` NULL: exact operands, f32 accumulation. */
CHECKED status numerics_read(struct yaml *map, struct arena *arena, struct numerics *numerics,
                             struct diagnostic *diagnostic);

/* Largest relative error of storing a number as `type`, relative to the largest number of its
 * block. */
double element_unit(enum element_type type);

/* How far a result y may be from the reference's: |y - reference| <= relative * scale + stored *
 * |reference|, where `scale` is what the reference gives for the magnitudes of the inputs, that is
 * sum |terms| for everything that sums products (tuner/check_result.h computes it).
 *
 * Roundings of n terms are independent, so their sum grows as sqrt(n), not as n: the probabilistic
 * bound of Higham and Mary (SIAM J. Sci. Comput. 41, 2019), lambda * sqrt(n) * unit, fails with a
 * probability below 2 exp(-lambda^2 / 2). It is tight enough to notice one term of ten thousand
 * that is missing. */
struct error_bound {
    double relative; /* to the scale */
    double stored;   /* to the result: it and the reference are both rounded to the output's type */
};

/* `terms`: summands per output element, 1 or more. */
struct error_bound error_bound_of(const struct numerics *numerics, double terms,
                                  enum element_type output);

#endif
