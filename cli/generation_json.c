/* What was generated, as JSON. */
#include "cli/generation_json.h"

#include "cli/json_text.h"

/* The last token may end within a character. */
json_t *generation_json(const struct generation_result *result, struct arena *arena)
{
    static const char *const ends[] = {"length", "end-token", "stop-text", "interrupted"};
    json_t *tokens = json_array();
    for (int64_t t = 0; t < result->count; t++)
        json_array_append_new(tokens, json_integer(result->tokens[t]));
    json_t *text = json_text(result->text ? result->text : "", result->text_length, arena);
    return json_pack("{s:o, s:o, s:s}", "text", text, "tokens", tokens, "end", ends[result->end]);
}
