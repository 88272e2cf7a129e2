/* Hone's token ids against those of the reference tokenizers, tokenizers and sentencepiece
 * (tests/oracle/README.md): every string of every vocabulary, there and back, in one go and as a
 * stream.  HONE_ORACLE_DIR names a folder of fresh vectors. */
#include "base/text.h"
#include "models/model_source.h"
#include "models/tokenizer_gguf.h"
#include "models/tokenizer_huggingface.h"
#include "tests/check.h"

#include <jansson.h>

struct vocabulary {
    const char *name;
    struct arena *arena;
    struct tokenizer *tokenizer;
    json_t *strings, *expected;
    int failures;
};

static const char *vector_path(struct arena *arena, const char *name, const char *suffix)
{
    const char *fresh = getenv("HONE_ORACLE_DIR");
    const char *folder = fresh ? fresh : HONE_SOURCE_FOLDER "/tests/oracle/vectors";
    return arena_print(arena, "%s/tokenizers/%s%s", folder, name, suffix);
}

static json_t *read_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!root) CHECK_FAIL("%s: %s", path, error.text);
    return root;
}

/* The vocabulary of a GGUF file, or of the folder beside it. */
static void open_vocabulary(struct vocabulary *vocabulary, const char *name, bool folder)
{
    struct diagnostic diagnostic = {0};
    *vocabulary = (struct vocabulary){.name = name, .arena = arena_create(0)};
    struct arena *arena = vocabulary->arena;
    const char *path = vector_path(arena, name, folder ? "" : ".gguf");
    struct model_source source = {.arena = arena, .format = SOURCE_HUGGINGFACE, .path = path};
    if (folder) {
        CHECK_OK(
            tokenizer_from_huggingface(&source, arena, &vocabulary->tokenizer, NULL, &diagnostic));
    } else {
        CHECK_OK(source_open(path, arena, NULL, &source, &diagnostic));
        CHECK_OK(tokenizer_from_gguf(&source, arena, &vocabulary->tokenizer, NULL, &diagnostic));
    }
    source_close(&source); /* what the tokenizer needs of the file it has copied */
    assert_non_null(vocabulary->tokenizer);
    vocabulary->strings = read_json(vector_path(arena, "strings", ".json"));
    vocabulary->expected = read_json(vector_path(arena, name, ".json"));
}

static void close_vocabulary(struct vocabulary *vocabulary)
{
    tokenizer_close(vocabulary->tokenizer);
    json_decref(vocabulary->strings);
    json_decref(vocabulary->expected);
    arena_destroy(vocabulary->arena);
}

static bool same_ids(const json_t *expected, const int32_t *ids, int64_t count)
{
    if ((int64_t)json_array_size(expected) != count) return false;
    for (int64_t i = 0; i < count; i++)
        if (json_integer_value(json_array_get(expected, (size_t)i)) != ids[i]) return false;
    return true;
}

static void complain(struct vocabulary *vocabulary, size_t index, const char *what)
{
    if (vocabulary->failures++ < 10)
        print_error("%s: string %zu: %s\n", vocabulary->name, index, what);
}

static const json_t *entry(const struct vocabulary *vocabulary, const char *list, size_t index)
{
    return json_array_get(json_object_get(vocabulary->expected, list), index);
}

/* One string's ids. */
static void encode(const struct vocabulary *vocabulary, size_t index, bool special,
                   struct arena *arena, int32_t **ids, int64_t *count)
{
    struct diagnostic diagnostic = {0};
    const json_t *string = json_array_get(vocabulary->strings, index);
    CHECK_OK(tokenizer_encode(vocabulary->tokenizer, json_string_value(string),
                              json_string_length(string), false, special, arena, ids, count,
                              &diagnostic));
}

/* Prints tokens as they come; only whole characters may go out.  All vectors are whole UTF-8. */
static void stream(struct vocabulary *vocabulary, size_t index, const int32_t *ids, int64_t count,
                   struct text *out)
{
    char pending[8192];
    size_t held = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t length;
        const char *bytes = tokenizer_bytes(vocabulary->tokenizer, ids[i], &length);
        memcpy(pending + held, bytes, length);
        held += length;
        size_t ready = tokenizer_printable(pending, held);
        if (ready > 0 && (pending[0] & 0xc0) == 0x80) complain(vocabulary, index, "torn character");
        text_append_range(out, pending, ready);
        held -= ready;
        memmove(pending, pending + ready, held);
        if (held > 3) complain(vocabulary, index, "whole characters were held back");
    }
    if (held > 0) complain(vocabulary, index, "bytes were left over");
}

static void check_string(struct vocabulary *vocabulary, size_t index, struct arena *arena)
{
    struct diagnostic diagnostic = {0};
    int32_t *ids;
    int64_t count;
    char *text;
    size_t length;
    struct text streamed = {.arena = arena};
    encode(vocabulary, index, false, arena, &ids, &count);
    if (!same_ids(entry(vocabulary, "ids", index), ids, count))
        complain(vocabulary, index, "other ids");
    CHECK_OK(
        tokenizer_decode(vocabulary->tokenizer, ids, count, arena, &text, &length, &diagnostic));
    const json_t *expected = entry(vocabulary, "decoded", index);
    if (!json_is_string(expected)) expected = json_array_get(vocabulary->strings, index);
    if (length != json_string_length(expected) ||
        (length > 0 && memcmp(text, json_string_value(expected), length) != 0))
        complain(vocabulary, index, "other text");
    stream(vocabulary, index, ids, count, &streamed);
    size_t prefix = streamed.length - length; /* SentencePiece's space in front */
    const char *shown = text_finish(&streamed);
    if (!shown || prefix > 1 || memcmp(shown + prefix, text, length) != 0)
        complain(vocabulary, index, "other stream");
}

static void check_vocabulary(const char *name, bool folder)
{
    struct vocabulary vocabulary;
    open_vocabulary(&vocabulary, name, folder);
    struct arena *arena = arena_create(0);
    size_t count = json_array_size(vocabulary.strings);
    assert_true(count >= 1000);
    assert_int_equal(count, json_array_size(json_object_get(vocabulary.expected, "ids")));
    for (size_t i = 0; i < count; i++) {
        check_string(&vocabulary, i, arena);
        arena_reset(arena);
    }
    print_message("%s: %zu strings\n", name, count);
    assert_int_equal(vocabulary.failures, 0);
    arena_destroy(arena);
    close_vocabulary(&vocabulary);
}

static void gpt2_agrees(void **unused)
{
    (void)unused;
    for (int folder = 0; folder < 2; folder++) check_vocabulary("gpt-2", folder);
}

static void llama_bpe_agrees(void **unused)
{
    (void)unused;
    for (int folder = 0; folder < 2; folder++) check_vocabulary("llama-bpe", folder);
}

static void qwen2_agrees(void **unused)
{
    (void)unused;
    for (int folder = 0; folder < 2; folder++) check_vocabulary("qwen2", folder);
}

static void sentencepiece_agrees(void **unused)
{
    (void)unused;
    for (int folder = 0; folder < 2; folder++) check_vocabulary("sentencepiece", folder);
}

/* With special tokens recognised, the strings that hold some become other ids, the rest the same.
 */
static void special_tokens_agree(void **unused)
{
    (void)unused;
    static const char *const names[] = {"gpt-2", "llama-bpe", "qwen2", "sentencepiece"};
    for (size_t n = 0; n < 2 * (sizeof names / sizeof *names); n++) {
        struct vocabulary vocabulary;
        open_vocabulary(&vocabulary, names[n / 2], n % 2);
        const json_t *parsed = json_object_get(vocabulary.expected, "parsed");
        assert_true(json_object_size(parsed) > 0);
        for (size_t i = 0; i < json_array_size(vocabulary.strings); i++) {
            char key[32];
            int32_t *ids;
            int64_t count;
            snprintf(key, sizeof key, "%zu", i);
            const json_t *expected = json_object_get(parsed, key);
            if (!expected) expected = entry(&vocabulary, "ids", i);
            encode(&vocabulary, i, true, vocabulary.arena, &ids, &count);
            if (!same_ids(expected, ids, count)) complain(&vocabulary, i, "other parsed ids");
        }
        assert_int_equal(vocabulary.failures, 0);
        close_vocabulary(&vocabulary);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_agrees),          cmocka_unit_test(llama_bpe_agrees),
        cmocka_unit_test(qwen2_agrees),         cmocka_unit_test(sentencepiece_agrees),
        cmocka_unit_test(special_tokens_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
