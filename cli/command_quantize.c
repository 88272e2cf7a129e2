/* hone quantize: a model's file again, with its matrices in smaller types. */
#include "base/file.h"
#include "cli/command.h"
#include "engine/calibrate.h"
#include "engine/score.h"
#include "models/quantize.h"
#include "ops/op_table.h"
#include "runtime/threads.h"

#include <stdio.h>

/* {"file", "type", "bytes", "bits_per_weight", "tensors": [{"name", "from", "to", "bytes", "weighted"}]} */
static json_t *report_json(const struct arguments *arguments, const struct quantize_report *report,
                           double bits)
{
    json_t *tensors = json_array();
    for (int i = 0; i < report->tensor_count; i++) {
        const struct quantized_tensor *tensor = &report->tensors[i];
        json_array_append_new(tensors, json_pack("{s:s, s:s, s:s, s:I, s:b}", "name", tensor->name,
                                                 "from", element_of(tensor->from)->name, "to",
                                                 element_of(tensor->to)->name, "bytes",
                                                 (json_int_t)tensor->to_bytes, "weighted",
                                                 tensor->weighted));
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:f, s:o}", "file", arguments->output, "type",
                     arguments->type, "source_bytes", (json_int_t)report->from_bytes, "bytes",
                     (json_int_t)report->to_bytes, "bits_per_weight", bits, "tensors", tensors);
}

static status print_report(const struct arguments *arguments, const struct quantize_report *report,
                           struct diagnostic *diagnostic)
{
    double elements = 0;
    int changed = 0, weighted = 0;
    char from[32], to[32];
    for (int i = 0; i < report->tensor_count; i++) {
        elements += (double)report->tensors[i].elements;
        changed += report->tensors[i].from != report->tensors[i].to;
        weighted += report->tensors[i].weighted;
    }
    double bits = elements > 0 ? 8 * (double)report->to_bytes / elements : 0;
    if (arguments->json)
        return console_print_json(report_json(arguments, report, bits), diagnostic);
    printf("%s: %s, %d of %d tensors changed, %s instead of %s, %.2f bits per weight\n",
           arguments->output, arguments->type, changed, report->tensor_count,
           text_bytes((double)report->to_bytes, to), text_bytes((double)report->from_bytes, from),
           bits);
    if (arguments->imatrix || arguments->calibrate)
        printf("%d of them by the importance of their columns\n", weighted);
    return console_flush(diagnostic);
}

/* The model reads the text. */
static status measure(const struct arguments *arguments, const char *model, struct console *console,
                      struct importance *importance, struct diagnostic *diagnostic)
{
    struct engine_options options;
    struct text_evaluation evaluation = {.limit = given_or(arguments->limit, 0),
                                         .progress = &console->progress};
    struct text_score score;
    char *text;
    size_t length;
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    TRY(file_read(arguments->calibrate, TOKENIZER_TEXT_MAX, importance->arena, &text, &length,
                  diagnostic));
    options.outputs = SCORE_ROWS;
    TRY(engine_open(model, &options, &evaluation.engine, diagnostic));
    status code = calibrate(&evaluation, text, length, importance, &score, diagnostic);
    engine_close(evaluation.engine);
    importance->text_name = file_name_of(arguments->calibrate);
    if (code != STATUS_OK || !arguments->imatrix) return code;
    return importance_write(importance, arguments->imatrix, diagnostic);
}

static status weigh(const struct arguments *arguments, const char *model, struct console *console,
                    struct importance *importance, struct quantize_options *options,
                    struct diagnostic *diagnostic)
{
    if (!arguments->calibrate && !arguments->imatrix) return STATUS_OK;
    options->importance = importance;
    if (arguments->calibrate) return measure(arguments, model, console, importance, diagnostic);
    return importance_read(arguments->imatrix, importance, diagnostic);
}

status command_quantize(const struct arguments *arguments, struct console *console,
                        struct arena *arena, struct diagnostic *diagnostic)
{
    struct quantize_rule rules[ARGUMENT_LIST_MAX];
    struct quantize_options options = {
        .type = arguments->type,
        .rules = rules,
        .ops = op_table(),
        .threads = (int)given_or(arguments->threads, thread_count_default()),
        .progress = &console->progress};
    struct quantize_report report;
    struct importance importance = {.arena = arena};
    const char *source;
    TRY(command_positional(arguments, 0, "a model file", &source, diagnostic));
    bool only_measured =
        arguments->calibrate && arguments->imatrix && !arguments->output && !arguments->type;
    if (!arguments->output && !only_measured)
        return fail(diagnostic, STATUS_USAGE,
                    "`hone quantize` needs the file to write: -o FILE.gguf");
    if (!arguments->type && !only_measured)
        return fail(diagnostic, STATUS_USAGE, "`hone quantize` needs a type: --type q4_K");
    for (const char *const *text = arguments->rules; *text; text++)
        TRY(quantize_rule_parse(*text, arena, &rules[options.rule_count++], diagnostic));
    TRY(weigh(arguments, source, console, &importance, &options, diagnostic));
    if (only_measured) return STATUS_OK;
    TRY(quantize_write(source, arguments->output, &options, arena, &report, diagnostic));
    console_clear_line(console);
    return print_report(arguments, &report, diagnostic);
}
