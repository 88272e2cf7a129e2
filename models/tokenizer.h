/* Tokenizers, as GGUF carries them: byte-level BPE (GPT-2 style: merges, pre-tokenizing with PCRE2),
 * SentencePiece-style BPE (scores, byte fallback), and SentencePiece's unigram model.
 *
 * A tokenizer never changes after it was made: any number of threads may use it. */
#ifndef MODELS_TOKENIZER_H
#define MODELS_TOKENIZER_H

#include "base/arena.h"
#include "base/progress.h"

#include <stdint.h>

struct tokenizer;

enum tokenizer_kind { TOKENIZER_BYTE_BPE, TOKENIZER_SENTENCEPIECE, TOKENIZER_UNIGRAM };

/* What a token that is looked for in the text asks of what stands around it. */
enum token_trim {
    TRIM_LEFT = 1,  /* white space in front of it goes */
    TRIM_RIGHT = 2, /* and behind it */
    TRIM_WORD = 4,  /* it counts only where no letter, digit or underscore touches it */
    TRIM_APART = 8, /* it is no part of the model's vocabulary: nothing is merged into it */
};

/* How text of SentencePiece's kinds is spaced. */
struct spacing {
    bool unless_there; /* no space in front of a text that begins with one */
    bool first_only;   /* a space only in front of the whole text, not behind special tokens */
    bool collapses;    /* runs of spaces are one, and those at the ends go */
    bool any_white;    /* all white space is a space */
    bool cuts;         /* each space begins a piece, and no token reaches over pieces */
};

struct text_steps;

/* The numbers are those of GGUF files. */
enum token_type {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN,
    TOKEN_CONTROL,
    TOKEN_USER_DEFINED,
    TOKEN_UNUSED,
    TOKEN_BYTE
};

enum {
    TOKENS_MAX = 1 << 20, /* four times the largest vocabulary known */
    MERGES_MAX = 1 << 22,
    TOKEN_BYTES_MAX = 4096,        /* of one token; the longest known have 512 */
    SPECIAL_BYTES_MAX = 256,       /* of a token that is looked for in the text itself */
    TOKENIZER_TEXT_MAX = 64 << 20, /* bytes of one text to encode; takes up to 4 GiB of memory */
    TOKENIZER_ENDS_MAX = 16,       /* tokens that end a turn */
};

/* What a model file says of its tokenizer; text is UTF-8, lengths in bytes.  Borrowed by
 * tokenizer_create until it returns. */
struct tokenizer_source {
    const char *file; /* for messages */
    enum tokenizer_kind kind;
    const char *pre; /* a name in models/pretokenizers.def; byte BPE only */
    const unsigned
        *pre_flags; /* COMPOSE and WHOLE of enum pretokenizer_flags; NULL: those of `pre` */
    int64_t token_count;
    const char *const *tokens;
    const int32_t *token_lengths;
    const float *scores;            /* SentencePiece's kinds only, and needed there */
    const double *exact_scores;     /* unigram: in place of them, NULL or not */
    const uint8_t *trims;           /* bits of enum token_trim; may be NULL */
    const struct text_steps *steps; /* what is done to text first; may be NULL */
    struct spacing spacing;
    const int32_t *types; /* enum token_type; may be NULL: all normal */
    int64_t merge_count;
    const char *const *merges; /* "left right"; byte BPE only */
    const int32_t *merge_lengths;
    int64_t bos, eos, unknown;        /* -1: none */
    int64_t ends[TOKENIZER_ENDS_MAX]; /* further tokens that end a turn */
    int end_count;
    bool add_bos, add_space_prefix;
};

/* `progress` takes the warnings; it may be NULL.  Close the tokenizer before its arena goes. */
CHECKED status tokenizer_create(const struct tokenizer_source *source, struct arena *arena,
                                struct tokenizer **tokenizer, const struct progress *progress,
                                struct diagnostic *diagnostic);
void tokenizer_close(struct tokenizer *tokenizer); /* NULL is allowed */

/* Token ids of `text`, which may be any bytes.  User-defined tokens are always recognised in it;
 * `special`: the text of control tokens is, too (prompts written by the user of the command line:
 * yes; content from elsewhere: no).  `begin`: put bos in front if the model wants it.  An
 * end-of-sequence token is never added, since prompts are there to be continued. */
CHECKED status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                                bool begin, bool special, struct arena *arena, int32_t **ids,
                                int64_t *count, struct diagnostic *diagnostic);

/* The same for a text parts of which came from elsewhere: no control token is recognised that would reach over one of the
 * `barriers`, places in the text in rising order. */
struct tokenizer_text {
    const char *bytes;
    size_t length;
    bool begin, special;
    const size_t *barriers;
    size_t barrier_count;
};
CHECKED status tokenizer_encode_text(const struct tokenizer *tokenizer,
                                     const struct tokenizer_text *text, struct arena *arena,
                                     int32_t **ids, int64_t *count, struct diagnostic *diagnostic);

/* Where the first control token's text begins, from `from` on, and its length; `length` if there is none. */
size_t tokenizer_find_control(const struct tokenizer *tokenizer, const char *text, size_t length,
                              size_t from, size_t *token_length);
/* The text of a token as the vocabulary has it; "" for none. */
const char *tokenizer_text_of(const struct tokenizer *tokenizer, int64_t id, size_t *length);

/* The bytes of one token; control tokens and numbers that are no token give nothing.  Not
 * necessarily whole UTF-8 characters. */
const char *tokenizer_bytes(const struct tokenizer *tokenizer, int64_t id, size_t *length);

/* The text of `ids`, without the space that encoding puts in front.  `text` ends with a zero. */
CHECKED status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids,
                                int64_t count, struct arena *arena, char **text, size_t *length,
                                struct diagnostic *diagnostic);

/* For streams of token bytes, so that only whole UTF-8 characters are printed: how many of the
 * `pending` bytes may go out now.  What stays is the start of a character, at most three bytes. */
size_t tokenizer_printable(const char *pending, size_t pending_length);

int64_t tokenizer_count(const struct tokenizer *tokenizer);
int64_t tokenizer_bos(const struct tokenizer *tokenizer);           /* -1: none */
int64_t tokenizer_eos(const struct tokenizer *tokenizer);           /* -1: none */
bool tokenizer_ends(const struct tokenizer *tokenizer, int64_t id); /* eos or end of a turn */

#endif
