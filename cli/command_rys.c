/* hone rys: which layers are worth executing twice. */
#include "base/file.h"
#include "cli/command.h"
#include "engine/heat_map.h"
#include "engine/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TOP_DEFAULT = 10 };

struct rys {
    const struct arguments *arguments;
    struct console *console;
    struct arena *arena;
    const char *ledger, *heat_map, *report; /* files; NULL: none */
    struct probe whole, scanned, held_out;
    struct layer_search_options options;
    struct layer_search_result result;
};

/* ---- What is asked for ---- */

/* -o FOLDER names three files; --ledger and --heat-map name theirs. */
static status choose_files(struct rys *rys, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = rys->arguments;
    const char *folder = arguments->output;
    rys->ledger = arguments->ledger;
    rys->heat_map = arguments->heat_map;
    if (!folder) return STATUS_OK;
    if (!rys->ledger)
        TRY_MEMORY(rys->ledger = file_join(rys->arena, folder, "ledger.jsonl"), diagnostic);
    if (!rys->heat_map)
        TRY_MEMORY(rys->heat_map = file_join(rys->arena, folder, "heat-map.svg"), diagnostic);
    TRY_MEMORY(rys->report = file_join(rys->arena, folder, "report.json"), diagnostic);
    return file_make_folders(folder, diagnostic);
}

static status read_probe(const struct rys *rys, const char *path, struct probe *probe,
                         struct diagnostic *diagnostic)
{
    const struct arguments *arguments = rys->arguments;
    return probe_read(path, given_or(arguments->context, 0), given_or(arguments->limit, 0),
                      rys->arena, probe, diagnostic);
}

static status read_probes(struct rys *rys, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = rys->arguments;
    if (!arguments->probe)
        return fail(diagnostic, STATUS_USAGE,
                    "`hone rys` needs what to score on: --probe FILE, a text or questions as "
                    ".jsonl (docs/layer-maps.md)");
    TRY(read_probe(rys, arguments->probe, &rys->whole, diagnostic));
    if (!arguments->held_out)
        return probe_split(&rys->whole, (uint64_t)given_or(arguments->seed, 0), rys->arena,
                           &rys->scanned, &rys->held_out, diagnostic);
    rys->scanned = rys->whole;
    return read_probe(rys, arguments->held_out, &rys->held_out, diagnostic);
}

/* "3..7", both included. */
static status read_blocks(const char *text, struct layer_search_options *options,
                          struct diagnostic *diagnostic)
{
    long long first, last;
    int used = 0;
    options->last_layer = -1;
    if (!text) return STATUS_OK;
    if (sscanf(text, "%lld..%lld%n", &first, &last, &used) != 2 || text[used] || first < 0 ||
        last < first)
        return fail(diagnostic, STATUS_USAGE,
                    "--blocks: \"%s\" is not understood; write --blocks 3..7", text);
    options->first_layer = first;
    options->last_layer = last;
    return STATUS_OK;
}

/* ---- What is told ---- */

static json_t *score_json(const struct probe *probe, const struct probe_score *score)
{
    if (!score->finite) return json_null();
    if (probe->kind == PROBE_TEXT)
        return json_pack("{s:f, s:f}", "perplexity", exp(-score->log_likelihood), "log_likelihood",
                         score->log_likelihood);
    return json_pack("{s:f, s:f}", "accuracy", score->accuracy, "log_likelihood",
                     score->log_likelihood);
}

static json_t *gain_json(const struct probe_score *score, double gain)
{
    return score->finite ? json_real(gain) : json_null();
}

static json_t *block_json(const struct rys *rys, const struct block_score *block)
{
    const struct layer_search_result *result = &rys->result;
    const char *map = layer_search_map(result->layers, block->begin, block->end, rys->arena);
    json_t *object =
        json_pack("{s:i, s:i, s:s?, s:o, s:o}", "begin", block->begin, "end", block->end,
                  "layer_map", map, "gain", gain_json(&block->probe, block->gain), "probe",
                  score_json(&rys->scanned, &block->probe));
    if (!block->again) return object;
    json_object_set_new(object, "held_out_gain", gain_json(&block->held_out, block->held_out_gain));
    json_object_set_new(object, "held_out", score_json(&rys->held_out, &block->held_out));
    json_object_set_new(object, "decode_seconds", json_real(block->decode_seconds));
    json_object_set_new(object, "added_layers", json_integer(block->end - block->begin));
    json_object_set_new(object, "added_seconds_per_token",
                        json_real(block->decode_seconds - result->base.decode_seconds));
    return object;
}

static json_t *report_json(const struct rys *rys)
{
    const struct layer_search_result *result = &rys->result;
    json_t *blocks = json_array(), *best = json_array();
    for (int b = 0; b < result->count; b++)
        if (result->blocks[b].scanned)
            json_array_append_new(blocks, block_json(rys, &result->blocks[b]));
    for (int b = 0; b < result->best_count; b++)
        json_array_append_new(best, block_json(rys, result->best[b]));
    return json_pack("{s:s, s:i, s:s, s:s, s:s?, s:I, s:o, s:i, s:i, s:i, s:o, s:o, s:s?, s:s?}",
                     "model", rys->options.model, "layers", result->layers, "kind",
                     rys->whole.kind == PROBE_TEXT ? "text" : "questions", "probe", rys->whole.path,
                     "held_out", rys->arguments->held_out, "seed", (json_int_t)rys->options.seed,
                     "base", block_json(rys, &result->base), "block_count", result->count,
                     "scanned", result->scanned, "resumed", result->resumed, "best", best, "blocks",
                     blocks, "ledger", rys->ledger, "heat_map", rys->heat_map);
}

static const char *quality(const struct probe *probe, const struct probe_score *score,
                           char text[static 32])
{
    if (!score->finite)
        snprintf(text, 32, "not finite");
    else if (probe->kind == PROBE_TEXT)
        snprintf(text, 32, "perplexity %.4f", exp(-score->log_likelihood));
    else
        snprintf(text, 32, "%.2f %% right", 100 * score->accuracy);
    return text;
}

static void print_row(const struct rys *rys, const struct block_score *block)
{
    const struct layer_search_result *result = &rys->result;
    double base = result->base.decode_seconds, scale = rys->whole.kind == PROBE_TEXT ? 1 : 100;
    char name[48], told[32];
    snprintf(name, sizeof name, "(%d, %d)", block->begin, block->end);
    printf("%-12s %+11.5f  ", name, scale * block->gain);
    if (block->held_out.finite)
        printf("%+11.5f", scale * block->held_out_gain);
    else
        printf("%11s", "not finite");
    printf("  %-20s %+7d  %+9.3f ms (%+.0f %%)\n", quality(&rys->held_out, &block->held_out, told),
           block->end - block->begin, 1e3 * (block->decode_seconds - base),
           base > 0 ? 100 * (block->decode_seconds / base - 1) : 0);
}

static status print_table(const struct rys *rys, struct diagnostic *diagnostic)
{
    const struct layer_search_result *result = &rys->result;
    const char *unit = rys->whole.kind == PROBE_TEXT ? "nats per token" : "percentage points";
    char probe[32], held_out[32], seconds[32];
    printf("%s as it is: %s on the probe, %s on held-out, %s per token\n",
           file_name_of(rys->options.model), quality(&rys->scanned, &result->base.probe, probe),
           quality(&rys->held_out, &result->base.held_out, held_out),
           text_seconds(result->base.decode_seconds, seconds));
    printf("%d of %d blocks scanned, %d scores from the ledger; gains in %s\n\n", result->scanned,
           result->count, result->resumed, unit);
    printf("%-12s %11s  %11s  %-20s %7s  %s\n", "block (i, j)", "on probe", "on held-out",
           "held-out", "layers", "added time per token");
    for (int b = 0; b < result->best_count; b++) print_row(rys, result->best[b]);
    if (result->best_count && result->best[0]->held_out_gain > 0)
        printf("\nhone run %s --layer-map %s\n", rys->options.model,
               layer_search_map(result->layers, result->best[0]->begin, result->best[0]->end,
                                rys->arena));
    else
        printf("\nno block is better than the model as it is on the held-out probe\n");
    return console_flush(diagnostic);
}

static status write_files(const struct rys *rys, struct diagnostic *diagnostic)
{
    if (rys->heat_map) {
        const char *drawn =
            heat_map_print(&rys->result, &rys->scanned, rys->options.model, rys->arena);
        TRY_MEMORY(drawn, diagnostic);
        TRY(file_write(rys->heat_map, drawn, strlen(drawn), diagnostic));
    }
    return rys->report ? console_write_json(rys->report, report_json(rys), diagnostic) : STATUS_OK;
}

status command_rys(const struct arguments *arguments, struct console *console, struct arena *arena,
                   struct diagnostic *diagnostic)
{
    struct rys rys = {.arguments = arguments, .console = console, .arena = arena};
    struct layer_search_options *options = &rys.options;
    TRY(command_positional(arguments, 0, "a model", &options->model, diagnostic));
    TRY(command_engine_options(arguments, console, &options->engine, diagnostic));
    TRY(read_blocks(arguments->blocks, options, diagnostic));
    TRY(read_probes(&rys, diagnostic));
    TRY(choose_files(&rys, diagnostic));
    options->engine.outputs = SCORE_ROWS;
    options->probe = &rys.scanned;
    options->held_out = &rys.held_out;
    options->top = given_or(arguments->top, TOP_DEFAULT);
    options->budget_seconds = real_or(arguments->budget, 0);
    options->seed = (uint64_t)given_or(arguments->seed, 0);
    options->ledger = rys.ledger;
    options->progress = &console->progress;
    TRY(layer_search(options, arena, &rys.result, diagnostic));
    console_clear_line(console);
    TRY(write_files(&rys, diagnostic));
    return arguments->json ? console_print_json(report_json(&rys), diagnostic)
                           : print_table(&rys, diagnostic);
}
