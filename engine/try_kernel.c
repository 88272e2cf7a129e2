/* Two runs of the tuner, and the reading of their records: Hone's own variants first, then the folder's against the winner. */
#include "engine/try_kernel.h"

#include "base/clock.h"
#include "base/file.h"
#include "engine/engine_internal.h"
#include "engine/try_verdict.h"
#include "engine/tune_device.h"
#include "engine/tune_model.h"
#include "ops/catalogue.h"
#include "ops/op_table.h"
#include "planner/tuning.h"

#include <math.h>
#include <string.h>

struct trying {
    const struct try_options *options;
    struct arena *arena;
    const char *cache_folder;         /* NULL: nothing is kept */
    struct catalogue own, all, tried; /* Hone's, both, the folder's */
    struct device *device;
    struct engine *engine; /* of the model; NULL: there is none */
    struct store *store;
    struct tune_problem *problems;
    int problem_count;
    struct try_report *report;
};

/* ---- The folder ---- */

static status split_catalogue(struct trying *trying, struct diagnostic *diagnostic)
{
    const struct space **spaces;
    TRY(catalogue_read(NULL, trying->arena, &trying->own, diagnostic));
    TRY(catalogue_read(trying->options->folder, trying->arena, &trying->all, diagnostic));
    TRY_NEW(spaces, trying->arena, trying->all.count + 1, diagnostic);
    trying->tried = (struct catalogue){.spaces = spaces};
    for (int s = 0; s < trying->all.count; s++) {
        const struct space *space = trying->all.spaces[s];
        const struct space *known = catalogue_find(&trying->own, space->variant);
        if (known && !hash_equal(known->source, space->source))
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%s: the variant '%s' has the name of a built-in one; it is judged against "
                        "that, so give it a name of its own",
                        trying->options->folder, space->variant);
        if (!known) spaces[trying->tried.count++] = space;
    }
    if (trying->tried.count) return STATUS_OK;
    return fail(
        diagnostic, STATUS_BAD_INPUT,
        "%s: there is no variant in it: a variant is a file NAME.yaml, with NAME.cu, NAME.c "
        "or NAME.ll beside it",
        trying->options->folder);
}

/* ---- The problems ---- */

static status parse_problem(struct trying *trying, struct diagnostic *diagnostic)
{
    struct problem *problem;
    TRY(problem_parse(trying->options->problem, op_table(), trying->arena, &problem, diagnostic));
    TRY_NEW(trying->problems, trying->arena, 1, diagnostic);
    trying->problems[0] = (struct tune_problem){.problem = problem, .weight = 1};
    trying->problem_count = 1;
    if (!trying->options->op || strcmp(trying->options->op, problem->op->name) == 0)
        return STATUS_OK;
    return fail(diagnostic, STATUS_USAGE, "the problem is one of %s, not of %s", problem->op->name,
                trying->options->op);
}

/* Those that one of the folder's variants answers; where none is answered, all, so that the verdict says why. */
static void keep_answered(struct trying *trying)
{
    int kept = 0;
    for (int p = 0; p < trying->problem_count; p++)
        if (verdict_is_answered(trying->problems[p].problem, &trying->tried,
                                device_facts(trying->device), trying->arena))
            trying->problems[kept++] = trying->problems[p];
    if (kept) trying->problem_count = kept;
}

static status list_problems(struct trying *trying, struct diagnostic *diagnostic)
{
    const struct try_options *options = trying->options;
    const struct tuning_options wanted = {.op = options->op, .prompt_share = TUNE_PROMPT_SHARE};
    if (options->problem) return parse_problem(trying, diagnostic);
    TRY(tuning_problems(trying->engine->plan, &trying->all, device_facts(trying->device), 0,
                        &wanted, trying->arena, &trying->problems, &trying->problem_count,
                        diagnostic));
    keep_answered(trying);
    if (trying->problem_count) return STATUS_OK;
    return fail(diagnostic, STATUS_NOT_FOUND, "the model has no problem%s%s to try it on",
                options->op ? " of " : "", options->op ? options->op : "");
}

/* ---- The two runs ---- */

/* A kernel that needs a thousand times the incumbent's time need not end. */
static double longest_check(const struct tune_report *own)
{
    const double least_seconds = 2, patience = 1000;
    double longest = 0;
    for (int r = 0; r < own->row_count; r++) longest = fmax(longest, own->rows[r].decision.seconds);
    return fmax(least_seconds, patience * longest);
}

/* `before`: what the first run reports; NULL: this is the first. */
static status tune_with(struct trying *trying, const struct catalogue *catalogue,
                        const struct tune_report *before, struct tune_report *tuned,
                        struct diagnostic *diagnostic)
{
    const struct try_options *options = trying->options;
    struct tune_device device;
    struct tune_setup setup = {
        .catalogue = catalogue,
        .store = trying->store,
        .problems = trying->problems,
        .problem_count = trying->problem_count,
        .options = {.effort = options->effort,
                    .budget_seconds = options->budget_seconds,
                    .seed = options->seed,
                    .policy = {.fast = options->engine.fast},
                    .searched = before ? &trying->tried : NULL,
                    .progress = options->engine.progress},
    };
    TRY(tune_device_prepare(trying->device, options->engine.cpu, &device, &setup, diagnostic));
    if (before) setup.limits.most_seconds = fmin(setup.limits.most_seconds, longest_check(before));
    return tune_run(&setup, trying->arena, tuned, diagnostic);
}

static status judge_all(struct trying *trying, const struct tune_report *tuned,
                        struct diagnostic *diagnostic)
{
    struct try_report *report = trying->report;
    const struct verdict_setting setting = {.all = &trying->all,
                                            .tried = &trying->tried,
                                            .facts = device_facts(trying->device),
                                            .store = trying->store};
    TRY_NEW(report->verdicts, trying->arena, trying->problem_count, diagnostic);
    report->verdict_count = trying->problem_count;
    for (int p = 0; p < trying->problem_count; p++)
        TRY(verdict_make(&setting, &tuned->rows[p], trying->arena, &report->verdicts[p],
                         diagnostic));
    verdict_sum_up(report);
    return STATUS_OK;
}

static status run_both(struct trying *trying, struct diagnostic *diagnostic)
{
    struct tune_report own, tried;
    TRY(tune_with(trying, &trying->own, NULL, &own, diagnostic));
    trying->report->interrupted = own.interrupted;
    if (own.interrupted) return STATUS_OK;
    TRY(tune_with(trying, &trying->all, &own, &tried, diagnostic));
    trying->report->restarts = tried.restarts;
    trying->report->interrupted = tried.interrupted;
    return judge_all(trying, &tried, diagnostic);
}

/* ---- The setting ---- */

static status open_device(struct trying *trying, struct diagnostic *diagnostic)
{
    const struct engine_options *options = &trying->options->engine;
    struct device **devices;
    int count;
    if (trying->options->model) {
        TRY(engine_lower(trying->options->model, options, &trying->engine, diagnostic));
        trying->device = trying->engine->devices[0];
        return STATUS_OK;
    }
    const struct device_options wanted = {
        .threads = options->threads, .cpu = options->cpu, .rates_folder = trying->cache_folder};
    TRY(device_open_list(options->devices ? options->devices : "cpu", &wanted, trying->arena,
                         &devices, &count, diagnostic));
    trying->device = devices[0];
    for (int d = 1; d < count; d++) device_close(devices[d]);
    return STATUS_OK;
}

static status try_prepared(struct trying *trying, struct diagnostic *diagnostic)
{
    const struct progress *progress = trying->options->engine.progress;
    TRY(split_catalogue(trying, diagnostic));
    TRY(open_device(trying, diagnostic));
    TRY(device_refuse_described(trying->device, diagnostic));
    TRY(tune_device_rates(trying->device, false, trying->cache_folder, trying->arena, progress,
                          diagnostic));
    trying->report->device_class =
        arena_text(trying->arena, device_facts(trying->device)->class_name);
    TRY_MEMORY(trying->report->device_class, diagnostic);
    TRY(list_problems(trying, diagnostic));
    TRY(store_open(trying->cache_folder ? trying->cache_folder : "", progress, &trying->store,
                   diagnostic));
    return run_both(trying, diagnostic);
}

status try_folder(const struct try_options *options, struct arena *arena, struct try_report *report,
                  struct diagnostic *diagnostic)
{
    const char *cache = options->engine.cache_folder;
    struct trying trying = {.options = options, .arena = arena, .report = report};
    double start = clock_seconds();
    *report = (struct try_report){.kind = VERDICT_UNDECIDED};
    if (!options->problem == !options->model)
        return fail(
            diagnostic, STATUS_USAGE,
            "say what to try it on: --problem TEXT (one that `hone tune --json` prints), or "
            "--model MODEL");
    trying.cache_folder = cache ? cache : file_cache_folder(arena);
    if (trying.cache_folder && !*trying.cache_folder) trying.cache_folder = NULL;
    status code = try_prepared(&trying, diagnostic);
    store_close(trying.store);
    if (trying.engine)
        engine_close(trying.engine);
    else
        device_close(trying.device);
    report->seconds = clock_seconds() - start;
    return code;
}
