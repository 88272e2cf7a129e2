/* top: the largest numbers of each row and where they are, so that logits need not leave their device whole. */
#ifndef OPS_TOP_TOP_H
#define OPS_TOP_TOP_H

#include "ir/problem.h"

enum top_input { TOP_X };
enum { TOP_IDS = 1, TOP_VALUES = 2, TOP_NOT_NUMBERS = 3 };
enum top_attribute { TOP_COUNT };

/* More than samplers keep: those that people use take 20 to 100. */
enum { TOP_MOST = 256 };

extern const struct op op_top;

void top_reference(const struct problem *problem, const struct run *run, void *const *operands,
                   int64_t begin, int64_t end);

#endif
