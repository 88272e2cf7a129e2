// Rotary position embedding: the angles of ops/rotation.c, computed by the compiler.
//
// A pair turns by position * frequency.  Positions may exceed what a float holds, so frequencies are kept as turns per
// position in units of 2^-64 and multiplied in whole numbers: what overflows are whole turns.
#pragma once
#include "codegen/cuda/types.cuh"
#include "config.cuh"

constexpr int rotated_elements = rotated ? rotated : head_size;
constexpr int pair_count = rotated_elements / 2;

namespace rotation {
constexpr double two_pi = 6.28318530717958647693;

DEVICE constexpr double largest(double a, double b)
{
    return a > b ? a : b;
}

DEVICE constexpr double smallest(double a, double b)
{
    return a < b ? a : b;
}

// The series of exp after halving the argument until it is small.
DEVICE constexpr double exponential(double x)
{
    int halvings = 0;
    while (x > 0.125 || x < -0.125) {
        x /= 2;
        halvings++;
    }
    double sum = 1, term = 1;
    for (int i = 1; i < 14; i++) {
        term *= x / i;
        sum += term;
    }
    while (halvings-- > 0) sum *= sum;
    return sum;
}

// ln 2 times the exponent, and the series of artanh for the rest.
DEVICE constexpr double logarithm(double x)
{
    int exponent = 0;
    while (x > 1.4142135623730951) {
        x /= 2;
        exponent++;
    }
    while (x < 0.7071067811865476) {
        x *= 2;
        exponent--;
    }
    const double ratio = (x - 1) / (x + 1), square = ratio * ratio;
    double sum = 0, power = ratio;
    for (int i = 1; i < 28; i += 2) {
        sum += power / i;
        power *= square;
    }
    return 2 * sum + exponent * 0.69314718055994530942;
}

DEVICE constexpr double round_down(double x)
{
    const double whole = (double)(long long)x;
    return whole > x ? whole - 1 : whole;
}

// The pair (a real number) whose wave turns `turns` times within the original context.
DEVICE constexpr double pair_of_turns(double turns)
{
    return rotated_elements * logarithm(original_context_exact / (turns * two_pi)) / (2 * logarithm(base_exact));
}

struct ramp {
    double low, high;
};

DEVICE constexpr ramp yarn_ramp()
{
    ramp result = {pair_of_turns(beta_fast_exact), pair_of_turns(beta_slow_exact)};
    if (truncate) {
        result.low = round_down(result.low);
        result.high = -round_down(-result.high);
    }
    result.low = largest(result.low, 0);
    result.high = smallest(result.high, rotated_elements - 1);
    if (result.low == result.high) result.high += 0.001;
    return result;
}

DEVICE constexpr double scale_llama3(double frequency)
{
    const double turns = original_context_exact * frequency / two_pi;
    if (turns > high_factor_exact) return frequency;
    if (turns < low_factor_exact) return frequency / factor_exact;
    const double smooth = (turns - low_factor_exact) / (high_factor_exact - low_factor_exact);
    return (1 - smooth) * frequency / factor_exact + smooth * frequency;
}

DEVICE constexpr double scale_yarn(double frequency, ramp ends, int pair)
{
    const double stretched = smallest(largest((pair - ends.low) / (ends.high - ends.low), 0), 1);
    return stretched * frequency / factor_exact + (1 - stretched) * frequency;
}

struct table {
    double frequencies[pair_count];
};

DEVICE constexpr table make_table()
{
    table result = {};
    const ramp ends = scaling == scaling_yarn ? yarn_ramp() : ramp{0, 1};
    for (int pair = 0; pair < pair_count; pair++) {
        double frequency = exponential(-2.0 * pair / rotated_elements * logarithm(base_exact));
        if (scaling == scaling_linear) frequency /= factor_exact;
        if (scaling == scaling_llama3) frequency = scale_llama3(frequency);
        if (scaling == scaling_yarn) frequency = scale_yarn(frequency, ends, pair);
        result.frequencies[pair] = frequency;
    }
    return result;
}

DEVICE constexpr double magnitude()
{
    if (scaling != scaling_yarn && scaling != scaling_long) return 1;
    if (attention_factor_exact > 0) return attention_factor_exact;
    if (scaling == scaling_long && factor_exact > 1) {
        const double stretched = 1 + logarithm(factor_exact) / logarithm(original_context_exact);
        return exponential(logarithm(stretched) / 2);
    }
    return factor_exact > 1 ? 0.1 * logarithm(factor_exact) + 1 : 1;
}

struct steps_table {
    unsigned long long turns[pair_count];
};

// In units of 2^-64 turns per position.
DEVICE constexpr steps_table make_steps()
{
    steps_table result = {};
    const table all = make_table();
    for (int pair = 0; pair < pair_count; pair++) {
        double turns = all.frequencies[pair] / two_pi;
        turns -= round_down(turns);
        result.turns[pair] = (unsigned long long)(turns * 18446744073709551616.0);
    }
    return result;
}
} // namespace rotation

__constant__ rotation::steps_table rotation_steps = rotation::make_steps();
constexpr float rotation_magnitude = (float)rotation::magnitude();

// Cosine and sine of a pair at a position, times the magnitude.  `factors` (or null) divide the frequencies.
DEVICE float2 rotation_turn(int pair, int position, const float *factors)
{
    unsigned long long step = rotation_steps.turns[pair];
    if (factors) {
        double turns = (double)step / 18446744073709551616.0 / (double)factors[pair];
        turns -= floor(turns);
        step = (unsigned long long)(turns * 18446744073709551616.0);
    }
    const unsigned long long angle = step * (unsigned long long)(long long)position;
    // From -1 to 1, in half turns.
    const float half_turns = (float)(int)(angle >> 32) * (1.0f / 2147483648.0f);
    float sine, cosine;
    sincospif(half_turns, &sine, &cosine);
    return make_float2(cosine * rotation_magnitude, sine * rotation_magnitude);
}

// The elements of a pair within its head.
DEVICE int pair_first(int pair)
{
    return first + (pairing == pairing_halves ? pair : 2 * pair);
}

DEVICE int pair_second(int pair)
{
    return first + (pairing == pairing_halves ? pair + pair_count : 2 * pair + 1);
}

// Element `i` of those that do not turn.
DEVICE int still_element(int i)
{
    return i < first ? i : i + rotated_elements;
}

DEVICE float2 rotate(float2 turn, float x, float y)
{
    return make_float2(x * turn.x - y * turn.y, x * turn.y + y * turn.x);
}
