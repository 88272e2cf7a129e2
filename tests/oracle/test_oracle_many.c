/* Ten thousand strings for each kind of tokenizer, against tokenizers and sentencepiece (tests/oracle/make_many.py): strings
 * are put together here as there, and the ids of each hundred are compared by their hash.  Streams of tokens are cut at
 * every place, and only whole characters go out.  HONE_ORACLE_DIR names a folder of fresh vectors. */
#include "base/text.h"
#include "models/model_source.h"
#include "models/tokenizer_gguf.h"
#include "models/tokenizer_huggingface.h"
#include "models/tokenizer_utf8.h"
#include "tests/check.h"

#include <jansson.h>

enum { STREAMED = 300, MULTIPLIER = 1000003 };

struct vectors {
    json_t *root, *fragments;
    uint64_t seed;
    size_t strings, per_hash;
    const char *folder;
};

struct kind {
    const json_t *expected;
    const char *file;
    bool folder, special;
    struct arena *arena, *scratch;
    struct tokenizer *tokenizer;
    int failures;
};

static uint64_t draw(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = (*state ^ *state >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

static void make_string(const struct vectors *vectors, uint64_t index, struct text *text)
{
    uint64_t state = vectors->seed * MULTIPLIER + index, parts = 1 + draw(&state) % 14;
    size_t count = json_array_size(vectors->fragments);
    while (parts--) {
        const json_t *part = json_array_get(vectors->fragments, (size_t)(draw(&state) % count));
        text_append_range(text, json_string_value(part), json_string_length(part));
    }
}

static void open_kind(struct kind *kind, const struct vectors *vectors)
{
    struct diagnostic diagnostic = {0};
    const char *path = arena_print(kind->arena, "%s/%s", vectors->folder, kind->file);
    struct model_source source = {.arena = kind->arena, .format = SOURCE_HUGGINGFACE, .path = path};
    if (kind->folder) {
        CHECK_OK(
            tokenizer_from_huggingface(&source, kind->arena, &kind->tokenizer, NULL, &diagnostic));
    } else {
        CHECK_OK(source_open(path, kind->arena, NULL, &source, &diagnostic));
        CHECK_OK(tokenizer_from_gguf(&source, kind->arena, &kind->tokenizer, NULL, &diagnostic));
    }
    source_close(&source);
    if (!kind->tokenizer) CHECK_FAIL("%s: no tokenizer", path);
}

/* Whatever was printed is whole, and no more than the beginning of a character waits. */
static void cut_stream(struct kind *kind, const int32_t *ids, int64_t count)
{
    struct text stream = {.arena = kind->scratch};
    size_t printed = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t length;
        const char *bytes = tokenizer_bytes(kind->tokenizer, ids[i], &length);
        for (size_t byte = 0; byte < length;
             byte++) { /* a byte at a time: tokens may be cut anywhere */
            text_append_range(&stream, bytes + byte, 1);
            printed += tokenizer_printable(stream.bytes + printed, stream.length - printed);
            bool whole = utf8_valid(stream.bytes, printed) == printed;
            if (!whole || stream.length - printed >= UTF8_BYTES_MAX) kind->failures++;
        }
    }
    if (printed < stream.length) kind->failures++;
}

static void complain(struct kind *kind, size_t index, const char *string, const int32_t *ids,
                     int64_t count)
{
    struct text text = {.arena = kind->scratch};
    for (int64_t i = 0; i < count; i++) text_print(&text, " %" PRId32, ids[i]);
    char *expected = json_dumps(json_array_get(json_object_get(kind->expected, "ids"), index), 0);
    if (kind->failures++ < 5)
        print_error("%s: string %zu: '%s'\n  ids%s\n  not %s\n", kind->file, index, string,
                    text_finish(&text), expected);
    free(expected);
}

/* The ids go into the hash; the first strings are compared one by one as well. */
static uint64_t take_string(struct kind *kind, const struct vectors *vectors, size_t index,
                            uint64_t hash)
{
    struct diagnostic diagnostic = {0};
    struct text text = {.arena = kind->scratch};
    const json_t *shown = json_array_get(json_object_get(kind->expected, "ids"), index);
    int32_t *ids;
    int64_t count;
    arena_reset(kind->scratch);
    make_string(vectors, index, &text);
    CHECK_OK(tokenizer_encode(kind->tokenizer, text.bytes, text.length, false, kind->special,
                              kind->scratch, &ids, &count, &diagnostic));
    bool same = !shown || (int64_t)json_array_size(shown) == count;
    for (int64_t i = 0; shown && same && i < count; i++)
        same = json_integer_value(json_array_get(shown, (size_t)i)) == ids[i];
    if (!same) complain(kind, index, text.bytes, ids, count);
    if (index < STREAMED) cut_stream(kind, ids, count);
    for (int64_t i = 0; i <= count; i++)
        for (int shift = 0; shift < 32; shift += 8)
            hash = (hash ^ ((i < count ? (uint32_t)ids[i] : UINT32_MAX) >> shift & 0xff)) *
                   0x100000001b3u;
    return hash;
}

static void check_kind(const struct vectors *vectors, const json_t *expected, int *failures)
{
    struct kind kind = {.expected = expected,
                        .file = json_string_value(json_object_get(expected, "file")),
                        .folder = json_is_true(json_object_get(expected, "folder")),
                        .special = json_is_true(json_object_get(expected, "special")),
                        .arena = arena_create(0),
                        .scratch = arena_create(0)};
    size_t index, wrong = 0, at = 0;
    json_t *value;
    open_kind(&kind, vectors);
    json_array_foreach(json_object_get(expected, "hashes"), index, value)
    {
        char text[17];
        uint64_t hash = 0xcbf29ce484222325u;
        for (size_t i = 0; i < vectors->per_hash; i++)
            hash = take_string(&kind, vectors, at++, hash);
        snprintf(text, sizeof text, "%016" PRIx64, hash);
        wrong += strcmp(text, json_string_value(value)) != 0;
    }
    print_message("%s: %zu strings, %s\n", kind.file, at,
                  json_string_value(json_object_get(expected, "made_by")));
    if (wrong) print_error("%s: %zu of %zu hundreds have other ids\n", kind.file, wrong, index);
    assert_int_equal(at, vectors->strings);
    *failures += kind.failures + (int)wrong;
    tokenizer_close(kind.tokenizer);
    arena_destroy(kind.arena);
    arena_destroy(kind.scratch);
}

static void all_kinds_agree(void **state)
{
    const char *fresh = getenv("HONE_ORACLE_DIR");
    struct arena *arena = arena_create(0);
    struct vectors vectors = {0};
    json_error_t error;
    json_t *kind;
    size_t i;
    int failures = 0;
    (void)state;
    vectors.folder = arena_print(arena, "%s/tokenizers",
                                 fresh ? fresh : HONE_SOURCE_FOLDER "/tests/oracle/vectors");
    vectors.root = json_load_file(arena_print(arena, "%s/many.json", vectors.folder), 0, &error);
    if (!vectors.root) CHECK_FAIL("many.json: %s", error.text);
    vectors.fragments = json_object_get(vectors.root, "fragments");
    vectors.seed = (uint64_t)json_integer_value(json_object_get(vectors.root, "seed"));
    vectors.strings = (size_t)json_integer_value(json_object_get(vectors.root, "strings"));
    vectors.per_hash = (size_t)json_integer_value(json_object_get(vectors.root, "per_hash"));
    assert_true(vectors.strings >= 10000);
    json_array_foreach(json_object_get(vectors.root, "kinds"), i, kind)
        check_kind(&vectors, kind, &failures);
    assert_true(i >= 12);
    assert_int_equal(failures, 0);
    json_decref(vectors.root);
    arena_destroy(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_kinds_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
