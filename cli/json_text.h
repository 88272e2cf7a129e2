/* Text for JSON documents.  JSON holds whole UTF-8 only, while tokens may begin and end within a
 * character. */
#ifndef CLI_JSON_TEXT_H
#define CLI_JSON_TEXT_H

#include "base/arena.h"

#include <jansson.h>

/* A JSON string with U+FFFD for each byte that is no part of a character; NULL when memory is out.
 */
json_t *json_text(const char *bytes, size_t length, struct arena *arena);

#endif
