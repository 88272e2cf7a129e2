/* softcap: numbers bent smoothly below a limit. */
#ifndef OPS_SOFTCAP_SOFTCAP_H
#define OPS_SOFTCAP_SOFTCAP_H

#include "ir/problem.h"

enum { SOFTCAP_X, SOFTCAP_Y };
enum softcap_attribute { SOFTCAP_LIMIT };

extern const struct op op_softcap;

void softcap_reference(const struct problem *problem, const struct run *run, void *const *operands,
                       int64_t begin, int64_t end);

#endif
