/* The writer of GGUF files.  Head and directory are small and are put together in memory. */
#include "models/gguf_write.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct written_tensor {
    const char *name;
    struct tensor_type type;
    uint64_t offset, byte_count; /* offset: relative to the data */
};

struct gguf_writer {
    struct arena *arena;
    const char *path, *temporary; /* temporary NULL once it was renamed */
    int file;
    struct text metadata;
    uint64_t key_count;
    struct written_tensor *tensors;
    int tensor_count;
    size_t tensor_capacity;
    uint64_t next_offset, data; /* data: where the tensors' bytes begin */
};

int64_t gguf_file_type(const char *type)
{
    static const struct {
        const char *type;
        int64_t number;
    } rows[] = {{"f16", 1},   {"q4_0", 2},  {"q4_1", 3},    {"q8_0", 7},    {"q5_0", 8},
                {"q5_1", 9},  {"q2_K", 10}, {"q3_K", 11},   {"q4_K", 14},   {"q4_K_M", 15},
                {"q5_K", 16}, {"q6_K", 18}, {"q5_K_M", 17}, {"iq4_nl", 25}, {"iq4_xs", 30},
                {"bf16", 32}, {"mxfp4", 38}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].type, type)) return rows[i].number;
    return 0;
}

/* True when the fault injection lets the next system call fail, as on a full disk. */
static bool injected(void)
{
    if (!fault_io()) return false;
    errno = ENOSPC;
    return true;
}

status gguf_writer_create(const char *path, struct arena *arena, struct gguf_writer **result,
                          struct diagnostic *diagnostic)
{
    struct gguf_writer *writer;
    TRY_NEW(writer, arena, 1, diagnostic);
    writer->arena = arena;
    writer->metadata.arena = arena;
    writer->path = arena_text(arena, path);
    writer->temporary = arena_print(arena, "%s.%ld-%lld.part", path, (long)getpid(),
                                    (long long)clock_nanoseconds());
    writer->file = -1;
    if (!writer->path || !writer->temporary) return fail_memory(diagnostic, strlen(path));
    if (injected())
        writer->file = -1;
    else
        writer->file = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (writer->file < 0) {
        return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.700s: cannot be created: %s", path,
                    strerror(errno));
    }
    *result = writer;
    return STATUS_OK;
}

static void put(struct text *text, const void *bytes, size_t count)
{
    text_append_range(text, bytes, count);
}

static void put_text(struct text *text, const char *value)
{
    uint64_t length = strlen(value);
    put(text, &length, sizeof length);
    put(text, value, (size_t)length);
}

static void put_key(struct gguf_writer *writer, const char *key, uint32_t type)
{
    put_text(&writer->metadata, key);
    put(&writer->metadata, &type, sizeof type);
    writer->key_count++;
}

void gguf_put_integer(struct gguf_writer *writer, const char *key, enum gguf_value type,
                      int64_t value)
{
    put_key(writer, key, type);
    put(&writer->metadata, &value,
        (size_t)gguf_value_bytes(type)); /* little endian: the low bytes come first */
}

void gguf_put_real(struct gguf_writer *writer, const char *key, double value)
{
    float single = (float)value;
    put_key(writer, key, GGUF_F32);
    put(&writer->metadata, &single, sizeof single);
}

void gguf_put_boolean(struct gguf_writer *writer, const char *key, bool value)
{
    uint8_t byte = value;
    put_key(writer, key, GGUF_BOOL);
    put(&writer->metadata, &byte, sizeof byte);
}

void gguf_put_text(struct gguf_writer *writer, const char *key, const char *value)
{
    put_key(writer, key, GGUF_TEXT);
    put_text(&writer->metadata, value);
}

static void put_list(struct gguf_writer *writer, const char *key, uint32_t item, int64_t count)
{
    uint64_t length = (uint64_t)count;
    put_key(writer, key, GGUF_LIST);
    put(&writer->metadata, &item, sizeof item);
    put(&writer->metadata, &length, sizeof length);
}

void gguf_put_texts(struct gguf_writer *writer, const char *key, int64_t count,
                    const char *const *values)
{
    put_list(writer, key, GGUF_TEXT, count);
    for (int64_t i = 0; i < count; i++) put_text(&writer->metadata, values[i]);
}

void gguf_put_numbers(struct gguf_writer *writer, const char *key, enum gguf_value item,
                      int64_t count, const void *values)
{
    put_list(writer, key, item, count);
    put(&writer->metadata, values, (size_t)count * (size_t)gguf_value_bytes(item));
}

void gguf_put_copy(struct gguf_writer *writer, const struct metadata *entry)
{
    put_key(writer, entry->key, entry->raw_type);
    put(&writer->metadata, entry->raw, (size_t)entry->raw_bytes);
}

/* Elements times bytes, checked: shapes may come from a person. */
static status tensor_size(const struct tensor_type *type, const char *name, uint64_t *byte_count,
                          struct diagnostic *diagnostic)
{
    const struct element *element = element_of(type->element);
    uint64_t elements = 1;
    int64_t columns = type->rank ? type->shape[type->rank - 1].scale : 0;
    uint32_t id;
    bool fits = type->rank >= 1 && columns % element->block_elements == 0 &&
                gguf_type_of_element(type->element, &id);
    for (int d = 0; d < type->rank && fits; d++) {
        fits = type->shape[d].scale > 0 &&
               checked_multiply(elements, (uint64_t)type->shape[d].scale, &elements);
    }
    fits = fits && checked_multiply(elements / (uint64_t)element->block_elements,
                                    (uint64_t)element->block_bytes, byte_count);
    if (fits && *byte_count < UINT64_MAX / 4) return STATUS_OK;
    return fail(diagnostic, STATUS_USAGE,
                "tensor '%.100s': rows of %lld elements cannot be written as %s", name,
                (long long)columns, element->name);
}

status gguf_put_tensor(struct gguf_writer *writer, const char *name, const struct tensor_type *type,
                       int *index, struct diagnostic *diagnostic)
{
    struct written_tensor tensor = {.name = arena_text(writer->arena, name), .type = *type};
    TRY_MEMORY(tensor.name, diagnostic);
    TRY(tensor_size(type, name, &tensor.byte_count, diagnostic));
    tensor.offset = writer->next_offset;
    uint64_t end;
    if (!checked_add(tensor.offset, tensor.byte_count, &end) ||
        !checked_align(end, GGUF_ALIGNMENT, &writer->next_offset)) {
        return fail(diagnostic, STATUS_USAGE, "%.500s: the model is too large", writer->path);
    }
    TRY_APPEND(writer->tensors, writer->tensor_count, writer->tensor_capacity, writer->arena,
               diagnostic);
    *index = writer->tensor_count - 1;
    writer->tensors[*index] = tensor;
    return STATUS_OK;
}

static void put_directory(struct gguf_writer *writer, struct text *head)
{
    for (int i = 0; i < writer->tensor_count; i++) {
        const struct written_tensor *tensor = &writer->tensors[i];
        uint32_t rank = (uint32_t)tensor->type.rank, type = 0;
        bool known = gguf_type_of_element(tensor->type.element, &type);
        (void)known; /* gguf_put_tensor refuses the others */
        put_text(head, tensor->name);
        put(head, &rank, sizeof rank);
        for (uint32_t d = 0; d < rank; d++) {
            put(head, &tensor->type.shape[rank - 1 - d].scale, sizeof(int64_t));
        }
        put(head, &type, sizeof type);
        put(head, &tensor->offset, sizeof tensor->offset);
    }
}

static bool write_at(int file, const char *bytes, size_t count, uint64_t offset)
{
    while (count) {
        if (injected()) return false;
        ssize_t put_bytes = pwrite(file, bytes, count, (off_t)offset);
        if (put_bytes < 0 && errno == EINTR) continue;
        if (put_bytes < 0) return false;
        bytes += put_bytes;
        count -= (size_t)put_bytes;
        offset += (uint64_t)put_bytes;
    }
    return true;
}

static status write_failed(const struct gguf_writer *writer, struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_INPUT_OUTPUT, "%.700s: writing failed: %s", writer->path,
                strerror(errno));
}

status gguf_writer_start(struct gguf_writer *writer, struct diagnostic *diagnostic)
{
    static const char padding[GGUF_ALIGNMENT] = {0};
    struct text head = {.arena = writer->arena};
    uint32_t version = 3;
    uint64_t tensor_count = (uint64_t)writer->tensor_count;
    text_append(&head, GGUF_MAGIC);
    put(&head, &version, sizeof version);
    put(&head, &tensor_count, sizeof tensor_count);
    put(&head, &writer->key_count, sizeof writer->key_count);
    put(&head, writer->metadata.bytes, writer->metadata.length);
    put_directory(writer, &head);
    put(&head, padding, (GGUF_ALIGNMENT - head.length % GGUF_ALIGNMENT) % GGUF_ALIGNMENT);
    if (head.failed || writer->metadata.failed) return fail_memory(diagnostic, head.length);
    writer->data = head.length;
    if (!write_at(writer->file, head.bytes, head.length, 0)) {
        return write_failed(writer, diagnostic);
    }
    /* The padding behind the last tensor is part of the format. */
    if (injected() || ftruncate(writer->file, (off_t)gguf_writer_size(writer)) != 0) {
        return write_failed(writer, diagnostic);
    }
    return STATUS_OK;
}

status gguf_writer_bytes(struct gguf_writer *writer, int index, int64_t offset, const void *bytes,
                         size_t byte_count, struct diagnostic *diagnostic)
{
    const struct written_tensor *tensor = &writer->tensors[index];
    uint64_t room = offset >= 0 && (uint64_t)offset <= tensor->byte_count
                        ? tensor->byte_count - (uint64_t)offset
                        : 0;
    if (byte_count > room) {
        return fail(diagnostic, STATUS_FAILED, "tensor '%.100s': %zu bytes at %lld do not fit",
                    tensor->name, byte_count, (long long)offset);
    }
    uint64_t at = writer->data + tensor->offset + (uint64_t)offset;
    if (write_at(writer->file, bytes, byte_count, at)) return STATUS_OK;
    return write_failed(writer, diagnostic);
}

int64_t gguf_writer_size(const struct gguf_writer *writer)
{
    return (int64_t)(writer->data + writer->next_offset);
}

status gguf_writer_finish(struct gguf_writer *writer, struct diagnostic *diagnostic)
{
    bool done = !injected() && fsync(writer->file) == 0;
    done = done && !injected() && rename(writer->temporary, writer->path) == 0;
    if (!done) return write_failed(writer, diagnostic);
    writer->temporary = NULL;
    return STATUS_OK;
}

void gguf_writer_close(struct gguf_writer *writer)
{
    if (!writer) return;
    if (writer->file >= 0) close(writer->file);
    writer->file = -1;
    if (writer->temporary) unlink(writer->temporary);
    writer->temporary = NULL;
}
