/* Where a token's row lies in a paged state.  Position p of sequence s is row p % page_tokens of
 * page pages[s][p / page_tokens] of a state [pages, page_tokens, width]. */
#ifndef OPS_PAGING_H
#define OPS_PAGING_H

#include "ops/access.h"

enum { HEADS_MOST = 4096 };

/* The page table i32[sequences, stride]. */
struct page_table {
    const int32_t *pages;
    int64_t sequences, stride;
};

/* A state as a table of pages. */
struct paged_state {
    enum element_type element;
    int64_t page_count, page_tokens, width, row_bytes;
    unsigned char *bytes;
};

static inline struct page_table page_table_of(const struct problem *problem, const struct run *run,
                                              int operand, void *const *operands)
{
    return (struct page_table){
        .pages = operands[operand],
        .sequences = run_dimension(problem, run, operand, 0),
        .stride = run_dimension(problem, run, operand, 1),
    };
}

static inline struct paged_state paged_state_at(const struct problem *problem,
                                                const struct run *run, int operand, void *bytes)
{
    struct paged_state state = {
        .element = operand_type(problem, operand)->element,
        .page_count = run_dimension(problem, run, operand, 0),
        .page_tokens = fixed_dimension(problem, operand, 1),
        .width = fixed_dimension(problem, operand, 2),
        .bytes = bytes,
    };
    state.row_bytes = element_row_bytes(state.element, state.width);
    return state;
}

static inline struct paged_state paged_state_of(const struct problem *problem,
                                                const struct run *run, int operand,
                                                void *const *operands)
{
    return paged_state_at(problem, run, operand, operands[operand]);
}

/* The row of a position, or NULL where the tables name none. */
static inline unsigned char *paged_row(const struct paged_state *state,
                                       const struct page_table *table, int64_t sequence,
                                       int64_t position)
{
    int64_t column = position / state->page_tokens;
    if (sequence < 0 || sequence >= table->sequences || position < 0 || column >= table->stride)
        return NULL;
    int64_t page = table->pages[sequence * table->stride + column];
    if (page < 0 || page >= state->page_count) return NULL;
    return state->bytes +
           (page * state->page_tokens + position % state->page_tokens) * state->row_bytes;
}

#endif
