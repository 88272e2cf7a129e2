/* Scales of block types (internal to llvm_unpack). */
#ifndef CODEGEN_CPU_LLVM_UNPACK_SCALES_H
#define CODEGEN_CPU_LLVM_UNPACK_SCALES_H

#include "codegen/cpu/llvm_unpack.h"

void unpack_small_scales(struct emitter *e, const struct unpack_request *request, value pointer,
                         value *scales, value *minima);
void unpack_wide_scales(struct emitter *e, enum element_type type, value pointer, value *scales,
                        value *minima);
void unpack_super_scales(struct emitter *e, enum element_type type, value pointer, value *scales,
                         value *minima);

/* Bytes (in i32 lanes) from 0 to 15 replaced by table entry plus `offset`. */
value look_up_bytes(struct emitter *e, value codes, const signed char *table, int offset);

/* A vector of constants. */
value constant_vector(value *each, int count);

#endif
