/* hone plan: where the planner would put a model's parts, what that is predicted to reach, and why. */
#include "cli/command.h"
#include "cli/plan_report.h"

#include <stdio.h>
#include <string.h>

enum { PROMPT_DEFAULT = 2048, GENERATE_DEFAULT = 512 };

/* --what-if vram=16GiB link=4GB/s: the words behind the first come as positional arguments. */
static status join_changes(const struct arguments *arguments, struct arena *arena,
                           const char **changes, struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    *changes = NULL;
    for (int i = 1; i < arguments->positional_count; i++)
        if (!arguments->what_if || !strchr(arguments->positional[i], '='))
            return fail(diagnostic, STATUS_USAGE,
                        "`hone plan` takes one model; \"%.80s\" is too "
                        "much",
                        arguments->positional[i]);
    if (!arguments->what_if) return STATUS_OK;
    text_append(&text, arguments->what_if);
    for (int i = 1; i < arguments->positional_count; i++)
        text_print(&text, " %s", arguments->positional[i]);
    *changes = text_finish(&text);
    TRY_MEMORY(*changes, diagnostic);
    return STATUS_OK;
}

static status read_query(const struct arguments *arguments, struct arena *arena,
                         struct plan_query *query, struct diagnostic *diagnostic)
{
    int64_t prompt = PROMPT_DEFAULT;
    *query = (struct plan_query){.element = ELEMENT_Q8_0,
                                 .layers = given_or(arguments->layers, 0),
                                 .machine = arguments->machine,
                                 .deterministic = arguments->deterministic,
                                 .generated_tokens =
                                     (double)given_or(arguments->generate, GENERATE_DEFAULT)};
    if (arguments->type && !element_by_name(arguments->type, &query->element))
        return fail(diagnostic, STATUS_USAGE,
                    "--type: \"%s\" is not known; write f16, q8_0, q4_K, mxfp4 or another type",
                    arguments->type);
    if (arguments->prompt && (!text_to_integer(arguments->prompt, &prompt) || prompt < 1))
        return fail(diagnostic, STATUS_USAGE,
                    "--prompt: \"%s\" is no number of tokens; write --prompt 2048",
                    arguments->prompt);
    query->prompt_tokens = (double)prompt;
    return join_changes(arguments, arena, &query->what_if, diagnostic);
}

static status report(const struct planned_model *planned, const struct arguments *arguments,
                     struct arena *arena, struct diagnostic *diagnostic)
{
    json_t *document;
    if (arguments->json) {
        TRY(plan_report_json(planned, arena, &document, diagnostic));
        return console_print_json(document, diagnostic);
    }
    TRY(plan_report_print(planned, arena, diagnostic));
    return console_flush(diagnostic);
}

status command_plan(const struct arguments *arguments, struct console *console, struct arena *arena,
                    struct diagnostic *diagnostic)
{
    const char *path;
    struct engine_options options;
    struct plan_query query;
    struct planned_model *planned = NULL;
    TRY(command_positional(arguments, 0, "a model file or folder, or a shape of `hone synth`",
                           &path, diagnostic));
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    TRY(read_query(arguments, arena, &query, diagnostic));
    TRY(plan_model(path, &options, &query, &planned, diagnostic));
    console_clear_line(console);
    status code = report(planned, arguments, arena, diagnostic);
    planned_model_close(planned);
    return code;
}
