/* Drawing configs, measuring them one after the other, and writing them down. */
#include "tuner/record_space.h"

#include "base/clock.h"
#include "codegen/compile.h"
#include "tuner/artifact.h"
#include "tuner/search.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Samples of a slow config are no more than fit into this time. */
static const double config_seconds = 1;
/* Rounds after the first: of all configs, then of the best part of them. */
enum { ALL_ROUNDS = 1, BEST_ROUNDS = 3, BEST_PART = 5, BEST_LEAST = 12 };

struct recording {
    const struct record_space_setup *setup;
    struct recorded_space *space;
    struct search_field field;
    struct worker *worker;
    struct arena *arena, *scratch; /* of one config */
    struct candidate *candidates;  /* by config */
    int candidate_count;
    size_t candidate_capacity;
    double start;
    char first_failure[256]; /* "": none */
    struct diagnostic *diagnostic;
};

/* ---- What is recorded ---- */

static status choose_variants(struct recording *recording)
{
    const struct record_space_setup *setup = recording->setup;
    struct search_field *field = &recording->field;
    TRY(decision_bind(setup->catalogue, setup->problem, setup->facts, &setup->policy,
                      recording->arena, &field->spaces, &field->space_count,
                      recording->diagnostic));
    int kept = 0;
    for (int s = 0; s < field->space_count; s++)
        if (!setup->variant || strcmp(field->spaces[s].space->variant, setup->variant) == 0)
            field->spaces[kept++] = field->spaces[s];
    field->space_count = kept;
    if (kept) return STATUS_OK;
    return fail(recording->diagnostic, STATUS_NOT_FOUND, "%s%s answers %s on this device",
                setup->variant ? "the variant " : "no variant",
                setup->variant ? setup->variant : "", setup->problem->text);
}

/* One parameter for each name, and which variant, where there are several. */
static status add_parameters(struct recording *recording)
{
    const struct search_field *field = &recording->field;
    struct recorded_space *space = recording->space;
    if (field->space_count > 1)
        TRY(recorded_add_parameter(space, "variant", "the space", recording->diagnostic));
    for (int s = 0; s < field->space_count; s++)
        for (int t = 0; t < field->spaces[s].space->tunable_count; t++) {
            const char *name = field->spaces[s].space->tunables[t].name;
            if (recorded_parameter_index(space, name) < 0)
                TRY(recorded_add_parameter(space, name, "the space", recording->diagnostic));
        }
    return STATUS_OK;
}

static const char *value_text(const struct tunable *tunable, int64_t value, char buffer[32])
{
    int index = tunable->words ? tunable_index(tunable, value) : -1;
    if (index >= 0) return tunable->words[index];
    snprintf(buffer, 32, "%lld", (long long)value);
    return buffer;
}

static status write_config(struct recording *recording, const struct candidate *candidate,
                           struct recorded_config **config)
{
    struct recorded_space *space = recording->space;
    const struct space *own = candidate->space;
    TRY(recorded_add_config(space, "the space", config, recording->diagnostic));
    if (recording->field.space_count > 1)
        TRY(recorded_value(space, 0, own->variant, "the space", &(*config)->indices[0],
                           recording->diagnostic));
    for (int t = 0; t < own->tunable_count; t++) {
        char buffer[32];
        int parameter = recorded_parameter_index(space, own->tunables[t].name);
        TRY(recorded_value(space, parameter,
                           value_text(&own->tunables[t], candidate->config.values[t], buffer),
                           "the space", &(*config)->indices[parameter], recording->diagnostic));
    }
    double estimate =
        space_estimate(search_space(&recording->field, candidate), &candidate->config);
    (*config)->estimate = isfinite(estimate) ? estimate : 0;
    return STATUS_OK;
}

/* ---- Measuring ---- */

static status time_config(struct recording *recording, const struct candidate *candidate,
                          const void *image, size_t bytes, struct outcome *outcome,
                          struct recorded_config *config)
{
    const struct measure_limits limits = {
        .seconds = config_seconds, .samples_least = 1, .samples_most = recording->setup->samples};
    float samples[RECORD_SAMPLES_MAX];
    double kept[RECORD_SAMPLES_MAX], seconds;
    int count = 0;
    TRY(worker_check(recording->worker, 0, candidate, image, bytes, &seconds, outcome,
                     recording->diagnostic));
    if (outcome->status == RECORD_OK)
        TRY(worker_measure(recording->worker, 0, &limits, samples, &count, outcome,
                           recording->diagnostic));
    for (int s = 0; s < count; s++) kept[s] = (double)samples[s];
    if (outcome->status != RECORD_OK) return STATUS_OK;
    config->seconds = 0; /* their median */
    return recorded_set_samples(recording->space, config, kept, count, recording->diagnostic);
}

/* What compiling the config took when it was recorded before; 0: it was not. */
static double compiled_before(const struct recording *recording,
                              const struct recorded_config *config)
{
    const struct recorded_space *space = recording->space, *before = recording->setup->before;
    int32_t indices[RECORDED_PARAMETERS_MAX];
    if (!before || before->parameter_count != space->parameter_count) return 0;
    for (int p = 0; p < space->parameter_count; p++) {
        const struct recorded_parameter *parameter = &before->parameters[p];
        int32_t index = config->indices[p];
        if (strcmp(parameter->name, space->parameters[p].name) != 0) return 0;
        indices[p] = index < 0 ? -1 : 0;
        while (index >= 0 && indices[p] < parameter->value_count &&
               strcmp(parameter->texts[indices[p]], space->parameters[p].texts[index]) != 0)
            indices[p]++;
    }
    int known = recorded_find(before, indices);
    return known >= 0 ? before->configs[known].compile_seconds : 0;
}

/* The image, from the artifacts where it lies there and what compiling took is known. */
static status compile_config(struct recording *recording, const struct candidate *candidate,
                             struct recorded_config *config, void **image, size_t *bytes,
                             struct outcome *outcome)
{
    const struct record_space_setup *setup = recording->setup;
    const struct generation generation = {.space = candidate->space,
                                          .problem = setup->problem,
                                          .config = &candidate->config,
                                          .facts = setup->facts};
    struct diagnostic ignored = {0};
    *outcome = (struct outcome){.status = RECORD_OK};
    if (!(config->compile_seconds > 0))
        config->compile_seconds = compiled_before(recording, config);
    if (setup->artifact_folder && config->compile_seconds > 0 &&
        artifact_read(setup->artifact_folder, compile_key(&generation), recording->scratch, image,
                      bytes))
        return STATUS_OK;
    double begin = clock_seconds();
    TRY(worker_compile(recording->worker, candidate, recording->scratch, image, bytes, outcome,
                       recording->diagnostic));
    config->compile_seconds = clock_seconds() - begin;
    if (setup->artifact_folder && outcome->status == RECORD_OK &&
        artifact_write(setup->artifact_folder, compile_key(&generation), *image, *bytes,
                       &ignored) != STATUS_OK)
        progress_warn(setup->progress, "compiled code is not kept: %s", ignored.text);
    return STATUS_OK;
}

static bool is_over(const struct recording *recording, uint64_t done, uint64_t total)
{
    const struct record_space_setup *setup = recording->setup;
    double elapsed = clock_seconds() - recording->start;
    const struct progress_state state = {
        .stage = "recording",
        .detail = setup->problem->text,
        .done = (double)done,
        .total = (double)total,
        .seconds_left = done ? elapsed / (double)done * (double)(total - done) : -1};
    progress_update(setup->progress, &state);
    return progress_interrupted(setup->progress) ||
           (setup->seconds > 0 && elapsed > setup->seconds);
}

/* ---- Further rounds ---- */

/* A config's place by its time. */
struct placed {
    int config;
    double seconds;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->seconds != y->seconds) return x->seconds < y->seconds ? -1 : 1;
    return x->config - y->config;
}

/* One more round for a config.  Its time is that of its best round, the median of the round's samples: whatever else the
 * machine did in the other rounds made it slower, never faster. */
static status look_again(struct recording *recording, int config_index)
{
    struct outcome outcome = {.status = RECORD_OK};
    struct recorded_config *config = &recording->space->configs[config_index], looked = *config;
    const struct candidate *candidate = &recording->candidates[config_index];
    void *image;
    size_t bytes;
    arena_reset(recording->scratch);
    TRY(compile_config(recording, candidate, &looked, &image, &bytes, &outcome));
    if (outcome.status == RECORD_OK)
        TRY(time_config(recording, candidate, image, bytes, &outcome, &looked));
    config->status = outcome.status; /* what fails once is no answer */
    if (outcome.status != RECORD_OK || looked.seconds >= config->seconds) return STATUS_OK;
    config->seconds = looked.seconds;
    config->samples = looked.samples;
    config->sample_count = looked.sample_count;
    return STATUS_OK;
}

/* The good ones in the order of their times. */
static status sort_good(struct recording *recording, struct placed **order, int *good)
{
    const struct recorded_space *space = recording->space;
    TRY_NEW(*order, recording->arena, space->config_count + 1, recording->diagnostic);
    *good = 0;
    for (int c = 0; c < space->config_count; c++)
        if (space->configs[c].status == RECORD_OK)
            (*order)[(*good)++] = (struct placed){c, space->configs[c].seconds};
    qsort(*order, (size_t)*good, sizeof **order, compare_placed);
    return STATUS_OK;
}

static status measure_again(struct recording *recording)
{
    struct placed *order;
    int good;
    for (int round = 0; round < ALL_ROUNDS + BEST_ROUNDS; round++) {
        TRY(sort_good(recording, &order, &good));
        int best = good / BEST_PART > BEST_LEAST ? good / BEST_PART : BEST_LEAST;
        int again = round < ALL_ROUNDS || best > good ? good : best;
        for (int a = 0; a < again; a++) {
            if (is_over(recording, (uint64_t)recording->space->config_count,
                        (uint64_t)recording->space->config_count))
                return STATUS_OK;
            TRY(look_again(recording, order[a].config));
        }
    }
    return STATUS_OK;
}

/* ---- All of them ---- */

static status measure_config(struct recording *recording, const struct candidate *candidate)
{
    struct recorded_config *config;
    struct outcome outcome;
    void *image;
    size_t bytes;
    arena_reset(recording->scratch);
    TRY_APPEND(recording->candidates, recording->candidate_count, recording->candidate_capacity,
               recording->arena, recording->diagnostic);
    recording->candidates[recording->candidate_count - 1] = *candidate;
    TRY(write_config(recording, candidate, &config));
    TRY(compile_config(recording, candidate, config, &image, &bytes, &outcome));
    double begin = clock_seconds();
    if (outcome.status == RECORD_OK)
        TRY(time_config(recording, candidate, image, bytes, &outcome, config));
    config->measure_seconds = clock_seconds() - begin;
    config->status = outcome.status;
    if (outcome.status != RECORD_OK && !*recording->first_failure)
        snprintf(recording->first_failure, sizeof recording->first_failure, "%s: %.200s",
                 record_status_name(outcome.status), outcome.detail);
    return STATUS_OK;
}

/* ---- Which, and how long ---- */

/* The i-th config: the default, then the others, shuffled where not all are wanted. */
static bool candidate_at(const struct recording *recording, uint64_t i, uint64_t count, bool all,
                         struct candidate *candidate)
{
    const struct bound_space *first = &recording->field.spaces[0];
    struct candidate usual = {.space = first->space};
    space_default(first, &usual.config);
    if (i == 0) {
        *candidate = usual;
        return true;
    }
    uint64_t rank = all ? i - 1 : search_permute(i - 1, count, recording->setup->seed);
    return search_unrank(&recording->field, rank, candidate) && !candidate_equal(candidate, &usual);
}

static status measure_all(struct recording *recording)
{
    uint64_t count = search_count(&recording->field), total = count;
    if (recording->setup->most > 0 && (uint64_t)recording->setup->most < count)
        total = (uint64_t)recording->setup->most;
    for (uint64_t i = 0; i <= count && (uint64_t)recording->space->config_count < total; i++) {
        struct candidate candidate;
        if (!candidate_at(recording, i, count, total == count, &candidate)) continue;
        if (is_over(recording, (uint64_t)recording->space->config_count, total)) break;
        TRY(measure_config(recording, &candidate));
    }
    recording->space->legal_count = count;
    recording->space->default_config = 0;
    return measure_again(recording);
}

/* The sizes of rounding blocks of all variants. */
static status prepare(struct recording *recording)
{
    int blocks[CHECK_SCALES_MAX], count = 0;
    blocks[count++] = 1; /* the reference's */
    for (int s = 0; s < recording->field.space_count; s++) {
        int block = recording->field.spaces[s].space->numerics.operand_block, b = 0;
        while (b < count && blocks[b] != block) b++;
        if (b == count && count < CHECK_SCALES_MAX) blocks[count++] = block;
    }
    return worker_prepare(recording->worker, 0, blocks, count, recording->diagnostic);
}

static status describe(struct recording *recording)
{
    const struct record_space_setup *setup = recording->setup;
    struct recorded_space *space = recording->space;
    space->device = arena_text(space->arena, setup->facts->name);
    space->problem = arena_text(space->arena, setup->problem->text);
    space->kernel = recording->field.space_count == 1
                        ? arena_text(space->arena, recording->field.spaces[0].space->variant)
                        : "";
    TRY_MEMORY(space->device, recording->diagnostic);
    TRY_MEMORY(space->problem, recording->diagnostic);
    TRY_MEMORY(space->kernel, recording->diagnostic);
    return add_parameters(recording);
}

static status record_with_worker(struct recording *recording)
{
    struct worker_setup limits = recording->setup->limits;
    limits.runner = recording->setup->runner;
    limits.facts = recording->setup->facts;
    limits.problems = &recording->setup->problem;
    limits.problem_count = 1;
    limits.seed = recording->setup->seed;
    TRY(worker_create(&limits, &recording->worker, recording->diagnostic));
    status code = prepare(recording);
    if (code == STATUS_OK) code = measure_all(recording);
    worker_destroy(recording->worker);
    return code;
}

status record_space(const struct record_space_setup *setup, struct arena *arena,
                    struct recorded_space **space, struct diagnostic *diagnostic)
{
    struct recording recording = {.setup = setup,
                                  .arena = arena,
                                  .field = {.effort = EFFORT_MOST, .seed = setup->seed},
                                  .start = clock_seconds(),
                                  .diagnostic = diagnostic};
    if (setup->samples < 1 || setup->samples > RECORD_SAMPLES_MAX)
        return fail(diagnostic, STATUS_USAGE, "1 to %d samples of each config", RECORD_SAMPLES_MAX);
    TRY(recorded_create(arena, setup->problem->text, &recording.space, diagnostic));
    TRY(choose_variants(&recording));
    TRY(describe(&recording));
    recording.scratch = arena_create(0);
    TRY_MEMORY(recording.scratch, diagnostic);
    status code = record_with_worker(&recording);
    arena_destroy(recording.scratch);
    TRY(code);
    *space = recording.space;
    int good = 0;
    for (int c = 0; c < recording.space->config_count; c++)
        good += recording.space->configs[c].status == RECORD_OK;
    if (!good)
        return fail(diagnostic, STATUS_FAILED, "none of %d configs could be timed; the first: %s",
                    recording.space->config_count, recording.first_failure);
    return recorded_finish(recording.space, setup->problem->text, diagnostic);
}
