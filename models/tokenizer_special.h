/* The tokens that are looked for in the text itself, before it is cut into pieces: control tokens
 * like <|im_start|>, and tokens that a model's users have defined. */
#ifndef MODELS_TOKENIZER_SPECIAL_H
#define MODELS_TOKENIZER_SPECIAL_H

#include "base/status.h"

#include <stdint.h>

struct arena;
struct tokenizer;
struct tokenizer_oddities;

struct special_token {
    const char *text;
    int32_t length; /* bytes, at least 1 */
    int32_t id;
    bool control;  /* only recognised where control tokens are asked for */
    uint8_t trims; /* enum token_trim */
};

/* Sorted by text, so that those which go on alike stand together. */
struct special_tokens {
    struct special_token *tokens;
    int32_t count;
    int32_t first[257]; /* those that start with byte b: first[b] to before first[b + 1] */
};

/* Collects them from the tokens that are loaded. */
CHECKED status special_tokens_load(struct tokenizer *tokenizer, const char *file,
                                   const uint8_t *trims, struct arena *arena,
                                   struct tokenizer_oddities *oddities,
                                   struct diagnostic *diagnostic);

/* Whether the token, found at `at`, counts there, by the letters around it. */
bool special_token_stands(const struct special_token *token, const char *text, size_t length,
                          size_t at);
/* White space at the end, or the beginning, of a text: bytes. */
size_t special_space_before(const char *text, size_t length);
size_t special_space_behind(const char *text, size_t length);

/* The first place from `from` on where one begins, and the longest one that begins there; `length`
 * and NULL when there is none. */
size_t special_tokens_search(const struct special_tokens *special, const char *text, size_t length,
                             size_t from, bool control, const struct special_token **found);

#endif
