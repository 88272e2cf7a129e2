/* hone tune: measure the kernels that a model needs and remember the best. */
#include "cli/command.h"
#include "engine/tune_model.h"

#include <stdio.h>

static json_t *rejected_json(const struct tune_rejections *rejections)
{
    json_t *rejected = json_pack("{s:I, s:I}", "rules", (json_int_t)rejections->rules, "untried",
                                 (json_int_t)rejections->untried);
    for (int s = 0; s < RECORD_STATUS_COUNT; s++)
        if (rejections->by_status[s])
            json_object_set_new(
                rejected, s == RECORD_OK ? "slower" : record_status_name((enum record_status)s),
                json_integer((json_int_t)rejections->by_status[s]));
    return rejected;
}

static json_t *row_json(const struct tune_row *row)
{
    json_t *document = json_pack(
        "{s:s, s:s, s:s, s:f, s:f, s:f, s:I, s:i, s:i, s:b, s:o, s:f}", "problem",
        row->problem->text, "winner", row->winner, "basis",
        decision_basis_name(row->decision.basis), "seconds", row->decision.seconds, "limit_share",
        row->limit_share, "gain", row->gain, "configurations", (json_int_t)row->configurations,
        "measured", row->measured, "known", row->known, "finished", row->finished, "rejected",
        rejected_json(&row->rejections), "weight", row->weight);
    json_object_set_new(document, "step_share", json_real(row->step_share));
    if (row->order_from) json_object_set_new(document, "order_from", json_string(row->order_from));
    if (row->note) json_object_set_new(document, "note", json_string(row->note));
    return document;
}

static json_t *report_json(const struct tune_model_report *report)
{
    json_t *rows = json_array();
    for (int r = 0; r < report->tuned.row_count; r++)
        json_array_append_new(rows, row_json(&report->tuned.rows[r]));
    return json_pack("{s:s, s:s, s:s, s:b, s:f, s:f, s:f, s:i, s:i, s:b, s:b, s:o}", "model",
                     report->model, "device_class", report->facts.class_name, "store",
                     report->store, "kept", report->kept, "seconds", report->tuned.seconds,
                     "coverage", report->tuned.coverage, "expected_gain",
                     report->tuned.expected_gain, "measured", report->tuned.measured, "restarts",
                     report->tuned.restarts, "interrupted", report->tuned.interrupted,
                     "out_of_time", report->tuned.out_of_time, "problems", rows);
}

static void print_row(const struct tune_row *row)
{
    char seconds[32], gain[32] = "", share[32] = "";
    if (row->gain > 0) snprintf(gain, sizeof gain, "%.2fx", row->gain);
    if (row->limit_share > 0) snprintf(share, sizeof share, "%.0f %%", 100 * row->limit_share);
    printf("%-10s %8s %8s %5d of %-7lld %s\n", text_seconds(row->decision.seconds, seconds), share,
           gain, row->measured + row->known, (long long)row->configurations, row->problem->text);
    printf("%30s %12s %s%s%s\n", "", "", row->winner, row->note ? "; " : "",
           row->note ? row->note : "");
}

static void print_report(const struct tune_model_report *report, const char *page)
{
    const struct tune_report *tuned = &report->tuned;
    char seconds[32];
    printf("%s on %s\n\n", report->model, report->facts.name);
    printf("%-10s %8s %8s %16s %s\n", "time", "of limit", "gain", "candidates known",
           "problem and winner");
    for (int r = 0; r < tuned->row_count; r++) print_row(&tuned->rows[r]);
    printf("\n%d candidates measured in %s; records are in %s\n", tuned->measured,
           text_seconds(tuned->seconds, seconds), report->kept ? report->store : "memory only");
    if (tuned->restarts) printf("%d times a candidate ended its worker\n", tuned->restarts);
    if (page) printf("the report is %s\n", page);
    printf(
        "%.1f %% of the time of a step lies in kernels that were raced; more work may be expected "
        "to gain %.2g %%\n",
        100 * tuned->coverage, 100 * tuned->expected_gain);
    if (tuned->interrupted || tuned->out_of_time)
        printf("stopped %s: the next `hone tune` goes on from here\n",
               tuned->interrupted ? "by you" : "at the budget");
}

status command_tune(const struct arguments *arguments, struct console *console, struct arena *arena,
                    struct diagnostic *diagnostic)
{
    const char *path;
    TRY(command_positional(arguments, 0, "a model file or folder", &path, diagnostic));
    struct tune_model_options options = {
        .effort = (int)given_or(arguments->effort, EFFORT_DEFAULT),
        .budget_seconds = real_or(arguments->budget, 0),
        .op = arguments->op,
        .from = arguments->from,
        .seed = (uint64_t)given_or(arguments->seed, 0),
        .strategy = arguments->strategy,
        .report = arguments->report,
    };
    if (options.effort > EFFORT_MOST)
        return fail(diagnostic, STATUS_USAGE, "--effort goes from 0 to %d", EFFORT_MOST);
    TRY(command_engine_options(arguments, console, &options.engine, diagnostic));
    options.engine.largest = command_largest(arguments);
    struct tune_model_report report;
    TRY(tune_model(path, &options, arena, &report, diagnostic));
    if (options.engine.lock) TRY(engine_lock_choices(path, &options.engine, diagnostic));
    console_clear_line(console);
    if (arguments->json) {
        TRY(console_print_json(report_json(&report), diagnostic));
    } else {
        print_report(&report, options.report);
        TRY(console_flush(diagnostic));
    }
    return report.tuned.interrupted
               ? fail(diagnostic, STATUS_INTERRUPTED, "interrupted; every measurement is kept")
               : STATUS_OK;
}
