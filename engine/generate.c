/* The generation loop: one ragged step per token for all requests that still run. */
#include "engine/generate.h"

#include "base/clock.h"
#include "base/text.h"

#include <string.h>

/* One request under way. */
struct active {
    const struct generation_request *request;
    struct generation_result *result;
    int index, sequence;
    bool running;
    int32_t *history; /* prompt and new tokens */
    int64_t history_count;
    struct text text;     /* of the new tokens */
    size_t printed_bytes; /* of text that went to the sink */
};

struct generating {
    struct engine *engine;
    struct active *actives;
    int count;
    generation_sink *sink;
    void *sink_context;
    struct arena *arena;   /* results */
    struct arena *scratch; /* one step */
    float *logits;         /* [count, vocabulary]; NULL: samplers need the largest alone */
    struct engine_top top; /* then these */
    struct engine_input *inputs;
};

/* The longest end of `text` that is the beginning of a stop text. */
static size_t held_back(const char *const *stops, const char *text, size_t length)
{
    size_t longest = 0;
    for (; stops && *stops; stops++) {
        size_t stop_length = strlen(*stops);
        for (size_t n = stop_length < length ? stop_length : length; n > longest; n--)
            if (memcmp(text + length - n, *stops, n) == 0) longest = n;
    }
    return longest;
}

/* Where a stop text begins, or `length`. */
static size_t find_stop(const char *const *stops, const char *text, size_t length)
{
    size_t first = length;
    for (; stops && *stops; stops++) {
        size_t stop_length = strlen(*stops);
        if (!stop_length) continue;
        const char *found = memmem(text, length, *stops, stop_length);
        if (found && (size_t)(found - text) < first) first = (size_t)(found - text);
    }
    return first;
}

static void print_new(struct generating *generating, struct active *active, bool finished)
{
    if (!generating->sink || !active->text.bytes) return;
    const char *pending = active->text.bytes + active->printed_bytes;
    size_t length = active->text.length - active->printed_bytes;
    size_t ready = finished ? length : tokenizer_printable(pending, length);
    if (!finished) {
        size_t held = held_back(active->request->stops, active->text.bytes, active->text.length);
        if (held > length - ready) ready = held < length ? length - held : 0;
    }
    if (ready) generating->sink(generating->sink_context, active->index, pending, ready);
    active->printed_bytes += ready;
}

static void finish(struct generating *generating, struct active *active, enum generation_end end)
{
    active->running = false;
    active->result->end = end;
    print_new(generating, active, true);
}

/* Takes one sampled token into the request; ends it when it must end. */
static void accept(struct generating *generating, struct active *active, int32_t token)
{
    const struct tokenizer *tokenizer = engine_model(generating->engine)->tokenizer;
    struct generation_result *result = active->result;
    if (tokenizer && !active->request->ignore_end && tokenizer_ends(tokenizer, token)) {
        finish(generating, active, GENERATION_END_TOKEN);
        return;
    }
    result->tokens[result->count++] = token;
    active->history[active->history_count++] = token;
    if (tokenizer) {
        size_t length;
        const char *bytes = tokenizer_bytes(tokenizer, token, &length);
        text_append_range(&active->text, bytes, length);
        size_t stop = find_stop(active->request->stops, active->text.bytes, active->text.length);
        if (stop < active->text.length) {
            active->text.length = stop;
            active->text.bytes[stop] = 0;
            finish(generating, active, GENERATION_STOP_TEXT);
            return;
        }
    }
    print_new(generating, active, false);
    if (result->count == active->request->tokens) finish(generating, active, GENERATION_LENGTH);
}

/* The next token of a request from row `row` of what was fed. */
static status sample_row(struct generating *generating, const struct active *active, int64_t row,
                         int32_t *token, struct diagnostic *diagnostic)
{
    int64_t vocabulary = engine_model(generating->engine)->vocabulary;
    const struct engine_top *top = &generating->top;
    const struct generation_request *request = active->request;
    arena_reset(generating->scratch);
    if (generating->logits)
        return sample_token(&request->sampling, generating->logits + row * vocabulary, vocabulary,
                            active->history, active->history_count, request->stream,
                            (uint64_t)active->history_count, generating->scratch, token,
                            diagnostic);
    if (top->not_numbers[row]) return sampling_not_numbers(diagnostic);
    return sample_largest(&request->sampling, top->values + row * top->count,
                          top->tokens + row * top->count, top->count, request->stream,
                          (uint64_t)active->history_count, generating->scratch, token, diagnostic);
}

static status sample_all(struct generating *generating, struct diagnostic *diagnostic)
{
    int64_t row = 0;
    for (int a = 0; a < generating->count; a++) {
        struct active *active = &generating->actives[a];
        if (!active->running) continue;
        int32_t token;
        TRY(sample_row(generating, active, row++, &token, diagnostic));
        accept(generating, active, token);
    }
    return STATUS_OK;
}

/* Feeds what each running request has not been fed: its prompt at first, its newest token later. */
static int gather_inputs(struct generating *generating)
{
    int count = 0;
    for (int a = 0; a < generating->count; a++) {
        struct active *active = &generating->actives[a];
        if (!active->running) continue;
        int64_t fed = engine_sequence_length(generating->engine, active->sequence);
        generating->inputs[count++] = (struct engine_input){
            .sequence = active->sequence,
            .tokens = active->history + fed,
            .count = active->history_count - fed,
        };
    }
    return count;
}

static status feed_inputs(struct generating *generating, int running, struct diagnostic *diagnostic)
{
    if (!generating->logits)
        return engine_feed_top(generating->engine, generating->inputs, running, &generating->top,
                               diagnostic);
    return engine_feed(generating->engine, generating->inputs, running, generating->logits,
                       diagnostic);
}

static status run_loop(struct generating *generating, const struct progress *progress,
                       struct generation_times *times, struct diagnostic *diagnostic)
{
    double start = clock_seconds(), first = 0;
    for (int64_t round = 0;; round++) {
        int running = gather_inputs(generating);
        if (!running) break;
        if (progress_interrupted(progress)) {
            for (int a = 0; a < generating->count; a++)
                if (generating->actives[a].running)
                    finish(generating, &generating->actives[a], GENERATION_INTERRUPTED);
            break;
        }
        TRY(feed_inputs(generating, running, diagnostic));
        if (round == 0) times->prefill_seconds = clock_seconds() - start;
        if (round > 0) times->decode_tokens += running;
        TRY(sample_all(generating, diagnostic));
        if (round == 0) first = clock_seconds();
        if (round == 0) times->first_token_seconds = first - start;
    }
    times->decode_seconds = clock_seconds() - first;
    return STATUS_OK;
}

static status start_request(struct generating *generating, int index,
                            const struct generation_request *request,
                            struct generation_result *result, struct diagnostic *diagnostic)
{
    struct active *active = &generating->actives[index];
    *active = (struct active){.request = request, .result = result, .index = index, .sequence = -1};
    active->text.arena = generating->arena;
    TRY_NEW(result->tokens, generating->arena, request->tokens + 1, diagnostic);
    TRY_NEW(active->history, generating->arena, request->prompt_count + request->tokens + 1,
            diagnostic);
    memcpy(active->history, request->prompt,
           (size_t)request->prompt_count * sizeof *request->prompt);
    active->history_count = request->prompt_count;
    active->running = request->tokens > 0;
    if (!request->sequence)
        return engine_sequence_open(generating->engine, &active->sequence, diagnostic);
    active->sequence = *request->sequence;
    return STATUS_OK;
}

/* Whether every request samples from no more of the largest logits than the plan gives. */
static bool largest_suffice(const struct generating *generating,
                            const struct generation_request *requests)
{
    int64_t given = engine_top_count(generating->engine);
    bool all = given == engine_model(generating->engine)->vocabulary;
    for (int r = 0; r < generating->count; r++) {
        int64_t needed = sampling_needs(&requests[r].sampling);
        if (!given || !needed || (needed > given && !all)) return false;
    }
    return true;
}

static status allocate_rows(struct generating *generating,
                            const struct generation_request *requests,
                            struct diagnostic *diagnostic)
{
    if (largest_suffice(generating, requests))
        return engine_top_create(generating->engine, generating->count, generating->arena,
                                 &generating->top, diagnostic);
    int64_t vocabulary = engine_model(generating->engine)->vocabulary;
    TRY_NEW(generating->logits, generating->arena, generating->count * vocabulary, diagnostic);
    return STATUS_OK;
}

static status generate_parts(struct generating *generating,
                             const struct generation_request *requests,
                             struct generation_result *results, struct generation_times *times,
                             const struct progress *progress, struct diagnostic *diagnostic)
{
    TRY_NEW(generating->inputs, generating->arena, generating->count, diagnostic);
    TRY(allocate_rows(generating, requests, diagnostic));
    for (int r = 0; r < generating->count; r++) {
        TRY(sampling_check(&requests[r].sampling, diagnostic));
        TRY(start_request(generating, r, &requests[r], &results[r], diagnostic));
        times->prompt_tokens +=
            requests[r].prompt_count -
            engine_sequence_length(generating->engine, generating->actives[r].sequence);
    }
    TRY(run_loop(generating, progress, times, diagnostic));
    for (int r = 0; r < generating->count; r++) {
        if (!engine_model(generating->engine)->tokenizer) continue;
        results[r].text = text_finish(&generating->actives[r].text);
        results[r].text_length = generating->actives[r].text.length;
        TRY_MEMORY(results[r].text, diagnostic);
    }
    return STATUS_OK;
}

status generate(struct engine *engine, const struct generation_request *requests, int count,
                generation_sink *sink, void *sink_context, const struct progress *progress,
                struct arena *arena, struct generation_result *results,
                struct generation_times *times, struct diagnostic *diagnostic)
{
    struct generating generating = {.engine = engine,
                                    .count = count,
                                    .sink = sink,
                                    .sink_context = sink_context,
                                    .arena = arena,
                                    .scratch = arena_create(0)};
    TRY_MEMORY(generating.scratch, diagnostic);
    generating.actives = arena_allocate(arena, (size_t)count, sizeof *generating.actives);
    *times = (struct generation_times){0};
    memset(results, 0, (size_t)count * sizeof *results);
    status code = STATUS_OK;
    if (!generating.actives)
        code = fail_memory(diagnostic, (size_t)count * sizeof *generating.actives);
    for (int r = 0; generating.actives && r < count; r++) generating.actives[r].sequence = -1;
    if (code == STATUS_OK)
        code = generate_parts(&generating, requests, results, times, progress, diagnostic);
    for (int r = 0; generating.actives && r < count; r++)
        if (generating.actives[r].sequence >= 0 && !requests[r].sequence)
            engine_sequence_close(engine, generating.actives[r].sequence);
    arena_destroy(generating.scratch);
    return code;
}
