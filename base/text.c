/* Growing text in an arena. */
#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_TEXT_BYTES = 256 };

/* Room for `more` bytes and the final zero. */
static bool text_reserve(struct text *text, size_t more)
{
    size_t needed, doubled = text->capacity ? text->capacity * 2 : FIRST_TEXT_BYTES;
    if (text->failed) return false;
    if (!__builtin_add_overflow(text->length + 1, more, &needed)) {
        if (needed <= text->capacity) return true;
        size_t capacity = needed > doubled ? needed : doubled;
        char *bytes = arena_allocate(text->arena, capacity, 1);
        if (bytes) {
            if (text->length) memcpy(bytes, text->bytes, text->length);
            text->bytes = bytes;
            text->capacity = capacity;
            return true;
        }
    }
    text->failed = true;
    return false;
}

void text_append_range(struct text *text, const char *bytes, size_t length)
{
    if (!text_reserve(text, length)) return;
    if (length) memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

void text_append(struct text *text, const char *string)
{
    text_append_range(text, string, strlen(string));
}

void text_print_arguments(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) text->failed = true;
    if (length < 0 || !text_reserve(text, (size_t)length)) return;
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    text->length += (size_t)length;
}

void text_print(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_print_arguments(text, format, arguments);
    va_end(arguments);
}

const char *text_finish(struct text *text)
{
    if (text->failed) return NULL;
    return text->bytes ? text->bytes : "";
}
