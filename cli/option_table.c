/* The table made from cli/options.def, and what is printed from it: help, man page, completions. */
#include "cli/option_table.h"

#include "cli/arguments.h"

#include <stdio.h>
#include <string.h>

#define FOR(command) (1u << COMMAND_##command)
#define EVERYWHERE   ((1u << COMMAND_COUNT) - 1u)

const struct option_row option_table[] = {
#define OPTION(name, kind, field, argument, commands, help)                                        \
    {#name, argument, help, OPTION_##kind, offsetof(struct arguments, field), commands},
#include "cli/options.def"
#undef OPTION
    {0}};

struct command_row {
    const char *name, *positional, *help;
};

static const struct command_row command_rows[] = {
#define COMMAND(name, positional, help) {#name, positional, help},
#include "cli/commands.def"
#undef COMMAND
};

static void print_all_commands(struct text *text)
{
    text_append(text,
                "Hone tunes, compiles and runs language models on the hardware that is here.\n\n"
                "usage: hone COMMAND ...\n\n");
    for (int c = 0; c < COMMAND_COUNT; c++)
        text_print(text, "  %-9s %-18s %s\n", command_rows[c].name, command_rows[c].positional,
                   command_rows[c].help);
    text_append(text, "\n`hone COMMAND --help` lists the options of a command.  Data goes to "
                      "standard output, progress\n"
                      "to standard error.  Exit status: 0 done, 1 failed, 2 usage, 3 bad input "
                      "file, 4 device or\n"
                      "driver, 5 out of memory, 6 a check failed, 130 interrupted.\n");
}

void arguments_print_help(enum command_id command, struct text *text)
{
    if (command == COMMAND_COUNT) {
        print_all_commands(text);
        return;
    }
    const struct command_row *row = &command_rows[command];
    text_print(text, "usage: hone %s%s%s [options]\n\n%s\n\n", row->name,
               *row->positional ? " " : "", row->positional, row->help);
    for (const struct option_row *option = option_table; option->name; option++) {
        if (!(option->commands & (1u << command))) continue;
        char left[64];
        snprintf(left, sizeof left, "--%s %s", option->name,
                 option->argument ? option->argument : "");
        text_print(text, "  %-26s %s\n", left, option->help);
    }
}

void arguments_print_man_page(struct text *text)
{
    text_append(
        text, ".TH HONE 1\n.SH NAME\nhone \\- tune, compile and run language models\n.SH SYNOPSIS\n"
              ".B hone\n.I COMMAND\n[options]\n.SH COMMANDS\n");
    for (int c = 0; c < COMMAND_COUNT; c++)
        text_print(text, ".TP\n.B %s %s\n%s\n", command_rows[c].name, command_rows[c].positional,
                   command_rows[c].help);
    text_append(text, ".SH OPTIONS\n");
    for (const struct option_row *option = option_table; option->name; option++) {
        text_print(text, ".TP\n.B \\-\\-%s %s\n%s (", option->name,
                   option->argument ? option->argument : "", option->help);
        const char *separator = "";
        for (int c = 0; c < COMMAND_COUNT; c++) {
            if (!(option->commands & (1u << c))) continue;
            text_print(text, "%s%s", separator, command_rows[c].name);
            separator = ", ";
        }
        text_append(text, ")\n");
    }
    text_append(text, ".SH EXIT STATUS\n0 done, 1 failed, 2 usage, 3 bad input file, 4 device or "
                      "driver, 5 out of "
                      "memory, 6 a check failed, 130 interrupted.\n");
}

static void print_words(struct text *text, int command)
{
    for (const struct option_row *option = option_table; option->name; option++)
        if (command < 0 || (option->commands & (1u << command)))
            text_print(text, " --%s", option->name);
}

static void print_commands(struct text *text)
{
    for (int c = 0; c < COMMAND_COUNT; c++)
        text_print(text, "%s%s", c ? " " : "", command_rows[c].name);
}

static void print_bash(struct text *text)
{
    text_append(text, "_hone() {\n  local word=${COMP_WORDS[COMP_CWORD]}\n"
                      "  if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W \"");
    print_commands(text);
    text_append(text, "\" -- \"$word\")); return; fi\n  case ${COMP_WORDS[1]} in\n");
    for (int c = 0; c < COMMAND_COUNT; c++) {
        text_print(text, "  %s) [[ $word == -* ]] && COMPREPLY=($(compgen -W \"",
                   command_rows[c].name);
        print_words(text, c);
        text_append(text, "\" -- \"$word\")) ;;\n");
    }
    text_append(text, "  esac\n}\ncomplete -o default -F _hone hone\n");
}

static void print_zsh(struct text *text)
{
    text_append(text, "#compdef hone\nif (( CURRENT == 2 )); then compadd ");
    print_commands(text);
    text_append(text, "; return; fi\ncase $words[2] in\n");
    for (int c = 0; c < COMMAND_COUNT; c++) {
        text_print(text, "%s) compadd --", command_rows[c].name);
        print_words(text, c);
        text_append(text, "; _files ;;\n");
    }
    text_append(text, "esac\n");
}

static void print_fish(struct text *text)
{
    for (int c = 0; c < COMMAND_COUNT; c++)
        text_print(text, "complete -c hone -n __fish_use_subcommand -a %s -d '%s'\n",
                   command_rows[c].name, command_rows[c].help);
    for (const struct option_row *option = option_table; option->name; option++) {
        text_append(text, "complete -c hone -n '__fish_seen_subcommand_from");
        for (int c = 0; c < COMMAND_COUNT; c++)
            if (option->commands & (1u << c)) text_print(text, " %s", command_rows[c].name);
        text_print(text, "' -l %s%s\n", option->name, option->argument ? " -r" : "");
    }
}

bool arguments_print_completion(const char *shell, struct text *text)
{
    if (strcmp(shell, "bash") == 0)
        print_bash(text);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(text);
    else if (strcmp(shell, "fish") == 0)
        print_fish(text);
    else
        return false;
    return true;
}
