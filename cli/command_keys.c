/* hone keys: who may build plans that run here, and with what one's own are signed. */
#include "cli/command.h"
#include "planner/signing_key.h"

#include <stdio.h>
#include <string.h>

static json_t *key_json(const struct signing_key *key)
{
    return json_pack("{s:s, s:s, s:b, s:s}", "name", key->name, "fingerprint", key->fingerprint,
                     "own", key->own, "file", key->path);
}

static status print_key(const struct arguments *arguments, const struct signing_key *key,
                        const char *done, const char *next, struct diagnostic *diagnostic)
{
    if (arguments->json) return console_print_json(key_json(key), diagnostic);
    printf("%s %s (%s): %s\n%s", done, key->name, key->fingerprint, key->path, next);
    return console_flush(diagnostic);
}

static status make(const struct arguments *arguments, struct arena *arena,
                   struct diagnostic *diagnostic)
{
    const char *name;
    struct signing_key key;
    TRY(command_positional(arguments, 1, "the key's name", &name, diagnostic));
    TRY(signing_key_create(name, arena, &key, diagnostic));
    return print_key(arguments, &key, "made",
                     "whoever is to run your plans trusts this file with `hone keys trust`\n",
                     diagnostic);
}

static status trust(const struct arguments *arguments, struct arena *arena,
                    struct diagnostic *diagnostic)
{
    const char *path;
    struct signing_key key;
    TRY(command_positional(arguments, 1, "a file NAME.pub", &path, diagnostic));
    TRY(signing_key_trust(path, arena, &key, diagnostic));
    return print_key(
        arguments, &key, "trusted",
        "plans that it signed run here from now on; compare the digits with whoever made it\n",
        diagnostic);
}

static status forget(const struct arguments *arguments, struct arena *arena,
                     struct diagnostic *diagnostic)
{
    const char *name;
    struct signing_key key;
    TRY(command_positional(arguments, 1, "a trusted key's name or digits", &name, diagnostic));
    TRY(signing_key_forget(name, arena, &key, diagnostic));
    return print_key(arguments, &key, "no longer trusted:", "", diagnostic);
}

static status list(const struct arguments *arguments, struct arena *arena,
                   struct diagnostic *diagnostic)
{
    struct signing_key *keys;
    int count;
    TRY(signing_keys_list(arena, &keys, &count, diagnostic));
    if (arguments->json) {
        json_t *rows = json_array();
        for (int k = 0; k < count; k++) json_array_append_new(rows, key_json(&keys[k]));
        return console_print_json(json_pack("{s:o}", "keys", rows), diagnostic);
    }
    for (int k = 0; k < count; k++)
        printf("%-8s %-24s %s  %s\n", keys[k].own ? "own" : "trusted", keys[k].name,
               keys[k].fingerprint, keys[k].path);
    if (!count) printf("no keys; plans run where they were built, by whoever built them\n");
    return console_flush(diagnostic);
}

static const struct {
    const char *name;
    status (*run)(const struct arguments *arguments, struct arena *arena,
                  struct diagnostic *diagnostic);
} actions[] = {{"new", make}, {"trust", trust}, {"forget", forget}, {"list", list}};

#define ACTIONS "new NAME, trust FILE, forget NAME or list"

status command_keys(const struct arguments *arguments, struct console *console, struct arena *arena,
                    struct diagnostic *diagnostic)
{
    const char *action;
    (void)console;
    TRY(command_positional(arguments, 0, "an action: " ACTIONS, &action, diagnostic));
    for (size_t a = 0; a < sizeof actions / sizeof *actions; a++)
        if (strcmp(actions[a].name, action) == 0)
            return actions[a].run(arguments, arena, diagnostic);
    return fail(diagnostic, STATUS_USAGE, "`hone keys %s` is not known; write " ACTIONS, action);
}
