/* Ragged batches and paged states behind filling.h. */
#include "ops/filling.h"

#include "base/random.h"

/* Streams of random_bits beyond the operands' numbers. */
enum { STREAM_BOUNDARY = 100, STREAM_LENGTH, STREAM_SEQUENCE, STREAM_PAGE };

void fill_uniform(double low, double high, int64_t count, uint64_t seed, int stream, float *values)
{
    for (int64_t i = 0; i < count; i++)
        values[i] =
            (float)(low + (high - low) * random_uniform(seed, (uint64_t)stream, (uint64_t)i));
}

void fill_indices(int64_t limit, int64_t count, uint64_t seed, int stream, int32_t *indices)
{
    for (int64_t i = 0; i < count; i++) {
        uint64_t bits = random_bits(seed, (uint64_t)stream, (uint64_t)i);
        indices[i] = limit > 0 ? (int32_t)(bits % (uint64_t)limit) : 0;
    }
}

struct ragged_batch ragged_batch_of(const struct problem *problem, const struct run *run, int pages,
                                    int state, uint64_t seed)
{
    struct ragged_batch batch = {
        .seed = seed,
        .rows = run_dimension(problem, run, 0, 0),
        .sequences = run_dimension(problem, run, pages, 0),
        .stride = run_dimension(problem, run, pages, 1),
        .page_count = run_dimension(problem, run, state, 0),
        .page_tokens = fixed_dimension(problem, state, 1),
    };
    int64_t room = smaller(batch.stride, batch.page_count) * batch.page_tokens;
    batch.context = larger(1, smaller(run->context, room));
    batch.active = smaller(batch.rows, batch.sequences);
    return batch;
}

/* The first row of active sequence `s`: an even share and up to half of one more. */
static int64_t first_row(const struct ragged_batch *batch, int64_t s)
{
    if (s <= 0 || s >= batch->active) return s <= 0 ? 0 : batch->rows;
    int64_t share = batch->rows / batch->active;
    uint64_t extra =
        random_bits(batch->seed, STREAM_BOUNDARY, (uint64_t)s) % (uint64_t)(share / 2 + 1);
    return batch->rows * s / batch->active + (int64_t)extra;
}

/* Pages that each sequence but the first may use. */
static int64_t pages_for_others(const struct ragged_batch *batch)
{
    if (batch->active < 2) return 0;
    int64_t left = batch->page_count - ceil_divide(batch->context, batch->page_tokens);
    return left / (batch->active - 1);
}

/* Tokens that sequence `s` has after this step. */
static int64_t length_of(const struct ragged_batch *batch, int64_t s)
{
    if (s == 0) return batch->context;
    int64_t rows = first_row(batch, s + 1) - first_row(batch, s);
    int64_t most = smaller(batch->context, pages_for_others(batch) * batch->page_tokens);
    if (most <= rows) return most;
    uint64_t bits = random_bits(batch->seed, STREAM_LENGTH, (uint64_t)s);
    return rows + (int64_t)(bits % (uint64_t)(most - rows + 1));
}

/* The number that the step gives to active sequence `s`. */
static int64_t number_of(const struct ragged_batch *batch, int64_t s)
{
    uint64_t turn = random_bits(batch->seed, STREAM_SEQUENCE, 0) % (uint64_t)batch->sequences;
    return (s + (int64_t)turn) % batch->sequences;
}

/* More rows than the sequence may have tokens can only repeat positions. */
void fill_positions(const struct ragged_batch *batch, int32_t *positions)
{
    for (int64_t s = 0; s < batch->active; s++) {
        int64_t first = first_row(batch, s), end = first_row(batch, s + 1);
        int64_t length = larger(1, length_of(batch, s));
        for (int64_t r = first; r < end; r++)
            positions[r] =
                (int32_t)(length > end - first ? length - (end - r) : (r - first) % length);
    }
}

void fill_sequences(const struct ragged_batch *batch, int32_t *sequences)
{
    for (int64_t s = 0; s < batch->active; s++)
        for (int64_t r = first_row(batch, s); r < first_row(batch, s + 1); r++)
            sequences[r] = (int32_t)number_of(batch, s);
}

static int64_t greatest_common_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A permutation of the pages: multiplication with a number that has no divisor in common with
 * their count. */
static int64_t page_number(const struct ragged_batch *batch, int64_t index)
{
    int64_t factor = (int64_t)(random_bits(batch->seed, STREAM_PAGE, 0) % 1024) + 1;
    while (greatest_common_divisor(factor, batch->page_count) != 1) factor++;
    int64_t start = (int64_t)(random_bits(batch->seed, STREAM_PAGE, 1) % 1024);
    return (index * factor + start) % batch->page_count;
}

void fill_pages(const struct ragged_batch *batch, int32_t *pages)
{
    int64_t used = 0;
    for (int64_t i = 0; i < batch->sequences * batch->stride; i++) pages[i] = -1;
    for (int64_t s = 0; s < batch->active; s++) {
        int32_t *row = pages + number_of(batch, s) * batch->stride;
        int64_t count = ceil_divide(length_of(batch, s), batch->page_tokens);
        for (int64_t p = 0; p < count; p++) row[p] = (int32_t)page_number(batch, used++);
    }
}

bool fill_batch(const struct ragged_batch *batch, int which, int32_t *numbers)
{
    switch (which) {
    case 0: fill_positions(batch, numbers); return true;
    case 1: fill_sequences(batch, numbers); return true;
    case 2: fill_pages(batch, numbers); return true;
    default: return false;
    }
}

enum { STATE_CHUNK = 256 }; /* a multiple of every block */

static void write_row(const struct paged_state *state, int64_t row, bool stale, uint64_t seed,
                      int stream)
{
    float values[STATE_CHUNK];
    for (int64_t c = 0; c < state->width; c += STATE_CHUNK) {
        int64_t count = smaller(STATE_CHUNK, state->width - c);
        for (int64_t i = 0; i < count; i++) {
            uint64_t counter = (uint64_t)(row * state->width + c + i);
            double unit = random_uniform(seed, (uint64_t)stream, counter);
            values[i] = stale ? STALE : (float)(2 * unit - 1);
        }
        element_encode_row(state->element, values, count,
                           state->bytes + row * state->row_bytes +
                               element_row_bytes(state->element, c));
    }
}

void fill_state(const struct ragged_batch *batch, const struct paged_state *state, int stream)
{
    int64_t used = 0;
    for (int64_t row = 0; row < state->page_count * state->page_tokens; row++)
        write_row(state, row, true, batch->seed, stream);
    for (int64_t s = 0; s < batch->active; s++) {
        int64_t length = length_of(batch, s);
        for (int64_t p = 0; p < length; p++) {
            int64_t page = page_number(batch, used + p / state->page_tokens);
            write_row(state, page * state->page_tokens + p % state->page_tokens, false, batch->seed,
                      stream);
        }
        used += ceil_divide(length, state->page_tokens);
    }
}
