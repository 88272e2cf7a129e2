/* The directory of a GGUF file's tensors.  Ranges are checked against the file before anything else
 * may see them: offsets aligned, in order, without overlap, and inside the file to the last byte.
 */
#include "models/gguf_cursor.h"

#include <utf8proc.h>

struct type_row {
    const char *name;
    int element; /* -1: known, not read */
};

static const struct type_row types[] = {
#define GGUF_TYPE(id, name)       [id] = {(name), -1},
#define GGUF_ELEMENT(id, ELEMENT) [id] = {#ELEMENT, ELEMENT_##ELEMENT},
#include "models/gguf_types.def"
#undef GGUF_TYPE
#undef GGUF_ELEMENT
};

enum { TYPE_COUNT = sizeof types / sizeof types[0] };

bool gguf_element_of_type(uint32_t type, enum element_type *element)
{
    if (type >= TYPE_COUNT || !types[type].name || types[type].element < 0) return false;
    *element = (enum element_type)types[type].element;
    return true;
}

bool gguf_type_of_element(enum element_type element, uint32_t *type)
{
    for (uint32_t id = 0; id < TYPE_COUNT; id++) {
        if (types[id].name && types[id].element == (int)element) {
            *type = id;
            return true;
        }
    }
    return false;
}

const char *gguf_type_name(uint32_t type)
{
    enum element_type element;
    if (gguf_element_of_type(type, &element)) return element_of(element)->name;
    return type < TYPE_COUNT ? types[type].name : NULL;
}

/* UTF-8 without control characters. */
static bool name_is_legal(const char *name, uint64_t length)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)name;
    utf8proc_int32_t point;
    for (uint64_t at = 0; at < length;) {
        utf8proc_ssize_t step =
            utf8proc_iterate(bytes + at, (utf8proc_ssize_t)(length - at), &point);
        if (step <= 0 || point < 0x20 || point == 0x7f) return false;
        at += (uint64_t)step;
    }
    return length > 0;
}

static status take_name(struct gguf_cursor *cursor, const char **name)
{
    uint64_t at = cursor->position, length;
    const char *text;
    TRY(gguf_take_text(cursor, "a tensor's name", &text, &length));
    if (length > GGUF_NAME_MAX || !name_is_legal(text, length)) {
        return GGUF_FAIL(cursor, at,
                         "a tensor's name of %" PRIu64 " bytes must be 1 to %d bytes of UTF-8",
                         length, GGUF_NAME_MAX);
    }
    *name = arena_text_range(cursor->arena, text, (size_t)length);
    TRY_MEMORY(*name, cursor->diagnostic);
    return STATUS_OK;
}

/* The file gives the fastest dimension first. */
static status take_shape(struct gguf_cursor *cursor, struct stored_tensor *tensor,
                         uint64_t *elements)
{
    uint64_t at = cursor->position, size;
    uint32_t rank;
    TRY(gguf_take_u32(cursor, "a tensor's rank", &rank));
    if (rank < 1 || rank > TENSOR_RANK_MAX) {
        return GGUF_FAIL(cursor, at, "tensor '%s' has rank %" PRIu32 "; 1 to %d are allowed",
                         tensor->name, rank, TENSOR_RANK_MAX);
    }
    tensor->type.rank = (int)rank;
    *elements = 1;
    for (uint32_t d = 0; d < rank; d++) {
        at = cursor->position;
        TRY(gguf_take_u64(cursor, "a tensor's dimension", &size));
        if (size < 1 || size > INT32_MAX || !checked_multiply(*elements, size, elements)) {
            return GGUF_FAIL(cursor, at,
                             "tensor '%s': dimension %" PRIu32 " is %" PRIu64
                             "; 1 to 2147483647 are allowed, and a product below 2^64",
                             tensor->name, d, size);
        }
        tensor->type.shape[rank - 1 - d] = dimension_fixed((int64_t)size);
    }
    return STATUS_OK;
}

static status take_type(struct gguf_cursor *cursor, struct stored_tensor *tensor)
{
    uint64_t at = cursor->position;
    uint32_t type;
    TRY(gguf_take_u32(cursor, "a tensor's type", &type));
    if (gguf_element_of_type(type, &tensor->type.element)) return STATUS_OK;
    const char *name = gguf_type_name(type);
    if (!name) {
        return GGUF_FAIL(cursor, at, "tensor '%s' has type %" PRIu32 ", which is no GGUF type",
                         tensor->name, type);
    }
    return GGUF_FAIL(cursor, at,
                     "tensor '%s' has type %s, which Hone cannot read yet; convert the "
                     "model to q8_0, q4_0, f16, bf16 or f32",
                     tensor->name, name);
}

static status take_tensor(struct gguf_cursor *cursor, struct stored_tensor *tensor)
{
    uint64_t elements = 0, at = cursor->position, bytes;
    TRY(take_name(cursor, &tensor->name));
    TRY(take_shape(cursor, tensor, &elements));
    TRY(take_type(cursor, tensor));
    TRY(gguf_take_u64(cursor, "a tensor's offset", &tensor->offset));
    const struct element *element = element_of(tensor->type.element);
    int64_t columns = tensor->type.shape[tensor->type.rank - 1].scale;
    if (columns % element->block_elements) {
        return GGUF_FAIL(cursor, at,
                         "tensor '%s': rows of %" PRId64 " elements are not whole %s blocks of %d",
                         tensor->name, columns, element->name, element->block_elements);
    }
    uint64_t blocks = elements / (uint64_t)element->block_elements;
    if (!checked_multiply(blocks, (uint64_t)element->block_bytes, &bytes) || bytes > INT64_MAX) {
        return GGUF_FAIL(cursor, at, "tensor '%s' would take more than 2^63 bytes", tensor->name);
    }
    tensor->byte_count = (int64_t)bytes;
    tensor->file = cursor->file;
    return STATUS_OK;
}

/* Where the tensor may begin is `*expected`, relative to the data; advances it behind the tensor
 * and counts what lies between. */
static status place_tensor(struct gguf_cursor *cursor, struct stored_tensor *tensor, uint64_t data,
                           uint64_t alignment, uint64_t *expected, uint64_t *unused)
{
    uint64_t end, padded;
    if (tensor->offset % alignment) {
        return GGUF_FAIL(cursor, data,
                         "tensor '%s': offset %" PRIu64
                         " is not a multiple of the alignment %" PRIu64,
                         tensor->name, tensor->offset, alignment);
    }
    if (tensor->offset < *expected) {
        return GGUF_FAIL(cursor, data,
                         "tensor '%s': offset %" PRIu64
                         " overlaps the tensor before it, which ends at %" PRIu64,
                         tensor->name, tensor->offset, *expected);
    }
    uint64_t room = cursor->file_bytes > data ? cursor->file_bytes - data : 0;
    if (!checked_add(tensor->offset, (uint64_t)tensor->byte_count, &end) || end > room) {
        return GGUF_FAIL(cursor, data,
                         "tensor '%s': %" PRId64 " bytes at offset %" PRIu64
                         " run past the end of the data, %" PRIu64 " bytes: the file is cut short",
                         tensor->name, tensor->byte_count, tensor->offset, room);
    }
    if (!checked_align(end, alignment, &padded)) padded = end;
    *unused += tensor->offset - *expected;
    *expected = padded;
    tensor->offset += data;
    tensor->bytes = cursor->bytes + tensor->offset;
    return STATUS_OK;
}

status gguf_take_tensors(struct gguf_cursor *cursor, uint64_t count, uint64_t alignment,
                         struct model_source *source)
{
    uint64_t data, expected = 0, unused = 0;
    int first = source->tensor_count;
    for (uint64_t i = 0; i < count; i++) {
        TRY_APPEND(source->tensors, source->tensor_count, source->tensor_capacity, cursor->arena,
                   cursor->diagnostic);
        TRY(take_tensor(cursor, &source->tensors[source->tensor_count - 1]));
    }
    if (!checked_align(cursor->position, alignment, &data)) data = UINT64_MAX;
    for (int i = first; i < source->tensor_count; i++) {
        TRY(place_tensor(cursor, &source->tensors[i], data, alignment, &expected, &unused));
    }
    if (count && cursor->file_bytes - data > expected) {
        unused += cursor->file_bytes - data - expected;
    }
    if (unused) {
        progress_warn(cursor->progress, "%.500s: %" PRIu64 " bytes belong to no tensor",
                      cursor->file, unused);
    }
    return STATUS_OK;
}
