/* hone run: a prompt in, text or logits out. */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/demotion_json.h"
#include "cli/expert_report.h"
#include "cli/generation_json.h"
#include "cli/npy.h"
#include "cli/run_chat.h"
#include "engine/capture_run.h"
#include "engine/generate.h"
#include "engine/record_routing.h"
#include "ops/op_table.h"
#include "runtime/ranks.h"

#include <stdio.h>
#include <string.h>

enum { TOKENS_DEFAULT = 128 };

struct running {
    const struct arguments *arguments;
    struct console *console;
    struct arena *arena;
    struct engine *engine;
    int32_t *prompt;
    int64_t prompt_count;
    int requests;
    struct generation_result *results;
    struct generation_times times;
    double start_seconds;
};

static status read_prompt(struct running *running, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = running->arguments;
    if (arguments->token_ids)
        return arguments_parse_ids(arguments->token_ids, running->arena, &running->prompt,
                                   &running->prompt_count, diagnostic);
    const struct tokenizer *tokenizer = engine_model(running->engine)->tokenizer;
    if (!tokenizer)
        return fail(diagnostic, STATUS_USAGE,
                    "%s carries no tokenizer: give the prompt with --token-ids",
                    engine_model(running->engine)->path);
    const char *text = arguments->prompt ? arguments->prompt : "";
    TRY(tokenizer_encode(tokenizer, text, strlen(text), true, true, running->arena,
                         &running->prompt, &running->prompt_count, diagnostic));
    if (running->prompt_count == 0)
        return fail(diagnostic, STATUS_USAGE, "the prompt is empty: give one with -p TEXT");
    return STATUS_OK;
}

static status write_logits(struct running *running, struct diagnostic *diagnostic)
{
    int64_t vocabulary = engine_model(running->engine)->vocabulary;
    float *logits;
    TRY_NEW(logits, running->arena, running->prompt_count * vocabulary, diagnostic);
    int sequence;
    TRY(engine_sequence_open(running->engine, &sequence, diagnostic));
    const struct engine_input input = {.sequence = sequence,
                                       .tokens = running->prompt,
                                       .count = running->prompt_count,
                                       .all_logits = true};
    TRY(engine_feed(running->engine, &input, 1, logits, diagnostic));
    engine_sequence_close(running->engine, sequence);
    return npy_write(running->arguments->logits, logits, running->prompt_count, vocabulary,
                     diagnostic);
}

/* Text goes out as it comes when there is one sequence and a person is reading. */
static void print_text(void *context, int request, const char *text, size_t length)
{
    struct running *running = context;
    (void)request;
    console_clear_line(running->console);
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}

static status run_generation(struct running *running, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = running->arguments;
    struct generation_request *requests;
    TRY_NEW(requests, running->arena, running->requests, diagnostic);
    TRY_NEW(running->results, running->arena, running->requests, diagnostic);
    for (int r = 0; r < running->requests; r++)
        requests[r] = (struct generation_request){
            .prompt = running->prompt,
            .prompt_count = running->prompt_count,
            .tokens = given_or(arguments->tokens, TOKENS_DEFAULT),
            .sampling = command_sampling(arguments),
            .stream = (uint64_t)r,
            .stops = arguments->stops,
            .ignore_end = arguments->ignore_end,
        };
    bool stream = !arguments->json && running->requests == 1;
    return generate(running->engine, requests, running->requests, stream ? print_text : NULL,
                    running, &running->console->progress, running->arena, running->results,
                    &running->times, diagnostic);
}

static status print_results_json(struct running *running, struct diagnostic *diagnostic)
{
    const struct engine_report *report = engine_report(running->engine);
    const struct generation_times *times = &running->times;
    json_t *document =
        running->requests ? generation_json(&running->results[0], running->arena) : json_object();
    json_t *all = json_array();
    for (int r = 0; r < running->requests; r++)
        json_array_append_new(all, generation_json(&running->results[r], running->arena));
    json_object_set_new(document, "sequences", all);
    json_object_set_new(document, "prompt_tokens", json_integer(running->prompt_count));
    json_object_set_new(document, "kernels", json_integer(report->kernels));
    json_object_set_new(document, "kernels_compiled", json_integer(report->kernels_compiled));
    json_object_set_new(document, "kernels_raced", json_integer(report->kernels_raced));
    json_object_set_new(document, "demotions", demotion_json(report));
    json_object_set_new(document, "experts", expert_report_json(running->engine));
    json_object_set_new(document, "load_seconds", json_real(report->load_seconds));
    json_object_set_new(document, "first_token_seconds",
                        json_real(report->load_seconds + times->first_token_seconds));
    json_object_set_new(document, "prefill_seconds", json_real(times->prefill_seconds));
    json_object_set_new(document, "decode_seconds", json_real(times->decode_seconds));
    json_object_set_new(document, "decode_tokens", json_integer(times->decode_tokens));
    return console_print_json(document, diagnostic);
}

static void print_results_text(const struct running *running)
{
    for (int r = 0; running->requests > 1 && r < running->requests; r++) {
        const struct generation_result *result = &running->results[r];
        printf("--- sequence %d ---\n", r);
        fwrite(result->text ? result->text : "", 1, result->text_length, stdout);
        putchar('\n');
    }
    if (running->requests == 1) putchar('\n');
}

static void print_rates(const struct running *running)
{
    const struct engine_report *report = engine_report(running->engine);
    const struct generation_times *times = &running->times;
    if (running->arguments->quiet || times->decode_tokens == 0) return;
    fprintf(
        stderr,
        "loaded in %.2f s (%d kernels, %d compiled now); prompt: %lld tokens at %.1f per second; "
        "generation: %.1f tokens per second\n",
        report->load_seconds, report->kernels, report->kernels_compiled,
        (long long)times->prompt_tokens, (double)times->prompt_tokens / times->prefill_seconds,
        (double)times->decode_tokens / times->decode_seconds);
    expert_report_print(running->engine);
}

static status run_with_engine(struct running *running, struct diagnostic *diagnostic)
{
    TRY(read_prompt(running, diagnostic));
    if (running->arguments->logits) TRY(write_logits(running, diagnostic));
    running->requests = (int)given_or(running->arguments->sequences, 1);
    if (running->arguments->tokens == 0) running->requests = 0;
    if (running->requests) TRY(run_generation(running, diagnostic));
    if (running->arguments->json) {
        TRY(print_results_json(running, diagnostic));
    } else {
        print_results_text(running);
        TRY(console_flush(diagnostic));
        print_rates(running);
    }
    if (console_interrupted()) return fail(diagnostic, STATUS_INTERRUPTED, "interrupted");
    return STATUS_OK;
}

/* What was counted is kept however the run ends. */
static status run_captured(struct running *running, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = running->arguments;
    struct capture_run *capture = NULL;
    if (arguments->capture)
        TRY(capture_begin(running->engine, arguments->capture, &capture, diagnostic));
    status code = arguments->chat
                      ? chat_run(arguments, running->console, running->engine, diagnostic)
                      : run_with_engine(running, diagnostic);
    status ended = capture_end(capture, diagnostic);
    return code == STATUS_OK ? ended : code;
}

static status run_recorded(struct running *running, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = running->arguments;
    struct routing_recorder *recorder = NULL;
    const struct routing_trace *trace;
    if (arguments->record_routing)
        TRY(routing_record(running->engine, running->arena, &recorder, diagnostic));
    TRY(run_captured(running, diagnostic));
    if (!recorder) return STATUS_OK;
    TRY(routing_recorded(recorder, &trace, diagnostic));
    return routing_trace_write(trace, arguments->record_routing, diagnostic);
}

static status run_model(const struct arguments *arguments, struct console *console,
                        const struct engine_options *options, struct arena *arena,
                        struct diagnostic *diagnostic)
{
    struct running running = {.arguments = arguments, .console = console, .arena = arena};
    TRY(engine_open(arguments->positional[0], options, &running.engine, diagnostic));
    status code = run_recorded(&running, diagnostic);
    engine_close(running.engine);
    return code;
}

/* Rank 0 runs the model on the devices of all, the others serve theirs. */
static status run_rank(const struct arguments *arguments, struct console *console,
                       struct engine_options *options, struct arena *arena,
                       struct diagnostic *diagnostic)
{
    const struct device_options serving = {.threads = options->threads,
                                           .cpu = options->cpu,
                                           .watchdog_seconds = options->watchdog_seconds};
    if (ranks_number(options->ranks) > 0)
        return ranks_serve(options->ranks, options->devices, &serving, op_table(), diagnostic);
    TRY(ranks_device_list(options->ranks, options->devices, arena, &options->devices, diagnostic));
    return run_model(arguments, console, options, arena, diagnostic);
}

status command_run(const struct arguments *arguments, struct console *console, struct arena *arena,
                   struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(arguments, 0, "a model file or folder", &path, diagnostic));
    TRY(chat_check_arguments(arguments, diagnostic));
    if (arguments->capture && arguments->record_routing)
        return fail(diagnostic, STATUS_USAGE,
                    "--capture and --record-routing look at the same routers: give one of them");
    struct engine_options options;
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    options.largest = command_largest(arguments);
    TRY(ranks_join(&options.ranks, diagnostic));
    if (!options.ranks) return run_model(arguments, console, &options, arena, diagnostic);
    status code = run_rank(arguments, console, &options, arena, diagnostic);
    ranks_leave(options.ranks);
    return code;
}
