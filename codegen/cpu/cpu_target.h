/* From an LLVM module to a relocatable object in memory, for a processor that need not be this one.
 */
#ifndef CODEGEN_CPU_CPU_TARGET_H
#define CODEGEN_CPU_CPU_TARGET_H

#include "codegen/cpu/llvm_emit.h"

/* Verifies and optimises the emitter's module and makes an ELF object of it, in `arena`.  `listing`
 * (may be NULL) gets the optimised IR and the assembly. */
CHECKED status cpu_target_compile(struct emitter *e, struct arena *arena, const void **object,
                                  size_t *object_bytes, struct listing *listing,
                                  struct diagnostic *diagnostic);

#endif
