/* A conversation with a model: messages in, answers out, one sequence whose KV state is kept over the turns.
 *
 * Each turn renders the whole conversation; what the sequence holds already is not fed again, and where the rendering
 * changes what was said before (thoughts that are dropped, an answer that becomes other tokens), the sequence is cut back to
 * the beginning that both share. */
#ifndef ENGINE_CONVERSATION_H
#define ENGINE_CONVERSATION_H

#include "engine/generate.h"

struct conversation;

struct conversation_options {
    const char *system;        /* what the model is told first; NULL: nothing */
    const char *template_file; /* in place of the model's own template; NULL: that */
};

/* Fails where the model has no tokenizer or no template.  Close it before the engine. */
CHECKED status conversation_open(struct engine *engine, const struct conversation_options *options,
                                 struct conversation **conversation, struct diagnostic *diagnostic);
void conversation_close(struct conversation *conversation); /* NULL is allowed */

/* What a turn did, beside the answer. */
struct conversation_turn {
    struct generation_result result; /* in the arena given to conversation_say */
    struct generation_times times;
    int64_t prompt_count; /* tokens of the whole rendering */
    int64_t fed_count;    /* of them fed in this turn */
};

/* `text` is what the user says, UTF-8.  `request` gives sampling, stops and most new tokens (0: as many as fit); its prompt
 * and sequence are not read.  When a turn fails, the conversation is as before it. */
CHECKED status conversation_say(struct conversation *conversation, const char *text, size_t length,
                                const struct generation_request *request, generation_sink *sink,
                                void *sink_context, const struct progress *progress,
                                struct arena *arena, struct conversation_turn *turn,
                                struct diagnostic *diagnostic);

/* The rendering of any conversation, without feeding it: `messages`, `tools` and `variables` are JSON texts, the latter two
 * NULL or not; `chat_template` is a template's text, NULL: the model's.  `ids` may be NULL. */
struct conversation_text {
    const char *chat_template, *messages, *tools, *variables;
    bool no_generation_prompt;
};
CHECKED status conversation_render(const struct engine *engine,
                                   const struct conversation_text *conversation,
                                   struct arena *arena, char **text, size_t *length, int32_t **ids,
                                   int64_t *count, struct diagnostic *diagnostic);

#endif
