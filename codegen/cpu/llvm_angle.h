/* Sine and cosine of large angles, and what they need of double precision. */
#ifndef CODEGEN_CPU_LLVM_ANGLE_H
#define CODEGEN_CPU_LLVM_ANGLE_H

#include "codegen/cpu/llvm_vector.h"

LLVMTypeRef type_f64(struct emitter *e);
value constant_f64(struct emitter *e, double number);
value splat_f64(struct emitter *e, double number, int lanes);
value integer_to_f64(struct emitter *e, value x);
value f32_to_f64(struct emitter *e, value x);

/* Numbers in the kernel's read-only data, aligned to 64 bytes: their address. */
value table_f64(struct emitter *e, const double *numbers, int count);

/* Of an f64 vector (radians), as f32, absolute error below 2e-7 up to 2^27 radians.  The angle is
 * brought into an eighth of a turn in double precision, where it keeps its last places; the rest
 * is done in f32. */
void math_sine_cosine(struct emitter *e, value angle, value *sine, value *cosine);

#endif
