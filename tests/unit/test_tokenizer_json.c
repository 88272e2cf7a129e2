/* tokenizer.json: which published ones are read, ids and ends, and what is damaged or of another kind.
 * The ids of text are compared with the reference's in tests/oracle. */
#include "base/file.h"
#include "models/model_source.h"
#include "models/tokenizer_huggingface.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <unistd.h>

struct fixture {
    struct arena *arena;
    char folder[SCRATCH_BYTES];
    char warnings[2048];
    struct progress progress;
};

static void warn(void *context, const char *message)
{
    struct fixture *scratch = context;
    snprintf(scratch->warnings, sizeof scratch->warnings, "%s", message);
}

static int set_up(void **state)
{
    struct fixture *scratch = test_calloc(1, sizeof *scratch);
    scratch->arena = arena_create(0);
    scratch->progress = (struct progress){.context = scratch, .warn = warn};
    *state = scratch;
    return scratch_create(scratch->folder);
}

static int tear_down(void **state)
{
    struct fixture *scratch = *state;
    int result = scratch_remove(scratch->folder);
    arena_destroy(scratch->arena);
    test_free(scratch);
    return result;
}

/* GPT-2's way to cut; the tokens are those of the merges "a b" and "ab c". */
static const char small[] =
    "{\"normalizer\": null,"
    " \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": "
    "true},"
    " \"post_processor\": null,"
    " \"added_tokens\": [{\"id\": 6, \"content\": \"<s>\", \"special\": true},"
    "  {\"id\": 7, \"content\": \"<u>\", \"special\": false}],"
    " \"model\": {\"type\": \"BPE\", \"dropout\": null, \"byte_fallback\": false,"
    "  \"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, \"abc\": 4, \"d\": 5},"
    "  \"merges\": [\"a b\", [\"ab\", \"c\"]]}}";

static const char *replaced(struct fixture *scratch, const char *text, const char *from,
                            const char *to)
{
    const char *place = strstr(text, from);
    if (!place) CHECK_FAIL("'%s' is not there", from);
    return arena_print(scratch->arena, "%.*s%s%s", (int)(place - text), text, to,
                       place + strlen(from));
}

static status open_json(struct fixture *scratch, const char *json, struct tokenizer **tokenizer,
                        struct diagnostic *diagnostic)
{
    static struct metadata ids[] = {
        {.key = "bos_token_id", .kind = METADATA_INTEGER, .integer = 6},
        {.key = "eos_token_id", .kind = METADATA_INTEGER, .integer = 7}};
    struct diagnostic written = {0};
    const char *path = file_join(scratch->arena, scratch->folder, "tokenizer.json");
    struct model_source source = {.arena = scratch->arena,
                                  .format = SOURCE_HUGGINGFACE,
                                  .path = scratch->folder,
                                  .metadata = ids,
                                  .metadata_count = 2};
    if (file_write(path, json, strlen(json), &written) != STATUS_OK) CHECK_FAIL("%s", written.text);
    scratch->warnings[0] = '\0';
    return tokenizer_from_huggingface(&source, scratch->arena, tokenizer, &scratch->progress,
                                      diagnostic);
}

static void a_small_one_is_read(void **state)
{
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct tokenizer *tokenizer;
    static const int32_t expected[] = {4, 6, 3, 7, 5};
    int32_t *ids;
    int64_t count;
    CHECK_OK(open_json(scratch, small, &tokenizer, &diagnostic));
    assert_string_equal(scratch->warnings, "");
    assert_int_equal(tokenizer_count(tokenizer), 8);
    assert_int_equal(tokenizer_bos(tokenizer), 6);
    assert_true(tokenizer_ends(tokenizer, 7) && !tokenizer_ends(tokenizer, 6));
    CHECK_OK(tokenizer_encode(tokenizer, "abc<s>ab<u>d", 12, true, true, scratch->arena, &ids,
                              &count, &diagnostic));
    assert_int_equal(count, 5); /* nothing asks for a token in front */
    assert_memory_equal(ids, expected, sizeof expected);
    tokenizer_close(tokenizer);
}

static void templates_and_generation_configs_count(void **state)
{
    static const char with_template[] =
        "\"post_processor\": {\"type\": \"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"},"
        " {\"type\": \"TemplateProcessing\", \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}},"
        " {\"Sequence\": {\"id\": \"A\"}}], \"special_tokens\": {\"<s>\": {\"ids\": [6]}}}]}";
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct tokenizer *tokenizer;
    int32_t *ids;
    int64_t count;
    const char *more = "{\"eos_token_id\": [5, 7]}";
    const char *path = file_join(scratch->arena, scratch->folder, "generation_config.json");
    CHECK_OK(file_write(path, more, strlen(more), &diagnostic));
    const char *json = replaced(scratch, small, "\"post_processor\": null", with_template);
    CHECK_OK(open_json(scratch, json, &tokenizer, &diagnostic));
    CHECK_OK(tokenizer_encode(tokenizer, "d", 1, true, false, scratch->arena, &ids, &count,
                              &diagnostic));
    assert_true(count == 2 && ids[0] == 6 && ids[1] == 5);
    assert_true(tokenizer_ends(tokenizer, 5) && tokenizer_ends(tokenizer, 7));
    tokenizer_close(tokenizer);
    more = "{\"eos_token_id\": 99}";
    CHECK_OK(file_write(path, more, strlen(more), &diagnostic));
    CHECK_REFUSED(open_json(scratch, json, &tokenizer, &diagnostic), STATUS_BAD_INPUT,
                  "generation_config.json: the id 99 is none of the 8 tokens");
}

/* The patterns as published tokenizers have them. */
static void published_patterns_are_known(void **state)
{
#define SPLIT(pattern)                                                                             \
    "{\"type\": \"Split\", \"pattern\": {\"Regex\": \"" pattern                                    \
    "\"}, \"behavior\": \"Isolated\", \"invert\": false}"
#define BYTES "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}"
#define LLAMA3(digits)                                                                             \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+|" digits                 \
    "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define GPT4O_HEAD "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define GPT4O_TAIL "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define ENDING     "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    static const char *const known[] = {
        SPLIT(LLAMA3("\\\\p{N}{1,3}")) "," BYTES,
        SPLIT(LLAMA3("\\\\p{N}")) "," BYTES,
        SPLIT(GPT4O_HEAD "*" GPT4O_TAIL "+" ENDING GPT4O_HEAD "+" GPT4O_TAIL "*" ENDING
                         "\\\\p{N}{1,3}| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*"
                         "[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+") "," BYTES,
        SPLIT("\\\\p{N}{1,3}") "," SPLIT(
            "[\xe4\xb8\x80-\xe9\xbe\xa5\xe3\x81\x80-\xe3\x82\x9f"
            "\xe3\x82\xa0-\xe3\x83\xbf]+") "," SPLIT("[!\\\"#$%&'()*+,\\\\-./"
                                                     ":;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|"
                                                     "[^\\\\r\\\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{"
                                                     "L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+"
                                                     "[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!"
                                                     "\\\\S)|\\\\s+") "," BYTES,
        "{\"type\": \"Digits\", \"individual_digits\": true},"
        "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}",
    };
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    const char *plain =
        "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": true}";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct tokenizer *tokenizer;
        const char *sequence = arena_print(
            scratch->arena, "{\"type\": \"Sequence\", \"pretokenizers\": [%s]}", known[i]);
        CHECK_OK(
            open_json(scratch, replaced(scratch, small, plain, sequence), &tokenizer, &diagnostic));
        if (!tokenizer) CHECK_FAIL("row %zu: %s", i, scratch->warnings);
        tokenizer_close(tokenizer);
    }
}

/* A warning, and no tokenizer. */
static void other_kinds_are_named(void **state)
{
    static const char *const rows[][3] = {
        {"\"type\": \"BPE\"", "\"type\": \"WordPiece\"",
         "model: 'WordPiece' is not supported; BPE and Unigram are"},
        {"\"type\": \"BPE\"", "\"type\": \"Unigram\"",
         "pre_tokenizer: 'ByteLevel' is not supported here; Metaspace is"},
        {"\"byte_fallback\": false", "\"byte_fallback\": true", "normalizer: nothing marks spaces"},
        {"\"dropout\": null", "\"dropout\": 0.1", "'dropout' is not supported"},
        {"\"normalizer\": null", "\"normalizer\": {\"type\": \"Nmt\"}",
         "normalizer: 'Nmt' is not supported"},
        {"\"type\": \"ByteLevel\"", "\"type\": \"Metaspace\"",
         "pre_tokenizer: 'Metaspace' is not supported"},
        {"\"add_prefix_space\": false", "\"add_prefix_space\": true", "a space in front of text"},
        {"\"use_regex\": true", "\"use_regex\": false",
         "pre_tokenizer: the pattern '' is not known"},
        {"\"post_processor\": null", "\"post_processor\": {\"type\": \"BertProcessing\"}",
         "post_processor: 'BertProcessing' is not supported"},
    };
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct tokenizer *tokenizer;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_OK(open_json(scratch, replaced(scratch, small, rows[i][0], rows[i][1]), &tokenizer,
                           &diagnostic));
        if (tokenizer || !strstr(scratch->warnings, rows[i][2]) ||
            !strstr(scratch->warnings, "token ids only"))
            CHECK_FAIL("'%s', expected '%s'", scratch->warnings, rows[i][2]);
    }
}

/* SentencePiece's kind: merges become scores only where they say the same. */
static void marks_and_bytes_are_read(void **state)
{
    static const char marks[] =
        "{\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\","
        " \"prepend\": \"\xe2\x96\x81\"}, {\"type\": \"Replace\", \"pattern\": {\"String\":"
        " \" \"}, \"content\": \"\xe2\x96\x81\"}]},"
        " \"added_tokens\": [{\"id\": 6, \"content\": \"<s>\", \"special\": true}],"
        " \"model\": {\"byte_fallback\": true, \"unk_token\": \"<s>\", \"vocab\": {\"a\": 0,"
        " \"b\": 1, \"\xe2\x96\x81\": 2, \"ab\": 3, \"\xe2\x96\x81"
        "ab\": 4, \"<0xC3>\": 5,"
        " \"<0xA9>\": 7}, \"merges\": [\"a b\", \"\xe2\x96\x81 ab\"]}}";
    static const char *const rows[][3] = {
        {"\"\xe2\x96\x81 ab\"", "\"\xe2\x96\x81 a\"", "a merge makes what is no token"},
        {", \"\xe2\x96\x81 ab\"", "", "they are not all ways in which tokens fall into tokens"},
        {"\"\xe2\x96\x81 ab\"", "\"\xe2\x96\x81 ab\", \"a b\"", "not in the order of tokens"},
        {"\"a b\"", "\"ab\"", "a merge of one part"},
        {"\"Prepend\"", "\"Strip\"", "normalizer: 'Sequence' is not supported"},
        {"\"added_tokens\"", "\"pre_tokenizer\": {\"type\": \"Metaspace\"}, \"added_tokens\"",
         "pre_tokenizer: 'Metaspace' is not supported"},
    };
    static const int32_t expected[] = {4, 4, 5, 7};
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct tokenizer *tokenizer;
    int32_t *ids;
    int64_t count;
    CHECK_OK(open_json(scratch, marks, &tokenizer, &diagnostic));
    assert_string_equal(scratch->warnings, "");
    CHECK_OK(tokenizer_encode(tokenizer, "ab ab\xc3\xa9", 7, true, false, scratch->arena, &ids,
                              &count, &diagnostic));
    assert_int_equal(count, 4);
    assert_memory_equal(ids, expected, sizeof expected);
    tokenizer_close(tokenizer);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_OK(open_json(scratch, replaced(scratch, marks, rows[i][0], rows[i][1]), &tokenizer,
                           &diagnostic));
        if (tokenizer || !strstr(scratch->warnings, rows[i][2]))
            CHECK_FAIL("'%s', expected '%s'", scratch->warnings, rows[i][2]);
    }
}

static void damage_is_refused(void **state)
{
    static const char *const rows[][3] = {
        {"\"model\"", "\"modal\"", "tokenizer.json: model: must be an object"},
        {"\"vocab\": {", "\"vocab\": [], \"w\": {", "model.vocab: must be an object"},
        {"\"a\": 0", "\"a\": -1", "the id of 'a' must be a whole number from 0 to 1048575"},
        {"\"a\": 0", "\"a\": 1048576", "the id of 'a' must be a whole number"},
        {"\"a\": 0", "\"a\": \"0\"", "the id of 'a' must be a whole number"},
        {"\"a\": 0", "\"a\": 1000000", "ids up to 1000000 for 8 tokens"},
        {"\"a\": 0", "\"a\": 1", "have the id 1"},
        {"\"id\": 6", "\"id\": 5", "'d' and '<s>' have the id 5"},
        {"\"id\": 6", "\"id\": null", "the id of '<s>'"},
        {"\"content\": \"<s>\"", "\"content\": 3", "a token without content"},
        {"\"merges\": [", "\"merges\": 3, \"m\": [", "a list of at most 4194304 merges"},
        {"[\"ab\", \"c\"]", "[\"ab\"]", "merge 1 must be a text or two of them"},
        {"[\"ab\", \"c\"]", "\"ab x\"", "x"},
        {"[\"ab\", \"c\"]", "\"abc\"", "abc"},
        {"\"a\": 0", "\"a\": 0, \"a\": 0", "duplicate"},
        {"}}", "}", "tokenizer.json:1:"},
        {"\"id\": 7", "\"id\": 5", "have the id 5"},
    };
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct tokenizer *tokenizer;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_REFUSED(open_json(scratch, replaced(scratch, small, rows[i][0], rows[i][1]),
                                &tokenizer, &diagnostic),
                      STATUS_BAD_INPUT, rows[i][2]);
        assert_null(tokenizer);
    }
}

/* Spaces are marked by Metaspace, with one in front always, never, or at the beginning of all text only. */
static void metaspace_has_three_schemes(void **state)
{
    static const char marks[] =
        "{\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\":"
        " \"\xe2\x96\x81\", \"prepend_scheme\": \"always\", \"split\": false},"
        " \"added_tokens\": [{\"id\": 6, \"content\": \"<s>\", \"special\": true}],"
        " \"model\": {\"byte_fallback\": true, \"unk_token\": \"<s>\", \"vocab\": {\"a\": 0, "
        "\"b\": 1,"
        " \"\xe2\x96\x81\": 2, \"ab\": 3, \"\xe2\x96\x81"
        "ab\": 4, \"<0x41>\": 5, \"<0x42>\": 7}, \"merges\": [\"a b\", \"\xe2\x96\x81 ab\"]}}";
    static const struct {
        const char *scheme;
        int32_t ids[4]; /* of "ab ab<s>ab" */
    } rows[] = {{"always", {4, 4, 6, 4}}, {"first", {4, 4, 6, 3}}, {"never", {3, 4, 6, 3}}};
    struct fixture *scratch = *state;
    struct diagnostic diagnostic = {0};
    struct tokenizer *tokenizer;
    int32_t *ids;
    int64_t count;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_OK(open_json(scratch, replaced(scratch, marks, "always", rows[i].scheme), &tokenizer,
                           &diagnostic));
        if (!tokenizer) CHECK_FAIL("%s", scratch->warnings);
        CHECK_OK(tokenizer_encode(tokenizer, "ab ab<s>ab", 10, false, true, scratch->arena, &ids,
                                  &count, &diagnostic));
        assert_int_equal(count, 4);
        assert_memory_equal(ids, rows[i].ids, sizeof rows[i].ids);
        tokenizer_close(tokenizer);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_small_one_is_read),          TEST(templates_and_generation_configs_count),
        TEST(published_patterns_are_known), TEST(other_kinds_are_named),
        TEST(marks_and_bytes_are_read),     TEST(damage_is_refused),
        TEST(metaspace_has_three_schemes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
