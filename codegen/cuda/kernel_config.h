/* config.cuh: what a CUDA kernel knows of its problem, as constants.
 *
 *     problem_rows, problem_context  the problem's bounds
 *     sm                             the architecture, 86
 *     TUNABLE, LET                   the config's values; lets that are whole numbers and read no
 *                                    measured fact
 *     TUNABLE_WORD                   the number of a word: dot == dot_vnni
 *     ATTRIBUTE, ATTRIBUTE_CHOICE    activation == activation_silu; 0 where the operator has none
 *     ATTRIBUTE_exact                a real number as a double
 *     element_TYPE, layout_NAME      rows of ir/element.def and ir/layouts.def
 *     OPERAND_present                whether this problem has it
 *     OPERAND_element, ..._layout    -1 where it is absent
 *     OPERAND_rows                   product of all dimensions but the last; 0 where it changes from
 *                                    step to step
 *     OPERAND_per_row                leading size per row of the step; 0 where it is fixed
 *     OPERAND_columns                the last dimension
 *     OPERAND_dimension_D            dimension D of operands with three or more; 0 where it changes
 */
#ifndef CODEGEN_CUDA_KERNEL_CONFIG_H
#define CODEGEN_CUDA_KERNEL_CONFIG_H

#include "ir/variant.h"

/* The file's text. */
CHECKED status kernel_config_write(const struct bound_space *bound, const struct config *config,
                                   struct arena *arena, const char **text,
                                   struct diagnostic *diagnostic);

#endif
