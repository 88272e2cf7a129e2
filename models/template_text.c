/* Texts in chat templates, as Python treats them: characters are code points, white space and case are Unicode's. */
#include "models/template_render.h"
#include "models/tokenizer_utf8.h"

#include <string.h>
#include <utf8proc.h>

static bool is_space(uint32_t character)
{
    return (character >= 9 && character <= 13) || (character >= 28 && character <= 32) ||
           character == 0x85 || character == 0xa0 || character == 0x1680 ||
           (character >= 0x2000 && character <= 0x200a) || character == 0x2028 ||
           character == 0x2029 || character == 0x202f || character == 0x205f || character == 0x3000;
}

bool text_space_at(const char *bytes, size_t length, size_t *character_bytes)
{
    *character_bytes = utf8_character(bytes, length);
    return *character_bytes && is_space(utf8_decode(bytes, *character_bytes));
}

/* Bytes of the last character. */
static size_t last_bytes(struct datum_text text)
{
    size_t bytes = 1;
    while (bytes < text.length && ((uint8_t)text.bytes[text.length - bytes] & 0xc0) == 0x80)
        bytes++;
    return bytes;
}

static bool is_stripped(const char *bytes, size_t length, const struct datum_text *characters)
{
    size_t space;
    if (!characters) return text_space_at(bytes, length, &space);
    for (size_t at = 0; at < characters->length;) {
        size_t count = utf8_character(characters->bytes + at, characters->length - at);
        if (count == length && memcmp(characters->bytes + at, bytes, length) == 0) return true;
        at += count ? count : 1;
    }
    return false;
}

struct datum_text text_strip(struct datum_text text, const struct datum_text *characters, int sides)
{
    while (sides & STRIP_LEFT && text.length) {
        size_t bytes = utf8_character(text.bytes, text.length);
        if (!bytes || !is_stripped(text.bytes, bytes, characters)) break;
        text.bytes += bytes;
        text.length -= bytes;
    }
    while (sides & STRIP_RIGHT && text.length) {
        size_t bytes = last_bytes(text);
        if (!is_stripped(text.bytes + text.length - bytes, bytes, characters)) break;
        text.length -= bytes;
    }
    return text;
}

size_t text_characters(struct datum_text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) count += ((uint8_t)text.bytes[i] & 0xc0) != 0x80;
    return count;
}

size_t text_offset(struct datum_text text, size_t characters)
{
    size_t at = 0;
    for (; at < text.length; at++)
        if (((uint8_t)text.bytes[at] & 0xc0) != 0x80 && characters-- == 0) break;
    return at;
}

size_t text_find(struct datum_text text, struct datum_text part)
{
    if (!part.length) return 0;
    const char *found = memmem(text.bytes, text.length, part.bytes, part.length);
    return found ? (size_t)(found - text.bytes) : SIZE_MAX;
}

static bool is_cased(uint32_t character)
{
    return utf8proc_tolower((int32_t)character) != (int32_t)character ||
           utf8proc_toupper((int32_t)character) != (int32_t)character;
}

/* jinja's title starts a word behind these. */
static bool splits_word(uint32_t character)
{
    return is_space(character) || (character < 128 && strchr("-({[<", (int)character));
}

static bool becomes_upper(enum text_casing casing, bool first, bool word)
{
    switch (casing) {
    case CASING_UPPER: return true;
    case CASING_CAPITALIZE: return first;
    case CASING_TITLE:
    case CASING_TITLE_WORDS: return word;
    default: return false;
    }
}

/* One character in the other case.  Only the sharp s has an upper case of two letters here. */
static size_t change_character(uint32_t character, bool upper, bool title, char bytes[static 4])
{
    if (character == 0xdf && upper) {
        memcpy(bytes, title ? "Ss" : "SS", 2);
        return 2;
    }
    int32_t changed = upper ? (title ? utf8proc_totitle((int32_t)character)
                                     : utf8proc_toupper((int32_t)character))
                            : utf8proc_tolower((int32_t)character);
    return (size_t)utf8proc_encode_char(changed, (utf8proc_uint8_t *)bytes);
}

status text_change_case(struct rendering *rendering, struct datum_text text,
                        enum text_casing casing, struct datum *result)
{
    struct text changed;
    char bytes[UTF8_BYTES_MAX];
    bool word = true, first = true;
    TRY(render_start_text(rendering, &changed));
    for (size_t at = 0, length; at < text.length; at += length) {
        length = utf8_character(text.bytes + at, text.length - at);
        if (!length) break;
        uint32_t character = utf8_decode(text.bytes + at, length);
        bool upper = becomes_upper(casing, first, word);
        size_t count = change_character(character, upper, casing != CASING_UPPER, bytes);
        TRY(render_append(rendering, &changed, bytes, count));
        word = casing == CASING_TITLE ? !is_cased(character) : splits_word(character);
        first = false;
    }
    return render_finish_text(rendering, &changed, result);
}

/* An empty `old` is between all characters. */
static size_t next_place(struct datum_text text, size_t from, struct datum_text old, bool first)
{
    struct datum_text rest = {text.bytes + from, text.length - from};
    if (!old.length) {
        if (first) return from;
        return rest.length ? from + utf8_character(rest.bytes, rest.length) : SIZE_MAX;
    }
    size_t found = text_find(rest, old);
    return found == SIZE_MAX ? SIZE_MAX : from + found;
}

status text_replace(struct rendering *rendering, struct datum_text text, struct datum_text old,
                    struct datum_text new, int64_t limit, struct datum *result)
{
    struct text changed;
    size_t at = 0;
    TRY(render_start_text(rendering, &changed));
    for (int64_t count = 0; limit < 0 || count < limit; count++) {
        size_t place = next_place(text, at, old, count == 0);
        if (place == SIZE_MAX) break;
        TRY(render_append(rendering, &changed, text.bytes + at, place - at));
        TRY(render_append(rendering, &changed, new.bytes, new.length));
        at = place + old.length;
    }
    TRY(render_append(rendering, &changed, text.bytes + at, text.length - at));
    return render_finish_text(rendering, &changed, result);
}

static int hexadecimal(const char *text, size_t length, size_t digits, uint32_t *number)
{
    *number = 0;
    if (length < digits) return -1;
    for (size_t i = 0; i < digits; i++) {
        static const char known[] = "0123456789abcdef";
        char c = (char)(text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]);
        const char *digit = c ? strchr(known, c) : NULL;
        if (!digit) return -1;
        *number = *number << 4 | (uint32_t)(digit - known);
    }
    return 0;
}

/* The escape behind a backslash; how many bytes of `text` it takes, 0 if it is wrong. */
static size_t unescape_one(const char *text, size_t length, char *result, size_t *count)
{
    static const char letters[] = "nrtabfv\\'\"", meanings[] = "\n\r\t\a\b\f\v\\'\"";
    const char *letter = *text ? strchr(letters, *text) : NULL;
    uint32_t number = 0;
    size_t digits = *text == 'x' ? 2 : *text == 'u' ? 4 : *text == 'U' ? 8 : 0, used = 0;
    *count = 1;
    if (letter) {
        *result = meanings[letter - letters];
        return 1;
    }
    if (*text == '\n') {
        *count = 0;
        return 1;
    }
    if (*text == 'N') return 0;
    while (!digits && used < 3 && used < length && text[used] >= '0' && text[used] <= '7')
        number = number * 8 + (uint32_t)(text[used++] - '0');
    if (!digits && !used) { /* no escape: the backslash stays */
        memcpy(result, (char[]){'\\', *text}, 2);
        *count = 2;
        return 1;
    }
    if (digits && hexadecimal(text + 1, length - 1, digits, &number) < 0) return 0;
    if (number > 0x10ffff || (number >= 0xd800 && number < 0xe000)) return 0;
    *count = (size_t)utf8proc_encode_char((int32_t)number, (utf8proc_uint8_t *)result);
    return digits ? digits + 1 : used;
}

bool template_unescape(const char *text, size_t length, char *result, size_t *result_length)
{
    size_t written = 0;
    for (size_t at = 0; at < length;) {
        if (text[at] != '\\') {
            result[written++] = text[at++];
            continue;
        }
        size_t count, used = unescape_one(text + at + 1, length - at - 1, result + written, &count);
        if (!used) return false;
        at += used + 1;
        written += count;
    }
    *result_length = written;
    return true;
}
