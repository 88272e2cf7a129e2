/* The alphabet in which byte-level vocabularies write bytes: each of the 256 has a printable
 * character, so that tokens can be kept as text.  Bytes that are printable in Latin-1 stand for
 * themselves; the 68 others, in order, are U+0100 to U+0143.  A space is U+0120. */
#ifndef MODELS_TOKENIZER_ALPHABET_H
#define MODELS_TOKENIZER_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>

/* The bytes that `text` stands for, at most `length` of them, into `bytes`; false when a character
 * is not of the alphabet. */
bool alphabet_decode(const char *text, size_t length, char *bytes, size_t *byte_count);

/* Whether the text is the same in the alphabet and outside. */
bool alphabet_is_plain(const char *text, size_t length);

#endif
