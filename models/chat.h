/* From a conversation to a prompt: the chat template is rendered, and its text becomes tokens.
 *
 * What the messages say stays what they say: the text of a control token within them is text, never that token, so nobody
 * ends another's turn by writing its end. */
#ifndef MODELS_CHAT_H
#define MODELS_CHAT_H

#include "models/template.h"
#include "models/tokenizer.h"

struct chat_prompt {
    const struct template *template;
    const struct tokenizer *tokenizer;
    json_t *messages;          /* [{"role", "content", ...}] */
    json_t *tools;             /* a list, or NULL */
    json_t *variables;         /* further ones, an object, or NULL */
    bool no_generation_prompt; /* the last message is whole: nothing invites an answer */
    int64_t now;               /* seconds since 1970 */
};

/* The text, and its tokens; `ids` may be NULL. */
CHECKED status chat_render(const struct chat_prompt *prompt, struct arena *arena, char **text,
                           size_t *length, int32_t **ids, int64_t *count,
                           struct diagnostic *diagnostic);

#endif
