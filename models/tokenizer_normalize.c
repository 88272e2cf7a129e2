/* Normalisation forms with utf8proc's tables and composition.
 *
 * utf8proc's own decomposition puts marks into their canonical order by exchanging neighbours, so
 * its time grows with the square of the marks on one letter; sorting by counting does not. */
#include "models/tokenizer_normalize.h"

#include "models/tokenizer_utf8.h"

#include <string.h>
#include <utf8proc.h>

enum {
    CLASSES = 256, /* of canonical combining; 0: not a mark, or one that stays in place */
    FEW_MARKS = 16,
    PARTS_MAX = 32, /* of one character; Unicode's longest has 4, or 18 where compatible */
};

static int combining_class(int32_t character)
{
    return (int)utf8proc_get_property(character)->combining_class & (CLASSES - 1);
}

/* Below U+0300 form C changes nothing, and nothing joins what stands before it; no form changes ASCII. */
static bool is_normal(const char *text, size_t length, int options)
{
    int least = options == UTF8PROC_COMPOSE ? 0xcc : 0x80; /* U+0300 is cc 80 */
    for (size_t at = 0; at < length; at++)
        if ((uint8_t)text[at] >= least) return false;
    return true;
}

/* The parts of one character; one that utf8proc does not know is its own only part. */
static size_t parts_of(int32_t character, int options, int32_t parts[static PARTS_MAX])
{
    int boundary = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char(
        character, parts, PARTS_MAX, UTF8PROC_DECOMPOSE | (options & UTF8PROC_COMPAT), &boundary);
    if (count > 0 && count <= PARTS_MAX) return (size_t)count;
    parts[0] = character;
    return 1;
}

/* All characters of `text` in parts, into `characters` if that is not NULL; how many. */
static size_t decompose(const char *text, size_t length, int options, int32_t *characters)
{
    size_t count = 0;
    for (size_t at = 0; at < length;) {
        int32_t parts[PARTS_MAX];
        size_t step = utf8_character(text + at, length - at);
        size_t part_count = parts_of((int32_t)utf8_decode(text + at, step), options, parts);
        if (characters) memcpy(characters + count, parts, part_count * sizeof *parts);
        count += part_count;
        at += step;
    }
    return count;
}

static void sort_few(int32_t *marks, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int32_t mark = marks[i];
        int class = combining_class(mark);
        size_t at = i;
        for (; at > 0 && combining_class(marks[at - 1]) > class; at--) marks[at] = marks[at - 1];
        marks[at] = mark;
    }
}

/* Sorts marks by class and keeps the order within a class. */
static void sort_marks(int32_t *marks, size_t count, int32_t *spare)
{
    size_t starts[CLASSES + 1] = {0};
    if (count <= FEW_MARKS) {
        sort_few(marks, count);
        return;
    }
    for (size_t i = 0; i < count; i++) starts[combining_class(marks[i]) + 1]++;
    for (int class = 1; class < CLASSES; class ++) starts[class] += starts[class - 1];
    for (size_t i = 0; i < count; i++) spare[starts[combining_class(marks[i])]++] = marks[i];
    memcpy(marks, spare, count * sizeof *marks);
}

static void order_marks(int32_t *characters, size_t count, int32_t *spare)
{
    for (size_t at = 0; at < count;) {
        size_t end = at;
        while (end < count && combining_class(characters[end]) > 0) end++;
        if (end - at > 1) sort_marks(characters + at, end - at, spare);
        at = end + 1;
    }
}

static size_t encode(const int32_t *characters, size_t count, char *text)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += (size_t)utf8proc_encode_char(characters[i], (utf8proc_uint8_t *)text + length);
    return length;
}

/* `options` are UTF8PROC_COMPAT and UTF8PROC_COMPOSE. */
static status normalize(const char *text, size_t length, int options, struct arena *arena,
                        const char **normal, size_t *normal_length, struct diagnostic *diagnostic)
{
    int32_t *characters, *spare;
    char *encoded;
    *normal = text;
    *normal_length = length;
    if (is_normal(text, length, options)) return STATUS_OK;
    size_t count = decompose(text, length, options, NULL);
    TRY_NEW(characters, arena, count, diagnostic);
    TRY_NEW(spare, arena, count, diagnostic);
    decompose(text, length, options, characters);
    order_marks(characters, count, spare);
    utf8proc_ssize_t left = (utf8proc_ssize_t)count;
    if (options & UTF8PROC_COMPOSE)
        left = utf8proc_normalize_utf32(characters, left, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (left < 0) return fail(diagnostic, STATUS_FAILED, "%s", utf8proc_errmsg(left));
    TRY_NEW(encoded, arena, UTF8_BYTES_MAX * (size_t)left + 1, diagnostic);
    *normal_length = encode(characters, (size_t)left, encoded);
    *normal = encoded;
    return STATUS_OK;
}

status normalize_composed(const char *text, size_t length, struct arena *arena, const char **normal,
                          size_t *normal_length, struct diagnostic *diagnostic)
{
    return normalize(text, length, UTF8PROC_COMPOSE, arena, normal, normal_length, diagnostic);
}

status normalize_form(const char *text, size_t length, bool compatible, bool composed,
                      struct arena *arena, const char **normal, size_t *normal_length,
                      struct diagnostic *diagnostic)
{
    int options = (compatible ? UTF8PROC_COMPAT : 0) | (composed ? UTF8PROC_COMPOSE : 0);
    return normalize(text, length, options, arena, normal, normal_length, diagnostic);
}
