/* Cutting text into pieces, within which bytes are merged into tokens (byte BPE only). */
#ifndef MODELS_TOKENIZER_PRETOKENIZE_H
#define MODELS_TOKENIZER_PRETOKENIZE_H

#include "base/arena.h"

#include <stdint.h>

enum pretokenizer_flags {
    PRETOKENIZE_COMPOSE = 1, /* bring text into normalisation form C first */
    PRETOKENIZE_WHOLE = 2,   /* take a piece that is a token as it is */
    PRETOKENIZE_BEGIN = 4,   /* put a begin token in front by default */
    PRETOKENIZE_GUESS = 8,   /* made for no model */
};

enum { PRETOKENIZER_STAGES_MAX = 4 };

struct pretokenizer {
    unsigned flags;
    int stage_count;
    void *stages[PRETOKENIZER_STAGES_MAX]; /* compiled patterns */
};

/* False when no pre-tokenizer has this name; `flags` may be NULL. */
bool pretokenizer_known(const char *name, unsigned *flags);

/* The first one that cuts by these patterns; NULL: none does. */
const char *pretokenizer_match(const char *const *patterns, int count);

/* `file` is for messages.  Close it also after a failure. */
CHECKED status pretokenizer_create(const char *name, const char *file, struct arena *arena,
                                   struct pretokenizer *pretokenizer,
                                   struct diagnostic *diagnostic);
void pretokenizer_close(struct pretokenizer *pretokenizer);

/* What matching needs for the time of one text; lies in the arena. */
struct pretokenizer_matcher {
    struct arena *arena;
    void *context, *data;
};

CHECKED status pretokenizer_matcher_create(struct arena *arena,
                                           struct pretokenizer_matcher *matcher,
                                           struct diagnostic *diagnostic);

/* Where the pieces of `text`, which is whole UTF-8, end; the last end is `length`.  `ends` lies in
 * the matcher's arena. */
CHECKED status pretokenizer_cut(const struct pretokenizer *pretokenizer,
                                struct pretokenizer_matcher *matcher, const char *text,
                                size_t length, const uint32_t **ends, size_t *count,
                                struct diagnostic *diagnostic);

#endif
