/* hone try: judge somebody's kernel. */
#include "cli/command.h"
#include "engine/try_kernel.h"

#include <stdio.h>
#include <string.h>

static json_t *verdict_json(const struct verdict *verdict)
{
    json_t *document = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:f, s:I, s:i}", "problem", verdict->problem->text, "verdict",
        verdict_name(verdict->kind), "reason", verdict->reason, "candidate", verdict->candidate,
        "incumbent", verdict->incumbent, "weight", verdict->weight, "configurations",
        (json_int_t)verdict->configurations, "measured", verdict->measured);
    json_t *rejected = json_object();
    for (int s = 0; s < RECORD_STATUS_COUNT; s++)
        if (s != RECORD_OK && verdict->rejections.by_status[s])
            json_object_set_new(rejected, record_status_name((enum record_status)s),
                                json_integer((json_int_t)verdict->rejections.by_status[s]));
    json_object_set_new(document, "rejected", rejected);
    if (verdict->incumbent_seconds > 0)
        json_object_update_new(document,
                               json_pack("{s:f, s:f, s:f, s:f}", "seconds", verdict->seconds,
                                         "incumbent_seconds", verdict->incumbent_seconds, "gain",
                                         verdict->gain, "gain_error", verdict->gain_error));
    return document;
}

static json_t *report_json(const struct try_report *report)
{
    json_t *rows = json_array();
    for (int v = 0; v < report->verdict_count; v++)
        json_array_append_new(rows, verdict_json(&report->verdicts[v]));
    return json_pack("{s:s, s:f, s:s, s:i, s:f, s:o}", "verdict", verdict_name(report->kind),
                     "gain", report->gain, "device_class", report->device_class, "restarts",
                     report->restarts, "wall_seconds", report->seconds, "problems", rows);
}

static void print_report(const struct try_report *report)
{
    char mine[32], other[32];
    for (int v = 0; v < report->verdict_count; v++) {
        const struct verdict *verdict = &report->verdicts[v];
        printf("%-10s %s\n", verdict_name(verdict->kind), verdict->problem->text);
        printf("           %s\n", verdict->reason);
        if (*verdict->candidate)
            printf("           %s%s%s\n", verdict->candidate, verdict->seconds > 0 ? ": " : "",
                   verdict->seconds > 0 ? text_seconds(verdict->seconds, mine) : "");
        if (*verdict->incumbent)
            printf("  against  %s: %s\n", verdict->incumbent,
                   text_seconds(verdict->incumbent_seconds, other));
    }
    printf("\n%s", verdict_name(report->kind));
    if (report->gain > 0) printf(": %.1f %% less time over all problems", 100 * report->gain);
    printf("\n");
}

status command_try(const struct arguments *arguments, struct console *console, struct arena *arena,
                   struct diagnostic *diagnostic)
{
    const double budget_seconds = 60;
    struct try_options options = {
        .problem = arguments->problem,
        .model = arguments->model,
        .op = arguments->op,
        .effort = (int)given_or(arguments->effort, EFFORT_DEFAULT),
        .budget_seconds = real_or(arguments->budget, budget_seconds),
        .seed = (uint64_t)given_or(arguments->seed, 0),
    };
    struct try_report report;
    TRY(command_positional(arguments, 0, "a folder with variants", &options.folder, diagnostic));
    if (options.effort < 1 || options.effort > EFFORT_MOST)
        return fail(diagnostic, STATUS_USAGE, "--effort goes from 1 to %d here", EFFORT_MOST);
    TRY(command_engine_options(arguments, console, &options.engine, diagnostic));
    TRY(try_folder(&options, arena, &report, diagnostic));
    console_clear_line(console);
    if (arguments->json) {
        TRY(console_print_json(report_json(&report), diagnostic));
    } else {
        print_report(&report);
        TRY(console_flush(diagnostic));
    }
    if (report.interrupted)
        return fail(diagnostic, STATUS_INTERRUPTED, "interrupted; every measurement is kept");
    if (report.kind == VERDICT_WRONG || report.kind == VERDICT_FAILED ||
        report.kind == VERDICT_UNANSWERED)
        return fail(diagnostic, STATUS_MISMATCH, "%s is not accepted: %s", options.folder,
                    verdict_name(report.kind));
    return STATUS_OK;
}
