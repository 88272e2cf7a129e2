/* The names of the activations. */
#include "ops/activation.h"

#include <stddef.h>

const char *const activation_names[] = {"silu", "gelu_tanh", "gelu", NULL};
