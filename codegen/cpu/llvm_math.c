/* Functions of f32 vectors as polynomials. */
#include "codegen/cpu/llvm_math.h"

static value real(struct emitter *e, value like, double number)
{
    return splat_f32(e, number, lanes_of(like));
}

static value whole(struct emitter *e, value like, int64_t number)
{
    return splat_i32(e, number, lanes_of(like));
}

/* Horner's rule, highest power first. */
static value polynomial(struct emitter *e, value x, const double *coefficients, int count)
{
    value sum = real(e, x, coefficients[0]);
    for (int i = 1; i < count; i++) sum = muladdf(e, sum, x, real(e, x, coefficients[i]));
    return sum;
}

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln 2 / 2.  ln 2 is split so that n ln2_high is
 * exact.  The Taylor series to r^7 / 7! is off by at most 0.3466^8 / 8! = 5e-9 there.  2^n is built
 * in the exponent, in two halves so that the whole range down to the smallest normal number works.
 */
value math_exp(struct emitter *e, value x)
{
    static const double taylor[] = {1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1};
    const double ln2_high = 0x1.62ep-1, ln2_low = 0x1.0bfbe8e7bcd5ep-15, round = 0x1.8p23;
    value clamped = maximumf(e, minimumf(e, x, real(e, x, 88.8)), real(e, x, -87.4));
    value biased = muladdf(e, clamped, real(e, x, 1.4426950408889634), real(e, x, round));
    value n = subf(e, biased, real(e, x, round));
    value r = muladdf(e, n, real(e, x, -ln2_high), clamped);
    r = muladdf(e, n, real(e, x, -ln2_low), r);
    value power = polynomial(e, r, taylor, 8);
    LLVMTypeRef bits = vector_of(e->i32, lanes_of(x)), reals = LLVMTypeOf(x);
    value whole_n = sub(e, reinterpret(e, biased, bits), reinterpret(e, real(e, x, round), bits));
    value half_n = shift_right_signed(e, whole_n, 1);
    value one = whole(e, x, 127);
    value low = shift_left(e, add(e, half_n, one), 23);
    value high = shift_left(e, add(e, sub(e, whole_n, half_n), one), 23);
    value result = mulf(e, mulf(e, power, reinterpret(e, low, reals)), reinterpret(e, high, reals));
    value is_nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, x, x, "");
    return choose(e, is_nan, x, result);
}

value math_sigmoid(struct emitter *e, value x)
{
    value one = real(e, x, 1);
    return divf(e, one, addf(e, one, math_exp(e, negf(e, x))));
}

value math_silu(struct emitter *e, value x)
{
    value one = real(e, x, 1);
    return divf(e, x, addf(e, one, math_exp(e, negf(e, x))));
}

/* x + x^3 p(x^2), p fitted to |x| < 0.6 at Chebyshev's points: relative error 2e-8. */
static value tanh_near_zero(struct emitter *e, value x)
{
    static const double p[] = {-0.0062763890609, 0.0211162151478, -0.0538751385145, 0.1333292400967,
                               -0.3333333043143};
    value square = mulf(e, x, x);
    return muladdf(e, mulf(e, x, square), polynomial(e, square, p, 5), x);
}

/* tanh(x) = 1 - 2 / (exp(2x) + 1), which loses relative accuracy where it is small. */
value math_tanh(struct emitter *e, value x)
{
    value one = real(e, x, 1), two = real(e, x, 2);
    value clamped = maximumf(e, minimumf(e, x, real(e, x, 20)), real(e, x, -20));
    value power = math_exp(e, mulf(e, clamped, two));
    value result = subf(e, one, divf(e, two, addf(e, power, one)));
    value is_nan = LLVMBuildFCmp(e->builder, LLVMRealUNO, x, x, "");
    result = choose(e, lessf(e, absolutef(e, x), real(e, x, 0.6)), tanh_near_zero(e, x), result);
    return choose(e, is_nan, x, result);
}

/* x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigmoid(2 ...) */
value math_gelu_tanh(struct emitter *e, value x)
{
    const double root = 0.7978845608028654;
    value square = mulf(e, x, x);
    value inner = muladdf(e, square, real(e, x, 2 * root * 0.044715), real(e, x, 2 * root));
    return mulf(e, x, math_sigmoid(e, mulf(e, x, inner)));
}

/* erf by Abramowitz and Stegun 7.1.26: 1 - t (a1 + ... a5 t^4) exp(-x^2), t = 1 / (1 + p x), error
 * below 1.5e-7. */
value math_gelu(struct emitter *e, value x)
{
    static const double a[] = {1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592};
    value one = real(e, x, 1);
    value z = mulf(e, absolutef(e, x), real(e, x, 0.7071067811865476));
    value t = divf(e, one, muladdf(e, z, real(e, x, 0.3275911), one));
    value tail = mulf(e, mulf(e, t, polynomial(e, t, a, 5)), math_exp(e, negf(e, mulf(e, z, z))));
    /* Half the tail is Phi(-|x|): gelu(x) = max(x, 0) - |x| Phi(-|x|). */
    value positive = maximumf(e, x, real(e, x, 0));
    value below = mulf(e, mulf(e, absolutef(e, x), tail), real(e, x, 0.5));
    return subf(e, positive, below);
}
