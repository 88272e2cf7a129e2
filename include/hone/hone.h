/* Hone's C interface: open a model, feed tokens, read logits, generate text.
 *
 *     hone_engine *engine;
 *     char error[HONE_ERROR_BYTES];
 *     if (hone_open("model.gguf", NULL, &engine, error) != HONE_DONE) puts(error);
 *
 * Every function that can fail returns one of the codes below, the same numbers as the exit statuses of the command, and
 * writes one line for people into `error` (HONE_ERROR_BYTES bytes, or NULL).  An engine is used by one thread at a time;
 * several engines are independent.  Nothing is printed, nothing exits. */
#ifndef HONE_HONE_H
#define HONE_HONE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    HONE_DONE = 0,
    HONE_FAILED = 1,
    HONE_USAGE = 2,
    HONE_BAD_INPUT = 3,
    HONE_DEVICE = 4,
    HONE_NO_MEMORY = 5,
    HONE_CHECK_FAILED = 6,
    HONE_INTERRUPTED = 130
};

enum { HONE_ERROR_BYTES = 1024 };

typedef struct hone_engine hone_engine;

/* Zero or NULL means the default everywhere. */
typedef struct hone_options {
    const char *devices; /* "cpu", "virtual:2GiB,cpu" */
    const char *cpu;     /* instruction families: "native", "x86-64-v3", "portable" */
    const char *kv; /* type of the KV cache: "f16", "bf16", "f32", "q8_0", "q4_0", "q4_0,rotate" */
    const char *layer_map;    /* "0..51,45..79" */
    const char *cache_folder; /* records and compiled kernels; "": keep nothing */
    int threads;
    int64_t context;   /* tokens per sequence */
    int64_t sequences; /* side by side */
} hone_options;

const char *hone_version(void);

/* `path`: a GGUF file, a Hugging Face folder, or a plan made by `hone compile`. */
int hone_open(const char *path, const hone_options *options, hone_engine **engine, char *error);
void hone_close(hone_engine *engine);

int64_t hone_vocabulary(const hone_engine *engine);
int64_t hone_context(const hone_engine *engine); /* tokens that a sequence can hold */

/* Token ids of UTF-8 text, begin token included where the model wants one.  At most `capacity` are written; `count` is the
 * whole number, so a second call with more room gets them all. */
int hone_tokenize(hone_engine *engine, const char *text, size_t length, int32_t *tokens,
                  int64_t capacity, int64_t *count, char *error);
/* Conversations.  `messages` is a JSON list of objects with "role", "content" and whatever else the model's chat template
 * reads; zero or NULL elsewhere means the default. */
typedef struct hone_conversation {
    const char *messages;
    const char *tools;         /* a JSON list of function descriptions */
    const char *variables;     /* a JSON object: further variables for the template */
    const char *chat_template; /* a template in place of the model's own */
    int no_generation_prompt;  /* the last message is whole: nothing invites an answer */
} hone_conversation;

/* The prompt as the chat template prints it.  At most `capacity` bytes are written, a zero among them; `length` is the whole
 * number without it. */
int hone_chat_text(hone_engine *engine, const hone_conversation *conversation, char *text,
                   size_t capacity, size_t *length, char *error);
/* The same as tokens.  The text of a control token inside a message stays text. */
int hone_chat_tokens(hone_engine *engine, const hone_conversation *conversation, int32_t *tokens,
                     int64_t capacity, int64_t *count, char *error);

/* The bytes of one token, owned by the engine; not necessarily whole UTF-8 characters. */
const char *hone_token_bytes(const hone_engine *engine, int32_t token, size_t *length);
int hone_token_ends(const hone_engine *engine, int32_t token);

/* A sequence is a growing list of tokens with its KV state. */
int hone_sequence_open(hone_engine *engine, int *sequence, char *error);
int hone_sequence_fork(hone_engine *engine, int from, int *sequence, char *error);
void hone_sequence_truncate(hone_engine *engine, int sequence, int64_t length);
int64_t hone_sequence_length(const hone_engine *engine, int sequence);
void hone_sequence_close(hone_engine *engine, int sequence);

/* Appends tokens to a sequence.  `logits` receives f32[vocabulary] of the last token. */
int hone_feed(hone_engine *engine, int sequence, const int32_t *tokens, int64_t count,
              float *logits, char *error);

/* The same for several sequences in one step: tokens[i] is one token for sequences[i]; `logits` is
 * f32[count, vocabulary]. */
int hone_feed_batch(hone_engine *engine, const int *sequences, const int32_t *tokens, int count,
                    float *logits, char *error);

#ifdef __cplusplus
}
#endif

#endif
