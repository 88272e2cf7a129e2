// Where a token's row lies in a paged state (ops/paging.h): position p of sequence s is row p % page_tokens of page
// pages[s][p / page_tokens].
#pragma once
#include "codegen/cuda/types.cuh"

// The number of the row among all rows of the state, or -1 where the tables name none.
template <int page_tokens> DEVICE long long paged_row(const int *pages, const struct step *step, int sequence, int position)
{
    if (sequence < 0 || sequence >= step->sequences || position < 0) return -1;
    const int column = position / page_tokens;
    if (column >= step->stride) return -1;
    const int page = pages[(long long)sequence * step->stride + column];
    return page < 0 ? -1 : (long long)page * page_tokens + position % page_tokens;
}
