/* Opening a GGUF file: its head, its metadata, its directory, and the other parts of a split one.
 */
#include "models/gguf.h"

#include "models/gguf_cursor.h"

#include <stdio.h>

enum {
    VERSION_LEAST = 2,
    VERSION_MOST = 3,
    KEY_ENTRY_BYTES = 14,    /* length, one letter, type, one byte: the least a key can take */
    TENSOR_ENTRY_BYTES = 33, /* length, one letter, rank, one dimension, type, offset */
};

static status check_magic(struct gguf_cursor *cursor)
{
    const uint8_t *magic;
    TRY(gguf_take(cursor, 4, "the magic number", &magic));
    if (!memcmp(magic, "FUGG", 4)) {
        return GGUF_FAIL(cursor, 0, "%s", "a big-endian GGUF file; Hone reads little-endian ones");
    }
    if (memcmp(magic, GGUF_MAGIC, 4) != 0) {
        return GGUF_FAIL(cursor, 0, "%s", "not a GGUF file: it does not begin with 'GGUF'");
    }
    return STATUS_OK;
}

/* A version whose low 16 bits are zero was written by a machine of the other endianness. */
static status check_version(struct gguf_cursor *cursor)
{
    uint32_t version;
    TRY(gguf_take_u32(cursor, "the version", &version));
    if (version && !(version & 0xffff)) {
        return GGUF_FAIL(cursor, 4, "%s", "a big-endian GGUF file; Hone reads little-endian ones");
    }
    if (version < VERSION_LEAST || version > VERSION_MOST) {
        return GGUF_FAIL(cursor, 4, "GGUF version %" PRIu32 "; Hone reads versions %d and %d",
                         version, VERSION_LEAST, VERSION_MOST);
    }
    return STATUS_OK;
}

/* Among the entries of the file being read, which begin at `first`: nothing is sorted yet. */
static const struct metadata *find_own(const struct model_source *source, int first,
                                       const char *key)
{
    for (int i = first; i < source->metadata_count; i++) {
        if (!strcmp(source->metadata[i].key, key)) return &source->metadata[i];
    }
    return NULL;
}

/* The specification allows any multiple of 8. */
static status read_alignment(struct gguf_cursor *cursor, const struct model_source *source,
                             int first, uint64_t *alignment)
{
    const struct metadata *entry = find_own(source, first, "general.alignment");
    *alignment = GGUF_ALIGNMENT;
    if (!entry) return STATUS_OK;
    if (entry->raw_type != GGUF_U32 || entry->integer < 8 || entry->integer % 8 ||
        entry->integer > 1 << 20) {
        return GGUF_FAIL(cursor, entry->raw - cursor->bytes, "%s",
                         "general.alignment must be a u32, a multiple of 8 up to 1 MiB");
    }
    *alignment = (uint64_t)entry->integer;
    return STATUS_OK;
}

/* One file, as a whole. */
static status read_file(struct model_source *source, const char *path,
                        const struct progress *progress, struct diagnostic *diagnostic)
{
    struct mapped_file file;
    uint64_t tensors, keys, alignment;
    int first_key = source->metadata_count;
    TRY(source_map(source, path, &file, diagnostic));
    uint64_t limit =
        file.byte_count < GGUF_HEADER_BYTES_MAX ? file.byte_count : GGUF_HEADER_BYTES_MAX;
    struct gguf_cursor cursor = {.file = file.path,
                                 .bytes = file.bytes,
                                 .limit = limit,
                                 .file_bytes = file.byte_count,
                                 .arena = source->arena,
                                 .progress = progress,
                                 .diagnostic = diagnostic};
    TRY(check_magic(&cursor));
    TRY(check_version(&cursor));
    TRY(gguf_take_count(&cursor, TENSOR_ENTRY_BYTES, SOURCE_TENSORS_MAX, "tensors", &tensors));
    TRY(gguf_take_count(&cursor, KEY_ENTRY_BYTES, GGUF_KEYS_MAX, "metadata", &keys));
    for (uint64_t i = 0; i < keys; i++) TRY(gguf_take_metadata(&cursor, source));
    TRY(read_alignment(&cursor, source, first_key, &alignment));
    if (tensors > SOURCE_TENSORS_MAX - (uint64_t)source->tensor_count) {
        return GGUF_FAIL(&cursor, 8, "more than %d tensors in all parts", SOURCE_TENSORS_MAX);
    }
    TRY(gguf_take_tensors(&cursor, tensors, alignment, source));
    struct hash head = hash_bytes(file.bytes, (size_t)cursor.position);
    source->identity = hash_combine(source->identity, head);
    return STATUS_OK;
}

struct split {
    int64_t number, count, tensors; /* tensors -1: not said */
};

static status split_field(const struct model_source *source, int first, const char *path,
                          const char *key, int64_t *value, struct diagnostic *diagnostic)
{
    const struct metadata *entry = find_own(source, first, key);
    if (!entry) return STATUS_OK;
    if (entry->kind != METADATA_INTEGER || entry->integer < 0) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: %s must be a count", path, key);
    }
    *value = entry->integer;
    return STATUS_OK;
}

static status read_split(const struct model_source *source, int first, const char *path,
                         struct split *split, struct diagnostic *diagnostic)
{
    *split = (struct split){.number = 0, .count = 1, .tensors = -1};
    TRY(split_field(source, first, path, "split.no", &split->number, diagnostic));
    TRY(split_field(source, first, path, "split.count", &split->count, diagnostic));
    TRY(split_field(source, first, path, "split.tensors.count", &split->tensors, diagnostic));
    if (split->count > GGUF_SPLITS_MAX) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: split.count is %" PRId64 "; at most %d parts are allowed", path,
                    split->count, GGUF_SPLITS_MAX);
    }
    return STATUS_OK;
}

/* Part `number` of a split named like `path`, "NAME-00001-of-0000N.gguf". */
static status part_path(struct arena *arena, const char *path, int64_t number, int64_t count,
                        const char **part, struct diagnostic *diagnostic)
{
    char own[32], wanted[32];
    size_t length = strlen(path);
    size_t suffix = (size_t)snprintf(own, sizeof own, "-00001-of-%05d.gguf", (int)count);
    if (length <= suffix || strcmp(path + length - suffix, own) != 0) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: the first of %" PRId64
                    " parts must be named ...%s, so that the others are found",
                    path, count, own);
    }
    snprintf(wanted, sizeof wanted, "-%05d-of-%05d.gguf", (int)number + 1, (int)count);
    *part = arena_print(arena, "%.*s%s", (int)(length - suffix), path, wanted);
    TRY_MEMORY(*part, diagnostic);
    return STATUS_OK;
}

/* The metadata of a further part only says which part it is; it is checked and dropped. */
static status read_part(struct model_source *source, const char *path, int64_t number,
                        const struct split *whole, const struct progress *progress,
                        struct diagnostic *diagnostic)
{
    struct split split;
    int first = source->metadata_count;
    TRY(read_file(source, path, progress, diagnostic));
    TRY(read_split(source, first, path, &split, diagnostic));
    source->metadata_count = first;
    if (split.number == number && split.count == whole->count && split.tensors == whole->tensors) {
        return STATUS_OK;
    }
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: says that it is part %" PRId64 " of %" PRId64 " with %" PRId64
                " tensors, but part %" PRId64 " of %" PRId64 " with %" PRId64
                " is needed here: it belongs to another model",
                path, split.number + 1, split.count, split.tensors, number + 1, whole->count,
                whole->tensors);
}

static status read_parts(struct model_source *source, const char *path, const struct split *whole,
                         const struct progress *progress, struct diagnostic *diagnostic)
{
    if (whole->number != 0) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: part %" PRId64
                    " of a split model; name its first part, ...-00001-of-%05d.gguf",
                    path, whole->number + 1, (int)whole->count);
    }
    for (int64_t number = 1; number < whole->count; number++) {
        const char *part;
        TRY(part_path(source->arena, path, number, whole->count, &part, diagnostic));
        TRY(read_part(source, part, number, whole, progress, diagnostic));
    }
    if (whole->tensors >= 0 && whole->tensors != source->tensor_count) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: split.tensors.count is %" PRId64 ", but the parts hold %d tensors",
                    path, whole->tensors, source->tensor_count);
    }
    return STATUS_OK;
}

/* The name becomes part of keys and messages. */
static status check_name(const struct model_source *source, struct diagnostic *diagnostic)
{
    for (const char *c = source->name; *c; c++) {
        if ((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("_-.", *c)) continue;
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: general.architecture must be small letters, digits, '_', '-' and '.'",
                    source->path);
    }
    return STATUS_OK;
}

status gguf_open_any(const char *path, const struct progress *progress, struct model_source *source,
                     struct diagnostic *diagnostic)
{
    struct split split;
    source->format = SOURCE_GGUF;
    TRY(read_file(source, path, progress, diagnostic));
    TRY(read_split(source, 0, path, &split, diagnostic));
    TRY(read_parts(source, path, &split, progress, diagnostic));
    return source_index(source, diagnostic);
}

status gguf_open(const char *path, const struct progress *progress, struct model_source *source,
                 struct diagnostic *diagnostic)
{
    TRY(gguf_open_any(path, progress, source, diagnostic));
    const struct metadata *name = source_metadata(source, "general.architecture");
    if (!name || name->kind != METADATA_TEXT || name->length < 1 || name->length > 64 ||
        memchr(name->text, 0, (size_t)name->length)) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: general.architecture must be there and be a text of 1 to 64 bytes",
                    path);
    }
    source->name = arena_text_range(source->arena, name->text, (size_t)name->length);
    TRY_MEMORY(source->name, diagnostic);
    return check_name(source, diagnostic);
}
