/* hone: one table of commands (cli/commands.def), one file per command. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef status command_function(const struct arguments *, struct console *, struct arena *,
                                struct diagnostic *);

static command_function *const functions[COMMAND_COUNT] = {
#define COMMAND(name, positional, help) [COMMAND_##name] = command_##name,
#include "cli/commands.def"
#undef COMMAND
};

static status print(const struct text *text, struct diagnostic *diagnostic)
{
    struct text finished = *text;
    const char *bytes = text_finish(&finished);
    TRY_MEMORY(bytes, diagnostic);
    fputs(bytes, stdout);
    return console_flush(diagnostic);
}

/* `hone`, `hone help [COMMAND]`, `hone --version`, `hone completion SHELL`, `hone man`: answered without any library work. */
static status print_information(int count, char **words, struct arena *arena, bool *answered,
                                struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    const char *word = count > 1 ? words[1] : "help";
    *answered = true;
    if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
        text_append(&text, "hone " HONE_VERSION_TEXT "\n");
    } else if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 ||
               strcmp(word, "-h") == 0) {
        enum command_id command = COMMAND_COUNT;
        for (int c = 0; count > 2 && c < COMMAND_COUNT; c++)
            if (strcmp(command_name((enum command_id)c), words[2]) == 0)
                command = (enum command_id)c;
        arguments_print_help(command, &text);
    } else if (strcmp(word, "man") == 0) {
        arguments_print_man_page(&text);
    } else if (strcmp(word, "completion") == 0) {
        if (!arguments_print_completion(count > 2 ? words[2] : "", &text))
            return fail(diagnostic, STATUS_USAGE, "write `hone completion bash`, zsh or fish");
    } else {
        *answered = false;
        return STATUS_OK;
    }
    return print(&text, diagnostic);
}

static status run_command(int count, char **words, struct console *console, struct arena *arena,
                          struct diagnostic *diagnostic)
{
    bool answered;
    TRY(print_information(count, words, arena, &answered, diagnostic));
    if (answered) return STATUS_OK;
    struct arguments arguments;
    TRY(arguments_parse(count, words, &arguments, diagnostic));
    console->quiet = arguments.quiet;
    if (arguments.help) {
        struct text text = {.arena = arena};
        arguments_print_help(arguments.command, &text);
        return print(&text, diagnostic);
    }
    return functions[arguments.command](&arguments, console, arena, diagnostic);
}

int main(int count, char **words)
{
    setenv("HWLOC_HIDE_ERRORS", "2", 0); /* its remarks on odd machines help nobody here */
    struct console console;
    console_start(&console, false);
    struct diagnostic diagnostic = {0};
    struct arena *arena = arena_create(0);
    status code = arena ? run_command(count, words, &console, arena, &diagnostic)
                        : fail_memory(&diagnostic, 0);
    console_clear_line(&console);
    if (code != STATUS_OK) console_error(&console, &diagnostic);
    arena_destroy(arena);
    return status_exit(code);
}
