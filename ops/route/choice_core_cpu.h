/* The largest of a list of f32 in memory, one after the other. */
#ifndef OPS_ROUTE_CHOICE_CORE_CPU_H
#define OPS_ROUTE_CHOICE_CORE_CPU_H

#include "codegen/cpu/kernel_rows.h"

/* `count` numbers at `values`, which lies on the stack and has whole registers: minus infinity, as
 * choice_begin writes it, stands behind the last number and where one was taken. */
struct choice {
    int64_t count;
    value values;
};

struct choice choice_of(struct emitter *e, int64_t count);
/* Makes the registers' numbers behind the last one minus infinity; before the others are written. */
void choice_begin(struct emitter *e, const struct choice *choice);
void choice_set(struct emitter *e, const struct choice *choice, value index, value number);
/* The number (i64) of the largest, the first of equals; it is taken. */
value choice_take(struct emitter *e, const struct choice *choice);

#endif
