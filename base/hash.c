/* XXH3 with 128 bits, through the system's xxHash. */
#include "base/hash.h"

#include <string.h>
#include <xxhash.h>

static const char hash_digits[] = "0123456789abcdef";

struct hash hash_bytes(const void *bytes, size_t byte_count)
{
    XXH128_hash_t value = XXH3_128bits(bytes, byte_count);
    return (struct hash){value.high64, value.low64};
}

struct hash hash_text(const char *text)
{
    return hash_bytes(text, strlen(text));
}

static void store_big_endian(uint64_t word, unsigned char *bytes)
{
    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(word >> (56 - 8 * i));
}

struct hash hash_combine(struct hash first, struct hash second)
{
    unsigned char bytes[32];
    store_big_endian(first.high, bytes);
    store_big_endian(first.low, bytes + 8);
    store_big_endian(second.high, bytes + 16);
    store_big_endian(second.low, bytes + 24);
    return hash_bytes(bytes, sizeof bytes);
}

bool hash_equal(struct hash a, struct hash b)
{
    return a.high == b.high && a.low == b.low;
}

const char *hash_print(struct hash hash, char buffer[static HASH_TEXT_BYTES])
{
    for (int i = 0; i < 16; i++) {
        buffer[i] = hash_digits[hash.high >> (60 - 4 * i) & 15];
        buffer[16 + i] = hash_digits[hash.low >> (60 - 4 * i) & 15];
    }
    buffer[32] = 0;
    return buffer;
}

/* 16 lower-case digits, as hash_print writes them. */
static bool parse_word(const char *text, uint64_t *word)
{
    *word = 0;
    for (int i = 0; i < 16; i++) {
        const char *digit = text[i] ? strchr(hash_digits, text[i]) : NULL;
        if (!digit) return false;
        *word = *word << 4 | (uint64_t)(digit - hash_digits);
    }
    return true;
}

bool hash_parse(const char *text, struct hash *hash)
{
    struct hash parsed;
    if (!parse_word(text, &parsed.high) || !parse_word(text + 16, &parsed.low)) return false;
    if (text[32]) return false;
    *hash = parsed;
    return true;
}
