/* The activations of gated layers, in double: what every kernel's version is compared with.
 * Choice k of the attribute `activation` is row k of activation_names. */
#ifndef OPS_ACTIVATION_H
#define OPS_ACTIVATION_H

#include <math.h>

enum activation { ACTIVATION_SILU, ACTIVATION_GELU_TANH, ACTIVATION_GELU };

extern const char *const activation_names[];

/* For costs: an exponential is about ten operations in every vector library, and the product and
 * the quotient go with it. */
#define ACTIVATION_OPERATIONS 13.0

/* The row of an attribute table; its includer knows ir/op.h. */
#define ACTIVATION_ATTRIBUTE                                                                       \
    {                                                                                              \
        .name = "activation", .kind = ATTRIBUTE_CHOICE, .otherwise = ACTIVATION_SILU,              \
        .choices = activation_names                                                                \
    }

static inline double silu(double x)
{
    return x / (1 + exp(-x));
}

/* 0.79788456080286535588 is sqrt(2 / pi); 0.044715 is the constant of the tanh form's definition.
 */
static inline double gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

/* x times the normal distribution function; 0.70710678118654752440 is sqrt(1 / 2). */
static inline double gelu(double x)
{
    return 0.5 * x * erfc(-x * 0.70710678118654752440);
}

static inline double activate(enum activation activation, double x)
{
    switch (activation) {
    case ACTIVATION_SILU: return silu(x);
    case ACTIVATION_GELU_TANH: return gelu_tanh(x);
    case ACTIVATION_GELU: break;
    }
    return gelu(x);
}

/* act(gate) * up as every gated operator rounds it: once, to float. */
static inline float gate_value(enum activation activation, float gate, float up)
{
    return (float)(activate(activation, (double)gate) * (double)up);
}

#endif
