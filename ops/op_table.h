/* The table of all operators, made from ops/operators.def. */
#ifndef OPS_OP_TABLE_H
#define OPS_OP_TABLE_H

#include "ir/op.h"

const struct op *const *op_table(void); /* NULL-terminated, in the order of operators.def */

#endif
