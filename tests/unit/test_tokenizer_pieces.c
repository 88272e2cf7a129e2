/* What happens to text before bytes are merged: pre-tokenizers cut it into pieces, and some models
 * want it in normalisation form C. */
#include "base/random.h"
#include "base/text.h"
#include "models/tokenizer_normalize.h"
#include "models/tokenizer_pretokenize.h"
#include "models/tokenizer_utf8.h"
#include "tests/check.h"

#include <utf8proc.h>

static uint64_t draw(uint64_t *counter, uint64_t bound)
{
    return random_bits(2026, 0, (*counter)++) % bound;
}

/* The pieces with '|' between them. */
static const char *cut(const char *name, const char *text, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    struct pretokenizer pretokenizer;
    struct pretokenizer_matcher matcher;
    struct text out = {.arena = arena};
    const uint32_t *ends;
    size_t count, begin = 0;
    CHECK_OK(pretokenizer_create(name, "test.gguf", arena, &pretokenizer, &diagnostic));
    CHECK_OK(pretokenizer_matcher_create(arena, &matcher, &diagnostic));
    CHECK_OK(
        pretokenizer_cut(&pretokenizer, &matcher, text, strlen(text), &ends, &count, &diagnostic));
    for (size_t i = 0; i < count; begin = ends[i++]) {
        assert_true(ends[i] > begin);
        text_print(&out, "%s%.*s", i ? "|" : "", (int)(ends[i] - begin), text + begin);
    }
    assert_int_equal(begin, strlen(text));
    pretokenizer_close(&pretokenizer);
    return text_finish(&out);
}

/* The pieces follow from each model's published pattern. */
static void each_pretokenizer_cuts_in_its_way(void **unused)
{
    (void)unused;
    static const struct {
        const char *name, *text, *pieces;
    } rows[] = {
        {"gpt-2", "I'll pay  $12.50!\n\n Ok", "I|'ll| pay| | $|12|.|50|!|\n\n| Ok"},
        {"gpt-2", "WE'LL", "WE|'|LL"},
        {"phi-2", "a1b  c", "a|1|b| | c"},
        {"llama-bpe", "WE'LL pay $12345\r\n x", "WE|'LL| pay| $|123|45|\r\n| x"},
        {"llama3", "a.b", "a|.b"},
        {"llama-v3", "x'\xc5\xbf", "x|'\xc5\xbf"}, /* the long s ends a word as s does */
        {"qwen2", "12 3", "1|2| |3"},
        {"qwen2",
         "a\xe1\xa0\x8e"
         "b",
         "a|\xe1\xa0\x8e"
         "b"}, /* U+180E is no space */
        {"starcoder", "a12 b 3", "a|1|2| b| |3"},
        {"refact", "12", "1|2"},
        {"smollm", "x 1", "x| |1"},
        {"tekken", "camelCase HTTPServer 12/\n", "camel|Case| HTTPServer| |1|2|/\n"},
        {"gpt-4o", "don't CamelCase 1234", "don't| Camel|Case| |123|4"},
        {"deepseek-v3", "12345 \xe4\xb8\xad\xe6\x96\x87 (ab) x(ab",
         "123|45| |\xe4\xb8\xad\xe6\x96\x87| (|ab|)| x|(ab"},
        {"default", "a<b 12345", "a|<|b| |123|45"},
    };
    struct arena *arena = arena_create(0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *pieces = cut(rows[i].name, rows[i].text, arena);
        if (strcmp(pieces, rows[i].pieces) != 0)
            CHECK_FAIL("%s: '%s' became '%s'", rows[i].name, rows[i].text, pieces);
    }
    arena_destroy(arena);
}

static void unknown_pretokenizers_are_refused(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct pretokenizer pretokenizer;
    CHECK_REFUSED(pretokenizer_create("gpt-9", "test.gguf", arena, &pretokenizer, &diagnostic),
                  STATUS_BAD_INPUT,
                  "test.gguf: the pre-tokenizer 'gpt-9' is not known; known are "
                  "gpt-2, phi-2, llama-bpe");
    CHECK_REFUSED(pretokenizer_create("a\x1b[2J", "test.gguf", arena, &pretokenizer, &diagnostic),
                  STATUS_BAD_INPUT, "'a?[2J'");
    assert_true(pretokenizer_known("qwen2", NULL));
    assert_false(pretokenizer_known("", NULL));
    arena_destroy(arena);
}

/* utf8proc's whole chain is the definition; it takes quadratic time, so texts are short here. */
static void check_composed(const char *text, size_t length, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    const char *normal;
    size_t normal_length;
    utf8proc_uint8_t *expected = NULL;
    utf8proc_ssize_t expected_length =
        utf8proc_map((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)length, &expected,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    assert_true(expected_length >= 0);
    CHECK_OK(normalize_composed(text, length, arena, &normal, &normal_length, &diagnostic));
    assert_int_equal(normal_length, expected_length);
    assert_memory_equal(normal, expected, normal_length);
    assert_true(normal_length <= 3 * length);
    free(expected);
}

static void composed_text_equals_the_definition(void **unused)
{
    (void)unused;
    /* Six marks of different classes, then letters, parts of letters, and what has parts. */
    static const int32_t characters[] = {0x301,  0x323,  0x327,   0x345,  0x1dce, 0x3099, 'a',
                                         'e',    ' ',    0x1161,  0x1112, 0x11ab, 0x958,  0x212b,
                                         0xf900, 0x304b, 0x1d15e, 0x344,  0xe9,   0xac00, 0x11a8};
    enum { MARKS = 6, ALL = sizeof characters / sizeof *characters };
    struct arena *arena = arena_create(0);
    uint64_t counter = 0;
    for (int round = 0; round < 20000; round++) {
        char text[64 * UTF8_BYTES_MAX];
        size_t length = 0, count = draw(&counter, 64), choices = round % 4 ? ALL : MARKS;
        for (size_t i = 0; i < count; i++) {
            int32_t character = characters[draw(&counter, choices)];
            length += (size_t)utf8proc_encode_char(character, (utf8proc_uint8_t *)text + length);
        }
        check_composed(text, length, arena);
        arena_reset(arena);
    }
    arena_destroy(arena);
}

static void every_character_is_composed_alike(void **unused)
{
    (void)unused;
    struct arena *arena = arena_create(0);
    for (int32_t character = 0; character < 0x110000; character++) {
        char text[UTF8_BYTES_MAX];
        if (character >= 0xd800 && character < 0xe000) continue;
        size_t length = (size_t)utf8proc_encode_char(character, (utf8proc_uint8_t *)text);
        assert_int_equal(utf8_character(text, length), length);
        assert_int_equal(utf8_decode(text, length), character);
        check_composed(text, length, arena);
        if (character % 4096 == 0) arena_reset(arena);
    }
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pretokenizer_cuts_in_its_way),
        cmocka_unit_test(unknown_pretokenizers_are_refused),
        cmocka_unit_test(composed_text_equals_the_definition),
        cmocka_unit_test(every_character_is_composed_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
