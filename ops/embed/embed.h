/* embed: rows of a table, scaled. */
#ifndef OPS_EMBED_EMBED_H
#define OPS_EMBED_EMBED_H

#include "ir/problem.h"

enum embed_input { EMBED_TOKENS, EMBED_TABLE };
enum { EMBED_Y = 2 };
enum embed_attribute { EMBED_SCALE };

extern const struct op op_embed;

void embed_reference(const struct problem *problem, const struct run *run, void *const *operands,
                     int64_t begin, int64_t end);

#endif
