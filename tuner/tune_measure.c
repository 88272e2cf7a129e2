/* Measuring one candidate: image, check, samples, record. */
#include "base/clock.h"
#include "base/text.h"
#include "codegen/compile.h"
#include "tuner/artifact.h"
#include "tuner/tune_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a look of each level takes: a first impression, a better one for a third, a good one for a
 * ninth. */
static const struct measure_limits looks[SEARCH_LEVELS] = {
    {.seconds = 0.01, .precision = 0.05, .samples_least = 3, .samples_most = 16},
    {.seconds = 0.05, .precision = 0.02, .samples_least = 9, .samples_most = 64},
    {.seconds = 0.15, .precision = 0.01, .samples_least = 17, .samples_most = 128},
};

/* A candidate this much slower than the best is not looked at again: noise is not that large. */
static const double hopeless = 3;

int level_samples(int level)
{
    return looks[level].samples_least;
}

/* The sizes of rounding blocks of all variants that may come. */
static int list_blocks(const struct session *session, int blocks[CHECK_SCALES_MAX])
{
    int count = 0;
    blocks[count++] = 1; /* the reference's */
    for (int s = 0; s < session->space_count; s++) {
        int block = session->spaces[s].space->numerics.operand_block, b = 0;
        while (b < count && blocks[b] != block) b++;
        if (b == count && count < CHECK_SCALES_MAX) blocks[count++] = block;
    }
    return count;
}

status session_prepare(struct session *session, struct diagnostic *diagnostic)
{
    if (session->prepared) return STATUS_OK;
    int blocks[CHECK_SCALES_MAX], count = list_blocks(session, blocks);
    TRY(worker_prepare(session->tuning->worker, session->problem_index, blocks, count, diagnostic));
    session->prepared = true;
    return STATUS_OK;
}

static struct known *add_known(struct session *session, const struct candidate *candidate)
{
    struct known *known = session_find(session, candidate);
    if (known) return known;
    known = arena_grow(session->arena, session->known, (size_t)session->known_count,
                       &session->known_capacity, sizeof *known);
    if (!known) return NULL;
    session->known = known;
    known = &session->known[session->known_count++];
    known->candidate = *candidate;
    return known;
}

static int roles_of(const struct session *session, const struct candidate *candidate)
{
    int roles = 0;
    if (candidate_equal(candidate, &session->first[0])) roles |= RECORD_DEFAULT;
    if (session->has_incumbent &&
        candidate_equal(candidate, &session->first[session->first_count - 1]))
        roles |= RECORD_INCUMBENT;
    return roles;
}

/* What its kernels use; "" where the compiler says nothing of it. */
static const char *describe_image(struct session *session, const struct candidate *candidate)
{
    const struct known *known = session_find(session, candidate);
    struct arena *scratch = known && known->image ? arena_create(0) : NULL;
    if (!scratch) return "";
    struct diagnostic ignored = {0};
    struct text text = {.arena = session->arena};
    struct image image;
    if (image_decode(known->image, known->image_bytes, scratch, &image, &ignored) == STATUS_OK)
        image_print_resources(&image, &text);
    const char *printed = text_finish(&text);
    arena_destroy(scratch);
    return printed ? printed : "";
}

status session_note(struct session *session, const struct candidate *candidate,
                    const struct outcome *outcome, const float *samples, int count,
                    enum record_stage stage, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    struct text text = {.arena = session->arena};
    candidate_print(candidate, &text);
    struct record record = {
        .problem = session->problem->text,
        .problem_key = session->problem->key,
        .candidate = text_finish(&text),
        .source = candidate->space ? candidate->space->source : (struct hash){0},
        .device_class = setup->facts->class_name,
        .compiler = setup->compiler,
        .protocol = RECORD_PROTOCOL,
        .status = outcome->status,
        .detail =
            outcome->status == RECORD_OK ? describe_image(session, candidate) : outcome->detail,
        .stage = stage,
        .roles = roles_of(session, candidate),
        .session = session->id,
        .wall_time = clock_wall_seconds(),
    };
    TRY_MEMORY(record.candidate, diagnostic);
    struct known *known = add_known(session, candidate);
    TRY_MEMORY(known, diagnostic);
    known->status = outcome->status;
    known->fresh = true;
    if (outcome->status == RECORD_OK) {
        struct summary summary = measure_summarise(samples, count);
        record.median_seconds = known->seconds = summary.median;
        record.least_seconds = summary.least;
        record.spread_seconds = (summary.high - summary.low) / 2;
        record.sample_count = known->samples = count;
        record.samples = samples;
        if (summary.median < session->best_seconds) session->best_seconds = summary.median;
    }
    return store_add(setup->store, &record, diagnostic);
}

/* By the pool; what becomes of its children is the candidate's doing. */
static status compile_apart(struct session *session, const struct generation *generation,
                            void **image, size_t *image_bytes, struct outcome *outcome,
                            struct diagnostic *diagnostic)
{
    struct diagnostic reason = {0};
    const void *compiled;
    status code =
        compile_pool_take(session->tuning->pool, generation, &compiled, image_bytes, &reason);
    if (code == STATUS_OK) {
        *image = arena_copy(session->arena, compiled, *image_bytes);
        TRY_MEMORY(*image, diagnostic);
        return STATUS_OK;
    }
    outcome->status = code == STATUS_NO_MEMORY ? RECORD_MEMORY
                      : code == STATUS_TIMEOUT ? RECORD_TIMEOUT
                                               : RECORD_COMPILE;
    snprintf(outcome->detail, sizeof outcome->detail, "%.200s", reason.text);
    return STATUS_OK;
}

/* An artifact that has never been on a device leaves open what a library is to do; it is made anew. */
static bool read_artifact(struct session *session, const struct generation *generation,
                          void **image, size_t *image_bytes)
{
    const char *folder = session->tuning->setup->options.artifact_folder;
    struct diagnostic ignored = {0};
    struct image decoded;
    if (!folder || !generation->space ||
        !artifact_read(folder, compile_key(generation), session->arena, image, image_bytes))
        return false;
    return !space_calls_library(generation->space) ||
           (image_decode(*image, *image_bytes, session->arena, &decoded, &ignored) == STATUS_OK &&
            image_is_resolved(&decoded));
}

status session_image(struct session *session, const struct candidate *candidate, void **image,
                     size_t *image_bytes, struct outcome *outcome, struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    const struct known *known = session_find(session, candidate);
    const struct generation generation = {.space = candidate->space,
                                          .problem = session->problem,
                                          .config = &candidate->config,
                                          .facts = setup->facts};
    *outcome = (struct outcome){.status = RECORD_OK};
    if (known && known->image) {
        *image = known->image;
        *image_bytes = known->image_bytes;
        return STATUS_OK;
    }
    const struct tune_packed *packed = session_packed(session, candidate);
    if (packed) return image_encode(packed->image, session->arena, image, image_bytes, diagnostic);
    if (read_artifact(session, &generation, image, image_bytes)) return STATUS_OK;
    if (session->tuning->pool && candidate->space && !space_calls_library(candidate->space))
        return compile_apart(session, &generation, image, image_bytes, outcome, diagnostic);
    TRY(worker_select(session->tuning->worker, session->problem_index, diagnostic));
    return worker_compile(session->tuning->worker, candidate, session->arena, image, image_bytes,
                          outcome, diagnostic);
}

/* The finals need it again. */
static status remember_image(struct session *session, const struct candidate *candidate,
                             void *image, size_t image_bytes, struct diagnostic *diagnostic)
{
    struct known *known = add_known(session, candidate);
    TRY_MEMORY(known, diagnostic);
    known->image = image;
    known->image_bytes = image_bytes;
    return STATUS_OK;
}

/* Slot 0 is for explored candidates; finals use it and the others. */
status session_measure(struct session *session, const struct candidate *candidate, int level,
                       struct diagnostic *diagnostic)
{
    struct worker *worker = session->tuning->worker;
    struct outcome outcome;
    float samples[RECORD_SAMPLES_MAX];
    void *image = NULL;
    size_t image_bytes = 0;
    double seconds = 0;
    int count = 0;
    TRY(session_prepare(session, diagnostic));
    TRY(session_image(session, candidate, &image, &image_bytes, &outcome, diagnostic));
    if (outcome.status == RECORD_OK)
        TRY(worker_check(worker, 0, candidate, image, image_bytes, &seconds, &outcome, diagnostic));
    if (outcome.status == RECORD_OK) {
        if (seconds > hopeless * session->best_seconds)
            samples[count++] = (float)fmax(seconds, 1e-9);
        else
            TRY(worker_measure(worker, 0, &looks[level], samples, &count, &outcome, diagnostic));
    }
    TRY(remember_image(session, candidate, image, image_bytes, diagnostic));
    return session_note(session, candidate, &outcome, samples, count, RECORD_EXPLORED, diagnostic);
}

status session_keep_code(struct session *session, const struct candidate *candidate,
                         struct diagnostic *diagnostic)
{
    const struct tune_setup *setup = session->tuning->setup;
    const struct generation generation = {.space = candidate->space,
                                          .problem = session->problem,
                                          .config = &candidate->config,
                                          .facts = setup->facts};
    const char *folder = setup->options.artifact_folder;
    struct outcome outcome;
    struct diagnostic reason = {0};
    void *image;
    size_t bytes;
    if (!folder || !candidate->space || read_artifact(session, &generation, &image, &bytes))
        return STATUS_OK;
    TRY(session_image(session, candidate, &image, &bytes, &outcome, diagnostic));
    if (outcome.status == RECORD_OK &&
        artifact_write(folder, compile_key(&generation), image, bytes, &reason) != STATUS_OK)
        progress_warn(setup->options.progress, "compiled code is not kept: %s", reason.text);
    return STATUS_OK;
}
