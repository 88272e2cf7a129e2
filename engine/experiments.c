/* Propose, judge, keep or take back. */
#include "engine/experiments.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/program.h"
#include "base/text.h"
#include "engine/experiment_folder.h"

#include <math.h>

enum { FAILURES_MAX = 5 }; /* proposals in a row that come to nothing */

struct running {
    const struct experiments_options *options;
    struct arena *arena;
    struct experiment_ledger ledger;
    struct experiments_report *report;
    double deadline; /* of clock_seconds() */
    int failures;    /* in a row */
};

static const char *content_folder(const struct running *running, struct hash hash,
                                  struct arena *arena)
{
    char digits[HASH_TEXT_BYTES];
    return arena_print(arena, "%s.d/%s", running->options->ledger, hash_print(hash, digits));
}

/* ---- Proposing ---- */

static status run_command(const struct running *running, struct arena *scratch,
                          struct program_result *result, struct diagnostic *diagnostic)
{
    const double least_seconds = 1e-3; /* a deadline that has just passed; 0 would be no limit */
    const struct experiments_options *options = running->options;
    const struct experiment *kept = experiments_kept(&running->ledger);
    char digits[HASH_TEXT_BYTES];
    const char *path = file_absolute(scratch, options->ledger);
    const char *variables[] = {
        arena_print(scratch, "HONE_LEDGER=%s", path ? path : options->ledger),
        arena_print(scratch, "HONE_PARENT=%s", kept ? hash_print(kept->candidate, digits) : ""),
        arena_print(scratch, "HONE_PARENT_SHARE=%.6g", kept ? kept->share : 0),
        arena_print(scratch, "HONE_EXPERIMENT=%d", running->ledger.count)};
    for (size_t v = 0; v < sizeof variables / sizeof *variables; v++)
        TRY_MEMORY(variables[v], diagnostic);
    const char *const arguments[] = {"env",        variables[0],     variables[1],
                                     variables[2], variables[3],     "sh",
                                     "-c",         options->propose, NULL};
    const struct program program = {
        .arguments = arguments,
        .folder = options->judged.folder,
        .seconds = fmax(least_seconds,
                        fmin(options->propose_seconds, running->deadline - clock_seconds()))};
    return program_run(&program, scratch, result, diagnostic);
}

/* False, having said why, when the command failed; the folder is as it was. */
static status propose(struct running *running, struct arena *scratch, bool *proposed,
                      struct diagnostic *diagnostic)
{
    enum { SAID_MOST = 300 };
    const struct progress *progress = running->options->judged.engine.progress;
    struct progress_state state = {.stage = "waiting for a proposal", .seconds_left = -1};
    struct program_result result;
    struct diagnostic reason = {0};
    progress_update(progress, &state);
    status code = run_command(running, scratch, &result, &reason);
    *proposed = code == STATUS_OK && result.exit_status == 0;
    if (*proposed) return STATUS_OK;
    if (code != STATUS_OK && code != STATUS_TIMEOUT && code != STATUS_FAILED)
        return fail(diagnostic, code, "%s", reason.text);
    if (code == STATUS_OK)
        progress_warn(progress, "the command for proposals ended with status %d: %.*s",
                      result.exit_status, SAID_MOST, result.errors);
    else
        progress_warn(progress, "%s", reason.text);
    return STATUS_OK;
}

/* ---- Keeping ---- */

static status restore(const struct running *running, struct arena *scratch,
                      struct diagnostic *diagnostic)
{
    const struct experiment *kept = experiments_kept(&running->ledger);
    struct folder_content content;
    if (!kept) return STATUS_OK;
    const char *folder = content_folder(running, kept->candidate, scratch);
    TRY_MEMORY(folder, diagnostic);
    TRY(folder_read(folder, scratch, &content, diagnostic));
    if (!hash_equal(content.hash, kept->candidate))
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s is not what the ledger says of it any more; put it back, or begin another "
                    "ledger",
                    folder);
    return folder_restore(running->options->judged.folder, &content, scratch, diagnostic);
}

static bool is_right(enum verdict_kind kind)
{
    return kind == VERDICT_ACCEPTED || kind == VERDICT_EQUAL || kind == VERDICT_SLOWER;
}

/* The folder's times over the incumbents', of problems that it answers. */
static void sum_up(const struct try_report *report, struct experiment *experiment)
{
    double mine = 0, others = 0, error = 0;
    experiment->verdict = report->kind;
    experiment->reason = "";
    for (int v = 0; v < report->verdict_count; v++) {
        const struct verdict *verdict = &report->verdicts[v];
        if (verdict->kind == report->kind) experiment->reason = verdict->reason;
        mine += verdict->weight * verdict->seconds;
        others += verdict->weight * verdict->incumbent_seconds;
        error += verdict->weight * verdict->incumbent_seconds * verdict->gain_error;
    }
    experiment->share = others > 0 ? mine / others : 0;
    experiment->error = others > 0 ? error / others : 0;
}

static bool is_better(const struct experiment *experiment, const struct experiment *kept)
{
    const double indifference = 0.01;
    if (!is_right(experiment->verdict)) return false;
    if (!kept || !is_right(kept->verdict)) return true;
    double lead = kept->share - experiment->share;
    return lead > fmax(indifference * kept->share, experiment->error + kept->error);
}

/* ---- One experiment ---- */

static status judge(struct running *running, const struct folder_content *content,
                    struct arena *scratch, struct diagnostic *diagnostic)
{
    const struct experiment *kept = experiments_kept(&running->ledger);
    struct experiment experiment = {.candidate = content->hash, .wall_time = clock_wall_seconds()};
    struct try_report report;
    const char *folder = content_folder(running, content->hash, scratch);
    TRY_MEMORY(folder, diagnostic);
    TRY(folder_write(folder, content, scratch, diagnostic));
    struct try_options options = running->options->judged;
    options.folder = folder; /* the copy: whoever changes the folder meanwhile changes nothing */
    struct diagnostic reason = {0};
    status code = try_folder(&options, scratch, &report, &reason);
    if (code == STATUS_BAD_INPUT) { /* of the candidate's making */
        report = (struct try_report){.kind = VERDICT_FAILED};
    } else if (code != STATUS_OK) {
        return fail(diagnostic, code, "%s", reason.text);
    }
    running->report->interrupted = report.interrupted;
    if (report.interrupted) return STATUS_OK;
    sum_up(&report, &experiment);
    if (code != STATUS_OK) experiment.reason = reason.text;
    if (kept) experiment.parent = kept->candidate;
    experiment.seconds = report.seconds;
    experiment.kept = is_better(&experiment, kept);
    experiment.reason = arena_text(running->arena, experiment.reason);
    TRY_MEMORY(experiment.reason, diagnostic);
    TRY(experiments_add(&running->ledger, &experiment, diagnostic));
    running->report->last = experiment;
    running->report->judged++;
    running->report->kept += experiment.kept;
    return STATUS_OK;
}

static status experiment_once(struct running *running, struct arena *scratch,
                              struct diagnostic *diagnostic)
{
    const struct experiments_options *options = running->options;
    struct folder_content content;
    bool proposed = true, repeated = false;
    if (options->propose) TRY(propose(running, scratch, &proposed, diagnostic));
    if (proposed) {
        TRY(folder_read(options->judged.folder, scratch, &content, diagnostic));
        repeated = experiments_find(&running->ledger, content.hash) != NULL;
        if (!repeated) TRY(judge(running, &content, scratch, diagnostic));
    }
    running->report->failed_proposals += !proposed;
    running->report->repeated += repeated;
    running->failures = proposed && !repeated ? 0 : running->failures + 1;
    return restore(running, scratch, diagnostic);
}

static bool is_over(const struct running *running)
{
    const struct experiments_options *options = running->options;
    const struct experiments_report *report = running->report;
    int done = report->judged + report->failed_proposals + report->repeated;
    return report->interrupted || progress_interrupted(options->judged.engine.progress) ||
           (done && !options->propose) || (options->most && done >= options->most) ||
           running->failures == FAILURES_MAX || clock_seconds() > running->deadline;
}

static status run_all(struct running *running, struct diagnostic *diagnostic)
{
    while (!is_over(running)) {
        struct arena *scratch = arena_create(0);
        TRY_MEMORY(scratch, diagnostic);
        status code = experiment_once(running, scratch, diagnostic);
        arena_destroy(scratch);
        TRY(code);
    }
    if (progress_interrupted(running->options->judged.engine.progress))
        running->report->interrupted = true;
    const struct experiment *kept = experiments_kept(&running->ledger);
    if (!kept) return STATUS_OK;
    running->report->best = *kept;
    running->report->best_folder = content_folder(running, kept->candidate, running->arena);
    TRY_MEMORY(running->report->best_folder, diagnostic);
    return STATUS_OK;
}

/* What verdicts depend on. */
static const char *describe_setting(const struct try_options *judged, struct arena *arena)
{
    return arena_print(arena, "problem=%s model=%s op=%s devices=%s cpu=%s threads=%d effort=%d %s",
                       judged->problem ? judged->problem : "", judged->model ? judged->model : "",
                       judged->op ? judged->op : "",
                       judged->engine.devices ? judged->engine.devices : "cpu",
                       judged->engine.cpu ? judged->engine.cpu : "native", judged->engine.threads,
                       judged->effort, judged->engine.fast ? "fast" : "");
}

status experiments_run(const struct experiments_options *options, struct arena *arena,
                       struct experiments_report *report, struct diagnostic *diagnostic)
{
    struct running running = {
        .options = options, .arena = arena, .report = report, .deadline = INFINITY};
    *report = (struct experiments_report){0};
    if (options->seconds > 0) running.deadline = clock_seconds() + options->seconds;
    const char *setting = describe_setting(&options->judged, arena);
    TRY_MEMORY(setting, diagnostic);
    TRY(experiments_open(options->ledger, setting, options->judged.engine.progress, arena,
                         &running.ledger, diagnostic));
    status code = run_all(&running, diagnostic);
    experiments_close(&running.ledger);
    return code;
}
