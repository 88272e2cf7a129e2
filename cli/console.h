/* What the command shows: data on standard output, a progress line and messages on standard error. */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include "base/arena.h"
#include "base/progress.h"

#include <jansson.h>

struct console {
    bool terminal, quiet, colour;
    bool line_shown;
    double last_shown_seconds, start_seconds;
    const char *stage;        /* of the progress line */
    struct progress progress; /* to be handed to the library */
};

/* Also installs the Ctrl-C handler: the first asks the library to stop, the second ends the process. */
void console_start(struct console *console, bool quiet);
void console_clear_line(struct console *console);
bool console_interrupted(void);

/* "hone: ..." on standard error. */
void console_error(struct console *console, const struct diagnostic *diagnostic);

/* Writes the document and a newline; takes the reference. */
CHECKED status console_print_json(json_t *document, struct diagnostic *diagnostic);
/* The same into a file, which appears when it is whole. */
CHECKED status console_write_json(const char *path, json_t *document,
                                  struct diagnostic *diagnostic);
/* Fails when standard output cannot take what was written. */
CHECKED status console_flush(struct diagnostic *diagnostic);

#endif
