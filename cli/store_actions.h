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

#endif
