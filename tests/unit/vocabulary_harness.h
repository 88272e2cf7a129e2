/* Vocabularies put together token by token, for tests of the tokenizer. */
#ifndef TESTS_UNIT_VOCABULARY_HARNESS_H
#define TESTS_UNIT_VOCABULARY_HARNESS_H

#include "base/text.h"
#include "models/tokenizer.h"

enum { VOCABULARY_TOKENS_MAX = 1 << 17 };

struct vocabulary {
    struct arena *arena;
    struct tokenizer_source source; /* its lists are those below */
    const char **tokens, **merges;
    int32_t *lengths, *types, *merge_lengths;
    float *scores;
    struct progress progress; /* takes the warnings */
    struct text warnings;
    struct tokenizer *tokenizer;
};

/* Byte BPE: the 256 tokens of single bytes, in the order of the bytes.  SentencePiece: <unk>, <s>,
 * </s>, and the 256 byte tokens. */
void vocabulary_start(struct vocabulary *vocabulary, enum tokenizer_kind kind, const char *pre);
void vocabulary_end(struct vocabulary *vocabulary);

/* The id of the new token. */
int32_t vocabulary_add(struct vocabulary *vocabulary, const char *text, enum token_type type,
                       float score);
void vocabulary_merge(struct vocabulary *vocabulary, const char *text); /* "left right" */

/* A normal token for what each merge makes, in their order: "h e", "he llo" ... */
void vocabulary_add_merged(struct vocabulary *vocabulary, const char *const *merges);

/* `byte` in the alphabet of byte-level vocabularies. */
const char *vocabulary_byte(struct vocabulary *vocabulary, int byte);

CHECKED status vocabulary_create(struct vocabulary *vocabulary, struct diagnostic *diagnostic);

enum { PLAIN = 0, BEGIN = 1, SPECIAL = 2 };

/* The tokens of `text`, as texts between '|'; a byte that is not printable is written \xHH. */
const char *vocabulary_encode(struct vocabulary *vocabulary, const char *text, int options);

#endif
