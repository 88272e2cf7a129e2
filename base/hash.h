/* Content hashes (XXH3, 128 bits): keys of artifacts and records.  No defence against forgery. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash {
    uint64_t high, low;
};

enum { HASH_TEXT_BYTES = 33 }; /* 32 hexadecimal digits and the final zero */

struct hash hash_bytes(const void *bytes, size_t byte_count);
struct hash hash_text(const char *text);
struct hash hash_combine(struct hash first, struct hash second); /* order matters */
bool hash_equal(struct hash a, struct hash b);
const char *hash_print(struct hash hash, char buffer[static HASH_TEXT_BYTES]);
bool hash_parse(const char *text, struct hash *hash);

#endif
