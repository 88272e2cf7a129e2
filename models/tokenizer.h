/* Tokenizers, as GGUF carries them: byte-level BPE (GPT-2 style, merges, PCRE2 pre-tokenizing) and SentencePiece-style
 * (scores, byte fallback). */
#ifndef MODELS_TOKENIZER_H
#define MODELS_TOKENIZER_H

#include "base/arena.h"

#include <stdint.h>

struct tokenizer;

enum tokenizer_kind { TOKENIZER_BYTE_BPE, TOKENIZER_SENTENCEPIECE };
enum token_type { TOKEN_NORMAL = 1, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED, TOKEN_BYTE };

/* What a model file says of its tokenizer; text is UTF-8, lengths in bytes.  Borrowed by tokenizer_create until it
 * returns. */
struct tokenizer_source {
    const char *file; /* for messages */
    enum tokenizer_kind kind;
    const char *pre; /* "gpt-2", "llama-bpe", "qwen2"; byte BPE only */
    int64_t token_count;
    const char *const *tokens;
    const int32_t *token_lengths;
    const float *scores;      /* SentencePiece; may be NULL */
    const int32_t *types;     /* may be NULL: all normal */
    int64_t merge_count;
    const char *const *merges; /* "left right" */
    int64_t bos, eos, unknown; /* -1: none */
    bool add_bos, add_eos, add_space_prefix;
};

CHECKED status tokenizer_create(const struct tokenizer_source *source, struct arena *arena,
                                struct tokenizer **tokenizer, struct diagnostic *diagnostic);

/* Token ids of `text`.  `special`: the text of control tokens is recognised (prompts written by the user of the command
 * line: yes; content from elsewhere: no).  `begin`: put bos in front if the model wants it. */
CHECKED status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                                bool begin, bool special, struct arena *arena, int32_t **ids,
                                int64_t *count, struct diagnostic *diagnostic);

/* The bytes of one token; control tokens give nothing.  Not necessarily whole UTF-8 characters. */
const char *tokenizer_bytes(const struct tokenizer *tokenizer, int64_t id, size_t *length);
CHECKED status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, int64_t count,
                                struct arena *arena, char **text, size_t *length,
                                struct diagnostic *diagnostic);

/* Splits a stream of token bytes so that only whole UTF-8 characters are printed: appends `bytes` to the pending ones and
 * returns how many of `pending` (now `*pending_length`) may be printed. */
size_t tokenizer_printable(const char *pending, size_t pending_length);

int64_t tokenizer_count(const struct tokenizer *tokenizer);
int64_t tokenizer_bos(const struct tokenizer *tokenizer); /* -1: none */
int64_t tokenizer_eos(const struct tokenizer *tokenizer);
bool tokenizer_ends(const struct tokenizer *tokenizer, int64_t id); /* eos, or another end-of-turn token */

#endif
