/* GGUF files put together byte by byte, so that tests can write what no writer would. */
#ifndef TESTS_GGUF_BYTES_H
#define TESTS_GGUF_BYTES_H

#include "base/file.h"
#include "models/gguf.h"

#include <string.h>

enum { GGUF_BYTES_MAX = 1 << 16 };

struct gguf_bytes {
    size_t count;
    uint8_t bytes[GGUF_BYTES_MAX];
};

static inline void put_bytes(struct gguf_bytes *file, const void *bytes, size_t count)
{
    if (count > sizeof file->bytes - file->count) count = sizeof file->bytes - file->count;
    if (count) memcpy(file->bytes + file->count, bytes, count);
    file->count += count;
}

static inline void put_u8(struct gguf_bytes *file, uint8_t value)
{
    put_bytes(file, &value, 1);
}
static inline void put_u32(struct gguf_bytes *file, uint32_t value)
{
    put_bytes(file, &value, 4);
}
static inline void put_u64(struct gguf_bytes *file, uint64_t value)
{
    put_bytes(file, &value, 8);
}
static inline void put_f32(struct gguf_bytes *file, float value)
{
    put_bytes(file, &value, 4);
}

static inline void put_text_range(struct gguf_bytes *file, const char *text, size_t length)
{
    put_u64(file, length);
    put_bytes(file, text, length);
}

static inline void put_text(struct gguf_bytes *file, const char *text)
{
    put_text_range(file, text, strlen(text));
}

static inline void put_head(struct gguf_bytes *file, uint32_t version, uint64_t tensors,
                            uint64_t keys)
{
    file->count = 0;
    put_bytes(file, "GGUF", 4);
    put_u32(file, version);
    put_u64(file, tensors);
    put_u64(file, keys);
}

static inline void put_key(struct gguf_bytes *file, const char *key, uint32_t type)
{
    put_text(file, key);
    put_u32(file, type);
}

static inline void put_key_u32(struct gguf_bytes *file, const char *key, uint32_t value)
{
    put_key(file, key, GGUF_U32);
    put_u32(file, value);
}

static inline void put_key_f32(struct gguf_bytes *file, const char *key, float value)
{
    put_key(file, key, GGUF_F32);
    put_f32(file, value);
}

static inline void put_key_text(struct gguf_bytes *file, const char *key, const char *value)
{
    put_key(file, key, GGUF_TEXT);
    put_text(file, value);
}

static inline void put_list(struct gguf_bytes *file, uint32_t type, uint64_t count)
{
    put_u32(file, type);
    put_u64(file, count);
}

static inline void put_tensor(struct gguf_bytes *file, const char *name, uint32_t rank,
                              const uint64_t *shape, uint32_t type, uint64_t offset)
{
    put_text(file, name);
    put_u32(file, rank);
    for (uint32_t d = 0; d < rank && d < 8; d++) put_u64(file, shape[d]);
    put_u32(file, type);
    put_u64(file, offset);
}

static inline void put_zeros(struct gguf_bytes *file, size_t count)
{
    static const uint8_t zeros[4096] = {0};
    for (; count > sizeof zeros; count -= sizeof zeros) put_bytes(file, zeros, sizeof zeros);
    put_bytes(file, zeros, count);
}

static inline void put_padding(struct gguf_bytes *file)
{
    put_zeros(file, (GGUF_ALIGNMENT - file->count % GGUF_ALIGNMENT) % GGUF_ALIGNMENT);
}

/* Content first, name second: a torn file is never read. */
static inline status write_bytes(const struct gguf_bytes *file, const char *path,
                                 struct diagnostic *diagnostic)
{
    return file_write(path, file->bytes, file->count, diagnostic);
}

#endif
