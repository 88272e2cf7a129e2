/* hone eval: how well a model predicts a text, how far it is from another model, and multiple choice. */
#include "base/file.h"
#include "cli/command.h"
#include "engine/capture_run.h"
#include "engine/evaluate_choices.h"
#include "engine/evaluate_text.h"
#include "engine/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct evaluating {
    const struct arguments *arguments;
    struct console *console;
    struct arena *arena;
    const char *model, *file;
    struct engine *engine, *reference;
};

/* ---- Text ---- */

static json_t *text_json(const struct evaluating *evaluating, const struct text_score *score)
{
    json_t *document =
        json_pack("{s:I, s:f, s:f}", "tokens", (json_int_t)score->tokens, "perplexity",
                  score->perplexity, "perplexity_error", score->perplexity_error);
    if (!evaluating->reference) return document;
    json_t *compared = json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "reference_perplexity",
                                 score->reference_perplexity, "kl_divergence", score->kl_divergence,
                                 "kl_divergence_error", score->kl_error, "kl_divergence_99",
                                 score->kl_99, "kl_divergence_largest", score->kl_largest,
                                 "top_token_agreement", score->top_token_agreement);
    json_object_update_missing(document, compared);
    json_decref(compared);
    return document;
}

static status print_text_score(const struct evaluating *evaluating, const struct text_score *score,
                               struct diagnostic *diagnostic)
{
    if (evaluating->arguments->json)
        return console_print_json(text_json(evaluating, score), diagnostic);
    printf("perplexity %.4f +- %.4f over %lld tokens\n", score->perplexity, score->perplexity_error,
           (long long)score->tokens);
    if (evaluating->reference)
        printf("against %s, perplexity %.4f:\n"
               "KL divergence %.6f +- %.6f, 99 %% of tokens below %.6f, largest %.6f\n"
               "same most probable token: %.2f %%\n",
               evaluating->arguments->against, score->reference_perplexity, score->kl_divergence,
               score->kl_error, score->kl_99, score->kl_largest, 100 * score->top_token_agreement);
    return console_flush(diagnostic);
}

static status evaluate_file(struct evaluating *evaluating, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = evaluating->arguments;
    struct text_evaluation evaluation = {.engine = evaluating->engine,
                                         .reference = evaluating->reference,
                                         .window = given_or(arguments->context, 0),
                                         .limit = given_or(arguments->limit, 0),
                                         .progress = &evaluating->console->progress};
    struct text_score score;
    char *text;
    size_t length;
    TRY(file_read(evaluating->file, TOKENIZER_TEXT_MAX, evaluating->arena, &text, &length,
                  diagnostic));
    TRY(evaluate_text(&evaluation, text, length, evaluating->arena, &score, diagnostic));
    console_clear_line(evaluating->console);
    return print_text_score(evaluating, &score, diagnostic);
}

/* ---- Multiple choice ---- */

static json_t *picks_json(const struct question_list *list, const int *picks)
{
    json_t *all = json_array();
    for (int q = 0; q < list->count; q++)
        json_array_append_new(all, json_pack("{s:i, s:i, s:i, s:i}", "line", list->items[q].line,
                                             "answer", list->items[q].answer, "raw", picks[2 * q],
                                             "normalised", picks[2 * q + 1]));
    return all;
}

static status evaluate_questions(struct evaluating *evaluating, struct diagnostic *diagnostic)
{
    struct question_list list;
    struct choice_score score;
    int *picks;
    TRY(question_file_read(evaluating->file, given_or(evaluating->arguments->limit, 0),
                           evaluating->arena, &list, diagnostic));
    TRY_NEW(picks, evaluating->arena, list.count * 2, diagnostic);
    TRY(evaluate_choices(evaluating->engine, evaluating->file, &list,
                         &evaluating->console->progress, evaluating->arena, &score, picks,
                         diagnostic));
    console_clear_line(evaluating->console);
    double raw = (double)score.right / score.questions,
           normalised = (double)score.right_normalised / score.questions;
    double error = sqrt(raw * (1 - raw) / score.questions);
    if (evaluating->arguments->json)
        return console_print_json(json_pack("{s:i, s:f, s:f, s:f, s:o}", "questions",
                                            score.questions, "accuracy", raw, "accuracy_error",
                                            error, "accuracy_normalised", normalised, "picks",
                                            picks_json(&list, picks)),
                                  diagnostic);
    printf("accuracy %.2f %% +- %.2f over %d questions; per byte of the choice %.2f %%\n",
           100 * raw, 100 * error, score.questions, 100 * normalised);
    return console_flush(diagnostic);
}

static bool has_questions(const char *file)
{
    size_t length = strlen(file);
    return length > 6 && !strcmp(file + length - 6, ".jsonl");
}

/* ---- Engines ---- */

static status open_and_evaluate(struct evaluating *evaluating, const struct engine_options *options,
                                struct diagnostic *diagnostic)
{
    const char *against = evaluating->arguments->against;
    TRY(engine_open(evaluating->model, options, &evaluating->engine, diagnostic));
    if (against) TRY(engine_open(against, options, &evaluating->reference, diagnostic));
    struct capture_run *capture = NULL;
    if (evaluating->arguments->capture)
        TRY(capture_begin(evaluating->engine, evaluating->arguments->capture, &capture,
                          diagnostic));
    status code = has_questions(evaluating->file) ? evaluate_questions(evaluating, diagnostic)
                                                  : evaluate_file(evaluating, diagnostic);
    status ended = capture_end(capture, diagnostic);
    return code == STATUS_OK ? ended : code;
}

status command_eval(const struct arguments *arguments, struct console *console, struct arena *arena,
                    struct diagnostic *diagnostic)
{
    struct evaluating evaluating = {.arguments = arguments, .console = console, .arena = arena};
    struct engine_options options;
    TRY(command_positional(arguments, 0, "a model", &evaluating.model, diagnostic));
    TRY(command_positional(arguments, 1, "a text file, or questions as .jsonl", &evaluating.file,
                           diagnostic));
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    if (!file_exists(evaluating.file))
        return fail(diagnostic, STATUS_BAD_INPUT, "%.700s: there is no such file", evaluating.file);
    if (arguments->against && has_questions(evaluating.file))
        return fail(diagnostic, STATUS_USAGE,
                    "--against compares models on a text, not on questions");
    options.outputs = SCORE_ROWS;
    status code = open_and_evaluate(&evaluating, &options, diagnostic);
    engine_close(evaluating.reference);
    engine_close(evaluating.engine);
    return code;
}
