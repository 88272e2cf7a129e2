/* The actions of `hone store`, which its files share. */
#ifndef CLI_STORE_ACTIONS_H
#define CLI_STORE_ACTIONS_H

#include "cli/command.h"
#include "tuner/store.h"

struct store_run {
    const struct arguments *arguments;
    struct console *console;
    struct arena *arena;
    struct store *store; /* NULL for actions on files alone */
};

typedef status store_action(struct store_run *run, struct diagnostic *diagnostic);

/* store_packs.c */
store_action store_run_export, store_run_import, store_run_merge;
/* Opens the packs that are named behind the action; what was opened is closed by the caller, also after a failure. */
CHECKED status store_open_two(struct store_run *run, const char *what, struct store *stores[2],
                              struct diagnostic *diagnostic);

store_action store_run_diff;   /* store_diff.c */
store_action store_run_verify; /* store_verify.c */
store_action store_run_gc;     /* store_gc.c */

#endif
