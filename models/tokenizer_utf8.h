/* UTF-8, taken strictly: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef MODELS_TOKENIZER_UTF8_H
#define MODELS_TOKENIZER_UTF8_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { UTF8_BYTES_MAX = 4 }; /* of one character */

/* Bytes of the character that `text` starts with; 0 when it does not start with a whole one. */
size_t utf8_character(const char *text, size_t length);

/* Bytes at the start of `text` that are whole characters. */
size_t utf8_valid(const char *text, size_t length);

/* Whether more bytes could make a character of these, all of them. */
bool utf8_is_start(const char *text, size_t length);

/* The number of a character whose bytes are known to be whole. */
uint32_t utf8_decode(const char *text, size_t length);

/* Appends the text with U+FFFD for each byte that is no part of a character. */
void utf8_append(struct text *text, const char *bytes, size_t length);

enum { EXCERPT_BYTES = 48 };
/* The beginning of a text from a file, safe to show in a terminal. */
const char *utf8_excerpt(const char *text, size_t length, char buffer[static EXCERPT_BYTES]);

#endif
