/* The reference of transfer. */
#include "ops/access.h"
#include "ops/transfer/transfer.h"

#include <string.h>

void transfer_reference(const struct problem *problem, const struct run *run, void *const *operands,
                        int64_t begin, int64_t end)
{
    if (begin >= end) return;
    int64_t bytes = tensor_bytes(operand_type(problem, TRANSFER_X), run->symbols);
    memcpy(operands[TRANSFER_Y], operands[TRANSFER_X], (size_t)bytes);
}
