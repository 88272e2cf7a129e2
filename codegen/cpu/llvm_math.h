/* Functions of f32 vectors (or scalars) as polynomials, emitted in line: kernels call nothing. */
#ifndef CODEGEN_CPU_LLVM_MATH_H
#define CODEGEN_CPU_LLVM_MATH_H

#include "codegen/cpu/llvm_vector.h"

value math_exp(struct emitter *e,
               value x); /* relative error below 2e-7; 1.1e-38 below -87.4, infinity above 88.8 */
value math_tanh(struct emitter *e, value x); /* relative error below 3e-7 */
value math_sigmoid(struct emitter *e, value x);
value math_silu(struct emitter *e, value x);      /* x sigmoid(x) */
value math_gelu_tanh(struct emitter *e, value x); /* the tanh form */
value math_gelu(struct emitter *e,
                value x); /* the exact form with erf, absolute error below 3e-7 |x| */

#endif
