/* Tensors are contiguous and their rows whole blocks, so a tensor is one run of numbers, cut into pieces that threads
 * decode and look at. */
#include "models/check_numbers.h"

#include "models/piecework.h"

#include <inttypes.h>
#include <math.h>

/* Numbers of a piece: some milliseconds of work; and those decoded at a time, whole blocks of every type. */
enum { PIECE_NUMBERS = 1 << 20, DECODED_NUMBERS = 1 << 12 };

struct checked_tensor {
    const struct stored_tensor *tensor;
    int64_t first_piece, numbers;
};

struct number_check {
    const struct model_source *source;
    struct checked_tensor *tensors;
    int count;
    int64_t pieces;
};

/* Codes that other tensors give a meaning to are integers, and their scales are tensors as well. */
static bool has_numbers(const struct stored_tensor *tensor)
{
    return tensor->bytes && !tensor->deferred && !tensor->raw &&
           tensor->type.element != ELEMENT_I8 && tensor->type.element != ELEMENT_I32;
}

static void list_tensors(struct number_check *check)
{
    const int64_t none[SYMBOL_COUNT] = {0};
    for (int t = 0; t < check->source->tensor_count; t++) {
        const struct stored_tensor *tensor = &check->source->tensors[t];
        if (!has_numbers(tensor)) continue;
        int64_t numbers = tensor_elements(&tensor->type, none);
        check->tensors[check->count++] = (struct checked_tensor){tensor, check->pieces, numbers};
        check->pieces += numbers / PIECE_NUMBERS + (numbers % PIECE_NUMBERS != 0);
    }
}

/* The tensor that a piece belongs to: the last that begins at or before it. */
static const struct checked_tensor *tensor_of(const struct number_check *check, int64_t piece)
{
    int low = 0, high = check->count;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (check->tensors[middle].first_piece <= piece)
            low = middle;
        else
            high = middle;
    }
    return &check->tensors[low];
}

static status refuse_number(const struct stored_tensor *tensor, int64_t index, float number,
                            struct diagnostic *diagnostic)
{
    int64_t columns = tensor->type.rank ? tensor_columns(&tensor->type) : 1;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.300s: tensor '%.200s' (%s) holds %s at row %" PRId64 ", column %" PRId64
                "; the file is damaged or was converted badly, fetch or convert it again",
                tensor->file, tensor->name, element_of(tensor->type.element)->name,
                isnan(number) ? "NaN" : "an infinite number", index / columns, index % columns);
}

static status check_piece(void *context, int worker, int64_t piece, struct diagnostic *diagnostic)
{
    const struct number_check *check = context;
    const struct checked_tensor *own = tensor_of(check, piece);
    enum element_type element = own->tensor->type.element;
    int64_t first = (piece - own->first_piece) * PIECE_NUMBERS, end = first + PIECE_NUMBERS;
    float numbers[DECODED_NUMBERS];
    (void)worker;
    if (end > own->numbers) end = own->numbers;
    for (int64_t at = first; at < end; at += DECODED_NUMBERS) {
        int64_t count = end - at < DECODED_NUMBERS ? end - at : DECODED_NUMBERS;
        element_decode_row(element, own->tensor->bytes + element_row_bytes(element, at), count,
                           numbers);
        for (int64_t i = 0; i < count; i++)
            if (!isfinite(numbers[i]))
                return refuse_number(own->tensor, at + i, numbers[i], diagnostic);
    }
    return STATUS_OK;
}

status check_numbers(const struct model_source *source, int threads,
                     const struct progress *progress, struct diagnostic *diagnostic)
{
    struct number_check check = {.source = source};
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    check.tensors =
        arena_allocate(scratch, (size_t)source->tensor_count + 1, sizeof *check.tensors);
    status code = check.tensors ? STATUS_OK : fail_memory(diagnostic, 0);
    if (code == STATUS_OK) {
        list_tensors(&check);
        const struct piecework work = {.count = check.pieces,
                                       .threads = threads,
                                       .stage = "checking tensors",
                                       .progress = progress,
                                       .run = check_piece,
                                       .context = &check};
        code = piecework_run(&work, scratch, diagnostic);
    }
    arena_destroy(scratch);
    return code;
}
