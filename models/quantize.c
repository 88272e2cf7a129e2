/* Quantising a file: its metadata, its directory, then its tensors' numbers in pieces. */
#include "models/quantize.h"

#include "models/folder_gguf.h"
#include "models/gguf_write.h"
#include "models/piecework.h"
#include "models/quantize_choice.h"

#include <math.h>
#include <string.h>

/* Numbers of a piece: a multiple of every block, and 1 MiB of floats, which stay in the second-level
 * cache. */
enum { PIECE_ELEMENTS = 1 << 18 };

struct quantizing {
    const struct quantize_options *options;
    struct arena *arena;
    struct model_source source;
    struct model *folder; /* whose tensors the source has; NULL: it is a file */
    struct quantize_report *report;
    struct gguf_writer *writer;
    int64_t *first_piece; /* of each tensor; one more for the end */
    float **costs;        /* of each tensor: [experts, columns]; NULL: all the same */
    float *values[PIECEWORK_THREADS_MAX];
    uint8_t *bytes[PIECEWORK_THREADS_MAX];
};

/* ---- Which ---- */

static int64_t elements_of(const struct stored_tensor *tensor)
{
    int64_t elements = 1;
    for (int d = 0; d < tensor->type.rank; d++) elements *= tensor->type.shape[d].scale;
    return elements;
}

static status choose_types(struct quantizing *job, struct diagnostic *diagnostic)
{
    struct quantize_report *report = job->report;
    struct quantize_choice choice;
    TRY(quantize_choice_of(job->options, &job->source, &choice, diagnostic));
    if (job->folder) choice.layers = job->folder->layer_count;
    *report = (struct quantize_report){.tensor_count = job->source.tensor_count};
    TRY_NEW(report->tensors, job->arena, report->tensor_count, diagnostic);
    for (int i = 0; i < report->tensor_count; i++) {
        const struct stored_tensor *tensor = &job->source.tensors[i];
        struct quantized_tensor *made = &report->tensors[i];
        *made = (struct quantized_tensor){.from = tensor->type.element,
                                          .elements = elements_of(tensor),
                                          .from_bytes = tensor->byte_count};
        made->name = arena_text(job->arena, tensor->name);
        TRY_MEMORY(made->name, diagnostic);
        TRY(quantize_choose(&choice, tensor, &made->to, diagnostic));
        made->to_bytes = element_row_bytes(made->to, made->elements);
        report->from_bytes += made->from_bytes;
        report->to_bytes += made->to_bytes;
    }
    return STATUS_OK;
}

/* ---- What errors cost ---- */

static int64_t columns_of(const struct stored_tensor *tensor)
{
    return tensor->type.rank ? tensor->type.shape[tensor->type.rank - 1].scale : 1;
}

static status weigh_tensor(struct quantizing *job, int tensor, struct diagnostic *diagnostic)
{
    const struct stored_tensor *stored = &job->source.tensors[tensor];
    struct quantized_tensor *made = &job->report->tensors[tensor];
    struct importance_row *row = importance_find(job->options->importance, made->name);
    int64_t columns = columns_of(stored);
    int64_t experts = stored->type.rank > 2 ? stored->type.shape[0].scale : 1;
    if (!row || made->from == made->to) return STATUS_OK;
    TRY(importance_fit(job->options->importance, row, columns, experts, diagnostic));
    TRY_NEW(job->costs[tensor], job->arena, columns * experts, diagnostic);
    for (int64_t e = 0; e < experts; e++)
        importance_costs(row, e, job->costs[tensor] + e * columns);
    made->weighted = true;
    return STATUS_OK;
}

static status weigh_tensors(struct quantizing *job, struct diagnostic *diagnostic)
{
    TRY_NEW(job->costs, job->arena, job->report->tensor_count, diagnostic);
    for (int i = 0; job->options->importance && i < job->report->tensor_count; i++)
        TRY(weigh_tensor(job, i, diagnostic));
    return STATUS_OK;
}

/* `count` numbers of a tensor from number `first` on: rows, or parts of them, with their costs. */
static void encode(const struct quantizing *job, int tensor, int64_t first, int64_t count,
                   const float *values, uint8_t *bytes)
{
    const struct stored_tensor *stored = &job->source.tensors[tensor];
    enum element_type to = job->report->tensors[tensor].to;
    const float *costs = job->costs[tensor];
    if (!costs) {
        element_encode_row(to, values, count, bytes);
        return;
    }
    int64_t columns = columns_of(stored), rows = stored->type.shape[stored->type.rank - 2].scale;
    for (int64_t done = 0, part; done < count; done += part) {
        int64_t column = (first + done) % columns, expert = (first + done) / columns / rows;
        part = columns - column < count - done ? columns - column : count - done;
        element_encode_weighted(to, values + done, costs + expert * columns + column, part,
                                bytes + element_row_bytes(to, done));
    }
}

/* ---- Head ---- */

/* What is said of the file as a whole is said anew; the parts of a split one become one. */
static bool is_kept(const char *key)
{
    static const char *const dropped[] = {"general.file_type", "general.quantization_version",
                                          "general.alignment"};
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        if (!strcmp(key, dropped[i])) return false;
    return strncmp(key, "split.", 6) != 0;
}

static status put_metadata(struct quantizing *job, struct diagnostic *diagnostic)
{
    /* Version 2 of the block formats: scales in f16, low nibbles first. */
    enum { QUANTIZATION_VERSION = 2 };
    const struct model_source *source = &job->source;
    if (job->folder)
        TRY(folder_put_metadata(job->folder, source->name, job->writer, job->options->progress,
                                diagnostic));
    for (int i = 0; i < source->metadata_count; i++)
        if (is_kept(source->metadata[i].key)) gguf_put_copy(job->writer, &source->metadata[i]);
    gguf_put_integer(job->writer, "general.quantization_version", GGUF_U32, QUANTIZATION_VERSION);
    gguf_put_integer(job->writer, "general.file_type", GGUF_U32,
                     gguf_file_type(job->options->type));
    return STATUS_OK;
}

static status put_directory(struct quantizing *job, struct diagnostic *diagnostic)
{
    TRY_NEW(job->first_piece, job->arena, job->report->tensor_count + 1, diagnostic);
    for (int i = 0; i < job->report->tensor_count; i++) {
        struct tensor_type type = job->source.tensors[i].type;
        int index;
        type.element = job->report->tensors[i].to;
        TRY(gguf_put_tensor(job->writer, job->report->tensors[i].name, &type, &index, diagnostic));
        int64_t pieces = (job->report->tensors[i].elements + PIECE_ELEMENTS - 1) / PIECE_ELEMENTS;
        job->first_piece[i + 1] = job->first_piece[i] + pieces;
    }
    return STATUS_OK;
}

/* ---- Numbers ---- */

static int tensor_of_piece(const struct quantizing *job, int64_t piece)
{
    int low = 0, high = job->report->tensor_count;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        if (job->first_piece[middle] <= piece)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* What is no number cannot be rounded to one. */
static status check_finite(const struct quantizing *job, int tensor, int64_t first, int64_t count,
                           const float *values, struct diagnostic *diagnostic)
{
    for (int64_t i = 0; i < count; i++) {
        if (isfinite(values[i])) continue;
        return fail(
            diagnostic, STATUS_BAD_INPUT,
            "%.500s: tensor '%s' has %g as number %lld; a model with such weights is broken "
            "and is not quantised",
            job->source.tensors[tensor].file, job->report->tensors[tensor].name, (double)values[i],
            (long long)(first + i));
    }
    return STATUS_OK;
}

static status write_piece(void *context, int worker, int64_t piece, struct diagnostic *diagnostic)
{
    struct quantizing *job = context;
    int tensor = tensor_of_piece(job, piece);
    const struct quantized_tensor *made = &job->report->tensors[tensor];
    int64_t first = (piece - job->first_piece[tensor]) * PIECE_ELEMENTS;
    int64_t count =
        made->elements - first < PIECE_ELEMENTS ? made->elements - first : PIECE_ELEMENTS;
    const uint8_t *from = job->source.tensors[tensor].bytes + element_row_bytes(made->from, first);
    int64_t to = element_row_bytes(made->to, first), bytes = element_row_bytes(made->to, count);
    if (made->from == made->to)
        return gguf_writer_bytes(job->writer, tensor, to, from, (size_t)bytes, diagnostic);
    float *values = job->values[worker];
    element_decode_row(made->from, from, count, values);
    file_forget(from, (size_t)element_row_bytes(made->from, count));
    TRY(check_finite(job, tensor, first, count, values, diagnostic));
    encode(job, tensor, first, count, values, job->bytes[worker]);
    return gguf_writer_bytes(job->writer, tensor, to, job->bytes[worker], (size_t)bytes,
                             diagnostic);
}

/* What folders keep in another form takes memory from here on. */
static void make_tensors(const struct quantizing *job)
{
    for (int i = 0; job->folder && i < job->source.tensor_count; i++) {
        struct stored_tensor *tensor = &job->source.tensors[i];
        if (tensor->deferred)
            deferred_make(tensor->deferred);
        else
            folder_make(job->folder, tensor->bytes);
    }
}

static status write_tensors(struct quantizing *job, struct diagnostic *diagnostic)
{
    struct piecework work = {.count = job->first_piece[job->report->tensor_count],
                             .threads = job->options->threads,
                             .stage = "quantising",
                             .progress = job->options->progress,
                             .run = write_piece,
                             .context = job};
    for (int i = 0; i < piecework_threads(work.threads); i++) {
        TRY_NEW(job->values[i], job->arena, PIECE_ELEMENTS, diagnostic);
        TRY_NEW(job->bytes[i], job->arena, PIECE_ELEMENTS * sizeof(float), diagnostic);
    }
    make_tensors(job);
    return piecework_run(&work, job->arena, diagnostic);
}

/* ---- The file ---- */

static status write_file(struct quantizing *job, struct diagnostic *diagnostic)
{
    TRY(put_metadata(job, diagnostic));
    TRY(put_directory(job, diagnostic));
    TRY(gguf_writer_start(job->writer, diagnostic));
    TRY(write_tensors(job, diagnostic));
    return gguf_writer_finish(job->writer, diagnostic);
}

static status quantize(struct quantizing *job, const char *path, struct diagnostic *diagnostic)
{
    TRY(choose_types(job, diagnostic));
    TRY(weigh_tensors(job, diagnostic));
    TRY(gguf_writer_create(path, job->arena, &job->writer, diagnostic));
    status code = write_file(job, diagnostic);
    gguf_writer_close(job->writer);
    return code;
}

static status quantize_file(struct quantizing *job, const char *source, const char *path,
                            struct diagnostic *diagnostic)
{
    status code = source_open(source, job->arena, job->options->progress, &job->source, diagnostic);
    if (code == STATUS_OK) code = quantize(job, path, diagnostic);
    source_close(&job->source);
    return code;
}

/* ---- Folders ---- */

/* The file must compute what the folder does. */
static status check_file(const struct quantizing *job, const struct model_options *options,
                         const char *path, struct diagnostic *diagnostic)
{
    struct model *file;
    TRY(model_open(path, options, &file, diagnostic));
    status code = folder_compare(job->folder, file, diagnostic);
    model_close(file);
    return code;
}

static status quantize_folder(struct quantizing *job, const char *source, const char *path,
                              struct diagnostic *diagnostic)
{
    enum { ANY_PAGE_TOKENS = 32 }; /* of states that nobody makes */
    struct model_options options = {.ops = job->options->ops,
                                    .state_element = ELEMENT_F16,
                                    .page_tokens = ANY_PAGE_TOKENS,
                                    .progress = job->options->progress};
    TRY(model_open(source, &options, &job->folder, diagnostic));
    status code = folder_as_gguf(job->folder, job->arena, &job->source, diagnostic);
    if (code == STATUS_OK) code = quantize(job, path, diagnostic);
    if (code == STATUS_OK) {
        code = check_file(job, &options, path, diagnostic);
        if (code != STATUS_OK) file_remove(path);
    }
    model_close(job->folder);
    return code;
}

status quantize_write(const char *source, const char *path, const struct quantize_options *options,
                      struct arena *arena, struct quantize_report *report,
                      struct diagnostic *diagnostic)
{
    struct quantizing job = {.options = options, .arena = arena, .report = report};
    TRY(quantize_type_check(options->type, diagnostic));
    if (file_is_folder(source)) return quantize_folder(&job, source, path, diagnostic);
    return quantize_file(&job, source, path, diagnostic);
}
