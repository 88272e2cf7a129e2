/* What a kernel written as a source text knows of its problem and its config, as named constants.  CUDA kernels get them as
 * config.cuh (codegen/cuda/kernel_config.h), kernels in C as definitions before their text (codegen/source_c.h), kernels in
 * LLVM's language as the values of their external globals (codegen/cpu/source_llvm.c).
 *
 *     problem_rows, problem_context  the problem's bounds
 *     sm                             the architecture of a card, 86; 0 on the CPU
 *     element_TYPE, layout_NAME      rows of ir/element.def and ir/layouts.def
 *     TUNABLE, LET                   the config's values; lets that are whole numbers and read no
 *                                    measured fact
 *     TUNABLE_WORD                   the number of a word: dot == dot_vnni
 *     ATTRIBUTE, ATTRIBUTE_CHOICE    activation == activation_silu; 0 where the operator has none
 *     OPERAND_present                whether this problem has it
 *     OPERAND_element, ..._layout    -1 where it is absent
 *     OPERAND_rows                   product of all dimensions but the last; 0 where it changes from
 *                                    step to step
 *     OPERAND_per_row                leading size per row of the step; 0 where it is fixed
 *     OPERAND_columns                the last dimension
 *     OPERAND_dimension_D            dimension D of operands with three or more; 0 where it changes
 */
#ifndef CODEGEN_KERNEL_CONSTANTS_H
#define CODEGEN_KERNEL_CONSTANTS_H

#include "ir/variant.h"

struct kernel_constant {
    const char *name;
    bool real;     /* an attribute that is a real number */
    int64_t whole; /* where it is not */
    double value;  /* where it is */
};

struct kernel_constants {
    struct kernel_constant *rows;
    int count;
    size_t capacity;
};

/* In the order of the list above; names and rows live in `arena`. */
CHECKED status kernel_constants_collect(const struct bound_space *bound,
                                        const struct config *config, struct arena *arena,
                                        struct kernel_constants *constants,
                                        struct diagnostic *diagnostic);

#endif
