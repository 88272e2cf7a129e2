/* hone lab: experiments with the tuner itself. */
#include "cli/lab.h"

#include <string.h>

static const struct {
    const char *name, *positional, *help;
    status (*run)(const struct arguments *arguments, struct console *console, struct arena *arena,
                  struct diagnostic *diagnostic);
} actions[] = {
    {"compare", "FILE...", "search strategies on recorded spaces", lab_compare},
    {"record", "MODEL", "every config of a problem, or a sample, measured here", lab_record},
    {"import", "FILE", "a recorded space of another tuner as Hone's CSV, a T1 file as a space", lab_import},
    {"export", "FILE", "a recorded space in the form of another tuner", lab_export},
    {"loop", "FOLDER", "experiments with a kernel of yours, kept or taken back", lab_loop},
    {"count", "FILE", "what a recorded space holds", lab_count},
    {"cache", "FILE", "policies of expert caches on a routing trace", lab_cache},
    {"trace", "[zipf=1.1 ...] -o FILE", "a routing trace drawn by Zipf's law", lab_trace},
};

enum { ACTION_COUNT = sizeof actions / sizeof *actions };

status command_lab(const struct arguments *arguments, struct console *console, struct arena *arena,
                   struct diagnostic *diagnostic)
{
    const char *action = arguments->positional_count ? arguments->positional[0] : "";
    struct text list = {.arena = arena};
    for (int a = 0; a < ACTION_COUNT; a++) {
        if (strcmp(actions[a].name, action) == 0)
            return actions[a].run(arguments, console, arena, diagnostic);
        text_print(&list, "%s%s %s (%s)", a ? "; " : "", actions[a].name, actions[a].positional,
                   actions[a].help);
    }
    const char *known = text_finish(&list);
    TRY_MEMORY(known, diagnostic);
    return fail(diagnostic, STATUS_USAGE, "`hone lab %s` is not known; write %s", action, known);
}
