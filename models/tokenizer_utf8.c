/* Where UTF-8 characters begin and end, for texts and token bytes that may be anything. */
#include "models/tokenizer_utf8.h"

#include <string.h>

/* What may follow a leading byte.  Only the second byte depends on the first: its range keeps out
 * overlong forms, surrogates and what lies above U+10FFFF. */
struct lead {
    size_t length; /* of the character; 0: no character starts so */
    uint8_t second_least, second_most;
};

static struct lead lead_of(uint8_t byte)
{
    if (byte < 0x80) return (struct lead){1, 0, 0};
    if (byte < 0xc2) return (struct lead){0, 0, 0};
    if (byte < 0xe0) return (struct lead){2, 0x80, 0xbf};
    if (byte == 0xe0) return (struct lead){3, 0xa0, 0xbf};
    if (byte == 0xed) return (struct lead){3, 0x80, 0x9f};
    if (byte < 0xf0) return (struct lead){3, 0x80, 0xbf};
    if (byte == 0xf0) return (struct lead){4, 0x90, 0xbf};
    if (byte < 0xf4) return (struct lead){4, 0x80, 0xbf};
    if (byte == 0xf4) return (struct lead){4, 0x80, 0x8f};
    return (struct lead){0, 0, 0};
}

/* How many of the bytes can belong to the character that begins here, and how many it needs. */
static size_t fitting(const char *text, size_t length, size_t *needed)
{
    struct lead lead = lead_of((uint8_t)*text);
    size_t at = 1;
    *needed = lead.length;
    for (; at < lead.length && at < length; at++) {
        uint8_t byte = (uint8_t)text[at];
        uint8_t least = at == 1 ? lead.second_least : 0x80;
        uint8_t most = at == 1 ? lead.second_most : 0xbf;
        if (byte < least || byte > most) break;
    }
    return at;
}

size_t utf8_character(const char *text, size_t length)
{
    size_t needed;
    if (length == 0) return 0;
    return fitting(text, length, &needed) == needed ? needed : 0;
}

size_t utf8_valid(const char *text, size_t length)
{
    size_t at = 0;
    while (at < length) {
        size_t bytes = (uint8_t)text[at] < 0x80 ? 1 : utf8_character(text + at, length - at);
        if (bytes == 0) break;
        at += bytes;
    }
    return at;
}

bool utf8_is_start(const char *text, size_t length)
{
    size_t needed;
    return length > 0 && fitting(text, length, &needed) == length && length < needed;
}

uint32_t utf8_decode(const char *text, size_t length)
{
    static const uint8_t lead_bits[UTF8_BYTES_MAX + 1] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t character = (uint8_t)text[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++) character = character << 6 | ((uint8_t)text[i] & 0x3f);
    return character;
}

void utf8_append(struct text *text, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t valid = utf8_valid(bytes + at, length - at);
        text_append_range(text, bytes + at, valid);
        at += valid;
        if (at == length) break;
        text_append(text, "\xef\xbf\xbd");
        at++;
    }
}

const char *utf8_excerpt(const char *text, size_t length, char buffer[static EXCERPT_BYTES])
{
    static const char dots[] = "...";
    size_t room = EXCERPT_BYTES - sizeof dots, shown = length < room ? length : room;
    memcpy(buffer, text, shown);
    for (size_t i = 0; i < shown; i++)
        if (buffer[i] < ' ' || buffer[i] > '~') buffer[i] = '?';
    buffer[shown] = 0;
    if (shown < length) memcpy(buffer + shown, dots, sizeof dots);
    return buffer;
}
