/* Feeding tokens: inputs of several sequences are cut into ragged steps within the plan's bounds. */
#include "engine/engine_internal.h"

status feed_prepare(struct engine *engine, struct diagnostic *diagnostic)
{
    const struct plan_bounds *bounds = &engine->plan->bounds;
    struct step_arrays *arrays = &engine->arrays;
    TRY_NEW(arrays->tokens, engine->arena, bounds->tokens, diagnostic);
    TRY_NEW(arrays->positions, engine->arena, bounds->tokens, diagnostic);
    TRY_NEW(arrays->sequences, engine->arena, bounds->tokens, diagnostic);
    TRY_NEW(arrays->outputs, engine->arena, bounds->outputs, diagnostic);
    return STATUS_OK;
}

status engine_sequence_open(struct engine *engine, int *sequence, struct diagnostic *diagnostic)
{
    return sequence_open(engine->pages, sequence, diagnostic);
}

void engine_sequence_close(struct engine *engine, int sequence)
{
    sequence_close(engine->pages, sequence);
}

int64_t engine_sequence_length(const struct engine *engine, int sequence)
{
    return sequence_length(engine->pages, sequence);
}

void engine_sequence_truncate(struct engine *engine, int sequence, int64_t length)
{
    sequence_truncate(engine->pages, sequence, length);
}

status engine_sequence_fork(struct engine *engine, int from, int *sequence,
                            struct diagnostic *diagnostic)
{
    int original, copied;
    TRY(sequence_fork(engine->pages, from, sequence_length(engine->pages, from), sequence,
                      &original, &copied, diagnostic));
    if (copied < 0) return STATUS_OK;
    return executor_copy_page(engine->executor, original, copied, diagnostic);
}

static status check_inputs(const struct engine *engine, const struct engine_input *inputs,
                           int count, struct diagnostic *diagnostic)
{
    for (int i = 0; i < count; i++) {
        if (inputs[i].count < 1)
            return fail(diagnostic, STATUS_USAGE, "there are no tokens to process; give a prompt");
        for (int64_t t = 0; t < inputs[i].count; t++)
            if (inputs[i].tokens[t] < 0 || inputs[i].tokens[t] >= engine->model->vocabulary)
                return fail(diagnostic, STATUS_USAGE,
                            "token id %d is outside the vocabulary of %lld",
                            (int)inputs[i].tokens[t], (long long)engine->model->vocabulary);
    }
    return STATUS_OK;
}

/* Where feeding stands: the next token of the next input. */
struct feed_cursor {
    const struct engine_input *inputs;
    int count, input;
    int64_t token;
};

/* Fills one step; stops when tokens or outputs reach their bound. */
static status fill_step(struct engine *engine, struct feed_cursor *cursor, struct step *step,
                        struct diagnostic *diagnostic)
{
    const struct plan_bounds *bounds = &engine->plan->bounds;
    struct step_arrays *arrays = &engine->arrays;
    *step = (struct step){.tokens = arrays->tokens,
                          .positions = arrays->positions,
                          .sequences = arrays->sequences,
                          .outputs = arrays->outputs,
                          .sequence_count = bounds->sequences,
                          .pages = page_table(engine->pages)};
    while (cursor->input < cursor->count && step->token_count < bounds->tokens) {
        const struct engine_input *input = &cursor->inputs[cursor->input];
        bool last = cursor->token == input->count - 1;
        bool wanted = last || input->all_logits;
        if (wanted && step->output_count == bounds->outputs) break;
        int64_t position = sequence_length(engine->pages, input->sequence);
        TRY(sequence_extend(engine->pages, input->sequence, 1, diagnostic));
        if (wanted) arrays->outputs[step->output_count++] = (int32_t)step->token_count;
        arrays->tokens[step->token_count] = input->tokens[cursor->token];
        arrays->positions[step->token_count] = (int32_t)position;
        arrays->sequences[step->token_count++] = input->sequence;
        if (position + 1 > step->context) step->context = position + 1;
        cursor->token = last ? 0 : cursor->token + 1;
        if (last) cursor->input++;
    }
    return STATUS_OK;
}

/* All or nothing: a failure takes back every token that this call appended. */
static void take_back(struct engine *engine, const struct engine_input *inputs, int count,
                      const int64_t *lengths)
{
    for (int i = 0; i < count; i++)
        if (sequence_length(engine->pages, inputs[i].sequence) > lengths[i])
            sequence_truncate(engine->pages, inputs[i].sequence, lengths[i]);
}

/* Where the next rows go: those of `top` that are behind the logits, or the logits. */
static void place_results(const struct engine *engine, const struct engine_top *top, float *logits,
                          int64_t row, void *results[static PLAN_OUTPUTS])
{
    for (int o = 0; o < PLAN_OUTPUTS; o++) results[o] = NULL;
    if (top) {
        results[PLAN_TOP_IDS] = top->tokens + row * top->count;
        results[PLAN_TOP_VALUES] = top->values + row * top->count;
        results[PLAN_TOP_NOT_NUMBERS] = top->not_numbers + row;
    } else {
        results[PLAN_LOGITS] = logits ? logits + row * engine->model->vocabulary : NULL;
    }
}

static status feed_steps(struct engine *engine, struct feed_cursor *cursor,
                         const struct engine_top *top, float *logits, struct diagnostic *diagnostic)
{
    int64_t row = 0;
    while (cursor->input < cursor->count) {
        struct step step;
        void *results[PLAN_OUTPUTS];
        place_results(engine, top, logits, row, results);
        TRY(fill_step(engine, cursor, &step, diagnostic));
        if (step.output_count == 0)
            TRY(executor_begin(engine->executor, &step, diagnostic));
        else
            TRY(executor_step(engine->executor, &step, results, diagnostic));
        row += step.output_count;
    }
    return STATUS_OK;
}

static status feed(struct engine *engine, const struct engine_input *inputs, int count,
                   const struct engine_top *top, float *logits, struct diagnostic *diagnostic)
{
    TRY(check_inputs(engine, inputs, count, diagnostic));
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    int64_t *lengths = arena_allocate(scratch, (size_t)count, sizeof *lengths);
    struct feed_cursor cursor = {.inputs = inputs, .count = count};
    status code = lengths ? STATUS_OK : fail_memory(diagnostic, (size_t)count * sizeof *lengths);
    for (int i = 0; lengths && i < count; i++)
        lengths[i] = sequence_length(engine->pages, inputs[i].sequence);
    if (code == STATUS_OK) code = feed_steps(engine, &cursor, top, logits, diagnostic);
    struct diagnostic ignored = {0};
    if (code != STATUS_OK) (void)!executor_finish(engine->executor, &ignored);
    if (code != STATUS_OK && lengths) take_back(engine, inputs, count, lengths);
    arena_destroy(scratch);
    return code;
}

status engine_feed(struct engine *engine, const struct engine_input *inputs, int count,
                   float *logits, struct diagnostic *diagnostic)
{
    return feed(engine, inputs, count, NULL, logits, diagnostic);
}

int64_t engine_top_count(const struct engine *engine)
{
    return plan_top_count(engine->plan);
}

status engine_top_create(const struct engine *engine, int64_t rows, struct arena *arena,
                         struct engine_top *top, struct diagnostic *diagnostic)
{
    *top = (struct engine_top){.count = engine_top_count(engine)};
    if (!top->count) return STATUS_OK;
    TRY_NEW(top->tokens, arena, rows * top->count, diagnostic);
    TRY_NEW(top->values, arena, rows * top->count, diagnostic);
    TRY_NEW(top->not_numbers, arena, rows, diagnostic);
    return STATUS_OK;
}

status engine_feed_top(struct engine *engine, const struct engine_input *inputs, int count,
                       const struct engine_top *top, struct diagnostic *diagnostic)
{
    if (top->count < 1 || top->count != engine_top_count(engine))
        return fail(diagnostic, STATUS_FAILED,
                    "%lld of the largest logits are asked for; the plan gives %lld",
                    (long long)top->count, (long long)engine_top_count(engine));
    return feed(engine, inputs, count, top, NULL, diagnostic);
}
