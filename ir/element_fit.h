/* Fitting the few codes of a block format to numbers: weighted least squares over the scale (and
 * the minimum), from several starting scales.
 *
 * For given codes the best scale follows from sums; the codes follow from the scale by rounding.  A
 * short search over the scale that rounds, each time followed by the best scale for the codes it
 * gave, comes near the best of both.  Which starting scales are worth trying is the business of
 * element_fit.c. */
#ifndef IR_ELEMENT_FIT_H
#define IR_ELEMENT_FIT_H

#include <stdint.h>

enum { ELEMENT_FIT_MAX = 32 };

/* `count` numbers, a multiple of 4 up to ELEMENT_FIT_MAX, with what an error of each costs. */
struct element_fit {
    const float *values, *weights;
    int count;
};

/* Codes are whole numbers from `low` to `high`; the number of largest magnitude gets a code near
 * `pole`, which is one of the two. */
struct element_codes {
    int low, high, pole;
};

/* number = scale * code: returns the scale, 0 where all numbers are 0. */
float element_fit_scale(const struct element_fit *fit, const struct element_codes *codes);

/* number = scale * code + minimum, codes from 0 to `most`, minimum at most 0: returns the scale. */
float element_fit_affine(const struct element_fit *fit, int most, float *minimum);

/* number = scale * element_iq4_value(code): returns the scale. */
float element_fit_iq4(const struct element_fit *fit);

/* The nearest codes for a scale and minimum that are decided, plus `offset`, as bytes. */
struct element_rounding {
    float scale, minimum;
    int low, high, offset;
};
void element_round(const float *values, int count, const struct element_rounding *rounding,
                   uint8_t *codes);
void element_round_iq4(const float *values, int count, float scale, uint8_t *codes);

#endif
