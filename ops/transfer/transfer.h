/* transfer: the same tensor on another device. */
#ifndef OPS_TRANSFER_TRANSFER_H
#define OPS_TRANSFER_TRANSFER_H

#include "ir/problem.h"

enum { TRANSFER_X = 0, TRANSFER_Y = 1 };

extern const struct op op_transfer;

void transfer_reference(const struct problem *problem, const struct run *run, void *const *operands,
                        int64_t begin, int64_t end);

#endif
