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

/* Values as given; numbers that were not given are -1, texts NULL. */
struct arguments {
    enum command_id command;
    int positional_count;
    const char *positional[ARGUMENT_LIST_MAX];
    const char *devices, *cpu, *kv, *mla, *layer_map, *numerics, *variants, *models, *cache;
    const char *prompt, *token_ids, *logits, *op, *report, *output, *preset, *type, *kernel,
        *decode, *against;
    const char *probe, *held_out, *blocks, *ledger, *heat_map, *timeline;
    const char *system, *chat_template;
    const char *imatrix, *calibrate, *split, *stream, *record_routing, *slots;
    const char *strategy, *strategies, *format, *problem, *model, *propose, *variant, *name;
    const char *what_if, *machine, *capture, *from;
    const char *stops[ARGUMENT_LIST_MAX + 1], *rules[ARGUMENT_LIST_MAX + 1],
        *spaces[ARGUMENT_LIST_MAX + 1]; /* NULL-terminated */
    int64_t threads, context, sequences, chunk, tokens, top_k, seed, effort, layers, generate,
        repeat, rows, candidates, limit, top;
    double temperature, top_p, min_p, repetition_penalty, budget, race; /* times in seconds */
    bool references, deterministic, allow_unknown_keys, ignore_end, roofline, predict, show_graph,
        show_fused, show_plan, show_emulated, plain, chat, blind, shared, json, quiet, help;
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
