/* Steps that text goes through before it becomes tokens. */
#include "models/tokenizer_steps.h"

#include "base/text.h"
#include "models/tokenizer_normalize.h"
#include "models/tokenizer_utf8.h"

#include <string.h>
#include <utf8proc.h>

struct stepping {
    const struct text_step *step;
    const char *text;
    size_t length;
    struct text result;
    size_t limit; /* of the result's bytes */
};

static void put(struct stepping *stepping, const char *bytes, size_t length)
{
    if (stepping->result.length <= stepping->limit)
        text_append_range(&stepping->result, bytes, length);
}

bool character_is_space(uint32_t character)
{
    utf8proc_category_t category = utf8proc_category((int32_t)character);
    return (character >= 9 && character <= 13) || character == 0x85 ||
           (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

static bool is_mark(uint32_t character)
{
    utf8proc_category_t category = utf8proc_category((int32_t)character);
    return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

/* One character of the lower case, or none of a mark.  Only the dotted I becomes two. */
static void step_character(struct stepping *stepping, const char *bytes, size_t length)
{
    char changed[UTF8_BYTES_MAX];
    uint32_t character = utf8_decode(bytes, length);
    if (stepping->step->kind == STEP_STRIP_ACCENTS) {
        if (!is_mark(character)) put(stepping, bytes, length);
        return;
    }
    int32_t lower = utf8proc_tolower((int32_t)character);
    put(stepping, changed, (size_t)utf8proc_encode_char(lower, (utf8proc_uint8_t *)changed));
    if (character == 0x130) put(stepping, "\xcc\x87", 2);
}

static void step_characters(struct stepping *stepping)
{
    for (size_t at = 0, length; at < stepping->length; at += length) {
        length = utf8_character(stepping->text + at, stepping->length - at);
        step_character(stepping, stepping->text + at, length);
    }
}

static void step_replace(struct stepping *stepping)
{
    const struct text_step *step = stepping->step;
    size_t from = strlen(step->from), at = 0;
    while (from && at < stepping->length) {
        const char *found = memmem(stepping->text + at, stepping->length - at, step->from, from);
        if (!found) break;
        put(stepping, stepping->text + at, (size_t)(found - stepping->text) - at);
        put(stepping, step->to, strlen(step->to));
        at = (size_t)(found - stepping->text) + from;
    }
    put(stepping, stepping->text + at, stepping->length - at);
}

static void step_collapse(struct stepping *stepping)
{
    for (size_t at = 0, end; at < stepping->length; at = end) {
        end = at + 1;
        while (stepping->text[at] == ' ' && end < stepping->length && stepping->text[end] == ' ')
            end++;
        bool run = end - at > 1;
        put(stepping, run ? stepping->step->to : stepping->text + at,
            run ? strlen(stepping->step->to) : 1);
    }
}

static void step_strip(struct stepping *stepping)
{
    const char *text = stepping->text;
    size_t begin = 0, end = stepping->length;
    while (stepping->step->left && begin < end) {
        size_t length = utf8_character(text + begin, end - begin);
        if (!character_is_space(utf8_decode(text + begin, length))) break;
        begin += length;
    }
    while (stepping->step->right && end > begin) {
        size_t length = 1;
        while (((uint8_t)text[end - length] & 0xc0) == 0x80) length++;
        if (!character_is_space(utf8_decode(text + end - length, length))) break;
        end -= length;
    }
    put(stepping, text + begin, end - begin);
}

/* What of the text from `at` on makes one character with its marks. */
static size_t cluster_bytes(const char *text, size_t length)
{
    int32_t state = 0;
    size_t end = utf8_character(text, length);
    uint32_t last = utf8_decode(text, end);
    while (end < length) {
        size_t next = utf8_character(text + end, length - end);
        uint32_t character = utf8_decode(text + end, next);
        if (utf8proc_grapheme_break_stateful((int32_t)last, (int32_t)character, &state)) break;
        last = character;
        end += next;
    }
    return end;
}

enum { CLUSTER_BYTES_MAX = 5 }; /* longer ones are looked up character by character */

/* As the library behind tokenizer.json does it: a short cluster as a whole, by the first text that it begins with. */
static void step_cluster(struct stepping *stepping, const char *text, size_t length)
{
    const struct charsmap *map = &stepping->step->map;
    const char *replacement;
    if (length <= CLUSTER_BYTES_MAX && charsmap_find(map, text, length, false, &replacement)) {
        put(stepping, replacement, strlen(replacement));
        return;
    }
    for (size_t at = 0, bytes; at < length; at += bytes) {
        bytes = utf8_character(text + at, length - at);
        bool found = charsmap_find(map, text + at, bytes, false, &replacement) > 0;
        put(stepping, found ? replacement : text + at, found ? strlen(replacement) : bytes);
    }
}

static void step_charsmap(struct stepping *stepping)
{
    const char *text = stepping->text, *replacement;
    size_t length = stepping->length;
    for (size_t at = 0, bytes; at < length; at += bytes) {
        if (stepping->step->clusters) {
            bytes = cluster_bytes(text + at, length - at);
            step_cluster(stepping, text + at, bytes);
            continue;
        }
        bytes = charsmap_find(&stepping->step->map, text + at, length - at, true, &replacement);
        if (bytes) {
            put(stepping, replacement, strlen(replacement));
        } else {
            bytes = utf8_character(text + at, length - at);
            put(stepping, text + at, bytes);
        }
    }
}

static status step_once(struct stepping *stepping, struct diagnostic *diagnostic)
{
    const struct text_step *step = stepping->step;
    switch (step->kind) {
    case STEP_FORM:
        return normalize_form(stepping->text, stepping->length, step->compatible, step->composed,
                              stepping->result.arena, &stepping->text, &stepping->length,
                              diagnostic);
    case STEP_LOWER:
    case STEP_STRIP_ACCENTS: step_characters(stepping); break;
    case STEP_REPLACE: step_replace(stepping); break;
    case STEP_COLLAPSE: step_collapse(stepping); break;
    case STEP_STRIP: step_strip(stepping); break;
    case STEP_CHARSMAP: step_charsmap(stepping); break;
    case STEP_PREPEND:
        if (stepping->length) put(stepping, step->to, strlen(step->to));
        put(stepping, stepping->text, stepping->length);
        break;
    }
    stepping->text = text_finish(&stepping->result);
    TRY_MEMORY(stepping->text, diagnostic);
    stepping->length = stepping->result.length;
    return STATUS_OK;
}

status text_steps_run(const struct text_steps *steps, const char *text, size_t length,
                      struct arena *arena, const char **result, size_t *result_length,
                      struct diagnostic *diagnostic)
{
    struct stepping stepping = {
        .text = text, .length = length, .limit = STEPS_GROWTH_MAX * (length + STEPS_GROWTH_MAX)};
    for (int i = 0; i < steps->count; i++) {
        stepping.step = &steps->steps[i];
        stepping.result = (struct text){.arena = arena};
        TRY(step_once(&stepping, diagnostic));
        if (stepping.length > stepping.limit)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "the tokenizer's normalizer makes more than %d bytes of one",
                        STEPS_GROWTH_MAX);
        size_t valid = utf8_valid(stepping.text, stepping.length);
        if (valid < stepping.length)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "the tokenizer's normalizer makes bytes that are no UTF-8");
    }
    *result = stepping.text;
    *result_length = stepping.length;
    return STATUS_OK;
}
