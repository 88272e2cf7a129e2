/* The angles behind rotation.h, in double.
 *
 * The scalings are those of the published models: linear interpolation of positions; Llama 3.1's
 * three bands of wavelengths; YaRN (Peng et al. 2023) with the rounding of its correction range
 * that Hugging Face transformers uses. */
#include "ops/rotation.h"

#include <math.h>
#include <stddef.h>

static const double two_pi = 6.28318530717958647693;

const char *const rotation_pairing_names[] = {"interleaved", "halves", NULL};
const char *const rotation_scaling_names[] = {"none", "linear", "llama3", "yarn", "long", NULL};

int64_t rotation_rotated(const union attribute *attributes)
{
    int64_t rotated = attributes[ROTATION_ROTATED].integer;
    return rotated ? rotated : attributes[ROTATION_HEAD_SIZE].integer;
}

status rotation_check(const union attribute *attributes, struct diagnostic *diagnostic)
{
    int64_t rotated = rotation_rotated(attributes);
    int64_t head_size = attributes[ROTATION_HEAD_SIZE].integer;
    int64_t first = attributes[ROTATION_FIRST].integer;
    if (rotated % 2 != 0 || first + rotated > head_size)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "rotated is %lld from element %lld on and head_size %lld; rotated must be even "
                    "and within the head",
                    (long long)rotated, (long long)first, (long long)head_size);
    if (attributes[ROTATION_SCALING].integer == SCALING_LLAMA3 &&
        attributes[ROTATION_HIGH_FACTOR].real <= attributes[ROTATION_LOW_FACTOR].real)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "high_factor is %g and low_factor %g; llama3 scaling needs high_factor "
                    "above low_factor",
                    attributes[ROTATION_HIGH_FACTOR].real, attributes[ROTATION_LOW_FACTOR].real);
    return STATUS_OK;
}

/* Short waves stay, long ones are stretched by the factor, those between are blended. */
static double scale_llama3(const union attribute *attributes, double frequency)
{
    double factor = attributes[ROTATION_FACTOR].real;
    double low = attributes[ROTATION_LOW_FACTOR].real;
    double high = attributes[ROTATION_HIGH_FACTOR].real;
    double turns = attributes[ROTATION_ORIGINAL_CONTEXT].real * frequency / two_pi;
    if (turns > high) return frequency;
    if (turns < low) return frequency / factor;
    double smooth = (turns - low) / (high - low);
    return (1 - smooth) * frequency / factor + smooth * frequency;
}

/* The pair (a real number) whose wave turns `turns` times within the original context. */
static double yarn_pair_of_turns(const union attribute *attributes, double turns)
{
    double context = attributes[ROTATION_ORIGINAL_CONTEXT].real;
    return (double)rotation_rotated(attributes) * log(context / (turns * two_pi)) /
           (2 * log(attributes[ROTATION_BASE].real));
}

struct ramp {
    double low, high;
};

static struct ramp yarn_ramp(const union attribute *attributes)
{
    struct ramp ramp = {yarn_pair_of_turns(attributes, attributes[ROTATION_BETA_FAST].real),
                        yarn_pair_of_turns(attributes, attributes[ROTATION_BETA_SLOW].real)};
    if (attributes[ROTATION_TRUNCATE].integer) {
        ramp.low = floor(ramp.low);
        ramp.high = ceil(ramp.high);
    }
    ramp.low = fmax(ramp.low, 0);
    ramp.high = fmin(ramp.high, (double)rotation_rotated(attributes) - 1);
    /* transformers' way around a division by zero */
    if (ramp.low == ramp.high) ramp.high += 0.001;
    return ramp;
}

static double scale_yarn(const union attribute *attributes, struct ramp ramp, int64_t pair,
                         double frequency)
{
    double stretched = ((double)pair - ramp.low) / (ramp.high - ramp.low);
    stretched = fmin(fmax(stretched, 0), 1);
    return stretched * frequency / attributes[ROTATION_FACTOR].real + (1 - stretched) * frequency;
}

static double scaled_frequency(const union attribute *attributes, int64_t pair)
{
    double exponent = -2.0 * (double)pair / (double)rotation_rotated(attributes);
    double frequency = pow(attributes[ROTATION_BASE].real, exponent);
    switch ((enum rotation_scaling)attributes[ROTATION_SCALING].integer) {
    case SCALING_NONE:
    case SCALING_LONG: break; /* by the factors */
    case SCALING_LINEAR: return frequency / attributes[ROTATION_FACTOR].real;
    case SCALING_LLAMA3: return scale_llama3(attributes, frequency);
    case SCALING_YARN: return scale_yarn(attributes, yarn_ramp(attributes), pair, frequency);
    }
    return frequency;
}

static double magnitude(const union attribute *attributes)
{
    double factor = attributes[ROTATION_FACTOR].real;
    int64_t scaling = attributes[ROTATION_SCALING].integer;
    if (scaling != SCALING_YARN && scaling != SCALING_LONG) return 1;
    if (attributes[ROTATION_ATTENTION_FACTOR].real > 0)
        return attributes[ROTATION_ATTENTION_FACTOR].real;
    if (scaling == SCALING_LONG && factor > 1)
        return sqrt(1 + log(factor) / log(attributes[ROTATION_ORIGINAL_CONTEXT].real));
    return factor > 1 ? 0.1 * log(factor) + 1 : 1;
}

void rotation_create(const union attribute *attributes, const float *factors,
                     struct rotation *rotation)
{
    rotation->head_size = attributes[ROTATION_HEAD_SIZE].integer;
    rotation->first = attributes[ROTATION_FIRST].integer;
    rotation->pairs = rotation_rotated(attributes) / 2;
    rotation->pairing = (enum rotation_pairing)attributes[ROTATION_PAIRING].integer;
    rotation->magnitude = magnitude(attributes);
    for (int64_t i = 0; i < rotation->pairs; i++)
        rotation->frequencies[i] =
            scaled_frequency(attributes, i) / (factors ? (double)factors[i] : 1);
}

void rotation_turns(const struct rotation *rotation, int64_t position, struct turns *turns)
{
    for (int64_t i = 0; i < rotation->pairs; i++) {
        double angle = (double)position * rotation->frequencies[i];
        turns->sines[i] = sin(angle) * rotation->magnitude;
        turns->cosines[i] = cos(angle) * rotation->magnitude;
    }
}

void rotation_apply(const struct rotation *rotation, const struct turns *turns, const float *from,
                    float *to)
{
    bool halves = rotation->pairing == PAIRING_HALVES;
    int64_t rest = rotation->head_size - rotation->first;
    for (int64_t c = 0; c < rotation->first; c++) to[c] = from[c];
    from += rotation->first;
    to += rotation->first;
    for (int64_t i = 0; i < rotation->pairs; i++) {
        int64_t a = halves ? i : 2 * i, b = halves ? i + rotation->pairs : 2 * i + 1;
        double x = (double)from[a], y = (double)from[b];
        to[a] = (float)(x * turns->cosines[i] - y * turns->sines[i]);
        to[b] = (float)(x * turns->sines[i] + y * turns->cosines[i]);
    }
    for (int64_t c = 2 * rotation->pairs; c < rest; c++) to[c] = from[c];
}
