/* The worst texts: a megabyte of one thing, vocabularies in which everything merges, and bytes that
 * are no text at all.  An algorithm that is worse than n log n would not end before the time limit
 * of the test does. */
#include "base/random.h"
#include "models/tokenizer_normalize.h"
#include "models/tokenizer_unigram.h"
#include "tests/check.h"
#include "tests/unit/vocabulary_harness.h"

enum { MEBIBYTE = 1 << 20, ROUNDS = 20000 };

static const char *const byte_kinds[] = {"gpt-2", "llama-bpe", "qwen2", "gpt-4o", "deepseek-v3"};
enum { BYTE_KINDS = sizeof byte_kinds / sizeof *byte_kinds };

static uint64_t draw(uint64_t *counter, uint64_t bound)
{
    return random_bits(2026, 1, (*counter)++) % bound;
}

/* Runs of 'a' and of spaces of each power of two are tokens, up to the longest allowed. */
static void add_doubling(struct vocabulary *vocabulary, const char *one, size_t longest)
{
    struct arena *arena = vocabulary->arena;
    const char *half = one;
    for (size_t length = 2 * strlen(one); length <= longest; length *= 2) {
        const char *merge = arena_print(arena, "%s %s", half, half);
        half = arena_print(arena, "%s%s", half, half);
        vocabulary_add(vocabulary, half, TOKEN_NORMAL, (float)length);
        if (vocabulary->source.kind == TOKENIZER_BYTE_BPE) vocabulary_merge(vocabulary, merge);
    }
}

static void start(struct vocabulary *vocabulary, const char *pre)
{
    struct diagnostic diagnostic = {0};
    static const char *const words[] = {"t h", "th e", "\xc4\xa0 the", "i n", NULL};
    if (pre) {
        vocabulary_start(vocabulary, TOKENIZER_BYTE_BPE, pre);
        vocabulary_add_merged(vocabulary, words);
        add_doubling(vocabulary, "a", TOKEN_BYTES_MAX);
        add_doubling(vocabulary, "\xc4\xa0", TOKEN_BYTES_MAX / 2);
    } else {
        vocabulary_start(vocabulary, TOKENIZER_SENTENCEPIECE, NULL);
        vocabulary_add(vocabulary, "a", TOKEN_NORMAL, 0);
        vocabulary_add(vocabulary, "\xe2\x96\x81", TOKEN_NORMAL, 0);
        add_doubling(vocabulary, "a", TOKEN_BYTES_MAX);
        add_doubling(vocabulary, "\xe2\x96\x81", TOKEN_BYTES_MAX / 2);
    }
    CHECK_OK(vocabulary_create(vocabulary, &diagnostic));
}

/* Whether text comes back as it was: a vocabulary's text may be normalised first. */
static bool is_exact(const struct vocabulary *vocabulary)
{
    return !vocabulary->source.pre || strcmp(vocabulary->source.pre, "qwen2") != 0;
}

/* Encodes and decodes; how many tokens there were. */
static int64_t there_and_back(struct vocabulary *vocabulary, const char *text, size_t length)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    int32_t *ids;
    int64_t count;
    char *back;
    size_t back_length;
    CHECK_OK(tokenizer_encode(vocabulary->tokenizer, text, length, false, true, arena, &ids, &count,
                              &diagnostic));
    CHECK_OK(tokenizer_decode(vocabulary->tokenizer, ids, count, arena, &back, &back_length,
                              &diagnostic));
    if (is_exact(vocabulary)) {
        assert_int_equal(back_length, length);
        assert_memory_equal(back, text, length);
    }
    arena_destroy(arena);
    return count;
}

/* A megabyte of `unit`, over and over. */
static int64_t repeat(struct vocabulary *vocabulary, const char *unit)
{
    char *text = test_malloc(MEBIBYTE);
    size_t unit_length = strlen(unit), length = MEBIBYTE / unit_length * unit_length;
    for (size_t i = 0; i < length; i++) text[i] = unit[i % unit_length];
    int64_t count = there_and_back(vocabulary, text, length);
    test_free(text);
    return count;
}

static void repeat_everything(struct vocabulary *vocabulary)
{
    static const char *const units[] = {
        "\n",
        "\r\n",
        "\t",
        ".",
        "A",
        "aA",
        "1",
        "'",
        "'s",
        " a",
        " \n",
        "a\n",
        "\xe4\xb8\xad",
        "\xcc\x81",
        "\xf0\x9f\x91\xa9\xe2\x80\x8d",
        "<",
        "  x",
        "\xff",
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) repeat(vocabulary, units[i]);
}

/* Of 2^20 letters 2^8 tokens of 2^12 letters are left, with every merge applied on the way. */
static void a_megabyte_of_one_letter_merges(void **unused)
{
    (void)unused;
    for (int kind = -1; kind < BYTE_KINDS; kind++) {
        struct vocabulary vocabulary;
        start(&vocabulary, kind < 0 ? NULL : byte_kinds[kind]);
        int64_t count = repeat(&vocabulary, "a");
        assert_int_equal(count, MEBIBYTE / TOKEN_BYTES_MAX + (kind < 0));
        count = repeat(&vocabulary, " ");
        if (kind >= 0) assert_int_equal(count, MEBIBYTE / (TOKEN_BYTES_MAX / 4));
        vocabulary_end(&vocabulary);
    }
}

/* The unigram model looks at the longest token's bytes from every place, and no further. */
static void a_megabyte_goes_through_a_unigram_model(void **unused)
{
    struct vocabulary vocabulary;
    struct diagnostic diagnostic = {0};
    (void)unused;
    vocabulary_start(&vocabulary, TOKENIZER_UNIGRAM, NULL);
    vocabulary_add(&vocabulary, "a", TOKEN_NORMAL, 0);
    vocabulary_add(&vocabulary, "\xe2\x96\x81", TOKEN_NORMAL, 0);
    add_doubling(&vocabulary, "a", UNIGRAM_TOKEN_BYTES_MAX);
    vocabulary.source.unknown = 0;
    CHECK_OK(vocabulary_create(&vocabulary, &diagnostic));
    assert_int_equal(repeat(&vocabulary, "a"), MEBIBYTE / UNIGRAM_TOKEN_BYTES_MAX + 1);
    repeat_everything(&vocabulary);
    vocabulary_end(&vocabulary);
}

static void a_megabyte_of_anything_ends(void **unused)
{
    (void)unused;
    for (int kind = -1; kind < BYTE_KINDS; kind++) {
        struct vocabulary vocabulary;
        start(&vocabulary, kind < 0 ? NULL : byte_kinds[kind]);
        repeat_everything(&vocabulary);
        vocabulary_end(&vocabulary);
    }
}

/* Half a million marks on one letter, in the worst order for sorting. */
static void a_megabyte_of_marks_is_composed(void **unused)
{
    (void)unused;
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    static const char above[2] = "\xcc\x81", below[2] = "\xcc\xa3";
    size_t length = MEBIBYTE + 1, normal_length;
    char *text = arena_allocate(arena, length, 1);
    const char *normal;
    text[0] = 'q';
    for (size_t i = 0; i < MEBIBYTE; i++) {
        text[i + 1] = below[i % 2];
        if (i < MEBIBYTE / 2) text[i + 1] = above[i % 2];
    }
    CHECK_OK(normalize_composed(text, length, arena, &normal, &normal_length, &diagnostic));
    assert_int_equal(normal_length, length);
    assert_memory_equal(normal, "q\xcc\xa3\xcc\xa3", 5); /* those below come first */
    assert_memory_equal(normal + length - 4, "\xcc\x81\xcc\x81", 4);
    arena_destroy(arena);
}

/* A hundred thousand special tokens, each the start of others, on a text of starts only. */
static void many_special_tokens_are_bounded(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    struct diagnostic diagnostic = {0};
    uint64_t counter = 0;
    vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, "gpt-2");
    for (int length = 1; length < SPECIAL_BYTES_MAX; length++) {
        char *text = arena_allocate(vocabulary.arena, (size_t)length + 2, 1);
        memset(text, '<', (size_t)length);
        text[length] = '>';
        vocabulary_add(&vocabulary, text, TOKEN_USER_DEFINED, 0);
    }
    for (int i = 0; i < 100000; i++)
        vocabulary_add(
            &vocabulary,
            arena_print(vocabulary.arena, "<%llx", (unsigned long long)draw(&counter, UINT64_MAX)),
            TOKEN_USER_DEFINED, 0);
    CHECK_OK(vocabulary_create(&vocabulary, &diagnostic));
    assert_int_equal(repeat(&vocabulary, "<"), MEBIBYTE);
    repeat(&vocabulary, "<0");
    vocabulary_end(&vocabulary);
}

/* Any bytes come back as they were; most of these are no UTF-8. */
static void random_bytes_come_back(void **unused)
{
    (void)unused;
    static const char pool[] = "aaa  \n\xcc\x81\xc3\xa4\xe2\x80\x8d\xf0\x9f\x98\x80\xff\x00<u>'1.";
    uint64_t counter = 0;
    for (int kind = -1; kind < BYTE_KINDS; kind++) {
        struct vocabulary vocabulary;
        start(&vocabulary, kind < 0 ? NULL : byte_kinds[kind]);
        for (int round = 0; round < ROUNDS / BYTE_KINDS; round++) {
            char text[80];
            size_t length = draw(&counter, sizeof text);
            for (size_t i = 0; i < length; i++) {
                text[i] = (char)draw(&counter, 256);
                if (round % 2) text[i] = pool[draw(&counter, sizeof pool - 1)];
            }
            there_and_back(&vocabulary, text, length);
        }
        vocabulary_end(&vocabulary);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_megabyte_of_one_letter_merges),
        cmocka_unit_test(a_megabyte_goes_through_a_unigram_model),
        cmocka_unit_test(a_megabyte_of_anything_ends),
        cmocka_unit_test(a_megabyte_of_marks_is_composed),
        cmocka_unit_test(many_special_tokens_are_bounded),
        cmocka_unit_test(random_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
