/* Reading one safetensors file. */
#include "models/safetensors.h"

#include "base/checked.h"
#include "models/json_read.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8 }; /* of the header's length in front of it */

/* A file being read: where its header and its data lie. */
struct reading {
    struct mapped_file file;
    uint64_t header_bytes, data, data_bytes;
    struct model_source *source;
    struct diagnostic *diagnostic;
};

#define SAFETENSORS_FAIL(reading, offset, format, ...)                                             \
    fail((reading)->diagnostic, STATUS_BAD_INPUT, "%.500s: byte %" PRIu64 ": " format,             \
         (reading)->file.path, (uint64_t)(offset), __VA_ARGS__)

/* Python's serialised objects run code when they are loaded; they are never opened.  A header of 640
 * bytes begins as a pickle of version 2 does, but its text follows. */
static bool looks_like_pickle(const struct mapped_file *file)
{
    if (file->byte_count < 4) return false;
    bool header = file->byte_count > LENGTH_BYTES && file->bytes[LENGTH_BYTES] == '{';
    return !memcmp(file->bytes, "PK\3\4", 4) ||
           (file->bytes[0] == 0x80 && file->bytes[1] <= 5 && !header);
}

static status read_head(struct reading *reading)
{
    uint64_t size = reading->file.byte_count, length;
    if (looks_like_pickle(&reading->file)) {
        return SAFETENSORS_FAIL(reading, 0, "%s",
                                "this is a pickle, which could run code, and not "
                                "a safetensors file; it is not loaded");
    }
    if (size < LENGTH_BYTES + 2) {
        return SAFETENSORS_FAIL(reading, 0, "%" PRIu64 " bytes are too few for a header", size);
    }
    memcpy(&length, reading->file.bytes, sizeof length);
    if (length < 2 || length > SAFETENSORS_HEADER_BYTES_MAX || length > size - LENGTH_BYTES) {
        return SAFETENSORS_FAIL(reading, 0,
                                "a header of %" PRIu64
                                " bytes; it must have 2 to %d and fit into the file's %" PRIu64,
                                length, SAFETENSORS_HEADER_BYTES_MAX, size);
    }
    if (reading->file.bytes[LENGTH_BYTES] != '{') {
        return SAFETENSORS_FAIL(reading, LENGTH_BYTES, "%s", "the header must begin with '{'");
    }
    reading->header_bytes = length;
    reading->data = LENGTH_BYTES + length;
    reading->data_bytes = size - reading->data;
    return STATUS_OK;
}

struct type_row {
    const char *name;
    int element; /* -1: known, not read */
    bool raw;
};

static status read_type(struct reading *reading, const char *name, json_t *entry,
                        struct stored_tensor *tensor)
{
    static const struct type_row rows[] = {
        {"F32", ELEMENT_F32, false},
        {"F16", ELEMENT_F16, false},
        {"BF16", ELEMENT_BF16, false},
        {"F8_E4M3", ELEMENT_F8_E4M3, false},
        {"F8_E5M2", ELEMENT_F8_E5M2, false},
        {"I8", ELEMENT_I8, false},
        {"U8", ELEMENT_I8, true},
        {"I32", ELEMENT_I32, false},
        {"F64", -1, false},
        {"I64", -1, false},
        {"U64", -1, false},
        {"U32", -1, false},
        {"I16", -1, false},
        {"U16", -1, false},
        {"BOOL", -1, false},
        {"F8_E8M0", -1, false},
        {"F4", -1, false},
        {"F6_E2M3", -1, false},
        {"F6_E3M2", -1, false},
        {"C64", -1, false},
    };
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    for (size_t i = 0; text && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(text, rows[i].name) != 0) continue;
        if (rows[i].element < 0) {
            return SAFETENSORS_FAIL(reading, LENGTH_BYTES,
                                    "tensor '%.200s' has dtype %s, which "
                                    "Hone cannot read yet",
                                    name, text);
        }
        tensor->type.element = (enum element_type)rows[i].element;
        tensor->raw = rows[i].raw;
        return STATUS_OK;
    }
    return SAFETENSORS_FAIL(reading, LENGTH_BYTES, "tensor '%.200s': dtype '%.50s' is unknown",
                            name, text ? text : "(none)");
}

static status read_shape(struct reading *reading, const char *name, json_t *entry,
                         struct tensor_type *type, uint64_t *byte_count)
{
    json_t *shape = json_object_get(entry, "shape");
    size_t rank = json_array_size(shape);
    *byte_count = (uint64_t)element_of(type->element)->block_bytes;
    if (!json_is_array(shape) || rank > TENSOR_RANK_MAX) {
        return SAFETENSORS_FAIL(reading, LENGTH_BYTES,
                                "tensor '%.200s': shape must be a list of "
                                "at most %d sizes",
                                name, TENSOR_RANK_MAX);
    }
    type->rank = (int)rank;
    for (size_t d = 0; d < rank; d++) {
        json_t *size = json_array_get(shape, d);
        json_int_t value = json_integer_value(size);
        if (!json_is_integer(size) || value < 0 || value > INT32_MAX ||
            !checked_multiply(*byte_count, (uint64_t)value, byte_count)) {
            return SAFETENSORS_FAIL(reading, LENGTH_BYTES,
                                    "tensor '%.200s': size %zu of its shape "
                                    "must be a whole number from 0 to 2147483647, and the product "
                                    "below 2^64",
                                    name, d);
        }
        type->shape[d] = dimension_fixed(value);
    }
    return STATUS_OK;
}

static status read_range(struct reading *reading, json_t *entry, uint64_t byte_count,
                         struct stored_tensor *tensor)
{
    json_t *range = json_object_get(entry, "data_offsets");
    json_t *begin = json_array_get(range, 0), *end = json_array_get(range, 1);
    json_int_t first = json_integer_value(begin), last = json_integer_value(end);
    if (json_array_size(range) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        first < 0 || last < first || (uint64_t)last > reading->data_bytes) {
        return SAFETENSORS_FAIL(reading, LENGTH_BYTES,
                                "tensor '%.200s': data_offsets must be "
                                "[begin, end] within the %" PRIu64 " bytes of data",
                                tensor->name, reading->data_bytes);
    }
    if ((uint64_t)(last - first) != byte_count) {
        return SAFETENSORS_FAIL(reading, LENGTH_BYTES,
                                "tensor '%.200s': data_offsets span %" PRIu64
                                " bytes, but shape and dtype need %" PRIu64,
                                tensor->name, (uint64_t)(last - first), byte_count);
    }
    tensor->offset = reading->data + (uint64_t)first;
    tensor->byte_count = last - first;
    tensor->bytes = reading->file.bytes + tensor->offset;
    return STATUS_OK;
}

static status read_tensor(struct reading *reading, const char *name, json_t *entry)
{
    struct model_source *source = reading->source;
    struct stored_tensor tensor = {.file = reading->file.path};
    uint64_t byte_count;
    size_t length = strlen(name);
    if (!length || length > SOURCE_TENSOR_NAME_MAX || json_object_size(entry) != 3) {
        return SAFETENSORS_FAIL(reading, LENGTH_BYTES,
                                "tensor '%.200s' must have a name of 1 to "
                                "%d bytes and dtype, shape and data_offsets",
                                name, SOURCE_TENSOR_NAME_MAX);
    }
    if (source->tensor_count == SOURCE_TENSORS_MAX) {
        return SAFETENSORS_FAIL(reading, LENGTH_BYTES, "more than %d tensors", SOURCE_TENSORS_MAX);
    }
    TRY(read_type(reading, name, entry, &tensor));
    TRY(read_shape(reading, name, entry, &tensor.type, &byte_count));
    tensor.name = arena_text(source->arena, name);
    TRY_MEMORY(tensor.name, reading->diagnostic);
    TRY(read_range(reading, entry, byte_count, &tensor));
    TRY_APPEND(source->tensors, source->tensor_count, source->tensor_capacity, source->arena,
               reading->diagnostic);
    source->tensors[source->tensor_count - 1] = tensor;
    return STATUS_OK;
}

static status check_remarks(struct reading *reading, json_t *remarks)
{
    const char *key;
    json_t *value;
    bool legal = json_is_object(remarks);
    json_object_foreach(remarks, key, value) legal = legal && json_is_string(value);
    if (legal) return STATUS_OK;
    return SAFETENSORS_FAIL(reading, LENGTH_BYTES, "%s", "__metadata__ must map texts to texts");
}

static int compare_offsets(const void *a, const void *b)
{
    const struct stored_tensor *first = a, *second = b;
    if (first->offset != second->offset) return first->offset < second->offset ? -1 : 1;
    return (first->byte_count > second->byte_count) - (first->byte_count < second->byte_count);
}

/* One range must follow the other, from the first byte of the data to the last. */
static status check_ranges(struct reading *reading, int first)
{
    struct model_source *source = reading->source;
    uint64_t expected = reading->data;
    int count = source->tensor_count - first;
    if (count) {
        qsort(source->tensors + first, (size_t)count, sizeof *source->tensors, compare_offsets);
    }
    for (int i = first; i < source->tensor_count; i++) {
        const struct stored_tensor *tensor = &source->tensors[i];
        if (tensor->offset != expected) {
            return SAFETENSORS_FAIL(reading, tensor->offset, "tensor '%.200s' %s", tensor->name,
                                    tensor->offset < expected ? "overlaps the one before it"
                                                              : "leaves unused bytes before it");
        }
        expected += (uint64_t)tensor->byte_count;
    }
    if (expected == reading->file.byte_count) return STATUS_OK;
    return SAFETENSORS_FAIL(reading, expected, "%" PRIu64 " bytes behind the last tensor",
                            reading->file.byte_count - expected);
}

static status read_header(struct reading *reading, json_t *root)
{
    const char *name;
    json_t *entry;
    int first = reading->source->tensor_count;
    json_object_foreach(root, name, entry)
    {
        if (!strcmp(name, "__metadata__"))
            TRY(check_remarks(reading, entry));
        else
            TRY(read_tensor(reading, name, entry));
    }
    return check_ranges(reading, first);
}

status safetensors_open(const char *path, struct model_source *source,
                        struct diagnostic *diagnostic)
{
    struct reading reading = {.source = source, .diagnostic = diagnostic};
    json_t *root;
    TRY(source_map(source, path, &reading.file, diagnostic));
    TRY(read_head(&reading));
    const char *header = (const char *)reading.file.bytes + LENGTH_BYTES;
    TRY(json_read(path, header, (size_t)reading.header_bytes, &root, diagnostic));
    status result = read_header(&reading, root);
    json_decref(root);
    struct hash head = hash_bytes(reading.file.bytes, (size_t)reading.data);
    source->identity = hash_combine(source->identity, head);
    return result;
}
