/* Growing text in an arena, for everything that is printed or generated.  The error is sticky:
 * after a failed allocation appending does nothing and text_finish returns NULL, so emitters need
 * no checks. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>

struct text {
    struct arena *arena;
    char *bytes; /* always ends with a zero byte once anything was appended */
    size_t length, capacity;
    bool failed;
};

void text_append(struct text *text, const char *string);
void text_append_range(struct text *text, const char *bytes, size_t length);
void text_print(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
void text_print_arguments(struct text *text, const char *format, va_list arguments);
/* "" when nothing was appended, NULL when memory was out. */
const char *text_finish(struct text *text);

/* "did you mean": the nearest of `names` (NULL-terminated) within two edits (one for words of up to
 * three letters), or NULL. */
const char *text_nearest(const char *word, const char *const *names);

/* "1.5 GiB", "384 KiB"; into `buffer`, which is returned. */
const char *text_bytes(double bytes, char buffer[static 32]);
/* "1.2 ms", "3.4 s", "2 min 5 s". */
const char *text_seconds(double seconds, char buffer[static 32]);

/* Plain decimal numbers only: the whole string must be used.  "24GiB", "512KiB", "100" are bytes.
 */
bool text_to_integer(const char *string, int64_t *value);
bool text_to_real(const char *string, double *value);
bool text_to_bytes(const char *string, uint64_t *bytes);

#endif
