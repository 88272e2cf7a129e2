/* The table behind op_table.h. */
#include "ops/op_table.h"

#include <stddef.h>

#define OPERATOR(name) extern const struct op op_##name;
#include "ops/operators.def"
#undef OPERATOR

static const struct op *const table[] = {
#define OPERATOR(name) &op_##name,
#include "ops/operators.def"
#undef OPERATOR
    NULL,
};

const struct op *const *op_table(void)
{
    return table;
}
