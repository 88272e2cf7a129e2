/* hone store verify: a sample of the decisions measured again on the device here. */
#include "cli/store_actions.h"
#include "engine/verify_store.h"

#include <stdio.h>

enum { DECISIONS_DEFAULT = 10 };

static json_t *row_json(const struct verify_row *row)
{
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:s, s:s}", "problem", row->problem,
        "candidate", row->candidate, "outcome", verify_outcome_name(row->outcome), "basis",
        decision_basis_name(row->basis), "then_seconds", row->then_seconds, "then_spread_seconds",
        row->then_spread, "now_seconds", row->now_seconds, "now_spread_seconds", row->now_spread,
        "drift", row->drift, "status", record_status_name(row->status), "detail", row->detail);
}

static json_t *report_json(const struct verify_report *report, const char *device_class)
{
    json_t *rows = json_array();
    for (int r = 0; r < report->row_count; r++)
        json_array_append_new(rows, row_json(&report->rows[r]));
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:f, s:b, s:o}", "device_class", device_class,
                     "decisions", report->choices, "measured", report->row_count, "drifted",
                     report->drifted, "failed", report->failed, "drift_median",
                     report->drift_median, "out_of_time", report->out_of_time, "problems", rows);
}

static void print_report(const struct verify_report *report, const char *device_class)
{
    for (int r = 0; r < report->row_count; r++) {
        const struct verify_row *row = &report->rows[r];
        char then[32], now[32], spread[32];
        if (row->outcome == VERIFY_FAILED)
            printf("%-8s %s: %s\n", "failed", record_status_name(row->status), row->detail);
        else
            printf("%-8s %10s then, %10s +- %s now: %+.1f %%\n", verify_outcome_name(row->outcome),
                   text_seconds(row->then_seconds, then), text_seconds(row->now_seconds, now),
                   text_seconds(row->now_spread, spread), 100 * row->drift);
        printf("         %s\n         %s\n", row->problem, row->candidate);
    }
    printf("%d of %d decisions for %s measured again: %d drifted, %d failed; median drift %+.1f "
           "%%\n",
           report->row_count, report->choices, device_class, report->drifted, report->failed,
           100 * report->drift_median);
}

static status judge(const struct verify_report *report, struct diagnostic *diagnostic)
{
    if (report->interrupted) return fail(diagnostic, STATUS_INTERRUPTED, "interrupted");
    if (!report->drifted && !report->failed) return STATUS_OK;
    return fail(diagnostic, STATUS_MISMATCH,
                "%d of %d decisions drifted beyond the noise and %d failed; if the machine was "
                "quiet, tune again into another --cache and compare with `hone store diff`",
                report->drifted, report->row_count, report->failed);
}

status store_run_verify(struct store_run *run, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = run->arguments;
    struct verify_store_options options = {
        .op = arguments->op,
        .most = (int)given_or(arguments->limit, DECISIONS_DEFAULT),
        .budget_seconds = real_or(arguments->budget, 0),
        .seed = (uint64_t)given_or(arguments->seed, 0),
    };
    struct verify_report report;
    const char *device_class;
    TRY(command_engine_options(arguments, run->console, &options.engine, diagnostic));
    TRY(engine_verify_store(run->store, &options, run->arena, &device_class, &report, diagnostic));
    console_clear_line(run->console);
    if (arguments->json) {
        TRY(console_print_json(report_json(&report, device_class), diagnostic));
    } else {
        print_report(&report, device_class);
        TRY(console_flush(diagnostic));
    }
    return judge(&report, diagnostic);
}
