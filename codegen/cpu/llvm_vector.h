/* Vector operations of the emitter: lanes, sums over lanes, masks, half precision, small
 * transposes. */
#ifndef CODEGEN_CPU_LLVM_VECTOR_H
#define CODEGEN_CPU_LLVM_VECTOR_H

#include "codegen/cpu/llvm_emit.h"

/* ---- Lanes ---- */

value splat(struct emitter *e, value scalar, int lanes);
value splat_i32(struct emitter *e, int64_t number, int lanes);
value splat_f32(struct emitter *e, double number, int lanes);
value splat_i8(struct emitter *e, int number, int lanes);
value lane(struct emitter *e, value vector, int index);
value with_lane(struct emitter *e, value vector, value scalar, int index);
/* Lanes picked from a then b (b NULL: a alone); -1 is any value. */
value shuffle(struct emitter *e, value a, value b, const int *lanes, int count);
/* The same from 32 words of 16 bits, in one instruction: for constant lanes LLVM would split the
 * load before it into narrow ones and join them again.  AVX-512 only. */
value pick_words(struct emitter *e, value words, const int *lanes, int count);
/* From the 32 words of a, then those of b; 32 words come back, of which `count` are picked. */
value pick_words_of(struct emitter *e, value a, value b, const int *lanes, int count);
value concatenate(struct emitter *e, value low, value high);
value slice(struct emitter *e, value vector, int first, int count);
value count_up(struct emitter *e, int lanes); /* 0, 1, 2 ... as i32 */

/* Pairwise halving: the order of the sum is fixed by the number of lanes alone. */
value horizontal_addf(struct emitter *e, value vector);
value horizontal_add(struct emitter *e, value vector);
value horizontal_maximumf(struct emitter *e, value vector);
value horizontal_maximum_signed(struct emitter *e, value vector);

/* From `count` vectors of `columns` lanes, element (r, c) in lane c of vector r, to `columns`
 * vectors of `count` lanes. Both are powers of two. */
void transpose(struct emitter *e, const value *rows, int count, int columns, value *transposed);
enum { TRANSPOSE_MAX = 32 };

/* ---- Masks ---- */

value mask_below(struct emitter *e, value count, int lanes); /* lane < count (i64, at least 0) */
value mask_first(struct emitter *e, int count, int lanes);   /* the same, known now */
/* Lanes outside the mask are zero and their memory is not touched. */
value masked_load(struct emitter *e, LLVMTypeRef type, value pointer, value mask, int alignment);
void masked_store(struct emitter *e, value x, value pointer, value mask, int alignment);
/* The first `count` lanes (known now; all of them without a mask). */
value load_first(struct emitter *e, LLVMTypeRef type, value pointer, int count, int alignment);
void store_first(struct emitter *e, value x, value pointer, int count, int alignment);

/* ---- Half precision, as i16 bits: exact widening, narrowing to nearest even ---- */

value widen_f16(struct emitter *e, value bits);
value widen_bf16(struct emitter *e, value bits);
value narrow_f16(struct emitter *e, value x);
value narrow_bf16(struct emitter *e, value x);
/* Lane 2i from the first, lane 2i + 1 from the second. */
value narrow_bf16_pairs(struct emitter *e, value first, value second);

/* Bits of 8-bit floats, as f32. */
value widen_f8(struct emitter *e, enum element_type type, value bits);

/* `lanes` elements of a plain type (f32, f16, bf16, 8-bit floats) at `pointer`, as f32; with `count` < lanes only
 * the first ones. */
value load_as_f32(struct emitter *e, enum element_type type, value pointer, int count, int lanes);

#endif
