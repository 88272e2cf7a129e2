/* The model is read and its graph lowered as for running, but nothing is compiled and no weights are loaded: the tuner makes
 * its own operands. */
#include "engine/tune_model.h"

#include "engine/engine_internal.h"
#include "engine/tune_device.h"
#include "engine/tuning_page.h"
#include "ops/op_table.h"
#include "planner/tuning.h"
#include "tuner/capture_problems.h"

#include <math.h>

/* People look at a page that changes every few seconds. */
static const double report_pause_seconds = 2;

/* The winners' limits by the best rates seen before and after: other work lowers a sample, never raises it. */
static status renew_limits(struct engine *engine, struct tune_model_report *report,
                           struct diagnostic *diagnostic)
{
    struct device *device = engine->devices[0];
    struct device_facts *best = &report->facts;
    if (!device_memory_is_host(device)) return STATUS_OK;
    TRY(device_probe(device, diagnostic));
    for (int f = 0; f < FACT_launch_nanoseconds; f++)
        best->values[f] = fmax(best->values[f], device_facts(device)->values[f]);
    for (int r = 0; r < report->tuned.row_count; r++)
        if (report->tuned.rows[r].limit_seconds > 0) tune_row_limit(&report->tuned.rows[r], best);
    return STATUS_OK;
}

/* Without a card there is nothing to measure. */
static status refuse_measuring(const struct engine *engine, int effort,
                               struct diagnostic *diagnostic)
{
    if (effort == 0) return STATUS_OK;
    return device_refuse_described(engine->devices[0], diagnostic);
}

static status tune_and_renew(struct engine *engine, const struct tune_setup *setup,
                             struct arena *arena, struct tune_model_report *report,
                             struct diagnostic *diagnostic)
{
    TRY(tune_run(setup, arena, &report->tuned, diagnostic));
    return setup->options.effort > 0 ? renew_limits(engine, report, diagnostic) : STATUS_OK;
}

/* "context 4096, 1 sequence, chunks of 512 tokens, KV f16": what the problems follow from. */
static const char *describe_scope(const struct engine *engine,
                                  const struct tune_model_options *options, struct arena *arena)
{
    const struct plan_bounds *bounds = &engine->plan->bounds;
    struct text text = {.arena = arena};
    if (options->from) text_print(&text, "the problems of %s, ", options->from);
    if (options->op) text_print(&text, "%s only, ", options->op);
    text_print(&text, "context %lld, %lld sequence%s, chunks of %lld tokens, KV %s%s, devices %s",
               (long long)bounds->context, (long long)bounds->sequences,
               bounds->sequences == 1 ? "" : "s", (long long)bounds->tokens,
               element_of(options->engine.state_element)->name,
               options->engine.rotates_states ? " rotated" : "",
               options->engine.devices ? options->engine.devices : "cpu");
    return text_finish(&text);
}

/* The page is finished whatever became of the run; a failure of the run counts for more than one of the page. */
static status tune_and_show(struct engine *engine, const struct tune_model_options *options,
                            struct tune_setup *setup, struct arena *arena,
                            struct tune_model_report *report, struct diagnostic *diagnostic)
{
    struct tuning_page_setup shown = {.path = options->report,
                                      .model = report->model,
                                      .scope = describe_scope(engine, options, arena),
                                      .setup = setup,
                                      .pause_seconds = report_pause_seconds};
    struct explained_choice *choices;
    struct tuning_page *page;
    struct diagnostic unwritten = {0};
    TRY_MEMORY(shown.scope, diagnostic);
    TRY(engine_explain_choices(engine, &options->engine, arena, &choices, &shown.choice_count,
                               diagnostic));
    shown.choices = choices;
    TRY(tuning_page_create(&shown, arena, &page, diagnostic));
    setup->options.watch = tuning_page_watch(page);
    status code = tune_and_renew(engine, setup, arena, report, diagnostic);
    const char *failure = code == STATUS_OK ? NULL : diagnostic->text;
    status written = tuning_page_finish(page, &report->tuned, &report->facts, failure, &unwritten);
    if (code != STATUS_OK || written == STATUS_OK) return code;
    return fail(diagnostic, written, "%s; tuning is done, and every measurement is kept",
                unwritten.text);
}

/* Of the capture, or of the plan. */
static status list_problems(struct engine *engine, const struct tune_model_options *options,
                            const struct device_facts *facts, struct arena *arena,
                            struct tune_problem **problems, int *count,
                            struct diagnostic *diagnostic)
{
    const struct tuning_options wanted = {.op = options->op, .prompt_share = TUNE_PROMPT_SHARE};
    const struct capture_selection selection = {
        .ops = op_table(), .catalogue = &engine->catalogue, .facts = facts, .op = options->op};
    struct capture *capture;
    if (!options->from)
        return tuning_problems(engine->plan, &engine->catalogue, facts, 0, &wanted, arena, problems,
                               count, diagnostic);
    TRY(capture_read(options->from, arena, &capture, diagnostic));
    if (!hash_equal(capture->model, engine->model->identity))
        return fail(diagnostic, STATUS_USAGE,
                    "%.700s was captured from another model, %s: name that one, or capture again",
                    options->from, capture->description);
    return capture_problems(capture, &selection, arena, problems, count, diagnostic);
}

static status tune_problems(struct engine *engine, const struct tune_model_options *options,
                            struct store *store, struct arena *arena,
                            struct tune_model_report *report, struct diagnostic *diagnostic)
{
    struct tune_device tuned;
    TRY(engine_open_lock(engine, &options->engine, diagnostic));
    struct tune_setup setup = {
        .catalogue = &engine->catalogue,
        .store = store,
        .options = {.effort = options->effort,
                    .budget_seconds = options->budget_seconds,
                    .seed = options->seed,
                    .strategy = options->strategy,
                    .policy = {.fast = options->engine.fast, .lock = engine->lock},
                    .artifact_folder = engine_artifact_folder(engine),
                    .progress = options->engine.progress},
    };
    TRY(tune_device_prepare(engine->devices[0], options->engine.cpu, &tuned, &setup, diagnostic));
    struct tune_problem *problems;
    TRY(list_problems(engine, options, setup.facts, arena, &problems, &setup.problem_count,
                      diagnostic));
    setup.problems = problems;
    if (setup.problem_count == 0)
        return fail(diagnostic, STATUS_NOT_FOUND, "there is nothing to tune%s%s",
                    options->op ? ": no variant answers problems of " : "",
                    options->op ? options->op : "");
    return options->report ? tune_and_show(engine, options, &setup, arena, report, diagnostic)
                           : tune_and_renew(engine, &setup, arena, report, diagnostic);
}

static status tune_prepared(struct engine *engine, const struct tune_model_options *options,
                            struct arena *arena, struct tune_model_report *report,
                            struct diagnostic *diagnostic)
{
    TRY(refuse_measuring(engine, options->effort, diagnostic));
    TRY(tune_device_rates(engine->devices[0], options->effort > 0, engine->cache_folder,
                          engine->arena, options->engine.progress, diagnostic));
    report->facts = *device_facts(engine->devices[0]);
    report->facts.name = arena_text(arena, report->facts.name);
    report->facts.class_name = arena_text(arena, report->facts.class_name);
    report->model = arena_text(arena, engine->model->description);
    TRY_MEMORY(report->model, diagnostic);
    struct store *store;
    TRY(engine_open_store(engine, options->engine.progress, &store, diagnostic));
    report->store = arena_text(arena, store_path(store));
    report->kept = store_keeps(store);
    status code = tune_problems(engine, options, store, arena, report, diagnostic);
    store_close(store);
    return code;
}

status tune_model(const char *path, const struct tune_model_options *options, struct arena *arena,
                  struct tune_model_report *report, struct diagnostic *diagnostic)
{
    struct engine *engine = NULL;
    *report = (struct tune_model_report){0};
    TRY(engine_lower(path, &options->engine, &engine, diagnostic));
    status code = tune_prepared(engine, options, arena, report, diagnostic);
    engine_close(engine);
    return code;
}
