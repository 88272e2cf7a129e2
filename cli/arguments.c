/* Parsing by the option table. */
#include "cli/arguments.h"

#include "cli/option_table.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const command_names[] = {
#define COMMAND(name, positional, help) #name,
#include "cli/commands.def"
#undef COMMAND
    NULL};

const char *command_name(enum command_id command)
{
    return command_names[command];
}

static void set_unset_values(struct arguments *arguments)
{
    for (const struct option_row *row = option_table; row->name; row++) {
        void *field = (char *)arguments + row->offset;
        if (row->kind == OPTION_INTEGER) *(int64_t *)field = -1;
        if (row->kind == OPTION_REAL || row->kind == OPTION_DURATION) *(double *)field = -1;
    }
}

static const struct option_row *find_option(const char *name, size_t length)
{
    for (const struct option_row *row = option_table; row->name; row++)
        if (strlen(row->name) == length && strncmp(row->name, name, length) == 0) return row;
    return NULL;
}

static const struct option_row *find_short_option(char letter)
{
    static const struct {
        char letter;
        const char *name;
    } letters[] = {
        {'p', "prompt"}, {'o', "output"}, {'n', "tokens"}, {'h', "help"}, {'t', "threads"}};
    for (size_t l = 0; l < sizeof letters / sizeof *letters; l++)
        if (letters[l].letter == letter)
            return find_option(letters[l].name, strlen(letters[l].name));
    return NULL;
}

static status unknown_option(const char *word, enum command_id command,
                             struct diagnostic *diagnostic)
{
    const char *names[128];
    int count = 0;
    for (const struct option_row *row = option_table; row->name && count < 127; row++)
        if (row->commands & (1u << command)) names[count++] = row->name;
    names[count] = NULL;
    const char *bare = word + strspn(word, "-");
    const char *nearest = text_nearest(bare, names);
    if (nearest)
        return fail(diagnostic, STATUS_USAGE, "%s is no option of `hone %s`; did you mean --%s?",
                    word, command_name(command), nearest);
    return fail(diagnostic, STATUS_USAGE, "%s is no option of `hone %s`; see `hone %s --help`",
                word, command_name(command), command_name(command));
}

/* "90s", "5m", "1h30m", "45". */
static bool parse_duration(const char *text, double *seconds)
{
    double total = 0;
    if (!*text) return false;
    while (*text) {
        char *end;
        double number = strtod(text, &end);
        if (end == text || !(number >= 0)) return false;
        double unit = *end == 'h' ? 3600 : *end == 'm' ? 60 : 1;
        if (*end && !strchr("hms", *end)) return false;
        total += number * unit;
        text = *end ? end + 1 : end;
    }
    *seconds = total;
    return true;
}

static status set_option(const struct option_row *row, const char *value,
                         struct arguments *arguments, struct diagnostic *diagnostic)
{
    void *field = (char *)arguments + row->offset;
    bool good = true;
    const char **list = field;
    int used = 0;
    switch (row->kind) {
    case OPTION_FLAG: *(bool *)field = true; break;
    case OPTION_TEXT:
    case OPTION_PROMPT: *(const char **)field = value; break;
    case OPTION_INTEGER: good = text_to_integer(value, field) && *(int64_t *)field >= 0; break;
    case OPTION_REAL: good = text_to_real(value, field); break;
    case OPTION_DURATION: good = parse_duration(value, field); break;
    case OPTION_LIST:
        while (list[used]) used++;
        good = used < ARGUMENT_LIST_MAX;
        if (good) list[used] = value;
        break;
    }
    if (!good)
        return fail(diagnostic, STATUS_USAGE, "--%s: \"%s\" is not understood; write --%s %s",
                    row->name, value, row->name, row->argument);
    return STATUS_OK;
}

static status parse_option(int count, char **words, int *at, struct arguments *arguments,
                           struct diagnostic *diagnostic)
{
    const char *word = words[*at];
    const char *equals = strchr(word, '=');
    const struct option_row *row =
        word[1] == '-'
            ? find_option(word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2))
        : word[2] == 0 ? find_short_option(word[1])
                       : NULL;
    if (!row || !(row->commands & (1u << arguments->command)))
        return unknown_option(word, arguments->command, diagnostic);
    const char *value = NULL;
    if (row->kind == OPTION_FLAG) {
        if (word[1] == '-' && equals)
            return fail(diagnostic, STATUS_USAGE, "--%s takes no value", row->name);
    } else if (word[1] == '-' && equals) {
        value = equals + 1;
    } else if (++*at < count) {
        value = words[*at];
    } else {
        return fail(diagnostic, STATUS_USAGE, "--%s needs a value: --%s %s", row->name, row->name,
                    row->argument);
    }
    return set_option(row, value, arguments, diagnostic);
}

static status find_command(const char *word, enum command_id *command,
                           struct diagnostic *diagnostic)
{
    for (int c = 0; c < COMMAND_COUNT; c++) {
        if (strcmp(command_names[c], word) != 0) continue;
        *command = (enum command_id)c;
        return STATUS_OK;
    }
    const char *nearest = text_nearest(word, command_names);
    if (nearest)
        return fail(diagnostic, STATUS_USAGE, "there is no command \"%s\"; did you mean `hone %s`?",
                    word, nearest);
    return fail(diagnostic, STATUS_USAGE, "there is no command \"%s\"; see `hone help`", word);
}

status arguments_parse(int count, char **words, struct arguments *arguments,
                       struct diagnostic *diagnostic)
{
    *arguments = (struct arguments){0};
    set_unset_values(arguments);
    TRY(find_command(words[1], &arguments->command, diagnostic));
    bool options = true;
    for (int at = 2; at < count; at++) {
        if (options && strcmp(words[at], "--") == 0) {
            options = false;
        } else if (options && words[at][0] == '-' && words[at][1]) {
            TRY(parse_option(count, words, &at, arguments, diagnostic));
        } else if (arguments->positional_count < ARGUMENT_LIST_MAX) {
            arguments->positional[arguments->positional_count++] = words[at];
        } else {
            return fail(diagnostic, STATUS_USAGE, "too many arguments");
        }
    }
    return STATUS_OK;
}

status arguments_parse_ids(const char *list, struct arena *arena, int32_t **ids, int64_t *count,
                           struct diagnostic *diagnostic)
{
    int64_t most = 1;
    for (const char *at = list; *at; at++) most += *at == ',';
    TRY_NEW(*ids, arena, most, diagnostic);
    *count = 0;
    for (const char *at = list;;) {
        char *end;
        long id = strtol(at, &end, 10);
        if (end == at || id < 0 || id > INT32_MAX || (*end && *end != ','))
            return fail(diagnostic, STATUS_USAGE, "\"%s\" is no list of token ids; write 1,15,27",
                        list);
        (*ids)[(*count)++] = (int32_t)id;
        if (!*end) return STATUS_OK;
        at = end + 1;
    }
}
