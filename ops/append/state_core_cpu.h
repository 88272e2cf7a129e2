/* Numbers of paged states inside kernels: f32, f16, bf16, and blocks of 32 (q8_0, q4_0). */
#ifndef OPS_APPEND_STATE_CORE_CPU_H
#define OPS_APPEND_STATE_CORE_CPU_H

#include "codegen/cpu/kernel_rows.h"

/* Whether kernels read and write states of this type, and whether it is one of blocks. */
bool state_is_supported(enum element_type element);
bool state_is_block(enum element_type element);

/* Bytes before column `column` (i64, a multiple of the type's block). */
value state_offset(struct emitter *e, enum element_type element, value column);

/* `lanes` (at most 32) columns from `column` (known now, a multiple of `lanes`) of a row at `row`,
 * as f32; with `count` < lanes only the first ones, which blocks do not have.  A row begins on a
 * block. */
value state_load(struct emitter *e, enum element_type element, value row, int64_t column, int count,
                 int lanes);

/* Writes `columns` f32 at `from` as elements at `to`: the bits that the references write. */
void state_write(struct emitter *e, enum element_type element, int64_t columns, value from,
                 value to);
/* Reads `columns` elements at `from` as f32 to `to`, where whole registers are there behind the last
 * one. */
void state_widen(struct emitter *e, enum element_type element, int64_t columns, value from,
                 value to);

#endif
