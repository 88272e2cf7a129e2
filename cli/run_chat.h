/* hone run --chat */
#ifndef CLI_RUN_CHAT_H
#define CLI_RUN_CHAT_H

#include "cli/command.h"

/* Refuses options that have no meaning together. */
CHECKED status chat_check_arguments(const struct arguments *arguments,
                                    struct diagnostic *diagnostic);
/* One turn with -p, else one for each line of standard input. */
CHECKED status chat_run(const struct arguments *arguments, struct console *console,
                        struct engine *engine, struct diagnostic *diagnostic);

#endif
