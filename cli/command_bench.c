/* hone bench: tokens per second of prompt processing and generation, against the machine's ceilings sampled in the same
 * rounds. */
#include "cli/command.h"
#include "cli/demotion_json.h"
#include "cli/expert_report.h"
#include "cli/prediction.h"
#include "cli/roofline.h"
#include "engine/measure_rates.h"

#include <stdio.h>

enum { PROMPT_DEFAULT = 512, GENERATE_DEFAULT = 64, ROUNDS_DEFAULT = 5 };

static void set_rate(json_t *document, const char *name, struct rate rate)
{
    char spread[64];
    snprintf(spread, sizeof spread, "%s_spread", name);
    json_object_set_new(document, name, json_real(rate.median));
    json_object_set_new(document, spread, json_real(rate.spread));
}

static json_t *rates_json(const struct engine *engine, const struct rate_options *options,
                          const struct measured_rates *rates)
{
    const struct engine_report *report = engine_report(engine);
    json_t *document = json_pack(
        "{s:s, s:I, s:I, s:i, s:i, s:I, s:f, s:I}", "model", engine_model(engine)->path, "prompt",
        (json_int_t)options->prompt_tokens, "generate", (json_int_t)options->generated_tokens,
        "sequences", options->sequences, "rounds", rates->rounds, "weight_bytes_per_token",
        (json_int_t)report->weight_bytes_per_token, "load_seconds", report->load_seconds,
        "peak_memory_bytes", (json_int_t)rates->peak_memory_bytes);
    json_object_set_new(document, "demotions", demotion_json(report));
    set_rate(document, "prefill_tokens_per_second", rates->prefill);
    set_rate(document, "decode_tokens_per_second", rates->decode);
    set_rate(document, "read_bandwidth_bytes_per_second", rates->read_bandwidth);
    set_rate(document, "decode_bandwidth_share", rates->decode_bandwidth_share);
    set_rate(document, "prefill_peak_share", rates->prefill_peak_share);
    return document;
}

static void print_rates(const struct engine *engine, const struct rate_options *options,
                        const struct measured_rates *rates)
{
    char bytes[32];
    printf("%s\n", engine_model(engine)->description);
    printf(
        "prompt     %4lld tokens  %9.1f tokens/s  +- %.1f   %5.1f %% of the arithmetic ceiling\n",
        (long long)options->prompt_tokens, rates->prefill.median, rates->prefill.spread,
        100 * rates->prefill_peak_share.median);
    printf("generation %4lld tokens  %9.1f tokens/s  +- %.1f   %5.1f %% of the read bandwidth\n",
           (long long)options->generated_tokens, rates->decode.median, rates->decode.spread,
           100 * rates->decode_bandwidth_share.median);
    printf("%s of weights per token, %.1f GB/s read bandwidth, %d rounds, medians\n",
           text_bytes((double)engine_report(engine)->weight_bytes_per_token, bytes),
           rates->read_bandwidth.median / 1e9, rates->rounds);
}

static status bench_with_engine(const struct arguments *arguments, struct engine *engine,
                                const struct rate_options *options, struct console *console,
                                struct arena *arena, struct diagnostic *diagnostic)
{
    struct measured_rates rates;
    TRY(measure_rates(engine, options, &rates, diagnostic));
    console_clear_line(console);
    json_t *document = rates_json(engine, options, &rates);
    json_object_set_new(document, "experts", expert_report_json(engine));
    if (!arguments->json) {
        print_rates(engine, options, &rates);
        expert_report_print(engine);
    }
    status code = STATUS_OK;
    if (arguments->roofline)
        code = roofline_report(engine, options->prompt_tokens, arena,
                               arguments->json ? document : NULL, diagnostic);
    if (code == STATUS_OK && arguments->predict)
        code = prediction_report(engine, options, &rates, arena, arguments->json ? document : NULL,
                                 diagnostic);
    if (code == STATUS_OK && arguments->json) return console_print_json(document, diagnostic);
    json_decref(document);
    return code == STATUS_OK ? console_flush(diagnostic) : code;
}

status command_bench(const struct arguments *arguments, struct console *console,
                     struct arena *arena, struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(arguments, 0, "a model file or folder", &path, diagnostic));
    int64_t prompt;
    TRY(prompt_tokens(arguments, PROMPT_DEFAULT, &prompt, diagnostic));
    const struct rate_options rate_options = {
        .prompt_tokens = prompt,
        .generated_tokens = given_or(arguments->generate, GENERATE_DEFAULT),
        .rounds = (int)given_or(arguments->repeat, ROUNDS_DEFAULT),
        .sequences = (int)given_or(arguments->sequences, 1),
        .progress = &console->progress,
    };
    struct engine_options options;
    TRY(command_engine_options(arguments, console, &options, diagnostic));
    options.largest = command_largest(arguments);
    int64_t generated = rate_options.generated_tokens;
    if (arguments->roofline && generated < ROOFLINE_TOKENS) generated = ROOFLINE_TOKENS;
    if (options.context == 0) options.context = prompt + generated;
    struct engine *engine = NULL;
    TRY(engine_open(path, &options, &engine, diagnostic));
    status code = bench_with_engine(arguments, engine, &rate_options, console, arena, diagnostic);
    engine_close(engine);
    return code;
}
