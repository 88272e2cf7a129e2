/* Looking at operators: by name, and how long their tables are. */
#include "ir/op.h"

#include <string.h>

const struct op *op_by_name(const struct op *const *ops, const char *name)
{
    for (; *ops; ops++)
        if (!strcmp((*ops)->name, name)) return *ops;
    return NULL;
}

int op_input_count(const struct op *op)
{
    int count = 0;
    while (op->inputs[count].name) count++;
    return count;
}

int op_output_count(const struct op *op)
{
    int count = 0;
    while (op->outputs[count]) count++;
    return count;
}

int op_attribute_count(const struct op *op)
{
    int count = 0;
    while (op->attributes && op->attributes[count].name) count++;
    return count;
}
