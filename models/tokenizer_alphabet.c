/* From the alphabet of byte-level vocabularies back to bytes. */
#include "models/tokenizer_alphabet.h"

#include "models/tokenizer_utf8.h"

enum {
    FIRST_SUBSTITUTE = 0x100,
    LOW_SUBSTITUTES = 33,  /* for the bytes 0 to 32 */
    HIGH_SUBSTITUTES = 34, /* for the bytes 127 to 160; one more, the last, is for 173 */
    SOFT_HYPHEN = 173,
};

static bool stands_for_itself(uint32_t character)
{
    return (character >= 33 && character <= 126) ||
           (character >= 161 && character <= 255 && character != SOFT_HYPHEN);
}

/* -1: not in the alphabet. */
static int byte_of(uint32_t character)
{
    if (stands_for_itself(character)) return (int)character;
    if (character < FIRST_SUBSTITUTE) return -1;
    uint32_t place = character - FIRST_SUBSTITUTE;
    if (place < LOW_SUBSTITUTES) return (int)place;
    place -= LOW_SUBSTITUTES;
    if (place < HIGH_SUBSTITUTES) return (int)place + 127;
    return place == HIGH_SUBSTITUTES ? SOFT_HYPHEN : -1;
}

bool alphabet_decode(const char *text, size_t length, char *bytes, size_t *byte_count)
{
    size_t count = 0;
    for (size_t at = 0; at < length;) {
        size_t step = utf8_character(text + at, length - at);
        if (step == 0) return false;
        int byte = byte_of(utf8_decode(text + at, step));
        if (byte < 0) return false;
        bytes[count++] = (char)byte;
        at += step;
    }
    *byte_count = count;
    return true;
}

bool alphabet_is_plain(const char *text, size_t length)
{
    for (size_t at = 0; at < length; at++)
        if (text[at] < '!' || text[at] > '~') return false;
    return true;
}
