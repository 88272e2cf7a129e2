/* Generation: prompts in, tokens out, for one or several sequences side by side. */
#ifndef ENGINE_GENERATE_H
#define ENGINE_GENERATE_H

#include "engine/engine.h"
#include "engine/sampler.h"

struct generation_request {
    const int32_t *prompt;
    int64_t prompt_count;
    int64_t tokens; /* most new tokens */
    struct sampling sampling;
    uint64_t stream;          /* tells requests with one seed apart */
    const char *const *stops; /* NULL-terminated texts that end generation; may be NULL */
    bool ignore_end;          /* go on after the model's end token */
    const int *
        sequence; /* one that holds the first tokens of the prompt already, and stays open; NULL: a new one */
};

enum generation_end {
    GENERATION_LENGTH,
    GENERATION_END_TOKEN,
    GENERATION_STOP_TEXT,
    GENERATION_INTERRUPTED
};

/* Owned by the arena given to generate. */
struct generation_result {
    int32_t *tokens; /* new ones, without the end token */
    int64_t count;
    const char *text; /* NULL without a tokenizer */
    size_t text_length;
    enum generation_end end;
};

struct generation_times {
    double prefill_seconds, first_token_seconds, decode_seconds;
    int64_t prompt_tokens, decode_tokens; /* decode: without the first of each request */
};

/* Called with whole UTF-8 characters as they come; text that might become a stop text is held back. */
typedef void generation_sink(void *context, int request, const char *text, size_t length);

CHECKED status generate(struct engine *engine, const struct generation_request *requests, int count,
                        generation_sink *sink, void *sink_context, const struct progress *progress,
                        struct arena *arena, struct generation_result *results,
                        struct generation_times *times, struct diagnostic *diagnostic);

#endif
