/* Dot products inside 32-bit lanes: four bytes by four bytes, two bf16 by two bf16. */
#ifndef CODEGEN_CPU_LLVM_DOT_H
#define CODEGEN_CPU_LLVM_DOT_H

#include "codegen/cpu/llvm_vector.h"

/* sum[i] + the products of the four bytes in lane i of `positive` (unsigned, none above `largest`)
 * and of `signs` (signed, none below -127).  All three are vectors of i32 lanes; the result is
 * exact on every target: one instruction with VNNI, three or eight with AVX2 or AVX-512 (`largest`
 * decides), plain integer vectors elsewhere. */
value dot_bytes(struct emitter *e, value sum, value positive, int largest, value signs);

/* Whether dot_bytes costs one instruction for vectors of `lanes` lanes. */
bool dot_bytes_is_native(const struct emitter *e, int lanes);

/* sum[i] + the products of the two bf16 in lane i of `a` and `b` (i32 lanes); needs FACT_has_bf16
 * and 16 lanes. */
value dot_bf16(struct emitter *e, value sum, value a, value b);

#endif
