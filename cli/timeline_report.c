/* hone show --timeline. */
#include "base/file.h"
#include "cli/prediction.h"
#include "engine/predict.h"

#include <stdio.h>
#include <string.h>

/* A few tokens of generation: more of them look the same. */
enum { TIMELINE_PROMPT = 512, TIMELINE_GENERATED = 8 };

status prompt_tokens(const struct arguments *arguments, int64_t otherwise, int64_t *tokens,
                     struct diagnostic *diagnostic)
{
    *tokens = otherwise;
    if (!arguments->prompt || (text_to_integer(arguments->prompt, tokens) && *tokens > 0))
        return STATUS_OK;
    return fail(diagnostic, STATUS_USAGE, "--prompt: \"%s\" is no number of tokens",
                arguments->prompt);
}

status timeline_tokens(const struct arguments *arguments, int64_t *prompt, int64_t *generated,
                       struct diagnostic *diagnostic)
{
    *generated = given_or(arguments->generate, TIMELINE_GENERATED);
    return prompt_tokens(arguments, TIMELINE_PROMPT, prompt, diagnostic);
}

static bool ends_with(const char *path, const char *end)
{
    size_t length = strlen(path), end_length = strlen(end);
    return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

static status write_timeline(const struct prediction *prediction, const char *model,
                             const char *path, struct arena *arena, struct diagnostic *diagnostic)
{
    const char *written;
    if (ends_with(path, ".json"))
        written = timeline_trace_print(prediction->timeline, arena);
    else if (ends_with(path, ".svg"))
        written = timeline_drawing_print(prediction, file_name_of(model), arena);
    else
        return fail(diagnostic, STATUS_USAGE, "--timeline: \"%s\" must end in .json or in .svg",
                    path);
    TRY_MEMORY(written, diagnostic);
    return file_write(path, written, strlen(written), diagnostic);
}

/* Of prompt and generation: how much of them queue `queue` is busy. */
static void busy_shares(const struct prediction *prediction, int queue, double *prefill,
                        double *decode)
{
    const struct timeline *timeline = prediction->timeline;
    double begin = prediction->prefill_seconds, end = timeline->seconds;
    *prefill = begin > 0 ? prediction_busy(timeline, queue, 0, begin) / begin : 0;
    *decode = end > begin ? prediction_busy(timeline, queue, begin, end) / (end - begin) : 0;
}

static json_t *report_json(const struct prediction *prediction, const char *path,
                           struct arena *arena)
{
    const struct timeline *timeline = prediction->timeline;
    json_t *queues = json_array();
    for (int q = 0; q < timeline->queue_count; q++) {
        double prefill, decode;
        busy_shares(prediction, q, &prefill, &decode);
        json_array_append_new(queues, json_pack("{s:s, s:f, s:f}", "queue",
                                                prediction_queue_name(timeline, q, arena),
                                                "prefill_busy", prefill, "decode_busy", decode));
    }
    return json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:o}", "timeline", path, "prompt",
                     (json_int_t)prediction->prompt_tokens, "generate",
                     (json_int_t)prediction->generated_tokens, "seconds", timeline->seconds,
                     "prefill_tokens_per_second", prediction->prefill_tokens_per_second,
                     "decode_tokens_per_second", prediction->decode_tokens_per_second, "queues",
                     queues);
}

static status print_report(const struct prediction *prediction, const char *path,
                           struct arena *arena, struct diagnostic *diagnostic)
{
    const struct timeline *timeline = prediction->timeline;
    printf("predicted: prompt of %lld tokens %.5g tokens/s, generation %.5g tokens/s\n\n"
           "%10s %10s  queue\n",
           (long long)prediction->prompt_tokens, prediction->prefill_tokens_per_second,
           prediction->decode_tokens_per_second, "prompt", "generation");
    for (int q = 0; q < timeline->queue_count; q++) {
        double prefill, decode;
        if (timeline->queues[q].copies && timeline->queues[q].busy_seconds == 0) continue;
        busy_shares(prediction, q, &prefill, &decode);
        printf("%8.1f %% %8.1f %%  %s\n", 100 * prefill, 100 * decode,
               prediction_queue_name(timeline, q, arena));
    }
    printf("\n%d pieces of work in %s\n", timeline->span_count, path);
    return console_flush(diagnostic);
}

status timeline_report(const struct engine *engine, const struct arguments *arguments,
                       struct arena *arena, struct diagnostic *diagnostic)
{
    struct prediction prediction;
    int64_t prompt, generated;
    TRY(timeline_tokens(arguments, &prompt, &generated, diagnostic));
    TRY(predict(engine, prompt, generated, (int)given_or(arguments->sequences, 1), arena,
                &prediction, diagnostic));
    TRY(write_timeline(&prediction, engine_model(engine)->path, arguments->timeline, arena,
                       diagnostic));
    if (arguments->json)
        return console_print_json(report_json(&prediction, arguments->timeline, arena), diagnostic);
    return print_report(&prediction, arguments->timeline, arena, diagnostic);
}
