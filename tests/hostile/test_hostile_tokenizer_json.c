/* A damaged tokenizer.json: changed bytes, cut files.  Each is refused with one line that names the
 * file, taken for another kind, or still a tokenizer. */
#include "base/file.h"
#include "base/random.h"
#include "models/model_source.h"
#include "models/tokenizer_huggingface.h"
#include "tests/check.h"
#include "tests/scratch_harness.h"

#include <fcntl.h>
#include <unistd.h>

#define ORIGINALS HONE_SOURCE_FOLDER "/tests/oracle/vectors/tokenizers/"

enum { MUTANTS = 2000, CUT = 61 };

struct damage {
    char folder[SCRATCH_BYTES], path[SCRATCH_BYTES + 32];
    long read, other, refused;
};

static void try_file(struct damage *damage, const char *bytes, size_t count)
{
    struct arena *arena = arena_create(0);
    struct diagnostic diagnostic = {0};
    struct tokenizer *tokenizer;
    struct model_source source = {
        .arena = arena, .format = SOURCE_HUGGINGFACE, .path = damage->folder};
    int file = open(damage->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(file >= 0 && write(file, bytes, count) == (ssize_t)count);
    close(file);
    status code = tokenizer_from_huggingface(&source, arena, &tokenizer, NULL, &diagnostic);
    damage->read += code == STATUS_OK && tokenizer;
    damage->other += code == STATUS_OK && !tokenizer;
    damage->refused += code != STATUS_OK;
    if (code != STATUS_OK && (code != STATUS_BAD_INPUT || strchr(diagnostic.text, '\n') ||
                              !strstr(diagnostic.text, damage->path)))
        CHECK_FAIL("%s '%s'", status_name(code), diagnostic.text);
    tokenizer_close(tokenizer);
    arena_destroy(arena);
}

static void damage_file(const char *original)
{
    static const char bytes[] = "0123456789abexyz_.,:{}[]()<>=!+-*/%\"' \\\n#\xff";
    struct damage damage = {0};
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    char *text;
    size_t count;
    assert_int_equal(scratch_create(damage.folder), 0);
    snprintf(damage.path, sizeof damage.path, "%s/tokenizer.json", damage.folder);
    CHECK_OK(file_read(original, 1 << 20, arena, &text, &count, &diagnostic));
    for (uint64_t i = 0; i < MUTANTS; i++) {
        /* Half of them within the first kilobyte, where all but tokens and merges is said. */
        size_t range = i % 2 ? count : 1024, at = (size_t)(random_bits(5, i, 0) % range);
        char old = text[at];
        text[at] = bytes[random_bits(5, i, 1) % (sizeof bytes - 1)];
        try_file(&damage, text, count);
        text[at] = old;
    }
    for (size_t end = 0; end < count; end += CUT) try_file(&damage, text, end);
    print_message("%ld read, %ld of another kind, %ld refused\n", damage.read, damage.other,
                  damage.refused);
    assert_true(damage.read > 100 && damage.other > 10 && damage.refused > 1000);
    assert_int_equal(scratch_remove(damage.folder), 0);
    arena_destroy(arena);
}

static void damaged_files(void **state)
{
    (void)state;
    damage_file(ORIGINALS "llama-bpe/tokenizer.json");
    damage_file(ORIGINALS "sentencepiece/tokenizer.json");
    damage_file(ORIGINALS "unigram/tokenizer.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(damaged_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
