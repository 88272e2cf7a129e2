/* The functions of a field, answered from a recorded space. */
#include "tuner/replay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    const struct recorded_space *space;
    struct hone_dimension *dimensions;
    uint64_t *ranked; /* configs by their estimates */
    uint64_t ranked_count;
    int variant;   /* the parameter that says which variant; -1: none */
    int *examples; /* by its values: a config of that variant */
};

struct promise {
    double seconds;
    uint64_t point;
};

static int compare_promises(const void *a, const void *b)
{
    const struct promise *x = a, *y = b;
    if (x->seconds != y->seconds) return x->seconds < y->seconds ? -1 : 1;
    return (x->point > y->point) - (x->point < y->point);
}

static status rank_configs(struct replay *replay, struct arena *arena,
                           struct diagnostic *diagnostic)
{
    const struct recorded_space *space = replay->space;
    struct promise *promises;
    TRY_NEW(promises, arena, space->config_count, diagnostic);
    TRY_NEW(replay->ranked, arena, space->config_count, diagnostic);
    for (int c = 0; c < space->config_count; c++)
        promises[c] = (struct promise){space->configs[c].estimate, (uint64_t)c};
    qsort(promises, (size_t)space->config_count, sizeof *promises, compare_promises);
    for (int c = 0; c < space->config_count; c++) replay->ranked[c] = promises[c].point;
    replay->ranked_count = (uint64_t)space->config_count;
    return STATUS_OK;
}

static status find_variants(struct replay *replay, struct arena *arena,
                            struct diagnostic *diagnostic)
{
    const struct recorded_space *space = replay->space;
    replay->variant = recorded_parameter_index(space, "variant");
    if (replay->variant < 0) return STATUS_OK;
    TRY_NEW(replay->examples, arena, space->parameters[replay->variant].value_count + 1,
            diagnostic);
    for (int c = space->config_count - 1; c >= 0; c--)
        if (space->configs[c].indices[replay->variant] >= 0)
            replay->examples[space->configs[c].indices[replay->variant]] = c;
    return STATUS_OK;
}

status replay_create(const struct recorded_space *space, bool blind, struct arena *arena,
                     struct replay **result, struct diagnostic *diagnostic)
{
    struct replay *replay;
    TRY_NEW(replay, arena, 1, diagnostic);
    replay->space = space;
    TRY_NEW(replay->dimensions, arena, space->parameter_count, diagnostic);
    for (int p = 0; p < space->parameter_count; p++)
        replay->dimensions[p] =
            (struct hone_dimension){.name = space->parameters[p].name,
                                    .value_count = space->parameters[p].value_count,
                                    .values = space->parameters[p].numbers};
    if (space->has_estimates && !blind) TRY(rank_configs(replay, arena, diagnostic));
    TRY(find_variants(replay, arena, diagnostic));
    *result = replay;
    return STATUS_OK;
}

const struct recorded_space *replay_space(const struct replay *replay)
{
    return replay->space;
}

/* ---- What strategies call ---- */

static void *allocate(void *host, size_t bytes)
{
    const struct replay_run *run = host;
    return arena_allocate(run->scratch, 1, bytes);
}

static int describe(void *host, uint64_t point, int32_t *indices)
{
    const struct replay_run *run = host;
    const struct recorded_space *space = run->replay->space;
    if (point >= (uint64_t)space->config_count) return 0;
    memcpy(indices, space->configs[point].indices,
           (size_t)space->parameter_count * sizeof *indices);
    return 1;
}

static int find(void *host, const int32_t *indices, uint64_t *point)
{
    const struct replay *replay = ((const struct replay_run *)host)->replay;
    const struct recorded_space *space = replay->space;
    int32_t own[RECORDED_PARAMETERS_MAX];
    int variant = replay->variant < 0 ? -1 : indices[replay->variant];
    for (int p = 0; p < space->parameter_count; p++) {
        own[p] = indices[p];
        if (own[p] >= space->parameters[p].value_count) return 0;
        if (variant < 0) continue;
        int32_t example = space->configs[replay->examples[variant]].indices[p];
        if (example < 0 || own[p] < 0) own[p] = example;
    }
    int config = recorded_find(space, own);
    *point = (uint64_t)config;
    return config >= 0;
}

static double estimate(void *host, uint64_t point)
{
    const struct replay_run *run = host;
    return run->replay->space->configs[point].estimate;
}

void replay_start(const struct replay *replay, uint64_t seed, uint64_t budget,
                  struct arena *scratch, struct replay_run *run)
{
    const struct recorded_space *space = replay->space;
    *run = (struct replay_run){.replay = replay, .scratch = scratch};
    run->field = (struct hone_field){.abi = HONE_STRATEGY_ABI,
                                     .dimension_count = space->parameter_count,
                                     .dimensions = replay->dimensions,
                                     .point_count = (uint64_t)space->config_count,
                                     .budget = budget,
                                     .seed = seed,
                                     .ranked = replay->ranked,
                                     .ranked_count = replay->ranked_count,
                                     .host = run,
                                     .allocate = allocate,
                                     .describe = describe,
                                     .find = find,
                                     .estimate = replay->ranked ? estimate : NULL};
}

struct hone_outcome replay_answer(const struct replay *replay, uint64_t point)
{
    const struct recorded_config *config = &replay->space->configs[point];
    return (struct hone_outcome){.good = config->status == RECORD_OK, .seconds = config->seconds};
}

double replay_cost(const struct replay *replay, uint64_t point)
{
    const struct recorded_config *config = &replay->space->configs[point];
    return replay->space->has_costs ? config->compile_seconds + config->measure_seconds : 1;
}
