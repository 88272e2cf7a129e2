/* What the files of the tokenizer share.
 *
 * Text is matched in the form in which tokens are printed, so one copy of the vocabulary serves
 * both ways: byte BPE tokens are decoded from GPT-2's alphabet, and SentencePiece's U+2581 is kept
 * as the space that it stands for. */
#ifndef MODELS_TOKENIZER_INTERNAL_H
#define MODELS_TOKENIZER_INTERNAL_H

#include "models/tokenizer.h"
#include "models/tokenizer_pretokenize.h"
#include "models/tokenizer_special.h"
#include "models/tokenizer_steps.h"
#include "models/tokenizer_unigram.h"

#include <inttypes.h>

/* SentencePiece's stand-in for the space, U+2581. */
#define SPACE_MARK "\xe2\x96\x81"
enum { SPACE_MARK_BYTES = 3, BYTE_COUNT = 256 };

/* Token ids by their bytes: open addressing, at most half full. */
struct token_table {
    int32_t *ids; /* [mask + 1], -1: free */
    uint64_t mask;
};

/* What a pair of neighbours becomes, and how early. */
struct merge {
    uint64_t pair; /* left id in the high half, right id in the low one */
    int32_t merged;
    uint32_t priority; /* 0: this place is free; the least is merged first */
};

struct merge_table {
    struct merge *merges; /* [mask + 1], at most two thirds full */
    uint64_t mask;
};

struct tokenizer {
    enum tokenizer_kind kind;
    int64_t count;
    const char *bytes;      /* of all tokens, one behind the other */
    const uint32_t *starts; /* [count + 1], into bytes */
    const uint8_t *types;   /* [count] */
    size_t longest;         /* bytes of the longest token in the table */
    struct token_table table;
    struct unigram unigram;
    struct text_steps steps;
    struct spacing spacing;
    struct merge_table merges;  /* byte BPE */
    const uint32_t *priorities; /* SentencePiece: [count], from scores; the least is merged first */
    int32_t byte_tokens[BYTE_COUNT]; /* -1: none */
    struct special_tokens special;
    struct pretokenizer pretokenizer; /* byte BPE */
    int64_t bos, eos, unknown;
    int64_t ends[TOKENIZER_ENDS_MAX];
    int end_count;
    bool add_bos, add_space_prefix;
};

/* What loading a vocabulary found strange but not wrong. */
struct tokenizer_oddities {
    int64_t duplicate_tokens, duplicate_merges;
    int64_t first_token, first_merge; /* the first of each */
};

static inline const char *token_text(const struct tokenizer *tokenizer, int64_t id, size_t *length)
{
    *length = tokenizer->starts[id + 1] - tokenizer->starts[id];
    return tokenizer->bytes + tokenizer->starts[id];
}

/* tokenizer_vocabulary.c: the tokens' bytes, types and the table. */
CHECKED status tokenizer_load_tokens(const struct tokenizer_source *source, struct arena *arena,
                                     struct tokenizer *tokenizer,
                                     struct tokenizer_oddities *oddities,
                                     struct diagnostic *diagnostic);
int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *bytes, size_t length);

/* tokenizer_merges.c: byte BPE's list of merges. */
CHECKED status tokenizer_load_merges(const struct tokenizer_source *source, struct arena *arena,
                                     struct tokenizer *tokenizer,
                                     struct tokenizer_oddities *oddities,
                                     struct diagnostic *diagnostic);
const struct merge *tokenizer_find_merge(const struct tokenizer *tokenizer, int32_t left,
                                         int32_t right);

#endif
