/* The reference of append.  A row without a page is dropped. */
#include "ops/append/append.h"
#include "ops/paging.h"

void append_reference(const struct problem *problem, const struct run *run, void *const *operands,
                      int64_t begin, int64_t end)
{
    struct page_table table = page_table_of(problem, run, APPEND_PAGES, operands);
    struct paged_state state = paged_state_of(problem, run, APPEND_STATE, operands);
    const int32_t *positions = operands[APPEND_POSITIONS], *sequences = operands[APPEND_SEQUENCES];
    const float *x = operands[APPEND_X];
    for (int64_t r = begin; r < end; r++) {
        unsigned char *row = paged_row(&state, &table, sequences[r], positions[r]);
        if (row) element_encode_row(state.element, x + r * state.width, state.width, row);
    }
}
