/* The rows of cli/options.def as a table. */
#ifndef CLI_OPTION_TABLE_H
#define CLI_OPTION_TABLE_H

#include <stddef.h>

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_PROMPT,
    OPTION_INTEGER,
    OPTION_REAL,
    OPTION_DURATION,
    OPTION_LIST
};

struct option_row {
    const char *name, *argument, *help;
    enum option_kind kind;
    size_t offset;     /* into struct arguments */
    unsigned commands; /* bit per command */
};

extern const struct option_row option_table[]; /* ends with a NULL name */

#endif
