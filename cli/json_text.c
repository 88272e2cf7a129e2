/* JSON strings from bytes that may be no UTF-8. */
#include "cli/json_text.h"

#include "base/text.h"
#include "models/tokenizer_utf8.h"

json_t *json_text(const char *bytes, size_t length, struct arena *arena)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    struct text whole = {.arena = arena};
    for (size_t at = 0; at < length;) {
        size_t valid = utf8_valid(bytes + at, length - at);
        text_append_range(&whole, bytes + at, valid);
        at += valid;
        if (at == length) break;
        text_append(&whole, replacement);
        at++;
    }
    const char *finished = text_finish(&whole);
    return finished ? json_stringn(finished, whole.length) : NULL;
}
