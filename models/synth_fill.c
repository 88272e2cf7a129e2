/* Drawing and writing random weights, a piece of rows at a time, on several threads.  Each number
 * is a function of the seed, the tensor and its place, so threads do not change the file. */
#include "base/random.h"
#include "models/synth_internal.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    PIECE_ELEMENTS = 1 << 18, /* 1 MiB of floats: stays in the second-level cache */
    THREADS_MAX = 64,
};

/* What the threads share. */
struct filling {
    struct gguf_writer *writer;
    const struct synth_weights *weights;
    const struct synth_options *options;
    int64_t *first_piece; /* of each weight; one more for the end */
    atomic_int_fast64_t next_piece;
    atomic_bool stop;
};

struct worker {
    struct filling *filling;
    pthread_t thread;
    bool reports; /* the caller's own thread */
    float *values;
    uint8_t *bytes;
    status result;
    struct diagnostic diagnostic;
};

static int64_t columns_of(const struct synth_weight *weight)
{
    return weight->type.shape[weight->type.rank - 1].scale;
}

static int64_t rows_of(const struct synth_weight *weight)
{
    int64_t rows = 1;
    for (int d = 0; d + 1 < weight->type.rank; d++) rows *= weight->type.shape[d].scale;
    return rows;
}

/* Whole rows, at least one. */
static int64_t rows_per_piece(const struct synth_weight *weight)
{
    int64_t rows = PIECE_ELEMENTS / columns_of(weight);
    return rows > 0 ? rows : 1;
}

/* Four numbers from each 64 random bits: 16 bits are more than a weight of 8 or 16 bits can show.
 */
static void draw(const struct worker *worker, const struct synth_weight *weight, int64_t first,
                 int64_t count)
{
    uint64_t seed = worker->filling->options->seed;
    uint64_t stream = (uint64_t)(weight - worker->filling->weights->items), bits = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t place = (uint64_t)(first + i);
        if (place % 4 == 0 || i == 0) bits = random_bits(seed, stream, place / 4);
        float unit = (float)(bits >> (place % 4 * 16) & 0xffff) * 0x1p-15f - 1.0f;
        worker->values[i] = weight->centre + weight->spread * unit;
    }
}

static status fill_piece(struct worker *worker, int index, int64_t piece)
{
    const struct synth_weight *weight = &worker->filling->weights->items[index];
    int64_t columns = columns_of(weight), first = piece * rows_per_piece(weight);
    int64_t rows = rows_of(weight) - first;
    int64_t row_bytes = element_row_bytes(weight->type.element, columns);
    if (rows > rows_per_piece(weight)) rows = rows_per_piece(weight);
    draw(worker, weight, first * columns, rows * columns);
    element_encode_row(weight->type.element, worker->values, rows * columns, worker->bytes);
    return gguf_writer_bytes(worker->filling->writer, index, first * row_bytes, worker->bytes,
                             (size_t)(rows * row_bytes), &worker->diagnostic);
}

/* The weight that a piece belongs to. */
static int weight_of_piece(const struct filling *filling, int64_t piece)
{
    int low = 0, high = filling->weights->count;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (filling->first_piece[middle] <= piece)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Asked before each piece, and once more when none is left. */
static status report(struct worker *worker, int64_t count)
{
    const struct progress *progress = worker->filling->options->progress;
    int64_t done = atomic_load(&worker->filling->next_piece);
    struct progress_state state = {.stage = "writing",
                                   .done = (double)(done < count ? done : count),
                                   .total = (double)count,
                                   .seconds_left = -1};
    progress_update(progress, &state);
    if (!progress_interrupted(progress)) return STATUS_OK;
    return fail(&worker->diagnostic, STATUS_INTERRUPTED, "interrupted");
}

static void *work(void *context)
{
    struct worker *worker = context;
    struct filling *filling = worker->filling;
    int64_t count = filling->first_piece[filling->weights->count], piece = 0;
    while (piece < count && !atomic_load(&filling->stop)) {
        if (worker->reports) worker->result = report(worker, count);
        piece = atomic_fetch_add(&filling->next_piece, 1);
        if (worker->result == STATUS_OK && piece < count) {
            int index = weight_of_piece(filling, piece);
            worker->result = fill_piece(worker, index, piece - filling->first_piece[index]);
        }
        if (worker->result != STATUS_OK) atomic_store(&filling->stop, true);
    }
    return NULL;
}

static status count_pieces(struct filling *filling, struct arena *arena, int64_t *largest,
                           struct diagnostic *diagnostic)
{
    int64_t pieces = 0;
    TRY_NEW(filling->first_piece, arena, filling->weights->count + 1, diagnostic);
    *largest = 0;
    for (int i = 0; i < filling->weights->count; i++) {
        const struct synth_weight *weight = &filling->weights->items[i];
        int64_t each = rows_per_piece(weight), elements = each * columns_of(weight);
        if (elements > *largest) *largest = elements;
        filling->first_piece[i] = pieces;
        pieces += (rows_of(weight) + each - 1) / each;
    }
    filling->first_piece[filling->weights->count] = pieces;
    return STATUS_OK;
}

/* A thread that cannot be had is no failure: the others do its work. */
static status run_workers(struct worker *workers, int count, struct diagnostic *diagnostic)
{
    bool started[THREADS_MAX] = {false};
    for (int i = 1; i < count; i++) {
        started[i] = pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0;
    }
    work(&workers[0]);
    status result = workers[0].result;
    if (result != STATUS_OK) *diagnostic = workers[0].diagnostic;
    for (int i = 1; i < count; i++) {
        if (started[i]) pthread_join(workers[i].thread, NULL);
        if (result != STATUS_OK || workers[i].result == STATUS_OK) continue;
        result = workers[i].result;
        *diagnostic = workers[i].diagnostic;
    }
    return result;
}

status synth_fill(struct gguf_writer *writer, const struct synth_weights *weights,
                  const struct synth_options *options, struct arena *arena,
                  struct diagnostic *diagnostic)
{
    struct filling filling = {.writer = writer, .weights = weights, .options = options};
    int count = options->threads < 1 ? 1 : options->threads;
    struct worker *workers;
    int64_t largest;
    if (count > THREADS_MAX) count = THREADS_MAX;
    TRY(count_pieces(&filling, arena, &largest, diagnostic));
    TRY_NEW(workers, arena, count, diagnostic);
    for (int i = 0; i < count; i++) {
        workers[i] = (struct worker){.filling = &filling, .reports = i == 0};
        TRY_NEW(workers[i].values, arena, largest, diagnostic);
        TRY_NEW(workers[i].bytes, arena, largest * (int64_t)sizeof(float), diagnostic);
    }
    return run_workers(workers, count, diagnostic);
}
