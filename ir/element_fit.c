/* Weighted least squares over codes, four numbers at a time.
 *
 * The vectors are those of the compiler, 16 bytes long, which every 64-bit processor has; sums have
 * one order everywhere, so that a file quantised twice is the same file. */
#include "ir/element_fit.h"

#include "ir/element_decode.h"

#include <math.h>

enum { LANES = 4 };

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

static inline lanes splat(float x)
{
    return (lanes){x, x, x, x};
}

static inline lanes load(const float *from)
{
    lanes x;
    memcpy(&x, from, sizeof x);
    return x;
}

static inline float join(lanes x)
{
    return (x[0] + x[1]) + (x[2] + x[3]);
}

static inline lanes choose(mask condition, lanes a, lanes b)
{
    return (lanes)((condition & (mask)a) | (~condition & (mask)b));
}

/* NaN becomes `low`. */
static inline lanes clamp(lanes x, float low, float high)
{
    x = choose(x >= splat(low), x, splat(low));
    return choose(x <= splat(high), x, splat(high));
}

/* To the nearest whole number, ties to even, for magnitudes below 2^22. */
static inline lanes nearest(lanes x)
{
    lanes rounder = splat(12582912.0f); /* 1.5 * 2^23: no bits are left for a fraction */
    return (x + rounder) - rounder;
}

/* 0 where there is none: numbers so small that their inverse overflows count as 0. */
static float inverse_of(float x)
{
    float inverse = 1.0f / x;
    return isfinite(inverse) ? inverse : 0.0f;
}

static float extreme_of(const struct element_fit *fit)
{
    float extreme = 0;
    for (int i = 0; i < fit->count; i++)
        if (fabsf(fit->values[i]) > fabsf(extreme)) extreme = fit->values[i];
    return isfinite(extreme) ? extreme : 0.0f;
}

/* Weighted sums of codes, their squares, and their products with the numbers. */
struct sums {
    float codes, squares, products;
};

/* ---- A scale alone ---- */

/* The error that a scale leaves is the sum of squares less products^2 / squares: the best codes
 * have the largest quotient. */
struct best {
    float quotient, scale;
};

static void keep_better(struct best *best, const struct sums *sums)
{
    if (!(sums->squares > 0)) return;
    float quotient = sums->products / sums->squares * sums->products;
    if (quotient > best->quotient) *best = (struct best){quotient, sums->products / sums->squares};
}

static struct sums sum_codes(const struct element_fit *fit, float inverse, float low, float high)
{
    lanes squares = splat(0), products = splat(0);
    for (int i = 0; i < fit->count; i += LANES) {
        lanes x = load(fit->values + i), weight = load(fit->weights + i);
        lanes code = nearest(clamp(x * splat(inverse), low, high)), weighed = weight * code;
        squares += weighed * code;
        products += weighed * x;
    }
    return (struct sums){0, join(squares), join(products)};
}

/* The extreme number may get a code up to one step beyond or short of the pole: beyond, it is cut
 * and the others get finer steps. */
float element_fit_scale(const struct element_fit *fit, const struct element_codes *codes)
{
    enum { STEPS = 9 };
    float inverse = inverse_of(extreme_of(fit));
    struct best best = {0, 0};
    if (inverse == 0) return 0;
    for (int step = -STEPS; step <= STEPS; step++) {
        float pole = (float)codes->pole + 0.1f * (float)step;
        struct sums sums = sum_codes(fit, pole * inverse, (float)codes->low, (float)codes->high);
        keep_better(&best, &sums);
    }
    return best.scale;
}

/* ---- Scale and minimum ---- */

/* Sums that no code changes. */
struct totals {
    double weights, values, squares;
};

static struct totals sum_values(const struct element_fit *fit)
{
    lanes weights = splat(0), values = splat(0), squares = splat(0);
    for (int i = 0; i < fit->count; i += LANES) {
        lanes x = load(fit->values + i), weight = load(fit->weights + i);
        weights += weight;
        values += weight * x;
        squares += weight * x * x;
    }
    return (struct totals){(double)join(weights), (double)join(values), (double)join(squares)};
}

static struct sums sum_codes_above(const struct element_fit *fit, float minimum, float inverse,
                                   float most)
{
    lanes codes = splat(0), squares = splat(0), products = splat(0);
    for (int i = 0; i < fit->count; i += LANES) {
        lanes x = load(fit->values + i), weight = load(fit->weights + i);
        lanes code = nearest(clamp((x - splat(minimum)) * splat(inverse), 0, most));
        lanes weighed = weight * code;
        codes += weighed;
        squares += weighed * code;
        products += weighed * x;
    }
    return (struct sums){join(codes), join(squares), join(products)};
}

struct line {
    double scale, minimum, error;
};

/* The normal equations; a minimum above 0 cannot be stored and becomes 0. */
static struct line best_line(const struct totals *totals, const struct sums *sums)
{
    double codes = (double)sums->codes, squares = (double)sums->squares,
           products = (double)sums->products;
    double determinant = totals->weights * squares - codes * codes;
    struct line line = {0, 0, INFINITY};
    if (!(squares > 0)) return line;
    if (determinant > 0) {
        line.scale = (totals->weights * products - totals->values * codes) / determinant;
        line.minimum = (squares * totals->values - codes * products) / determinant;
    }
    if (!(determinant > 0) || line.minimum > 0) {
        line.scale = products / squares;
        line.minimum = 0;
    }
    line.error = totals->squares - 2 * line.scale * products - 2 * line.minimum * totals->values +
                 line.scale * line.scale * squares + 2 * line.scale * line.minimum * codes +
                 line.minimum * line.minimum * totals->weights;
    return line;
}

static void find_range(const struct element_fit *fit, float *least, float *most)
{
    *least = *most = fit->values[0];
    for (int i = 1; i < fit->count; i++) {
        *least = fminf(*least, fit->values[i]);
        *most = fmaxf(*most, fit->values[i]);
    }
    *least = fminf(*least, 0);
}

/* From codes that leave the range half unused at the top to codes that cut off as much. */
float element_fit_affine(const struct element_fit *fit, int most, float *minimum)
{
    enum { STEPS = 18 };
    float least, greatest;
    find_range(fit, &least, &greatest);
    struct totals totals = sum_values(fit);
    struct line best = {0, least, INFINITY};
    float inverse = inverse_of(greatest - least);
    for (int step = -STEPS / 2; inverse != 0 && step <= STEPS / 2; step++) {
        float highest = (float)most + 0.1f * (float)step;
        struct sums sums = sum_codes_above(fit, least, highest * inverse, (float)most);
        struct line line = best_line(&totals, &sums);
        if (line.error < best.error && line.scale > 0) best = line;
    }
    *minimum = isfinite(best.minimum) ? (float)best.minimum : 0;
    return isfinite(best.scale) ? (float)best.scale : 0;
}

/* ---- Codes of unequal distance ---- */

enum { IQ4_CODES = 16 };

/* What a number between two codes must be above to get the higher one, counted from the lower. */
static float iq4_middle(int code)
{
    return 0.5f *
           (float)(element_iq4_value((uint32_t)code) + element_iq4_value((uint32_t)code + 1));
}

/* The nearest value of a code for each half step, by ceil(2 x): what lies between two codes is a whole number of half
 * steps.  Made anew for each block, which costs a fortieth of its fit. */
enum { IQ4_HALF_STEPS = 256, IQ4_ENTRIES = 2 * IQ4_HALF_STEPS + 1 };

static void fill_iq4(float nearest_value[IQ4_ENTRIES])
{
    int entry = 0;
    for (int code = 0; code < IQ4_CODES; code++) {
        int end =
            code + 1 < IQ4_CODES ? (int)(2 * iq4_middle(code)) + IQ4_HALF_STEPS : IQ4_ENTRIES - 1;
        float value = (float)element_iq4_value((uint32_t)code);
        for (; entry <= end; entry++) nearest_value[entry] = value;
    }
}

static inline lanes iq4_nearest(lanes x, const float nearest_value[IQ4_ENTRIES])
{
    lanes place = clamp(x + x, -IQ4_HALF_STEPS, IQ4_HALF_STEPS) + splat(IQ4_HALF_STEPS);
    mask entry = __builtin_convertvector(place, mask); /* towards zero, and up from there */
    entry -= (mask)(place > __builtin_convertvector(entry, lanes));
    return (lanes){nearest_value[entry[0]], nearest_value[entry[1]], nearest_value[entry[2]],
                   nearest_value[entry[3]]};
}

static struct sums sum_iq4(const struct element_fit *fit, float inverse,
                           const float nearest_value[IQ4_ENTRIES])
{
    lanes squares = splat(0), products = splat(0);
    for (int i = 0; i < fit->count; i += LANES) {
        lanes x = load(fit->values + i), weight = load(fit->weights + i);
        lanes code = iq4_nearest(x * splat(inverse), nearest_value), weighed = weight * code;
        squares += weighed * code;
        products += weighed * x;
    }
    return (struct sums){0, join(squares), join(products)};
}

/* The codes reach further below zero than above, so the extreme number may lie at either end. */
float element_fit_iq4(const struct element_fit *fit)
{
    enum { STEPS = 7 };
    float inverse = inverse_of(extreme_of(fit));
    struct best best = {0, 0};
    float nearest_value[IQ4_ENTRIES];
    if (inverse == 0) return 0;
    fill_iq4(nearest_value);
    for (int end = 0; end < IQ4_CODES; end += IQ4_CODES - 1)
        for (int step = -STEPS; step <= STEPS; step++) {
            float pole = (float)(element_iq4_value((uint32_t)end) + step);
            struct sums sums = sum_iq4(fit, pole * inverse, nearest_value);
            keep_better(&best, &sums);
        }
    return best.scale;
}

/* ---- Codes for what was decided ---- */

void element_round(const float *values, int count, const struct element_rounding *rounding,
                   uint8_t *codes)
{
    lanes inverse = splat(inverse_of(rounding->scale)), minimum = splat(rounding->minimum);
    for (int i = 0; i < count; i += LANES) {
        lanes code = nearest(clamp((load(values + i) - minimum) * inverse, (float)rounding->low,
                                   (float)rounding->high));
        for (int l = 0; l < LANES; l++) codes[i + l] = (uint8_t)((int)code[l] + rounding->offset);
    }
}

static uint8_t iq4_code(float x)
{
    uint8_t code = 0;
    for (int c = 0; c + 1 < IQ4_CODES; c++) code = (uint8_t)(code + (x > iq4_middle(c)));
    return code;
}

void element_round_iq4(const float *values, int count, float scale, uint8_t *codes)
{
    float inverse = inverse_of(scale);
    for (int i = 0; i < count; i++) codes[i] = iq4_code(values[i] * inverse);
}
