/* What the files that read tokenizer.json share (internal). */
#ifndef MODELS_TOKENIZER_JSON_H
#define MODELS_TOKENIZER_JSON_H

#include "models/model_source.h"
#include "models/tokenizer.h"
#include "models/tokenizer_steps.h"

#include <jansson.h>
#include <string.h>

struct tokenizer_json {
    struct model_source *model;
    const char *file; /* tokenizer.json */
    json_t *root;
    struct arena *arena;
    struct diagnostic *diagnostic;
    struct tokenizer_source source; /* what is filled in */
    unsigned pre_flags;
    struct text_steps steps;
};

/* "FILE: WHERE: reason"; BAD_INPUT is damage, UNSUPPORTED another kind of tokenizer. */
#define JSON_REFUSE(reading, code, where, format, ...)                                             \
    fail((reading)->diagnostic, STATUS_##code, "%.500s: %s: " format, (reading)->file, (where),    \
         __VA_ARGS__)

/* The text at `key`; "" when it is absent or no text. */
static inline const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "<0x0A>" */
static inline bool json_is_byte_token(const char *text)
{
    return strlen(text) == 6 && !strncmp(text, "<0x", 3) && text[5] == '>';
}

/* tokenizer_json_pieces.c: normalizer and pre-tokenizer become source.pre and its flags. */
CHECKED status tokenizer_json_pieces(struct tokenizer_json *reading);
/* tokenizer_json_marks.c: all of a vocabulary of SentencePiece's kind. */
CHECKED status tokenizer_json_marks(struct tokenizer_json *reading);
/* tokenizer_json_unigram.c: all of a unigram vocabulary. */
CHECKED status tokenizer_json_unigram(struct tokenizer_json *reading);
/* tokenizer_json_steps.c: a normalizer becomes source.steps; Metaspace becomes source.spacing. */
CHECKED status tokenizer_json_steps(struct tokenizer_json *reading, const json_t *normalizer);
CHECKED status tokenizer_json_metaspace(struct tokenizer_json *reading,
                                        const json_t *pre_tokenizer);
/* tokenizer_json_vocabulary.c: tokens, types and merges; or only the added tokens, beside a vocabulary that was read. */
CHECKED status tokenizer_json_vocabulary(struct tokenizer_json *reading);
CHECKED status tokenizer_json_added(struct tokenizer_json *reading);

#endif
