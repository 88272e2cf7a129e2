/* What a command's file defines, and what they share. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/arguments.h"
#include "cli/console.h"
#include "engine/engine.h"

#define COMMAND(name, positional, help)                                                       \
    CHECKED status command_##name(const struct arguments *, struct console *, struct arena *,      \
                                  struct diagnostic *);
#include "cli/commands.def"
#undef COMMAND

/* The positional argument number `index`, or STATUS_USAGE naming it. */
CHECKED status command_positional(const struct arguments *arguments, int index, const char *what,
                                  const char **value, struct diagnostic *diagnostic);

/* The engine's options from the command line. */
CHECKED status command_engine_options(const struct arguments *arguments, struct console *console,
                                      struct engine_options *options,
                                      struct diagnostic *diagnostic);

static inline int64_t given_or(int64_t value, int64_t otherwise)
{
    return value >= 0 ? value : otherwise;
}

static inline double real_or(double value, double otherwise)
{
    return value >= 0 ? value : otherwise;
}

#endif
