/* Drawing and writing random weights, a piece of rows at a time, on several threads.  Each number
 * is a function of the seed, the tensor and its place, so threads do not change the file. */
#include "base/random.h"
#include "models/piecework.h"
#include "models/synth_internal.h"

enum { PIECE_ELEMENTS = 1 << 18 }; /* 1 MiB of floats: stays in the second-level cache */

struct filling {
    struct gguf_writer *writer;
    const struct synth_weights *weights;
    const struct synth_options *options;
    int64_t *first_piece; /* of each weight; one more for the end */
    float *values[PIECEWORK_THREADS_MAX];
    uint8_t *bytes[PIECEWORK_THREADS_MAX];
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
static void draw(const struct filling *filling, const struct synth_weight *weight, int64_t first,
                 int64_t count, float *values)
{
    uint64_t seed = filling->options->seed;
    uint64_t stream = (uint64_t)(weight - filling->weights->items), bits = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t place = (uint64_t)(first + i);
        if (place % 4 == 0 || i == 0) bits = random_bits(seed, stream, place / 4);
        float unit = (float)(bits >> (place % 4 * 16) & 0xffff) * 0x1p-15f - 1.0f;
        values[i] = weight->centre + weight->spread * unit;
    }
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

static status fill_piece(void *context, int worker, int64_t piece, struct diagnostic *diagnostic)
{
    struct filling *filling = context;
    int index = weight_of_piece(filling, piece);
    const struct synth_weight *weight = &filling->weights->items[index];
    int64_t columns = columns_of(weight), each = rows_per_piece(weight);
    int64_t first = (piece - filling->first_piece[index]) * each, rows = rows_of(weight) - first;
    int64_t row_bytes = element_row_bytes(weight->type.element, columns);
    if (rows > each) rows = each;
    float *values = filling->values[worker];
    draw(filling, weight, first * columns, rows * columns, values);
    element_encode_row(weight->type.element, values, rows * columns, filling->bytes[worker]);
    return gguf_writer_bytes(filling->writer, index, first * row_bytes, filling->bytes[worker],
                             (size_t)(rows * row_bytes), diagnostic);
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

status synth_fill(struct gguf_writer *writer, const struct synth_weights *weights,
                  const struct synth_options *options, struct arena *arena,
                  struct diagnostic *diagnostic)
{
    struct filling filling = {.writer = writer, .weights = weights, .options = options};
    int64_t largest;
    TRY(count_pieces(&filling, arena, &largest, diagnostic));
    for (int i = 0; i < piecework_threads(options->threads); i++) {
        TRY_NEW(filling.values[i], arena, largest, diagnostic);
        TRY_NEW(filling.bytes[i], arena, largest * (int64_t)sizeof(float), diagnostic);
    }
    struct piecework work = {.count = filling.first_piece[weights->count],
                             .threads = options->threads,
                             .stage = "writing",
                             .progress = options->progress,
                             .run = fill_piece,
                             .context = &filling};
    return piecework_run(&work, arena, diagnostic);
}
