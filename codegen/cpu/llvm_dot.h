/* Dot products inside 32-bit lanes: four bytes by four bytes, two bf16 by two bf16. */
#ifndef CODEGEN_CPU_LLVM_DOT_H
#define CODEGEN_CPU_LLVM_DOT_H

#include "codegen/cpu/llvm_vector.h"

/* sum[i] + the products of the four bytes in lane i of `positive` (unsigned, none above `largest`)
 * and of `signs` (signed, none below -127 where `largest` is above 127).  All three are vectors of i32 lanes; the result is
 * exact on every target: one instruction with VNNI, three or eight with AVX2 or AVX-512 (`largest`
 * decides), plain integer vectors elsewhere. */
value dot_bytes(struct emitter *e, value sum, value positive, int largest, value signs);

/* Whether dot_bytes costs one instruction for vectors of `lanes` lanes. */
bool dot_bytes_is_native(const struct emitter *e, int lanes);

/* The same in two steps, where it is made of products that two neighbours are added of as 16 bits: that many pairs may be
 * added to each other before they are widened (0: not on this target, or not for bytes up to `largest`). */
int dot_pairs_depth(const struct emitter *e, int lanes, int largest);
value dot_pairs(struct emitter *e, value positive, value signs);
value dot_pairs_sum(struct emitter *e, value sum, value pairs);

/* Where bytes may be too large for that as unsigned ones: with both signed, of which `a` may be -128 and `b` not.  One
 * pair fits 16 bits. */
bool dot_pairs_take_signs(const struct emitter *e, int lanes);
value dot_pairs_of_signed(struct emitter *e, value a, value b);

/* sum[i] + the products of the two bf16 in lane i of `a` and `b` (i32 lanes); needs FACT_has_bf16
 * and 16 lanes. */
value dot_bf16(struct emitter *e, value sum, value a, value b);

#endif
