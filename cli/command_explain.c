/* hone explain: what the plan settles and why; why a step uses its kernel, and why not the others. */
#include "cli/command.h"
#include "engine/explain.h"
#include "engine/explain_choices.h"

#include <stdio.h>

static json_t *row_json(const struct explained *row)
{
    return json_pack("{s:s, s:s, s:s, s:f, s:b}", "candidate", row->candidate, "verdict",
                     row->verdict, "reason", row->reason, "seconds", row->seconds, "measured",
                     row->measured);
}

static json_t *explanation_json(const struct explanation *explanation, int step)
{
    json_t *rows = json_array();
    for (int r = 0; r < explanation->row_count; r++)
        json_array_append_new(rows, row_json(&explanation->rows[r]));
    return json_pack("{s:i, s:s, s:s, s:s, s:s, s:o}", "step", step, "problem",
                     explanation->problem->text, "chosen", explanation->chosen, "basis",
                     decision_basis_name(explanation->decision.basis), "rule",
                     decision_rule_text(explanation->decision.rule), "candidates", rows);
}

static void print_explanation(const struct explanation *explanation, int step, const char *path)
{
    char seconds[32];
    printf("step %d: %s\n", step, explanation->problem->text);
    printf("chosen by %s: %s\n", decision_basis_name(explanation->decision.basis),
           explanation->chosen);
    printf("rule: %s\n\n", decision_rule_text(explanation->decision.rule));
    for (int r = 0; r < explanation->row_count; r++) {
        const struct explained *row = &explanation->rows[r];
        printf("  %-10s %-16s %s%s%s\n",
               row->seconds > 0 ? text_seconds(row->seconds, seconds) : "-", row->verdict,
               row->candidate, *row->reason ? ": " : "", row->reason);
    }
    printf("\nmeasure again: hone tune %s --op %s\nlook inside:   hone show %s --kernel %d\n", path,
           explanation->problem->op->name, path, step);
}

static json_t *choices_json(const struct explained_choice *choices, int count)
{
    json_t *list = json_array();
    for (int c = 0; c < count; c++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s}", "decision", choices[c].decision,
                                        "chosen", choices[c].chosen, "reason", choices[c].reason,
                                        "otherwise", choices[c].otherwise));
    return list;
}

static void print_choices(const struct explained_choice *choices, int count)
{
    for (int c = 0; c < count; c++)
        printf("%s: %s\n  %s%s%s\n", choices[c].decision, choices[c].chosen, choices[c].reason,
               *choices[c].otherwise ? "; otherwise: " : "", choices[c].otherwise);
    putchar('\n');
}

/* Without a step: the first one of every problem. */
static bool is_first(const struct engine *engine, int step, int64_t tokens)
{
    int image = engine_step_image(engine, step, tokens);
    if (image < 0) return false;
    for (int s = 0; s < step; s++)
        if (engine_step_image(engine, s, tokens) == image) return false;
    return true;
}

static status explain_steps(const struct arguments *arguments, struct engine *engine,
                            const struct engine_options *options, const char *path,
                            struct arena *arena, struct diagnostic *diagnostic)
{
    struct explained_choice *choices = NULL;
    int count = 0;
    int64_t tokens = given_or(arguments->rows, 1), wanted = -1;
    int steps = plan_schedule(engine_plan(engine), tokens)->step_count;
    if (arguments->positional_count > 1 &&
        (!text_to_integer(arguments->positional[1], &wanted) || wanted < 0 || wanted >= steps))
        return fail(diagnostic, STATUS_USAGE, "\"%s\" is no step of this plan (0 to %d)",
                    arguments->positional[1], steps - 1);
    if (wanted < 0)
        TRY(engine_explain_choices(engine, options, arena, &choices, &count, diagnostic));
    if (!arguments->json && count) print_choices(choices, count);
    json_t *all = json_array();
    for (int s = 0; s < steps; s++) {
        if (wanted >= 0 ? s != wanted : !is_first(engine, s, tokens)) continue;
        struct explanation explanation;
        status code = engine_explain(engine, s, tokens, arena, &explanation, diagnostic);
        if (code != STATUS_OK) {
            json_decref(all);
            return code;
        }
        if (arguments->json)
            json_array_append_new(all, explanation_json(&explanation, s));
        else
            print_explanation(&explanation, s, path);
        if (!arguments->json && wanted < 0) putchar('\n');
    }
    if (arguments->json)
        return console_print_json(
            json_pack("{s:o, s:o}", "choices", choices_json(choices, count), "steps", all),
            diagnostic);
    json_decref(all);
    return console_flush(diagnostic);
}

status command_explain(const struct arguments *arguments, struct console *console,
                       struct arena *arena, struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(arguments, 0, "a model file or folder, or a plan", &path, diagnostic));
    struct engine_options options;
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    options.largest = command_largest(arguments);
    struct engine *engine = NULL;
    TRY(engine_choose(path, &options, &engine, diagnostic));
    status code = explain_steps(arguments, engine, &options, path, arena, diagnostic);
    engine_close(engine);
    return code;
}
