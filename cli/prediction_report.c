/* hone bench --predict. */
#include "cli/prediction.h"
#include "engine/predict_steps.h"

#include <stdio.h>

/* How far the prediction of a time is from the measured one: 0.1 says that it is a tenth too long. */
static double error_of(double predicted, double measured)
{
    return measured > 0 ? predicted / measured - 1 : 0;
}

struct comparison {
    struct prediction prediction;
    struct phase_comparison prefill, decode;
    double prefill_error, decode_error; /* of seconds, over whole phases */
};

static const char *row_name(const struct step_comparison *row, struct arena *arena)
{
    if (row->kind != STEP_LAUNCH) return "copy";
    if (!row->image) return "launch";
    return arena_print(arena, "%s: %s", row->image->problem->op->name, row->image->candidate);
}

static json_t *phase_json(const struct phase_comparison *phase, struct arena *arena)
{
    json_t *rows = json_array();
    for (int r = 0; r < phase->count; r++) {
        const struct step_comparison *row = &phase->rows[r];
        json_t *item = json_pack("{s:s, s:i, s:i, s:f, s:f, s:f}", "step", row_name(row, arena),
                                 "device", row->device, "steps", row->steps, "measured_seconds",
                                 row->measured_seconds, "predicted_seconds", row->predicted_seconds,
                                 "error", error_of(row->predicted_seconds, row->measured_seconds));
        if (row->image)
            json_object_set_new(item, "problem", json_string(row->image->problem->text));
        json_array_append_new(rows, item);
    }
    return json_pack("{s:I, s:I, s:o}", "tokens", (json_int_t)phase->tokens, "context",
                     (json_int_t)phase->context, "steps", rows);
}

static json_t *comparison_json(const struct comparison *comparison, struct arena *arena)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:o, s:o}", "prefill_tokens_per_second",
                     comparison->prediction.prefill_tokens_per_second, "decode_tokens_per_second",
                     comparison->prediction.decode_tokens_per_second, "prefill_error",
                     comparison->prefill_error, "decode_error", comparison->decode_error,
                     "prefill_step", phase_json(&comparison->prefill, arena), "decode_step",
                     phase_json(&comparison->decode, arena));
}

static void print_phase(const char *title, const struct phase_comparison *phase,
                        struct arena *arena)
{
    double measured = 0, predicted = 0;
    printf("\n%s\n%6s %6s %12s %12s %8s  %s\n", title, "steps", "device", "measured ms",
           "predicted", "error", "step");
    for (int r = 0; r < phase->count; r++) {
        const struct step_comparison *row = &phase->rows[r];
        measured += row->measured_seconds;
        predicted += row->predicted_seconds;
        printf("%6d %6d %12.3f %12.3f %+7.1f%%  %s\n", row->steps, row->device,
               1e3 * row->measured_seconds, 1e3 * row->predicted_seconds,
               100 * error_of(row->predicted_seconds, row->measured_seconds), row_name(row, arena));
    }
    printf("%13s %12.3f %12.3f %+7.1f%%  all, one after the other\n", "", 1e3 * measured,
           1e3 * predicted, 100 * error_of(predicted, measured));
}

static void print_comparison(const struct comparison *comparison,
                             const struct measured_rates *rates, struct arena *arena)
{
    const struct prediction *prediction = &comparison->prediction;
    printf("\npredicted against measured      tokens/s: predicted   measured   error of the time\n"
           "prompt     %29.1f %12.1f %+8.1f%%\n"
           "generation %29.1f %12.1f %+8.1f%%\n",
           prediction->prefill_tokens_per_second, rates->prefill.median,
           100 * comparison->prefill_error, prediction->decode_tokens_per_second,
           rates->decode.median, 100 * comparison->decode_error);
    print_phase("prompt, one step", &comparison->prefill, arena);
    print_phase("generation, one step", &comparison->decode, arena);
}

status prediction_report(struct engine *engine, const struct rate_options *options,
                         const struct measured_rates *rates, struct arena *arena, json_t *document,
                         struct diagnostic *diagnostic)
{
    struct comparison comparison;
    const struct prediction *prediction = &comparison.prediction;
    TRY(predict(engine, options->prompt_tokens, options->generated_tokens, options->sequences,
                arena, &comparison.prediction, diagnostic));
    TRY(predict_steps(engine, options->prompt_tokens, arena, &comparison.prefill,
                      &comparison.decode, diagnostic));
    comparison.prefill_error =
        error_of(rates->prefill.median, prediction->prefill_tokens_per_second);
    comparison.decode_error = error_of(rates->decode.median, prediction->decode_tokens_per_second);
    if (document)
        json_object_set_new(document, "prediction", comparison_json(&comparison, arena));
    else
        print_comparison(&comparison, rates, arena);
    return STATUS_OK;
}
