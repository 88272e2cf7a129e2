/* hone lab compare: search strategies on recorded spaces. */
#include "base/file.h"
#include "cli/lab.h"
#include "engine/contest_chart.h"
#include "engine/space_file.h"
#include "tuner/search.h"
#include "tuner/search_library.h"

#include <stdio.h>
#include <string.h>

enum { SPACES_MAX = 128, STRATEGIES_MAX = 32 };

struct compare {
    const struct arguments *arguments;
    struct console *console;
    struct arena *arena;
    struct contest_options options;
    const char *paths[SPACES_MAX];
    int path_count;
    const struct hone_strategy *strategies[STRATEGIES_MAX];
    int strategy_count;
    struct contest_entry *entries;
    struct diagnostic *diagnostic;
};

static status add_path(struct compare *compare, const char *path)
{
    if (compare->path_count == SPACES_MAX)
        return fail(compare->diagnostic, STATUS_USAGE, "more than %d spaces", SPACES_MAX);
    compare->paths[compare->path_count++] = path;
    return STATUS_OK;
}

/* A folder stands for the recorded spaces in it. */
static status add_paths(struct compare *compare, const char *path)
{
    static const char *const suffixes[] = {".csv", ".json"};
    if (!file_is_folder(path)) return add_path(compare, path);
    for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++) {
        const char **names;
        int count;
        TRY(file_list(path, suffixes[s], compare->arena, &names, &count, compare->diagnostic));
        for (int n = 0; n < count; n++) {
            const char *joined = file_join(compare->arena, path, names[n]);
            TRY_MEMORY(joined, compare->diagnostic);
            TRY(add_path(compare, joined));
        }
    }
    return STATUS_OK;
}

static status choose_spaces(struct compare *compare)
{
    const struct arguments *arguments = compare->arguments;
    for (int s = 0; arguments->spaces[s]; s++) TRY(add_paths(compare, arguments->spaces[s]));
    for (int p = 1; p < arguments->positional_count; p++)
        TRY(add_paths(compare, arguments->positional[p]));
    if (compare->path_count) return STATUS_OK;
    return fail(compare->diagnostic, STATUS_USAGE,
                "`hone lab compare` needs recorded spaces: --space FILE or a folder of them");
}

static status add_strategy(struct compare *compare, const char *name)
{
    if (compare->strategy_count == STRATEGIES_MAX)
        return fail(compare->diagnostic, STATUS_USAGE, "more than %d strategies", STRATEGIES_MAX);
    return search_find(name, &compare->strategies[compare->strategy_count++], compare->diagnostic);
}

/* In order is no way to search within a budget: `all` leaves the exhaustive one out. */
static status choose_strategies(struct compare *compare)
{
    const char *names = compare->arguments->strategies;
    if (!names || strcmp(names, "all") == 0) {
        for (const struct hone_strategy *const *s = search_table(); *s; s++)
            if (strcmp((*s)->name, "exhaustive") != 0) TRY(add_strategy(compare, (*s)->name));
        return STATUS_OK;
    }
    char *list = arena_text(compare->arena, names), *rest;
    TRY_MEMORY(list, compare->diagnostic);
    for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        TRY(add_strategy(compare, name));
    if (compare->strategy_count) return STATUS_OK;
    return fail(compare->diagnostic, STATUS_USAGE, "--strategies names none");
}

static status run_space(struct compare *compare, int index)
{
    struct contest_entry *entry = &compare->entries[index];
    struct recorded_space *space;
    struct replay *replay;
    TRY(space_file_read(compare->paths[index], compare->arena, &space, compare->diagnostic));
    TRY(replay_create(space, compare->options.blind, compare->arena, &replay, compare->diagnostic));
    entry->name = space->name;
    entry->configs = space->config_count;
    entry->seconds = contest_seconds(replay);
    TRY_NEW(entry->results, compare->arena, compare->strategy_count, compare->diagnostic);
    for (int s = 0; s < compare->strategy_count; s++) {
        const struct progress_state state = {.stage = "comparing",
                                             .detail = space->name,
                                             .done = index + (double)s / compare->strategy_count,
                                             .total = compare->path_count,
                                             .seconds_left = -1};
        progress_update(&compare->console->progress, &state);
        if (progress_interrupted(&compare->console->progress))
            return fail(compare->diagnostic, STATUS_INTERRUPTED, "interrupted");
        TRY(contest_run(replay, compare->strategies[s], &compare->options, &entry->results[s],
                        compare->diagnostic));
    }
    return STATUS_OK;
}

/* ---- Means over the spaces; the score where the budget is not the whole space ---- */

struct mean {
    double share, score, worst;
};

static struct mean mean_of(const struct compare *compare, int strategy)
{
    struct mean mean = {.worst = 1};
    int scored = 0;
    for (int p = 0; p < compare->path_count; p++) {
        const struct contest_result *result = &compare->entries[p].results[strategy];
        mean.share += result->share / compare->path_count;
        if (result->share < mean.worst) mean.worst = result->share;
        if (result->budget >= (uint64_t)compare->entries[p].configs) continue;
        mean.score += result->score;
        scored++;
    }
    if (scored) mean.score /= scored;
    return mean;
}

/* ---- Output ---- */

static json_t *curve_json(const struct contest_curve *curve)
{
    json_t *mean = json_array(), *low = json_array(), *high = json_array();
    for (int i = 0; i < CONTEST_POINTS; i++) {
        json_array_append_new(mean, json_real(curve->mean[i]));
        json_array_append_new(low, json_real(curve->low[i]));
        json_array_append_new(high, json_real(curve->high[i]));
    }
    return json_pack("{s:o, s:o, s:o}", "mean", mean, "low", low, "high", high);
}

static json_t *result_json(const struct contest_result *result)
{
    return json_pack("{s:s, s:I, s:f, s:[f, f], s:f, s:f, s:f, s:o, s:o}", "strategy",
                     result->strategy->name, "budget", (json_int_t)result->budget, "share",
                     result->share, "share_confidence", result->share_low, result->share_high,
                     "worst_share", result->worst_share, "score", result->score, "search_seconds",
                     result->search_seconds, "score_curve", curve_json(&result->curve),
                     "share_curve", curve_json(&result->progress));
}

static json_t *report_json(const struct compare *compare)
{
    json_t *spaces = json_array(), *means = json_array();
    for (int p = 0; p < compare->path_count; p++) {
        json_t *results = json_array();
        for (int s = 0; s < compare->strategy_count; s++)
            json_array_append_new(results, result_json(&compare->entries[p].results[s]));
        json_array_append_new(spaces, json_pack("{s:s, s:s, s:i, s:f, s:o}", "file",
                                                compare->paths[p], "name", compare->entries[p].name,
                                                "configs", compare->entries[p].configs, "seconds",
                                                compare->entries[p].seconds, "results", results));
    }
    for (int s = 0; s < compare->strategy_count; s++) {
        struct mean mean = mean_of(compare, s);
        json_array_append_new(means,
                              json_pack("{s:s, s:f, s:f, s:f}", "strategy",
                                        compare->strategies[s]->name, "share", mean.share, "score",
                                        mean.score, "worst_space_share", mean.worst));
    }
    return json_pack("{s:i, s:I, s:b, s:o, s:o}", "repeats", compare->options.repeats, "seed",
                     (json_int_t)compare->options.seed, "blind", compare->options.blind, "means",
                     means, "spaces", spaces);
}

static void print_report(const struct compare *compare)
{
    printf(
        "best time possible / best time found with the budget, and score P, %d searches each%s\n\n",
        compare->options.repeats, compare->options.blind ? ", blind" : "");
    printf("%-36s %6s %6s", "space", "configs", "budget");
    for (int s = 0; s < compare->strategy_count; s++)
        printf(" %16.16s", compare->strategies[s]->name);
    printf("\n");
    for (int p = 0; p < compare->path_count; p++) {
        const struct contest_entry *entry = &compare->entries[p];
        printf("%-36.36s %7d %6llu", entry->name, entry->configs,
               (unsigned long long)entry->results[0].budget);
        for (int s = 0; s < compare->strategy_count; s++)
            printf("  %6.2f %% %6.3f", 100 * entry->results[s].share, entry->results[s].score);
        printf("\n");
    }
    printf("%-36s %7s %6s", "mean", "", "");
    for (int s = 0; s < compare->strategy_count; s++) {
        struct mean mean = mean_of(compare, s);
        printf("  %6.2f %% %6.3f", 100 * mean.share, mean.score);
    }
    printf("\n");
    if (compare->arguments->output) printf("\ncurves: %s\n", compare->arguments->output);
}

static status print_all(struct compare *compare)
{
    const struct arguments *arguments = compare->arguments;
    if (arguments->output) {
        const char *chart =
            contest_chart_print(compare->entries, compare->path_count, compare->strategy_count,
                                compare->options.repeats, compare->arena);
        TRY_MEMORY(chart, compare->diagnostic);
        TRY(file_write(arguments->output, chart, strlen(chart), compare->diagnostic));
    }
    console_clear_line(compare->console);
    if (arguments->json) return console_print_json(report_json(compare), compare->diagnostic);
    print_report(compare);
    return console_flush(compare->diagnostic);
}

LAB_ACTION(compare)
{
    enum { REPEATS = 100, REPEATS_MAX = 100000 };
    struct compare compare = {
        .arguments = arguments,
        .console = console,
        .arena = arena,
        .options = {.repeats = (int)given_or(arguments->repeats, REPEATS),
                    .seed = (uint64_t)given_or(arguments->seed, 0),
                    .budget = (uint64_t)given_or(arguments->limit, 0),
                    .blind = arguments->blind},
        .diagnostic = diagnostic,
    };
    if (compare.options.repeats < 1 || compare.options.repeats > REPEATS_MAX)
        return fail(diagnostic, STATUS_USAGE, "--repeats goes from 1 to %d", REPEATS_MAX);
    TRY(choose_spaces(&compare));
    TRY(choose_strategies(&compare));
    TRY_NEW(compare.entries, arena, compare.path_count, diagnostic);
    for (int p = 0; p < compare.path_count; p++) TRY(run_space(&compare, p));
    return print_all(&compare);
}
