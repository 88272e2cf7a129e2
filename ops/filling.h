/* Operands for tests and measurements.  Every function is pure in its seed, so operands of one
 * problem that are filled one by one with the same seed fit together. */
#ifndef OPS_FILLING_H
#define OPS_FILLING_H

#include "ops/paging.h"

/* Numbers in [low, high); `stream` is the operand, so that operands differ. */
void fill_uniform(double low, double high, int64_t count, uint64_t seed, int stream, float *values);

/* Numbers 0 .. limit - 1, with repetitions; all 0 when there is none. */
void fill_indices(int64_t limit, int64_t count, uint64_t seed, int stream, int32_t *indices);

/* A ragged batch: the step's rows are dealt to sequences in contiguous runs of different lengths,
 * each the end of its sequence; the first of them is as long as the run's context, the others as
 * fits.  Pages are scattered; entries of the page table that nobody uses are -1. */
struct ragged_batch {
    uint64_t seed;
    int64_t rows, sequences, active; /* active sequences, at most one per row */
    int64_t context, page_tokens, page_count, stride;
};

/* From the types of an operator's page table and one of its states. */
struct ragged_batch ragged_batch_of(const struct problem *problem, const struct run *run, int pages,
                                    int state, uint64_t seed);

void fill_positions(const struct ragged_batch *batch, int32_t *positions);
void fill_sequences(const struct ragged_batch *batch, int32_t *sequences);
void fill_pages(const struct ragged_batch *batch, int32_t *pages);
/* The one of them with this number: 0 positions, 1 sequences, 2 pages; false for another one. */
bool fill_batch(const struct ragged_batch *batch, int which, int32_t *numbers);

/* Random rows where a sequence of the batch can look, and STALE everywhere else: large enough that
 * a kernel which reads a row it must not read gives itself away, small enough for f16. */
#define STALE 8192.0f
void fill_state(const struct ragged_batch *batch, const struct paged_state *state, int stream);

/* Random routing: each token uses `used` different ones of `experts` experts, all equally often unless `routing` says how
 * they are chosen.  Then experts of its levels stand in a random order, and a batch has as many different ones as it says,
 * if it has so many assignments; a routing of another number of experts is stretched. */
struct assignments {
    uint64_t seed;
    int64_t rows, used, experts;
    const struct routing *routing; /* NULL, or distinct 0: none */
};

enum { EXPERTS_MOST = ROUTING_EXPERTS_MOST, EXPERTS_USED_MOST = 64 };

void fill_experts(const struct assignments *assignments, int32_t *experts);
/* What dispatch makes of them; each may be NULL. */
void fill_dispatch(const struct assignments *assignments, int32_t *order, int32_t *offsets,
                   int32_t *places);

#endif
