/* What a command's file defines, and what they share. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "cli/arguments.h"
#include "cli/console.h"
#include "engine/engine.h"
#include "engine/sampler.h"

#define COMMAND(name, positional, help)                                                            \
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

/* What --temperature, --top-k and their like ask for; and so how many of the largest logits to find on the device. */
struct sampling command_sampling(const struct arguments *arguments);
int64_t command_largest(const struct arguments *arguments);

static inline int64_t given_or(int64_t value, int64_t otherwise)
{
    return value >= 0 ? value : otherwise;
}

static inline double real_or(double value, double otherwise)
{
    return value >= 0 ? value : otherwise;
}

#endif
