/* The tokenizer on small vocabularies: the order of merges, special tokens, SentencePiece's spaces
 * and bytes, decoding, and what loading finds strange.  Whole vocabularies are compared with the
 * reference tokenizers in tests/oracle. */
#include "tests/check.h"
#include "tests/unit/vocabulary_harness.h"

#define CHECK_ENCODED(vocabulary, text, options, expected)                                         \
    CHECK_TEXT(vocabulary_encode((vocabulary), (text), (options)), (expected))

static void create(struct vocabulary *vocabulary)
{
    struct diagnostic diagnostic = {0};
    CHECK_OK(vocabulary_create(vocabulary, &diagnostic));
}

/* The earliest merge of the list comes first wherever it is, and the leftmost of equals. */
static void merges_apply_in_their_order(void **unused)
{
    (void)unused;
    static const char *const merges[] = {"b c", "a b", "a a", "aa a", "x y", "xy xy", NULL};
    struct vocabulary vocabulary;
    vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, "gpt-2");
    vocabulary_add_merged(&vocabulary, merges);
    create(&vocabulary);
    CHECK_ENCODED(&vocabulary, "", PLAIN, "");
    CHECK_ENCODED(&vocabulary, "a", PLAIN, "a");
    CHECK_ENCODED(&vocabulary, "abc", PLAIN, "a|bc");
    CHECK_ENCODED(&vocabulary, "ab", PLAIN, "ab");
    CHECK_ENCODED(&vocabulary, "aaab", PLAIN, "aa|ab");
    CHECK_ENCODED(&vocabulary, "aaaaa", PLAIN, "aa|aaa");
    CHECK_ENCODED(&vocabulary, "xyxyxy", PLAIN, "xyxy|xy");
    CHECK_ENCODED(&vocabulary, "abca ab", PLAIN, "a|bc|a| |ab");
    CHECK_TEXT(text_finish(&vocabulary.warnings), "");
    vocabulary_end(&vocabulary);
}

/* llama-bpe takes a piece that is a token, though no merge makes it; gpt-2 does not. */
static void whole_pieces_come_before_merges(void **unused)
{
    (void)unused;
    static const char *const merges[] = {"a b", "c d", NULL};
    static const char *const kinds[] = {"gpt-2", "llama-bpe"};
    static const char *const expected[] = {"ab|cd", "abcd"};
    for (int k = 0; k < 2; k++) {
        struct vocabulary vocabulary;
        vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, kinds[k]);
        vocabulary_add_merged(&vocabulary, merges);
        vocabulary_add(&vocabulary, "abcd", TOKEN_NORMAL, 0);
        vocabulary_add(&vocabulary, "control", TOKEN_CONTROL, 0);
        create(&vocabulary);
        CHECK_ENCODED(&vocabulary, "abcd", PLAIN, expected[k]);
        CHECK_ENCODED(&vocabulary, "abcdab", PLAIN, "ab|cd|ab");
        CHECK_ENCODED(&vocabulary, "control", PLAIN, "c|o|n|t|r|o|l");
        vocabulary_end(&vocabulary);
    }
}

/* Of special tokens that begin at one place the longest is taken, of overlapping ones the first. */
static void special_tokens_are_found_longest_first(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, "gpt-2");
    vocabulary_add(&vocabulary, "<e", TOKEN_CONTROL, 0);
    vocabulary_add(&vocabulary, "<end>", TOKEN_CONTROL, 0);
    vocabulary_add(&vocabulary, "<end>ing", TOKEN_CONTROL, 0);
    vocabulary_add(&vocabulary, "", TOKEN_CONTROL, 0);
    vocabulary_add(&vocabulary, "p q", TOKEN_USER_DEFINED, 0);
    vocabulary_add(&vocabulary, "q r s", TOKEN_USER_DEFINED, 0);
    create(&vocabulary);
    CHECK_ENCODED(&vocabulary, "<end>in", SPECIAL, "<end>|i|n");
    CHECK_ENCODED(&vocabulary, "<end>ing", SPECIAL, "<end>ing");
    CHECK_ENCODED(&vocabulary, "<en<end>", SPECIAL, "<e|n|<end>");
    CHECK_ENCODED(&vocabulary, "<end<", SPECIAL, "<e|n|d|<");
    CHECK_ENCODED(&vocabulary, "p q r s", SPECIAL, "p q| |r| |s");
    CHECK_ENCODED(&vocabulary, "q r sp q", SPECIAL, "q r s|p q");
    vocabulary_end(&vocabulary);
}

static void control_tokens_are_text_unless_asked_for(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, "gpt-2");
    int32_t begin = vocabulary_add(&vocabulary, "<s>", TOKEN_CONTROL, 0);
    vocabulary_add(&vocabulary, "<u>", TOKEN_USER_DEFINED, 0);
    vocabulary_add(&vocabulary, "<u>!", TOKEN_CONTROL, 0);
    vocabulary.source.bos = begin;
    vocabulary.source.add_bos = true;
    create(&vocabulary);
    CHECK_ENCODED(&vocabulary, "a<s>", PLAIN, "a|<|s|>");
    CHECK_ENCODED(&vocabulary, "a<s>", SPECIAL, "a|<s>");
    CHECK_ENCODED(&vocabulary, "a<u>!", PLAIN, "a|<u>|!");
    CHECK_ENCODED(&vocabulary, "a<u>!", SPECIAL, "a|<u>!");
    CHECK_ENCODED(&vocabulary, "", BEGIN, "<s>");
    CHECK_ENCODED(&vocabulary, "<s>", BEGIN | SPECIAL, "<s>|<s>");
    vocabulary_end(&vocabulary);
}

static void start_sentences(struct vocabulary *vocabulary)
{
    vocabulary_start(vocabulary, TOKENIZER_SENTENCEPIECE, NULL);
    vocabulary_add(vocabulary, "\xe2\x96\x81", TOKEN_NORMAL, -10);
    vocabulary_add(vocabulary, "a", TOKEN_NORMAL, -10);
    vocabulary_add(vocabulary, "b", TOKEN_NORMAL, -10);
    vocabulary_add(vocabulary, "ab", TOKEN_NORMAL, -2);
    vocabulary_add(vocabulary,
                   "\xe2\x96\x81"
                   "a",
                   TOKEN_NORMAL, -3);
    vocabulary_add(vocabulary, "ba", TOKEN_NORMAL, -2);
    vocabulary_add(vocabulary, "\xc3\xa4", TOKEN_NORMAL, -10);
    vocabulary_add(vocabulary, " b", TOKEN_NORMAL, -1); /* a real space is never in the text */
}

/* The pair with the highest score merges first, the leftmost of equals. */
static void sentences_merge_by_score(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    start_sentences(&vocabulary);
    create(&vocabulary);
    CHECK_ENCODED(&vocabulary, "", PLAIN, "");
    CHECK_ENCODED(&vocabulary, "a", PLAIN, " a");
    CHECK_ENCODED(&vocabulary, "ab", PLAIN, " |ab");
    CHECK_ENCODED(&vocabulary, "aba", PLAIN, " |ab|a");
    CHECK_ENCODED(&vocabulary, "b a", PLAIN, " |b| a");
    CHECK_ENCODED(&vocabulary, " a", PLAIN, " | a");
    CHECK_ENCODED(&vocabulary, "b b", PLAIN, " |b| |b");
    CHECK_ENCODED(&vocabulary,
                  "\xe2\x96\x81"
                  "a",
                  PLAIN, " | a");
    CHECK_ENCODED(&vocabulary, "a", BEGIN, "<s>| a");
    vocabulary_end(&vocabulary);
}

/* What is no token becomes bytes; a space in front follows every special token. */
static void sentences_fall_back_to_bytes(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    start_sentences(&vocabulary);
    create(&vocabulary);
    CHECK_ENCODED(&vocabulary, "\xc3\xa4", PLAIN, " |\\xc3\\xa4");
    CHECK_ENCODED(&vocabulary, "\xc3\xb6", PLAIN, " |\\xc3|\\xb6");
    CHECK_ENCODED(&vocabulary, "\xc3", PLAIN, " |\\xc3");
    CHECK_ENCODED(&vocabulary, "<s>", PLAIN, " |<|s|>");
    CHECK_ENCODED(&vocabulary, "<0x41>", PLAIN, " |<|0|x|4|1|>");
    CHECK_ENCODED(&vocabulary, "a</s>a", SPECIAL, " a|</s>| a");
    vocabulary_end(&vocabulary);
}

/* Without byte tokens a run of unknown characters is one unknown token. */
static void unknown_characters_are_one_token(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    struct diagnostic diagnostic = {0};
    int32_t *ids;
    int64_t count;
    start_sentences(&vocabulary);
    for (int32_t id = 3; id < 3 + 256; id++) vocabulary.types[id] = TOKEN_UNUSED;
    create(&vocabulary);
    CHECK_ENCODED(&vocabulary, "xyza", PLAIN, " |<unk>|a");
    CHECK_ENCODED(&vocabulary, "xax", PLAIN, " |<unk>|a|<unk>");
    vocabulary.source.unknown = -1;
    create(&vocabulary);
    CHECK_REFUSED(tokenizer_encode(vocabulary.tokenizer, "ax", 2, false, false, vocabulary.arena,
                                   &ids, &count, &diagnostic),
                  STATUS_BAD_INPUT, "no token");
    vocabulary_end(&vocabulary);
}

/* Merging may pass through unused tokens, but does not end with one. */
static void unused_tokens_are_steps_only(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    start_sentences(&vocabulary);
    vocabulary_add(&vocabulary, "aba", TOKEN_UNUSED, -1);
    vocabulary_add(&vocabulary, "abab", TOKEN_NORMAL, -1);
    vocabulary_add(&vocabulary, "ababa", TOKEN_UNUSED, -1);
    create(&vocabulary);
    CHECK_ENCODED(&vocabulary, "aba", PLAIN, " |ab|a");
    CHECK_ENCODED(&vocabulary, "abab", PLAIN, " |abab");
    CHECK_ENCODED(&vocabulary, "ababa", PLAIN, " |abab|a");
    vocabulary_end(&vocabulary);
}

static const char *decode(struct vocabulary *vocabulary, const int32_t *ids, int64_t count)
{
    struct diagnostic diagnostic = {0};
    char *text;
    size_t length;
    CHECK_OK(tokenizer_decode(vocabulary->tokenizer, ids, count, vocabulary->arena, &text, &length,
                              &diagnostic));
    assert_int_equal(strlen(text), length);
    return text;
}

static void decoding_takes_the_space_in_front_away(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    struct diagnostic diagnostic = {0};
    char *text;
    size_t length;
    start_sentences(&vocabulary);
    create(&vocabulary);
    const int32_t space = 259, a = 260, space_a = 263, space_byte = 3 + ' ';
    const int32_t unknown[] = {0, 9999};
    CHECK_TEXT(decode(&vocabulary, (int32_t[]){1, space_a, space_a, 2}, 4), "a a");
    CHECK_TEXT(decode(&vocabulary, (int32_t[]){space, space, a}, 3), " a");
    CHECK_TEXT(decode(&vocabulary, (int32_t[]){space_byte, a}, 2), " a");
    CHECK_TEXT(decode(&vocabulary, (int32_t[]){a, space_a}, 2), "a a");
    CHECK_TEXT(decode(&vocabulary, NULL, 0), "");
    CHECK_REFUSED(tokenizer_decode(vocabulary.tokenizer, unknown, 2, vocabulary.arena, &text,
                                   &length, &diagnostic),
                  STATUS_USAGE, "token 2 of the list is 9999");
    tokenizer_bytes(vocabulary.tokenizer, 1, &length);
    assert_int_equal(length, 0);
    tokenizer_bytes(vocabulary.tokenizer, -1, &length);
    assert_int_equal(length, 0);
    tokenizer_bytes(vocabulary.tokenizer, 9999, &length);
    assert_int_equal(length, 0);
    vocabulary_end(&vocabulary);
}

static void streams_hold_back_parts_of_characters(void **unused)
{
    (void)unused;
    static const struct {
        const char *pending;
        size_t printable;
    } rows[] = {
        {"", 0},
        {"a", 1},
        {"a\xc3", 1},
        {"a\xc3\xa4", 3},
        {"\xe2\x96", 0},
        {"\xe2\x96\x81", 3},
        {"\xf0\x9f\x98", 0},
        {"\xf0\x9f\x98\x80", 4},
        {"\xf0\x9f\x98\x80\xf0", 4},
        {"\x80\x80\x80", 3}, /* no start of anything */
        {"\xc0", 1},         /* nor is this */
        {"\xe0\x80", 2},     /* overlong */
        {"\xed\xa0", 2},     /* a surrogate */
        {"\xf4\x90", 2},     /* above U+10FFFF */
        {"\xf5", 1},
        {"\xe2\x96\xe2\x96", 2}, /* the first is lost, the second may go on */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t printable = tokenizer_printable(rows[i].pending, strlen(rows[i].pending));
        if (printable != rows[i].printable) CHECK_FAIL("row %zu: %zu", i, printable);
    }
}

static void turns_end_with_known_tokens(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, "gpt-2");
    int32_t end = vocabulary_add(&vocabulary, "<end>", TOKEN_CONTROL, 0);
    int32_t turn = vocabulary_add(&vocabulary, "<turn>", TOKEN_CONTROL, 0);
    int32_t chat = vocabulary_add(&vocabulary, "<|im_end|>", TOKEN_CONTROL, 0);
    int32_t text = vocabulary_add(&vocabulary, "<|eot_id|>", TOKEN_USER_DEFINED, 0);
    vocabulary.source.eos = end;
    vocabulary.source.ends[0] = turn;
    vocabulary.source.end_count = 1;
    create(&vocabulary);
    assert_int_equal(tokenizer_eos(vocabulary.tokenizer), end);
    assert_int_equal(tokenizer_bos(vocabulary.tokenizer), -1);
    assert_int_equal(tokenizer_count(vocabulary.tokenizer), 256 + 4);
    assert_true(tokenizer_ends(vocabulary.tokenizer, end));
    assert_true(tokenizer_ends(vocabulary.tokenizer, turn));
    assert_true(tokenizer_ends(vocabulary.tokenizer, chat));
    assert_false(tokenizer_ends(vocabulary.tokenizer, text));
    assert_false(tokenizer_ends(vocabulary.tokenizer, 'a'));
    assert_false(tokenizer_ends(vocabulary.tokenizer, -1));
    vocabulary_end(&vocabulary);
}

/* Published vocabularies hold a text twice here and there: a warning, and the lowest id is used. */
static void duplicates_are_warned_of(void **unused)
{
    (void)unused;
    struct vocabulary vocabulary;
    struct diagnostic diagnostic = {0};
    int32_t *ids;
    int64_t count;
    vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, "gpt-2");
    static const char *const merges[] = {"a b", NULL};
    vocabulary_add_merged(&vocabulary, merges);
    vocabulary_add(&vocabulary, "ab", TOKEN_NORMAL, 0);
    vocabulary_merge(&vocabulary, "a b");
    int32_t first = vocabulary_add(&vocabulary, "<x>", TOKEN_CONTROL, 0);
    vocabulary_add(&vocabulary, "<x>", TOKEN_CONTROL, 0);
    create(&vocabulary);
    const char *warnings = text_finish(&vocabulary.warnings);
    assert_non_null(strstr(warnings, "test.gguf: 2 tokens have the text of an earlier one"));
    assert_non_null(strstr(warnings, "the first is 257, 'ab'"));
    assert_non_null(strstr(warnings, "1 merges are there twice, the first is merge 1"));
    CHECK_OK(tokenizer_encode(vocabulary.tokenizer, "ab<x>", 5, false, true, vocabulary.arena, &ids,
                              &count, &diagnostic));
    assert_int_equal(count, 2);
    assert_int_equal(ids[0], 256);
    assert_int_equal(ids[1], first);
    vocabulary_end(&vocabulary);
}

/* Every allocation fails once; what was made before must not be lost or used. */
static void memory_may_run_out_anywhere(void **unused)
{
    (void)unused;
#ifdef HONE_FAULTS
    static const char *const merges[] = {"a b", "ab c", NULL};
    for (int kind = 0; kind < 2; kind++) {
        struct vocabulary vocabulary;
        if (kind == 0)
            vocabulary_start(&vocabulary, TOKENIZER_BYTE_BPE, "qwen2");
        else
            start_sentences(&vocabulary);
        if (kind == 0) vocabulary_add_merged(&vocabulary, merges);
        bool failed = true;
        long point = 1;
        for (; failed; point++) {
            struct diagnostic diagnostic = {0};
            int32_t *ids;
            int64_t count;
            char *text;
            size_t length;
            fault_set(point, 0);
            status code = vocabulary_create(&vocabulary, &diagnostic);
            if (code == STATUS_OK)
                code = tokenizer_encode(vocabulary.tokenizer, "abc e\xcc\x81 <s>", 10, true, true,
                                        vocabulary.arena, &ids, &count, &diagnostic);
            if (code == STATUS_OK)
                code = tokenizer_decode(vocabulary.tokenizer, ids, count, vocabulary.arena, &text,
                                        &length, &diagnostic);
            fault_set(0, 0);
            failed = code != STATUS_OK;
            if (failed) assert_int_equal(code, STATUS_NO_MEMORY);
            tokenizer_close(vocabulary.tokenizer);
            vocabulary.tokenizer = NULL;
        }
        assert_true(point > 10);
        vocabulary_end(&vocabulary);
    }
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_apply_in_their_order),
        cmocka_unit_test(whole_pieces_come_before_merges),
        cmocka_unit_test(special_tokens_are_found_longest_first),
        cmocka_unit_test(control_tokens_are_text_unless_asked_for),
        cmocka_unit_test(sentences_merge_by_score),
        cmocka_unit_test(sentences_fall_back_to_bytes),
        cmocka_unit_test(unknown_characters_are_one_token),
        cmocka_unit_test(unused_tokens_are_steps_only),
        cmocka_unit_test(decoding_takes_the_space_in_front_away),
        cmocka_unit_test(streams_hold_back_parts_of_characters),
        cmocka_unit_test(turns_end_with_known_tokens),
        cmocka_unit_test(duplicates_are_warned_of),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
