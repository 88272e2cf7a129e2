/* The command line as a struct.  The table cli/options.def makes the parser, the help, the man page and completions. */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdint.h>

enum command_id {
#define COMMAND(name, positional, help) COMMAND_##name,
#include "cli/commands.def"
#undef COMMAND
    COMMAND_COUNT
};

enum { ARGUMENT_LIST_MAX = 16 };

/* What an option's field is.  Numbers that were not given are -1, texts NULL; times are in seconds, lists end with NULL. */
#define FIELD_FLAG(field)     bool field;
#define FIELD_TEXT(field)     const char *field;
#define FIELD_PROMPT(field)   const char *field;
#define FIELD_INTEGER(field)  int64_t field;
#define FIELD_REAL(field)     double field;
#define FIELD_DURATION(field) double field;
#define FIELD_LIST(field)     const char *field[ARGUMENT_LIST_MAX + 1];

/* Values as given, a field per option. */
struct arguments {
    enum command_id command;
    int positional_count;
    const char *positional[ARGUMENT_LIST_MAX];
#define OPTION(name, kind, field, argument, commands, help) FIELD_##kind(field)
#include "cli/options.def"
#undef OPTION
};

CHECKED status arguments_parse(int count, char **words, struct arguments *arguments,
                               struct diagnostic *diagnostic);

const char *command_name(enum command_id command);

/* Help of one command, or of all when `command` is COMMAND_COUNT. */
void arguments_print_help(enum command_id command, struct text *text);
void arguments_print_man_page(struct text *text);
/* "bash", "zsh" or "fish"; false when unknown. */
bool arguments_print_completion(const char *shell, struct text *text);

/* "1,15,27" */
CHECKED status arguments_parse_ids(const char *list, struct arena *arena, int32_t **ids,
                                   int64_t *count, struct diagnostic *diagnostic);
#endif
