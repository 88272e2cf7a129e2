/* What problem.c and problem_text.c share. */
#ifndef IR_PROBLEM_TEXT_H
#define IR_PROBLEM_TEXT_H

#include "ir/problem.h"

/* Far above any bucket; sizes at these bounds stay far from overflow. */
#define PROBLEM_ROWS_MAX    ((int64_t)1 << 24)
#define PROBLEM_CONTEXT_MAX ((int64_t)1 << 30)

enum value_kind operand_usual_kind(const struct tensor_type *type);
void operand_set(struct operand *operand, enum value_kind kind, const struct tensor_type *type);

/* Sets bounds, text and key of a problem whose operands and attributes stand. */
CHECKED status problem_finish(struct problem *problem, int64_t rows, int64_t context,
                              struct arena *arena, struct diagnostic *diagnostic);
/* Of the text without routing. */
struct hash problem_text_code_key(const char *text);
CHECKED status problem_check_routing(const struct problem *problem, const struct routing *routing,
                                     struct diagnostic *diagnostic);
void problem_print(const struct problem *problem, struct text *text);

#endif
