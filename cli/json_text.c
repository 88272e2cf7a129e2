/* JSON strings from bytes that may be no UTF-8. */
#include "cli/json_text.h"

#include "models/tokenizer_utf8.h"

json_t *json_text(const char *bytes, size_t length, struct arena *arena)
{
    struct text whole = {.arena = arena};
    utf8_append(&whole, bytes, length);
    const char *finished = text_finish(&whole);
    return finished ? json_stringn(finished, whole.length) : NULL;
}
