/* hone lab loop: experiments with a kernel, kept or taken back. */
#include "cli/lab.h"
#include "engine/experiments.h"

#include <stdio.h>

static json_t *experiment_json(const struct experiment *experiment)
{
    char candidate[HASH_TEXT_BYTES], parent[HASH_TEXT_BYTES];
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:f, s:f, s:b, s:f}", "candidate",
        hash_print(experiment->candidate, candidate), "parent",
        hash_print(experiment->parent, parent), "verdict", verdict_name(experiment->verdict),
        "reason", experiment->reason ? experiment->reason : "", "share", experiment->share, "error",
        experiment->error, "kept", experiment->kept, "seconds", experiment->seconds);
}

static json_t *report_json(const struct experiments_report *report, const char *ledger)
{
    json_t *document = json_pack("{s:s, s:i, s:i, s:i, s:i}", "ledger", ledger, "judged",
                                 report->judged, "kept", report->kept, "failed_proposals",
                                 report->failed_proposals, "repeated", report->repeated);
    if (report->judged) json_object_set_new(document, "last", experiment_json(&report->last));
    if (report->best_folder) {
        json_object_set_new(document, "best", experiment_json(&report->best));
        json_object_set_new(document, "best_folder", json_string(report->best_folder));
    }
    return document;
}

static void print_report(const struct experiments_report *report, const char *ledger)
{
    if (report->judged)
        printf("%s: %s%s\n", verdict_name(report->last.verdict), report->last.reason,
               report->last.kept ? "; kept" : "; taken back");
    printf("%d judged, %d of them kept, %d judged before, %d failed proposals; ledger: %s\n",
           report->judged, report->kept, report->repeated, report->failed_proposals, ledger);
    if (report->best_folder)
        printf("best: %.1f %% of the incumbent's time (+- %.1f %%), in %s\n",
               100 * report->best.share, 100 * report->best.error, report->best_folder);
}

LAB_ACTION(loop)
{
    enum { PROPOSE_SECONDS = 1800, TRY_SECONDS = 60 };
    struct experiments_options options = {
        .judged = {.folder = arguments->positional_count > 1 ? arguments->positional[1] : NULL,
                   .problem = arguments->problem,
                   .model = arguments->model,
                   .op = arguments->op,
                   .effort = (int)given_or(arguments->effort, EFFORT_DEFAULT),
                   .budget_seconds = TRY_SECONDS,
                   .seed = (uint64_t)given_or(arguments->seed, 0)},
        .ledger = arguments->ledger,
        .propose = arguments->propose,
        .propose_seconds = PROPOSE_SECONDS,
        .seconds = real_or(arguments->budget, 0),
        .most = given_or(arguments->limit, 0),
    };
    struct experiments_report report;
    if (!options.judged.folder || !options.ledger)
        return fail(diagnostic, STATUS_USAGE,
                    "`hone lab loop FOLDER --ledger FILE` needs the folder with the variants and a "
                    "ledger");
    if (options.judged.effort < 1 || options.judged.effort > EFFORT_MOST)
        return fail(diagnostic, STATUS_USAGE, "--effort goes from 1 to %d here", EFFORT_MOST);
    TRY(command_engine_options(arguments, console, &options.judged.engine, diagnostic));
    TRY(experiments_run(&options, arena, &report, diagnostic));
    console_clear_line(console);
    if (arguments->json) {
        TRY(console_print_json(report_json(&report, options.ledger), diagnostic));
    } else {
        print_report(&report, options.ledger);
        TRY(console_flush(diagnostic));
    }
    return report.interrupted
               ? fail(diagnostic, STATUS_INTERRUPTED, "interrupted; the ledger keeps every verdict")
               : STATUS_OK;
}
