/* Rows of paged states inside kernels: finding them, and single registers of plain types (whole
 * rows: state_core_cpu.h). */
#ifndef OPS_APPEND_APPEND_CORE_CPU_H
#define OPS_APPEND_APPEND_CORE_CPU_H

#include "codegen/cpu/kernel_rows.h"

/* The page table of a step, and the states' tokens per page. */
struct append_pages {
    value pages;             /* i32[sequences, stride] */
    value sequences, stride; /* i64 */
    int64_t page_tokens;
};

/* The page table `pages`; both of its sizes are the step's. */
struct append_pages append_load_pages(struct emitter *e, const struct kernel_arguments *kernel,
                                      value pages, int64_t page_tokens);

/* The number of the row that holds `position` of `sequence` (both i64).  `*known` is false, and the
 * row 0, where the table names none.  (That a page lies inside the state is the caller's to see to:
 * a launch does not know the count of pages.) */
value append_find_row(struct emitter *e, const struct append_pages *pages, value sequence,
                      value position, value *known);

/* Element `index` of an i32 array, as i64. */
value append_load_index(struct emitter *e, value indices, value index);

/* Stores the first `count` lanes of x as elements of a plain type (f32, f16, bf16). */
void append_store(struct emitter *e, enum element_type element, value x, value pointer, int count);

/* Whether append_store takes the type. */
bool append_stores(enum element_type element);

#endif
