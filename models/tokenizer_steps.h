/* What is done to text before it becomes tokens, step by step, as tokenizer.json lists it. */
#ifndef MODELS_TOKENIZER_STEPS_H
#define MODELS_TOKENIZER_STEPS_H

#include "base/arena.h"

#include <stdint.h>

enum text_step_kind {
    STEP_FORM,          /* a normalisation form: compatible, composed */
    STEP_LOWER,         /* lower case */
    STEP_STRIP_ACCENTS, /* marks go */
    STEP_REPLACE,       /* `from` by `to` */
    STEP_COLLAPSE,      /* two or more spaces by `to` */
    STEP_PREPEND,       /* `to` in front, unless there is nothing */
    STEP_STRIP,         /* white space at the ends: left, right */
    STEP_CHARSMAP, /* SentencePiece's table; whole characters with their marks first if `clusters` */
};

/* SentencePiece's precompiled map: a double-array trie of texts, and what replaces them. */
struct charsmap {
    const uint8_t *trie; /* units of 4 bytes, little endian */
    uint32_t unit_count;
    const char *texts; /* each ends with a zero; the last byte is one */
    size_t text_bytes;
};

struct text_step {
    enum text_step_kind kind;
    bool compatible, composed, left, right, clusters;
    const char *from, *to;
    struct charsmap map;
};

enum { TEXT_STEPS_MAX = 16, STEPS_GROWTH_MAX = 32 /* output bytes per input byte */ };

struct text_steps {
    struct text_step steps[TEXT_STEPS_MAX];
    int count;
};

bool character_is_space(uint32_t character); /* Unicode's White_Space */

/* `text` is whole UTF-8, and so is the result, which is `text` itself or lies in the arena. */
CHECKED status text_steps_run(const struct text_steps *steps, const char *text, size_t length,
                              struct arena *arena, const char **result, size_t *result_length,
                              struct diagnostic *diagnostic);

/* Reads the map's head; false where it is damaged.  Nothing is copied. */
bool charsmap_open(const uint8_t *bytes, size_t byte_count, struct charsmap *map);

/* The longest text of the map that `text` begins with, or the shortest: its bytes, 0 if there is none. */
size_t charsmap_find(const struct charsmap *map, const char *text, size_t length, bool longest,
                     const char **replacement);

#endif
