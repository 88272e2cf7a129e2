/* llama.cpp's files of importance.
 *
 * GGUF: general.type is "imatrix"; for each weight NAME.in_sum2 f32 [experts, columns] and NAME.counts f32 [experts, 1].
 * Older: i32 count; for each weight i32 length, name, i32 calls, i32 values, f32 means times calls; behind them, if at
 * all, i32 chunks, i32 length and the text's name. */
#include "base/file.h"
#include "models/gguf_write.h"
#include "models/importance.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const char sums_suffix[] = ".in_sum2", counts_suffix[] = ".counts";

/* ---- Writing ---- */

static status put_directory(const struct importance *importance, struct gguf_writer *writer,
                            struct diagnostic *diagnostic)
{
    for (int i = 0; i < importance->count; i++) {
        const struct importance_row *row = &importance->rows[i];
        struct tensor_type sums = {.element = ELEMENT_F32, .rank = 2}, counts = sums;
        int index;
        sums.shape[0] = counts.shape[0] = dimension_fixed(row->experts);
        sums.shape[1] = dimension_fixed(row->columns);
        counts.shape[1] = dimension_fixed(1);
        const char *sums_name = arena_print(importance->arena, "%s%s", row->name, sums_suffix);
        const char *counts_name = arena_print(importance->arena, "%s%s", row->name, counts_suffix);
        if (!sums_name || !counts_name) return fail_memory(diagnostic, strlen(row->name));
        TRY(gguf_put_tensor(writer, sums_name, &sums, &index, diagnostic));
        TRY(gguf_put_tensor(writer, counts_name, &counts, &index, diagnostic));
    }
    return STATUS_OK;
}

static status put_numbers(struct gguf_writer *writer, int index, const double *values,
                          int64_t count, struct arena *arena, struct diagnostic *diagnostic)
{
    float *numbers;
    TRY_NEW(numbers, arena, count, diagnostic);
    for (int64_t i = 0; i < count; i++) numbers[i] = (float)values[i];
    return gguf_writer_bytes(writer, index, 0, numbers, (size_t)count * sizeof *numbers,
                             diagnostic);
}

static status write_all(const struct importance *importance, struct gguf_writer *writer,
                        struct diagnostic *diagnostic)
{
    const char *text_name = importance->text_name ? importance->text_name : "";
    gguf_put_text(writer, "general.type", "imatrix");
    gguf_put_texts(writer, "imatrix.datasets", 1, &text_name);
    gguf_put_integer(writer, "imatrix.chunk_count", GGUF_U32, importance->chunks);
    gguf_put_integer(writer, "imatrix.chunk_size", GGUF_U32, importance->chunk_tokens);
    TRY(put_directory(importance, writer, diagnostic));
    TRY(gguf_writer_start(writer, diagnostic));
    for (int i = 0; i < importance->count; i++) {
        const struct importance_row *row = &importance->rows[i];
        TRY(put_numbers(writer, 2 * i, row->sums, row->experts * row->columns, importance->arena,
                        diagnostic));
        TRY(put_numbers(writer, 2 * i + 1, row->counts, row->experts, importance->arena,
                        diagnostic));
    }
    return gguf_writer_finish(writer, diagnostic);
}

status importance_write(const struct importance *importance, const char *path,
                        struct diagnostic *diagnostic)
{
    struct gguf_writer *writer;
    TRY(gguf_writer_create(path, importance->arena, &writer, diagnostic));
    status code = write_all(importance, writer, diagnostic);
    gguf_writer_close(writer);
    return code;
}

/* ---- Reading GGUF ---- */

static status check_number(const char *path, const char *name, float value,
                           struct diagnostic *diagnostic)
{
    if (isfinite(value) && value >= 0) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: '%.200s' holds %g; sums of squares and counts are wanted", path, name,
                (double)value);
}

static status copy_numbers(const struct model_source *source, const struct stored_tensor *tensor,
                           int64_t count, double *to, struct diagnostic *diagnostic)
{
    if (tensor->type.element != ELEMENT_F32 || tensor->byte_count != count * 4)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: '%.200s' must be %" PRId64 " numbers of f32", source->path,
                    tensor->name, count);
    for (int64_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, tensor->bytes + 4 * i, sizeof value);
        TRY(check_number(source->path, tensor->name, value, diagnostic));
        to[i] = (double)value;
    }
    return STATUS_OK;
}

static status read_weight(const struct model_source *source, const struct stored_tensor *sums,
                          struct importance *importance, struct diagnostic *diagnostic)
{
    size_t length = strlen(sums->name), ending = sizeof sums_suffix - 1;
    if (length <= ending || strcmp(sums->name + length - ending, sums_suffix) != 0)
        return STATUS_OK;
    struct importance_row *row;
    const char *name = arena_text_range(importance->arena, sums->name, length - ending);
    const char *counts_name =
        name ? arena_print(importance->arena, "%s%s", name, counts_suffix) : NULL;
    TRY_MEMORY(counts_name, diagnostic);
    const struct stored_tensor *counts = source_tensor(source, counts_name);
    int rank = sums->type.rank;
    if (!counts || rank < 1)
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: '%.200s' has no '%.200s' beside it",
                    source->path, sums->name, counts_name);
    int64_t columns = sums->type.shape[rank - 1].scale, experts = sums->byte_count / 4 / columns;
    TRY(importance_add(importance, name, columns, experts, &row, diagnostic));
    TRY(copy_numbers(source, sums, columns * experts, row->sums, diagnostic));
    return copy_numbers(source, counts, experts, row->counts, diagnostic);
}

static status read_gguf(const char *path, struct importance *importance,
                        struct diagnostic *diagnostic)
{
    struct model_source source = {.arena = importance->arena, .path = path};
    status code = gguf_open_any(path, NULL, &source, diagnostic);
    const struct metadata *type =
        code == STATUS_OK ? source_metadata(&source, "general.type") : NULL;
    if (code == STATUS_OK && (!type || !metadata_is_text(type, "imatrix")))
        code = fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: general.type must be 'imatrix': this is no file of importance", path);
    for (int i = 0; code == STATUS_OK && i < source.tensor_count; i++)
        code = read_weight(&source, &source.tensors[i], importance, diagnostic);
    source_close(&source);
    return code;
}

/* ---- Reading the older format ---- */

struct old_reading {
    struct mapped_file file;
    size_t at;
    struct importance *importance;
    struct diagnostic *diagnostic;
};

static status fail_old(const struct old_reading *reading, const char *what)
{
    return fail(reading->diagnostic, STATUS_BAD_INPUT,
                "%.500s: byte %zu: %s; this is no file of importance, neither GGUF nor llama.cpp's "
                "older format",
                reading->file.path, reading->at, what);
}

static status take_integer(struct old_reading *reading, int64_t least, int64_t most, int32_t *value)
{
    if (reading->file.byte_count - reading->at < 4) return fail_old(reading, "the file ends");
    memcpy(value, reading->file.bytes + reading->at, 4);
    if (*value < least || *value > most) return fail_old(reading, "a count is out of bounds");
    reading->at += 4;
    return STATUS_OK;
}

/* Experts are not told apart: their columns lie behind each other until importance_fit splits them. */
static status read_old_weight(struct old_reading *reading)
{
    int32_t length, calls, values;
    struct importance_row *row;
    struct importance *importance = reading->importance;
    TRY(take_integer(reading, 1, 64, &length));
    if (reading->file.byte_count - reading->at < (size_t)length)
        return fail_old(reading, "the file ends");
    const char *name = arena_text_range(
        importance->arena, (const char *)reading->file.bytes + reading->at, (size_t)length);
    TRY_MEMORY(name, reading->diagnostic);
    reading->at += (size_t)length;
    TRY(take_integer(reading, 0, INT32_MAX, &calls));
    TRY(take_integer(reading, 1, INT32_MAX, &values));
    if ((reading->file.byte_count - reading->at) / 4 < (size_t)values)
        return fail_old(reading, "the file ends");
    if (importance_find(importance, name)) return fail_old(reading, "a name is there twice");
    TRY(importance_add(importance, name, values, 1, &row, reading->diagnostic));
    for (int32_t i = 0; i < values; i++, reading->at += 4) {
        float value;
        memcpy(&value, reading->file.bytes + reading->at, sizeof value);
        TRY(check_number(reading->file.path, name, value, reading->diagnostic));
        row->sums[i] = (double)value;
    }
    row->counts[0] = calls;
    return STATUS_OK;
}

static status read_old(struct old_reading *reading)
{
    int32_t count;
    TRY(take_integer(reading, 1, (int64_t)(reading->file.byte_count / 16), &count));
    for (int32_t i = 0; i < count; i++) TRY(read_old_weight(reading));
    return STATUS_OK;
}

status importance_read(const char *path, struct importance *importance,
                       struct diagnostic *diagnostic)
{
    struct old_reading reading = {.importance = importance, .diagnostic = diagnostic};
    TRY(file_map(path, importance->arena, &reading.file, diagnostic));
    bool gguf = reading.file.byte_count >= 4 && !memcmp(reading.file.bytes, "GGUF", 4);
    status code = gguf ? STATUS_OK : read_old(&reading);
    file_unmap(&reading.file);
    return gguf ? read_gguf(path, importance, diagnostic) : code;
}
