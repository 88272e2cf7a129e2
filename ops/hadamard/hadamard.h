/* hadamard: stretches of neighbouring columns turned by the Walsh-Hadamard matrix. */
#ifndef OPS_HADAMARD_HADAMARD_H
#define OPS_HADAMARD_HADAMARD_H

#include "ir/problem.h"

enum { HADAMARD_X, HADAMARD_Y };
enum hadamard_attribute { HADAMARD_SIZE };

enum { HADAMARD_SIZE_MOST = 1024 };

extern const struct op op_hadamard;

void hadamard_reference(const struct problem *problem, const struct run *run, void *const *operands,
                        int64_t begin, int64_t end);

#endif
