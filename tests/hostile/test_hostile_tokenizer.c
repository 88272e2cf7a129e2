/* Hostile vocabularies: each is refused with one line that names the file and what is wrong, by
 * tokenizer_create itself and when it comes from a GGUF file's metadata. */
#include "models/gguf_write.h"
#include "models/tokenizer_gguf.h"
#include "tests/check.h"
#include "tests/unit/vocabulary_harness.h"

#include <math.h>
#include <unistd.h>

/* What a test does to a good vocabulary. */
typedef void spoiler(struct vocabulary *vocabulary);

static void check_refused(enum tokenizer_kind kind, spoiler *spoil, const char *words)
{
    struct vocabulary vocabulary;
    struct diagnostic diagnostic = {0};
    static const char *const merges[] = {"a b", "ab c", NULL};
    vocabulary_start(&vocabulary, kind, "gpt-2");
    if (kind == TOKENIZER_BYTE_BPE) vocabulary_add_merged(&vocabulary, merges);
    CHECK_OK(vocabulary_create(&vocabulary, &diagnostic));
    tokenizer_close(vocabulary.tokenizer);
    spoil(&vocabulary);
    CHECK_REFUSED(vocabulary_create(&vocabulary, &diagnostic), STATUS_BAD_INPUT, words);
    assert_null(vocabulary.tokenizer);
    vocabulary_end(&vocabulary);
}

static void set_token(struct vocabulary *vocabulary, int32_t id, const char *text)
{
    vocabulary->tokens[id] = text;
    vocabulary->lengths[id] = (int32_t)strlen(text);
}

enum { BYTE_TOKEN = 3 + 10 }; /* of SentencePiece vocabularies: <0x0A> */

static void negative_byte(struct vocabulary *v)
{
    set_token(v, BYTE_TOKEN, "<0x-1>");
}
static void byte_out_of_range(struct vocabulary *v)
{
    set_token(v, BYTE_TOKEN, "<0xG0>");
}
static void short_byte(struct vocabulary *v)
{
    set_token(v, BYTE_TOKEN, "<0x1>");
}
static void long_byte(struct vocabulary *v)
{
    set_token(v, BYTE_TOKEN, "<0x001>");
}
static void spaced_byte(struct vocabulary *v)
{
    set_token(v, BYTE_TOKEN, "<0x 1>");
}
static void empty_byte(struct vocabulary *v)
{
    set_token(v, BYTE_TOKEN, "");
}
static void escaping_byte(struct vocabulary *v)
{
    set_token(v, BYTE_TOKEN, "\x1b[2J");
}
static void no_tokens(struct vocabulary *v)
{
    v->source.token_count = 0;
}
static void too_many_tokens(struct vocabulary *v)
{
    v->source.token_count = TOKENS_MAX + 1;
}
static void negative_tokens(struct vocabulary *v)
{
    v->source.token_count = -1;
}
static void negative_length(struct vocabulary *v)
{
    v->lengths[7] = -5;
}
static void long_token(struct vocabulary *v)
{
    v->lengths[7] = TOKEN_BYTES_MAX + 1;
}
static void type_zero(struct vocabulary *v)
{
    v->types[7] = 0;
}
static void type_seven(struct vocabulary *v)
{
    v->types[7] = 7;
}
static void type_negative(struct vocabulary *v)
{
    v->types[7] = -1;
}
static void no_scores(struct vocabulary *v)
{
    v->source.scores = NULL;
}
static void score_nan(struct vocabulary *v)
{
    v->scores[7] = NAN;
}
static void score_infinite(struct vocabulary *v)
{
    v->scores[7] = -INFINITY;
}
static void bos_outside(struct vocabulary *v)
{
    v->source.bos = v->source.token_count;
}
static void eos_outside(struct vocabulary *v)
{
    v->source.eos = -2;
}
static void unknown_outside(struct vocabulary *v)
{
    v->source.unknown = INT64_MAX;
}
static void begin_without_bos(struct vocabulary *v)
{
    v->source.bos = -1;
    v->source.add_bos = true;
}
static void end_outside(struct vocabulary *v)
{
    v->source.ends[0] = 1 << 30;
    v->source.end_count = 1;
}
static void long_control(struct vocabulary *v)
{
    char *text = arena_allocate(v->arena, SPECIAL_BYTES_MAX + 2, 1);
    memset(text, 'x', SPECIAL_BYTES_MAX + 1);
    vocabulary_add(v, text, TOKEN_CONTROL, 0);
}
static void unknown_pre(struct vocabulary *v)
{
    v->source.pre = "gpt-9";
}
static void no_space(struct vocabulary *v)
{
    vocabulary_merge(v, "ab");
}
static void two_spaces(struct vocabulary *v)
{
    vocabulary_merge(v, "a b c");
}
static void only_space(struct vocabulary *v)
{
    vocabulary_merge(v, " ");
}
static void left_empty(struct vocabulary *v)
{
    vocabulary_merge(v, " b");
}
static void right_empty(struct vocabulary *v)
{
    vocabulary_merge(v, "a ");
}
static void empty_merge(struct vocabulary *v)
{
    vocabulary_merge(v, "");
}
static void left_unknown(struct vocabulary *v)
{
    vocabulary_merge(v, "xy z");
}
static void right_unknown(struct vocabulary *v)
{
    vocabulary_merge(v, "x yz");
}
static void makes_unknown(struct vocabulary *v)
{
    vocabulary_merge(v, "x y");
}
static void no_bytes(struct vocabulary *v)
{
    vocabulary_merge(v, "a \xe2\x82\xac");
}
static void torn_character(struct vocabulary *v)
{
    vocabulary_merge(v, "a \xc4");
}
static void too_many_merges(struct vocabulary *v)
{
    v->source.merge_count = 10000000;
}
static void negative_merge(struct vocabulary *v)
{
    v->merge_lengths[0] = -1;
}
static void long_merge(struct vocabulary *v)
{
    v->merge_lengths[0] = INT32_MAX;
}

static void sources_are_refused(void **unused)
{
    (void)unused;
    static const struct {
        spoiler *spoil;
        const char *words;
        bool byte_bpe; /* else SentencePiece */
    } rows[] = {
        {negative_byte, "test.gguf: token 13 is of type byte, but its text is '<0x-1>'", false},
        {byte_out_of_range, "'<0xG0>'", false},
        {short_byte, "'<0x1>'", false},
        {long_byte, "'<0x001>'", false},
        {spaced_byte, "'<0x 1>'", false},
        {empty_byte, "''", false},
        {escaping_byte, "'?[2J'", false},
        {no_tokens, "a vocabulary of 0 tokens", false},
        {too_many_tokens, "a vocabulary of 1048577 tokens", false},
        {negative_tokens, "a vocabulary of -1 tokens", true},
        {negative_length, "token 7 has -5 bytes", false},
        {long_token, "token 7 has 4097 bytes; at most 4096", true},
        {type_zero, "token 7 has the type 0; types are 1 to 6", true},
        {type_seven, "token 7 has the type 7", false},
        {type_negative, "token 7 has the type -1", false},
        {no_scores, "has no scores", false},
        {score_nan, "the score of token 7 is no number", false},
        {score_infinite, "the score of token 7 is no number", false},
        {bos_outside, "the begin-of-sequence token is 259, but the vocabulary has 0 to 258", false},
        {eos_outside, "the end-of-sequence token is -2", true},
        {unknown_outside, "the unknown token is 9223372036854775807", false},
        {end_outside, "the end-of-turn token is 1073741824", true},
        {begin_without_bos, "but none is named", true},
        {long_control, "of 257 bytes; such tokens have at most 256", true},
        {unknown_pre, "'gpt-9' is not known; known are gpt-2", true},
        {no_space, "merge 2, 'ab', must be two tokens with one space between", true},
        {two_spaces, "must be two tokens", true},
        {only_space, "must be two tokens", true},
        {left_empty, "must be two tokens", true},
        {right_empty, "must be two tokens", true},
        {empty_merge, "must be two tokens", true},
        {left_unknown, "merge 2, 'xy z', starts with what is no token", true},
        {right_unknown, "ends with what is no token", true},
        {makes_unknown, "makes what is no token", true},
        {no_bytes, "has a character that stands for no byte", true},
        {torn_character, "has a character that stands for no byte", true},
        {too_many_merges, "a list of 10000000 merges; at most 4194304", true},
        {negative_merge, "merge 0 has -1 bytes", true},
        {long_merge, "merge 0 has 2147483647 bytes", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_refused(rows[i].byte_bpe ? TOKENIZER_BYTE_BPE : TOKENIZER_SENTENCEPIECE,
                      rows[i].spoil, rows[i].words);
}

/* A small GGUF vocabulary; `without` leaves a key out, `put` adds what takes its place. */
struct file_row {
    const char *model, *without;
    void (*put)(struct gguf_writer *writer);
    const char *words; /* NULL: accepted */
};

static bool wanted(const struct file_row *row, const char *key)
{
    return !row->without || strcmp(row->without, key) != 0;
}

static void put_lists(struct gguf_writer *writer, const struct file_row *row)
{
    static const char *const tokens[] = {"<unk>", "<s>", "a", "b", "ab"};
    static const char *const merges[] = {"a b"};
    static const float scores[] = {0, 0, -1, -2, -3};
    static const int32_t types[] = {TOKEN_UNKNOWN, TOKEN_CONTROL, 1, 1, 1};
    if (wanted(row, "tokens")) gguf_put_texts(writer, "tokenizer.ggml.tokens", 5, tokens);
    if (wanted(row, "scores"))
        gguf_put_numbers(writer, "tokenizer.ggml.scores", GGUF_F32, 5, scores);
    if (wanted(row, "types"))
        gguf_put_numbers(writer, "tokenizer.ggml.token_type", GGUF_I32, 5, types);
    if (wanted(row, "merges")) gguf_put_texts(writer, "tokenizer.ggml.merges", 1, merges);
}

static void write_file(const char *path, const struct file_row *row)
{
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    struct gguf_writer *writer;
    CHECK_OK(gguf_writer_create(path, arena, &writer, &diagnostic));
    gguf_put_text(writer, "general.architecture", "llama");
    if (row->model) gguf_put_text(writer, "tokenizer.ggml.model", row->model);
    if (wanted(row, "pre")) gguf_put_text(writer, "tokenizer.ggml.pre", "gpt-2");
    put_lists(writer, row);
    if (wanted(row, "bos")) gguf_put_integer(writer, "tokenizer.ggml.bos_token_id", GGUF_U32, 1);
    if (row->put) row->put(writer);
    CHECK_OK(gguf_writer_start(writer, &diagnostic));
    CHECK_OK(gguf_writer_finish(writer, &diagnostic));
    gguf_writer_close(writer);
    arena_destroy(arena);
}

static const uint8_t five_bytes[] = {1, 2, 3, 4, 5};
static const float four_scores[] = {0, 0, 0, 0};
static const uint32_t five_large[] = {1, 1, 1, 1, UINT32_MAX};

static void numbers_as_tokens(struct gguf_writer *w)
{
    gguf_put_numbers(w, "tokenizer.ggml.tokens", GGUF_U8, 5, five_bytes);
}
static void text_as_tokens(struct gguf_writer *w)
{
    gguf_put_text(w, "tokenizer.ggml.tokens", "a b c");
}
static void zero_tokens(struct gguf_writer *w)
{
    gguf_put_texts(w, "tokenizer.ggml.tokens", 0, NULL);
}
static void short_scores(struct gguf_writer *w)
{
    gguf_put_numbers(w, "tokenizer.ggml.scores", GGUF_F32, 4, four_scores);
}
static void byte_scores(struct gguf_writer *w)
{
    gguf_put_numbers(w, "tokenizer.ggml.scores", GGUF_U8, 5, five_bytes);
}
static void byte_types(struct gguf_writer *w)
{
    gguf_put_numbers(w, "tokenizer.ggml.token_type", GGUF_U8, 5, five_bytes);
}
static void large_types(struct gguf_writer *w)
{
    gguf_put_numbers(w, "tokenizer.ggml.token_type", GGUF_U32, 5, five_large);
}
static void number_as_merges(struct gguf_writer *w)
{
    gguf_put_integer(w, "tokenizer.ggml.merges", GGUF_U32, 1);
}
static void bos_too_large(struct gguf_writer *w)
{
    gguf_put_integer(w, "tokenizer.ggml.bos_token_id", GGUF_U32, 5);
}
static void bos_negative(struct gguf_writer *w)
{
    gguf_put_integer(w, "tokenizer.ggml.bos_token_id", GGUF_I32, -1);
}
static void bos_text(struct gguf_writer *w)
{
    gguf_put_text(w, "tokenizer.ggml.bos_token_id", "<s>");
}
static void padding_too_large(struct gguf_writer *w)
{
    gguf_put_integer(w, "tokenizer.ggml.padding_token_id", GGUF_U32, 1000);
}
static void begin_wanted(struct gguf_writer *w)
{
    gguf_put_boolean(w, "tokenizer.ggml.add_bos_token", true);
}
static void begin_number(struct gguf_writer *w)
{
    gguf_put_integer(w, "tokenizer.ggml.add_bos_token", GGUF_U32, 1);
}
static void short_map(struct gguf_writer *w)
{
    gguf_put_numbers(w, "tokenizer.ggml.precompiled_charsmap", GGUF_U8, 5, five_bytes);
}
static void squeeze_spaces(struct gguf_writer *w)
{
    gguf_put_boolean(w, "tokenizer.ggml.remove_extra_whitespaces", true);
}
static void prefix_space(struct gguf_writer *w)
{
    gguf_put_boolean(w, "tokenizer.ggml.add_space_prefix", true);
}

static status open_file(const char *path, struct progress *progress, bool *present,
                        struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    struct model_source source;
    struct tokenizer *tokenizer = NULL;
    status code = source_open(path, arena, NULL, &source, diagnostic);
    if (code == STATUS_OK)
        code = tokenizer_from_gguf(&source, arena, &tokenizer, progress, diagnostic);
    *present = tokenizer != NULL;
    tokenizer_close(tokenizer);
    source_close(&source);
    arena_destroy(arena);
    return code;
}

static void check_file(const char *path, const struct file_row *row)
{
    struct diagnostic diagnostic = {0};
    bool present;
    write_file(path, row);
    status code = open_file(path, NULL, &present, &diagnostic);
    if (code != (row->words ? STATUS_BAD_INPUT : STATUS_OK) ||
        (row->words && (!strstr(diagnostic.text, row->words) || !strstr(diagnostic.text, path))))
        CHECK_FAIL("%s: %s: '%s'", row->words ? row->words : "good file", status_name(code),
                   diagnostic.text);
    if (present != (code == STATUS_OK && row->model && strcmp(row->model, "none") != 0))
        CHECK_FAIL("%s", row->model ? row->model : "no model");
}

static void files_are_refused(void **state)
{
    static const struct file_row rows[] = {
        {"llama", NULL, NULL, NULL},
        {NULL, NULL, NULL, NULL},
        {"none", NULL, NULL, NULL},
        {"bert", NULL, NULL, "tokenizer.ggml.model is 'bert'; known are gpt2, llama and t5"},
        {"llama", "tokens", NULL, "tokenizer.ggml.tokens is missing"},
        {"llama", "tokens", numbers_as_tokens, "is a list of items of type 0; it must be of 8"},
        {"llama", "tokens", text_as_tokens, "is a text; it must be a list"},
        {"llama", "tokens", zero_tokens, "has 5 items for 0 tokens"},
        {"llama", "scores", NULL, "has no scores"},
        {"llama", "scores", short_scores, "scores has 4 items for 5 tokens"},
        {"llama", "scores", byte_scores, "items of type 0; it must be of 6"},
        {"llama", "types", NULL, NULL},
        {"llama", "types", byte_types, "items of type 0; it must be of 5"},
        {"llama", "types", large_types, "token 4 has the type 2147483647"},
        {"llama", "bos", NULL, NULL},
        {"llama", "bos", bos_too_large, "bos_token_id is 5, but the vocabulary has 0 to 4"},
        {"llama", "bos", bos_negative, "bos_token_id is -1, but"},
        {"llama", "bos", bos_text, "is a text; it must be a whole number"},
        {"llama", "bos", begin_wanted, "but none is named"},
        {"llama", NULL, begin_number, "add_bos_token is a whole number; it must be a boolean"},
        {"llama", NULL, padding_too_large, "padding_token_id is 1000"},
        {"llama", NULL, short_map, "asks for characters to be replaced"},
        {"llama", NULL, squeeze_spaces, "asks for spaces to be left out"},
        {"llama", NULL, prefix_space, NULL},
        {"gpt2", "pre", NULL, "tokenizer.ggml.pre is missing"},
        {"gpt2", "merges", NULL, "tokenizer.ggml.merges is missing"},
        {"gpt2", "merges", number_as_merges, "is a whole number; it must be a list"},
        {"gpt2", NULL, prefix_space, "asks for a space in front of text"},
        {"gpt2", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_file(*state, &rows[i]);
}

static void take_warning(void *context, const char *message)
{
    snprintf(context, DIAGNOSTIC_TEXT_BYTES, "%s", message);
}

static void odd_key(struct gguf_writer *w)
{
    gguf_put_text(w, "tokenizer.chat_template", "{{ messages }}");
    gguf_put_boolean(w, "tokenizer.ggml.reverse_text", true);
}

static void unknown_keys_are_warned_of(void **state)
{
    char warning[DIAGNOSTIC_TEXT_BYTES] = "";
    struct progress progress = {.context = warning, .warn = take_warning};
    struct diagnostic diagnostic = {0};
    bool present;
    write_file(*state, &(struct file_row){"llama", NULL, odd_key, NULL});
    CHECK_OK(open_file(*state, &progress, &present, &diagnostic));
    assert_non_null(strstr(warning, "the key 'tokenizer.ggml.reverse_text' is not known"));
}

static int set_up(void **state)
{
    static char path[] = "/tmp/hone_test_tokenizer_XXXXXX";
    int file = mkstemp(path);
    *state = path;
    return file < 0 ? -1 : close(file);
}

static int tear_down(void **state)
{
    return unlink(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_are_refused),
        cmocka_unit_test(files_are_refused),
        cmocka_unit_test(unknown_keys_are_warned_of),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
