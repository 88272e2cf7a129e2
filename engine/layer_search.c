/* Scanning, scoring again, and what is told meanwhile. */
#include "engine/layer_search.h"

#include "base/clock.h"
#include "base/random.h"
#include "engine/score.h"
#include "engine/search_ledger.h"
#include "planner/plan_file.h"

#include <stdio.h>

/* Tokens fed one by one to time generation.  The fastest counts: what else the machine does makes others slower, never
 * faster. */
enum { DECODE_TOKENS = 32 };
enum { SAMPLE_BYTES = 4096 }; /* of each tensor, to tell models apart */

struct layer_search {
    const struct layer_search_options *options;
    struct engine_options engine_options;
    struct engine *engine;
    int begin, end; /* the block whose layers the engine has */
    struct search_ledger *ledger;
    struct layer_search_result *result;
    struct arena *arena;
    struct progress inner; /* of scoring one block, whose share of the whole is reported */
    const char *stage;
    double cost_done, cost_here,
        cost_total; /* in executed layers, but for those that the ledger had */
    double start_seconds;
};

const char *layer_search_map(int layers, int begin, int end, struct arena *arena)
{
    if (begin == end) return arena_print(arena, "0..%d", layers - 1);
    return arena_print(arena, "0..%d,%d..%d", end - 1, begin, layers - 1);
}

/* ---- Progress ---- */

/* `share` of the block at hand is done. */
static void report(const struct layer_search *search, double share)
{
    char detail[64];
    double done = search->cost_done + share * search->cost_here;
    double seconds = clock_seconds() - search->start_seconds;
    snprintf(detail, sizeof detail, "block (%d, %d)", search->begin, search->end);
    const struct progress_state state = {
        .stage = search->stage,
        .detail = detail,
        .done = done,
        .total = search->cost_total,
        .seconds_left = done > 0 ? seconds / done * (search->cost_total - done) : -1,
    };
    progress_update(search->options->progress, &state);
}

static void report_inner(void *context, const struct progress_state *state)
{
    if (state->total > 0) report(context, state->done / state->total);
}

static void warn_inner(void *context, const char *message)
{
    const struct layer_search *search = context;
    progress_warn(search->options->progress, "%s", message);
}

static bool interrupted_inner(void *context)
{
    const struct layer_search *search = context;
    return progress_interrupted(search->options->progress);
}

/* ---- One block ---- */

static status set_layers(struct layer_search *search, int begin, int end,
                         struct diagnostic *diagnostic)
{
    if (search->begin == begin && search->end == end) return STATUS_OK;
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    const char *map = layer_search_map(search->result->layers, begin, end, scratch);
    search->engine_options.layer_map = map;
    status code = map ? engine_change_layers(search->engine, &search->engine_options, diagnostic)
                      : fail_memory(diagnostic, 0);
    search->engine_options.layer_map = NULL;
    arena_destroy(scratch);
    TRY(code);
    search->begin = begin;
    search->end = end;
    return STATUS_OK;
}

static status time_tokens(struct layer_search *search, int sequence, float *logits, double *least,
                          struct diagnostic *diagnostic)
{
    int64_t vocabulary = engine_model(search->engine)->vocabulary;
    *least = 0;
    for (int t = 0; t < DECODE_TOKENS; t++) {
        int32_t token = (int32_t)(t % vocabulary);
        const struct engine_input input = {.sequence = sequence, .tokens = &token, .count = 1};
        double start = clock_seconds();
        TRY(engine_feed(search->engine, &input, 1, logits, diagnostic));
        double seconds = clock_seconds() - start;
        if (t == 0 || seconds < *least) *least = seconds;
    }
    return STATUS_OK;
}

static status time_decode(struct layer_search *search, double *seconds,
                          struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    struct scorer scorer = {.sequence = -1};
    TRY_MEMORY(scratch, diagnostic);
    status code = scorer_open(search->engine, scratch, &scorer, diagnostic);
    if (code == STATUS_OK)
        code = time_tokens(search, scorer.sequence, scorer.logits, seconds, diagnostic);
    scorer_close(&scorer);
    arena_destroy(scratch);
    return code;
}

/* Where a failure happened is said in front of what it was. */
static status name_block(const struct layer_search *search, int begin, int end, status code,
                         const struct diagnostic *reason, struct diagnostic *diagnostic)
{
    const char *ledger = search->options->ledger;
    if (code == STATUS_INTERRUPTED && ledger)
        return fail(diagnostic, code,
                    "interrupted; the same command goes on from the scores in %.500s", ledger);
    if (code == STATUS_INTERRUPTED || begin == end)
        return fail(diagnostic, code, "%s", reason->text);
    return fail(diagnostic, code, "block (%d, %d): %s", begin, end, reason->text);
}

static status score_now(struct layer_search *search, struct ledger_entry *entry,
                        struct diagnostic *diagnostic)
{
    const struct layer_search_options *options = search->options;
    TRY(set_layers(search, entry->begin, entry->end, diagnostic));
    TRY(probe_evaluate(entry->held_out ? options->held_out : options->probe, search->engine,
                       &search->inner, &entry->score, diagnostic));
    if (entry->held_out) TRY(time_decode(search, &entry->decode_seconds, diagnostic));
    return ledger_add(search->ledger, entry, diagnostic);
}

static double cost_of(const struct layer_search *search, int begin, int end)
{
    return search->result->layers + end - begin;
}

/* From the ledger, or by executing the model. */
static status score_block(struct layer_search *search, struct block_score *block, bool held_out,
                          struct diagnostic *diagnostic)
{
    const struct ledger_entry *known =
        ledger_find(search->ledger, held_out, block->begin, block->end);
    struct ledger_entry entry = {.begin = block->begin, .end = block->end, .held_out = held_out};
    if (!known) {
        struct diagnostic reason = {0};
        search->cost_here = cost_of(search, block->begin, block->end);
        status code = score_now(search, &entry, &reason);
        if (code != STATUS_OK)
            return name_block(search, block->begin, block->end, code, &reason, diagnostic);
        search->cost_done += search->cost_here;
    }
    search->result->resumed += known != NULL;
    const struct ledger_entry *scored = known ? known : &entry;
    *(held_out ? &block->held_out : &block->probe) = scored->score;
    *(held_out ? &block->again : &block->scanned) = true;
    if (held_out) block->decode_seconds = scored->decode_seconds;
    return STATUS_OK;
}

/* ---- The scan ---- */

static status list_blocks(struct layer_search *search, struct diagnostic *diagnostic)
{
    const struct layer_search_options *options = search->options;
    struct layer_search_result *result = search->result;
    int64_t first = options->first_layer, last = options->last_layer;
    if (last < 0) last = result->layers - 1;
    if (first > last || last >= result->layers)
        return fail(diagnostic, STATUS_USAGE,
                    "--blocks: %lld..%lld is outside the model, which has %d layers, 0 to %d",
                    (long long)first, (long long)last, result->layers, result->layers - 1);
    size_t capacity = 0;
    for (int begin = (int)first; begin <= last; begin++)
        for (int end = begin + 1; end <= last + 1; end++) {
            TRY_APPEND(result->blocks, result->count, capacity, search->arena, diagnostic);
            result->blocks[result->count - 1] = (struct block_score){.begin = begin, .end = end};
        }
    return STATUS_OK;
}

/* A budget that ends the scan early has then seen a fair sample of all blocks. */
static status draw_order(const struct layer_search *search, int **order,
                         struct diagnostic *diagnostic)
{
    int count = search->result->count;
    TRY_NEW(*order, search->arena, count, diagnostic);
    for (int b = 0; b < count; b++) {
        int other = (int)(random_bits(search->options->seed, 1, (uint64_t)b) % (uint64_t)(b + 1));
        (*order)[b] = (*order)[other];
        (*order)[other] = b;
    }
    return STATUS_OK;
}

static void start_stage(struct layer_search *search, const char *stage)
{
    search->stage = stage;
    search->cost_done = search->cost_total = 0;
    search->start_seconds = clock_seconds();
}

static void expect(struct layer_search *search, const struct block_score *block, bool held_out)
{
    if (!ledger_find(search->ledger, held_out, block->begin, block->end))
        search->cost_total += cost_of(search, block->begin, block->end);
}

static status scan(struct layer_search *search, struct diagnostic *diagnostic)
{
    struct layer_search_result *result = search->result;
    double budget = search->options->budget_seconds;
    int *order;
    TRY(draw_order(search, &order, diagnostic));
    start_stage(search, "scanning blocks");
    expect(search, &result->base, false);
    for (int b = 0; b < result->count; b++) expect(search, &result->blocks[b], false);
    TRY(score_block(search, &result->base, false, diagnostic));
    if (!result->base.probe.finite)
        return fail(diagnostic, STATUS_MISMATCH,
                    "%.500s: its logits on the probe are no finite numbers",
                    search->options->model);
    for (int b = 0; b < result->count; b++) {
        struct block_score *block = &result->blocks[order[b]];
        bool over = budget > 0 && clock_seconds() - search->start_seconds > budget;
        if (over && !ledger_find(search->ledger, false, block->begin, block->end)) continue;
        TRY(score_block(search, block, false, diagnostic));
        result->scanned++;
        if (block->probe.finite)
            block->gain = probe_gain(search->options->probe, &block->probe, &result->base.probe);
    }
    return STATUS_OK;
}

/* ---- The best, again ---- */

/* Better scores first; of equals the shorter block, then the earlier one. */
static int compare_blocks(const struct layer_search *search, const struct block_score *a,
                          const struct block_score *b, bool held_out)
{
    const struct layer_search_options *options = search->options;
    int order = held_out ? probe_compare(options->held_out, &a->held_out, &b->held_out)
                         : probe_compare(options->probe, &a->probe, &b->probe);
    if (order) return order;
    int lengths = (a->end - a->begin) - (b->end - b->begin);
    return lengths ? lengths : a->begin - b->begin;
}

/* Puts `block` into its place among the `count` best. */
static void insert(const struct layer_search *search, struct block_score **best, int count,
                   struct block_score *block, bool held_out)
{
    int place = count;
    for (; place > 0 && compare_blocks(search, block, best[place - 1], held_out) < 0; place--)
        best[place] = best[place - 1];
    best[place] = block;
}

static status choose_best(struct layer_search *search, struct diagnostic *diagnostic)
{
    struct layer_search_result *result = search->result;
    int64_t top = search->options->top < result->count ? search->options->top : result->count;
    TRY_NEW(result->best, search->arena, top + 1, diagnostic);
    for (int b = 0; b < result->count; b++) {
        struct block_score *block = &result->blocks[b];
        if (!block->scanned || !block->probe.finite) continue;
        insert(search, result->best, result->best_count, block, false);
        if (result->best_count < top) result->best_count++;
    }
    return STATUS_OK;
}

static status score_again(struct layer_search *search, struct diagnostic *diagnostic)
{
    struct layer_search_result *result = search->result;
    struct block_score **best = result->best;
    start_stage(search, "scoring the best again");
    expect(search, &result->base, true);
    for (int b = 0; b < result->best_count; b++) expect(search, best[b], true);
    TRY(score_block(search, &result->base, true, diagnostic));
    for (int b = 0; b < result->best_count; b++) {
        TRY(score_block(search, best[b], true, diagnostic));
        if (best[b]->held_out.finite && result->base.held_out.finite)
            best[b]->held_out_gain =
                probe_gain(search->options->held_out, &best[b]->held_out, &result->base.held_out);
        insert(search, best, b, best[b], true);
    }
    return STATUS_OK;
}

/* ---- The whole ---- */

/* A model's identity is made of its files' heads.  Two of one shape differ in their weights: some bytes of each tell them
 * apart, without reading all of them. */
static status identify_model(const struct layer_search *search, struct hash *identity,
                             struct diagnostic *diagnostic)
{
    const struct model *model = engine_model(search->engine);
    *identity = model->identity;
    for (int v = 0; v < model->graph->value_count; v++) {
        const struct value *value = &model->graph->values[v];
        struct stored_weight stored;
        if (value->kind != VALUE_WEIGHT) continue;
        const char *name = value->source ? value->source : value->name;
        TRY(model->weights.find(model->weights.context, name, &stored, diagnostic));
        for (int p = 0; p < stored.part_count; p++) {
            int64_t bytes = stored.part_bytes < SAMPLE_BYTES ? stored.part_bytes : SAMPLE_BYTES;
            *identity = hash_combine(*identity, hash_bytes(stored.parts[p], (size_t)bytes));
        }
    }
    return STATUS_OK;
}

static status open_search(struct layer_search *search, struct diagnostic *diagnostic)
{
    const struct layer_search_options *options = search->options;
    const struct engine_options *engine = &options->engine;
    TRY(engine_open(options->model, engine, &search->engine, diagnostic));
    const struct model *model = engine_model(search->engine);
    search->result->layers = (int)model->layer_count;
    if (model->layer_count < 1)
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: has no layers", options->model);
    TRY(list_blocks(search, diagnostic));
    struct ledger_head head = {.probe = options->probe->identity,
                               .held_out = options->held_out->identity,
                               .layers = search->result->layers};
    TRY(identify_model(search, &head.model, diagnostic));
    head.settings = arena_print(
        search->arena, "%s %s %d %d %d %d %lld %s", engine->devices ? engine->devices : "cpu",
        engine->cpu ? engine->cpu : "native", (int)engine->state_element, engine->rotates_states,
        engine->fast, engine->references, (long long)engine->context,
        engine->settings ? engine->settings : "");
    TRY_MEMORY(head.settings, diagnostic);
    return ledger_open(options->ledger, &head, options->progress, search->arena, &search->ledger,
                       diagnostic);
}

static status search_all(struct layer_search *search, struct diagnostic *diagnostic)
{
    TRY(open_search(search, diagnostic));
    search->inner = (struct progress){.context = search,
                                      .update = report_inner,
                                      .warn = warn_inner,
                                      .interrupted = interrupted_inner};
    search->engine_options.progress = &search->inner;
    TRY(scan(search, diagnostic));
    TRY(choose_best(search, diagnostic));
    return score_again(search, diagnostic);
}

status layer_search(const struct layer_search_options *options, struct arena *arena,
                    struct layer_search_result *result, struct diagnostic *diagnostic)
{
    struct layer_search search = {
        .options = options, .engine_options = options->engine, .result = result, .arena = arena};
    *result = (struct layer_search_result){0};
    if (plan_file_recognise(options->model))
        return fail(diagnostic, STATUS_USAGE,
                    "%.500s is a plan, whose layers are settled; name the model it was made from",
                    options->model);
    status code = search_all(&search, diagnostic);
    ledger_close(search.ledger);
    engine_close(search.engine);
    return code;
}
