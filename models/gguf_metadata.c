/* GGUF metadata: keys with typed values.  Numbers and texts become entries; lists are walked once,
 * so that everything in them is known to lie in the file, and stay where they are. */
#include "models/gguf_cursor.h"

#include <math.h>

enum {
    KEY_BYTES_MAX = 65535, /* by the specification */
    LIST_DEPTH_MAX = 4,    /* lists of lists are legal, but no known key uses them */
    LIST_HEAD_BYTES = sizeof(uint32_t) + sizeof(uint64_t), /* type of the items, their number */
};

static const uint8_t value_bytes[GGUF_VALUE_COUNT] = {
#define GGUF_VALUE(NAME, id, bytes) [id] = (bytes),
#include "models/gguf_values.def"
#undef GGUF_VALUE
};

int gguf_value_bytes(enum gguf_value type)
{
    return value_bytes[type];
}

static bool key_is_legal(const char *key, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++) {
        char c = key[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && c != '_' && c != '-' && c != '.') return false;
    }
    return length > 0;
}

static status take_key(struct gguf_cursor *cursor, const char **key)
{
    uint64_t at = cursor->position, length;
    const char *text;
    TRY(gguf_take_text(cursor, "a metadata key", &text, &length));
    if (length > KEY_BYTES_MAX) {
        return GGUF_FAIL(cursor, at, "a metadata key of %" PRIu64 " bytes; at most %d are allowed",
                         length, KEY_BYTES_MAX);
    }
    if (!key_is_legal(text, length)) {
        return GGUF_FAIL(cursor, at,
                         "a metadata key of %" PRIu64
                         " bytes must be letters, digits, '_', '-' and '.'",
                         length);
    }
    *key = arena_text_range(cursor->arena, text, (size_t)length);
    TRY_MEMORY(*key, cursor->diagnostic);
    return STATUS_OK;
}

static status check_booleans(struct gguf_cursor *cursor, const char *key, const uint8_t *bytes,
                             uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (bytes[i] > 1) {
            return GGUF_FAIL(cursor, bytes + i - cursor->bytes,
                             "%.100s: a boolean is 0 or 1, not %d", key, bytes[i]);
        }
    }
    return STATUS_OK;
}

static status take_type(struct gguf_cursor *cursor, const char *key, uint32_t *type)
{
    uint64_t at = cursor->position;
    TRY(gguf_take_u32(cursor, key, type));
    if (*type < GGUF_VALUE_COUNT) return STATUS_OK;
    return GGUF_FAIL(cursor, at,
                     "%.100s: there is no metadata type %" PRIu32 " (known are 0 to %d)", key,
                     *type, GGUF_VALUE_COUNT - 1);
}

/* The fewest bytes that a value can take: a text its length, a list its type and length. */
static uint64_t least_bytes(uint32_t type)
{
    if (type == GGUF_TEXT) return sizeof(uint64_t);
    return type == GGUF_LIST ? LIST_HEAD_BYTES : value_bytes[type];
}

static status skip_list(struct gguf_cursor *cursor, const char *key, int depth);

/* Walks over `count` values of `type`, for which there is room as far as their least size goes. */
static status skip_values(struct gguf_cursor *cursor, const char *key, uint32_t type,
                          uint64_t count, int depth)
{
    const uint8_t *bytes;
    const char *text;
    uint64_t length;
    if (value_bytes[type]) {
        TRY(gguf_take(cursor, count * value_bytes[type], key, &bytes));
        return type == GGUF_BOOL ? check_booleans(cursor, key, bytes, count) : STATUS_OK;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (type == GGUF_TEXT)
            TRY(gguf_take_text(cursor, key, &text, &length));
        else
            TRY(skip_list(cursor, key, depth + 1));
    }
    return STATUS_OK;
}

static status skip_list(struct gguf_cursor *cursor, const char *key, int depth)
{
    uint32_t type;
    uint64_t count;
    if (depth > LIST_DEPTH_MAX) {
        return GGUF_FAIL(cursor, cursor->position, "%.100s: lists more than %d deep", key,
                         LIST_DEPTH_MAX);
    }
    TRY(take_type(cursor, key, &type));
    TRY(gguf_take_count(cursor, least_bytes(type), UINT64_MAX, key, &count));
    return skip_values(cursor, key, type, count, depth);
}

/* `count` bytes, little endian as the hosts that Hone runs on. */
static uint64_t load(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    memcpy(&value, bytes, count);
    return value;
}

static double load_f32(const uint8_t *bytes)
{
    float value;
    memcpy(&value, bytes, sizeof value);
    return (double)value;
}

static double load_f64(const uint8_t *bytes)
{
    double value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

static void set_integer(struct metadata *entry, int64_t value)
{
    entry->kind = METADATA_INTEGER;
    entry->integer = value;
    entry->real = (double)value;
}

static void set_real(struct metadata *entry, double value)
{
    entry->kind = METADATA_REAL;
    entry->real = value;
}

/* What lies at `bytes`; the walk above has seen that it is all there.  Numbers above 2^63 become
 * reals, which no reader of integers accepts. */
static void decode(uint32_t type, const uint8_t *bytes, struct metadata *entry)
{
    uint64_t large;
    switch ((enum gguf_value)type) {
    case GGUF_U8: set_integer(entry, *bytes); break;
    case GGUF_I8: set_integer(entry, (int8_t)load(bytes, 1)); break;
    case GGUF_U16: set_integer(entry, (uint16_t)load(bytes, 2)); break;
    case GGUF_I16: set_integer(entry, (int16_t)load(bytes, 2)); break;
    case GGUF_U32: set_integer(entry, (uint32_t)load(bytes, 4)); break;
    case GGUF_I32: set_integer(entry, (int32_t)load(bytes, 4)); break;
    case GGUF_I64: set_integer(entry, (int64_t)load(bytes, 8)); break;
    case GGUF_U64:
        large = load(bytes, 8);
        if (large <= INT64_MAX)
            set_integer(entry, (int64_t)large);
        else
            set_real(entry, (double)large);
        break;
    case GGUF_F32: set_real(entry, load_f32(bytes)); break;
    case GGUF_F64: set_real(entry, load_f64(bytes)); break;
    case GGUF_BOOL:
        entry->kind = METADATA_BOOLEAN;
        entry->integer = *bytes;
        break;
    case GGUF_TEXT:
        entry->kind = METADATA_TEXT;
        entry->length = (int64_t)load(bytes, 8);
        entry->text = (const char *)bytes + sizeof(int64_t);
        break;
    case GGUF_LIST:
        entry->kind = METADATA_LIST;
        entry->raw_item_type = (uint32_t)load(bytes, 4);
        entry->length = (int64_t)load(bytes + sizeof(uint32_t), 8);
        break;
    case GGUF_VALUE_COUNT: break;
    }
}

status gguf_take_metadata(struct gguf_cursor *cursor, struct model_source *source)
{
    struct metadata entry = {0};
    TRY(take_key(cursor, &entry.key));
    TRY(take_type(cursor, entry.key, &entry.raw_type));
    entry.raw = cursor->bytes + cursor->position;
    uint64_t begin = cursor->position;
    TRY(skip_values(cursor, entry.key, entry.raw_type, 1, 0));
    entry.raw_bytes = cursor->position - begin;
    decode(entry.raw_type, entry.raw, &entry);
    TRY_APPEND(source->metadata, source->metadata_count, source->metadata_capacity, cursor->arena,
               cursor->diagnostic);
    source->metadata[source->metadata_count - 1] = entry;
    return STATUS_OK;
}

/* Behind the item at `bytes`, which is known to be whole. */
static const uint8_t *behind_item(uint32_t type, const uint8_t *bytes)
{
    if (value_bytes[type]) return bytes + value_bytes[type];
    if (type == GGUF_TEXT) return bytes + sizeof(uint64_t) + load(bytes, 8);
    uint32_t item_type = (uint32_t)load(bytes, 4);
    uint64_t count = load(bytes + sizeof(uint32_t), 8);
    bytes += LIST_HEAD_BYTES;
    if (value_bytes[item_type]) return bytes + count * value_bytes[item_type];
    while (count--) bytes = behind_item(item_type, bytes);
    return bytes;
}

static const uint8_t *first_item(const struct metadata *list)
{
    return list->raw + LIST_HEAD_BYTES;
}

bool gguf_item(const struct metadata *list, int64_t index, struct metadata *item)
{
    if (list->kind != METADATA_LIST || index < 0 || index >= list->length) return false;
    uint32_t type = list->raw_item_type;
    const uint8_t *bytes = first_item(list);
    if (value_bytes[type]) {
        bytes += (uint64_t)index * value_bytes[type];
    } else {
        while (index--) bytes = behind_item(type, bytes);
    }
    *item = (struct metadata){.key = list->key, .raw = bytes, .raw_type = type};
    decode(type, bytes, item);
    return true;
}

status gguf_texts(const struct metadata *list, struct arena *arena, const char *const **texts,
                  const int32_t **lengths, struct diagnostic *diagnostic)
{
    const char **text;
    int32_t *length;
    TRY_NEW(text, arena, list->length, diagnostic);
    TRY_NEW(length, arena, list->length, diagnostic);
    const uint8_t *bytes = first_item(list);
    for (int64_t i = 0; i < list->length; i++) {
        uint64_t bytes_here = load(bytes, 8);
        text[i] = (const char *)bytes + sizeof(uint64_t);
        length[i] = (int32_t)bytes_here; /* headers are below 256 MiB */
        bytes = behind_item(GGUF_TEXT, bytes);
    }
    *texts = text;
    *lengths = length;
    return STATUS_OK;
}
