/* CPU kernels in LLVM's language: a variant's NAME.ll.
 *
 * Its external globals that have the name of a constant (codegen/kernel_constants.h) get its value:
 *
 *     @streams = external constant i64
 *     @epsilon = external constant float
 *
 * Every launch's entry is a function `define void @entry(ptr %pointers, ptr %integers, i64 %begin, i64 %end)` (kernel_function
 * in ir/image.h).  Whatever the text says of targets is replaced: a kernel is compiled for the device at hand.  It may call
 * functions that it defines, and intrinsics that become instructions. */
#ifndef CODEGEN_CPU_SOURCE_LLVM_H
#define CODEGEN_CPU_SOURCE_LLVM_H

#include "ir/variant.h"

generate_function source_llvm_generate;

#endif
