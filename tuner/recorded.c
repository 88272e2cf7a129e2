/* Building recorded spaces, and finding configs in them. */
#include "tuner/recorded.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

status recorded_create(struct arena *arena, const char *name, struct recorded_space **result,
                       struct diagnostic *diagnostic)
{
    struct recorded_space *space;
    TRY_NEW(space, arena, 1, diagnostic);
    *space = (struct recorded_space){.arena = arena,
                                     .name = arena_text(arena, name),
                                     .device = "",
                                     .kernel = "",
                                     .problem = "",
                                     .default_config = -1,
                                     .best = -1};
    TRY_MEMORY(space->name, diagnostic);
    *result = space;
    return STATUS_OK;
}

int recorded_parameter_index(const struct recorded_space *space, const char *name)
{
    for (int p = 0; p < space->parameter_count; p++)
        if (strcmp(space->parameters[p].name, name) == 0) return p;
    return -1;
}

status recorded_add_parameter(struct recorded_space *space, const char *name, const char *place,
                              struct diagnostic *diagnostic)
{
    if (!*name) return fail(diagnostic, STATUS_BAD_INPUT, "%s: a parameter has no name", place);
    if (recorded_parameter_index(space, name) >= 0)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: the parameter '%.64s' is there twice", place,
                    name);
    if (space->parameter_count == RECORDED_PARAMETERS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: more than %d parameters", place,
                    RECORDED_PARAMETERS_MAX);
    struct recorded_parameter *parameter = &space->parameters[space->parameter_count++];
    *parameter = (struct recorded_parameter){.name = arena_text(space->arena, name)};
    TRY_MEMORY(parameter->name, diagnostic);
    return STATUS_OK;
}

/* Neighbouring rows mostly have the same value or the next. */
static int find_text(struct recorded_parameter *parameter, const char *text)
{
    for (int i = 0; i < parameter->value_count; i++) {
        int v = (parameter->last + i) % parameter->value_count;
        if (strcmp(parameter->texts[v], text) == 0) return parameter->last = v;
    }
    return -1;
}

status recorded_value(struct recorded_space *space, int p, const char *text, const char *place,
                      int32_t *index, struct diagnostic *diagnostic)
{
    struct recorded_parameter *parameter = &space->parameters[p];
    *index = find_text(parameter, text);
    if (*index >= 0) return STATUS_OK;
    if (parameter->value_count == RECORDED_VALUES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: the parameter '%.64s' has more than %d values", place, parameter->name,
                    RECORDED_VALUES_MAX);
    TRY_APPEND(parameter->texts, parameter->value_count, parameter->capacity, space->arena,
               diagnostic);
    *index = parameter->value_count - 1;
    parameter->texts[*index] = arena_text(space->arena, text);
    TRY_MEMORY(parameter->texts[*index], diagnostic);
    return STATUS_OK;
}

status recorded_add_config(struct recorded_space *space, const char *place,
                           struct recorded_config **config, struct diagnostic *diagnostic)
{
    if (space->config_count == RECORDED_CONFIGS_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s: more than %d configs", place,
                    RECORDED_CONFIGS_MAX);
    TRY_APPEND(space->configs, space->config_count, space->config_capacity, space->arena,
               diagnostic);
    *config = &space->configs[space->config_count - 1];
    TRY_NEW((*config)->indices, space->arena, space->parameter_count, diagnostic);
    for (int p = 0; p < space->parameter_count; p++) (*config)->indices[p] = -1;
    return STATUS_OK;
}

static int compare_samples(const void *a, const void *b)
{
    const float *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

status recorded_set_samples(struct recorded_space *space, struct recorded_config *config,
                            const double *samples, int count, struct diagnostic *diagnostic)
{
    float *kept, *sorted;
    if (count <= 0) return STATUS_OK;
    TRY_NEW(kept, space->arena, count, diagnostic);
    for (int s = 0; s < count; s++) kept[s] = (float)samples[s];
    sorted = arena_copy(space->arena, kept, (size_t)count * sizeof *kept);
    TRY_MEMORY(sorted, diagnostic);
    qsort(sorted, (size_t)count, sizeof *sorted, compare_samples);
    config->samples = kept;
    config->sample_count = count;
    if (!(config->seconds > 0))
        config->seconds = ((double)sorted[(count - 1) / 2] + (double)sorted[count / 2]) / 2;
    return STATUS_OK;
}

/* ---- The end ---- */

struct numbered {
    double number;
    int index;
};

static int compare_numbered(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return x->index - y->index;
}

/* Numbers in ascending order, so that a step to the next value is a small one; words as they came. */
static status sort_values(struct recorded_space *space, int p, struct diagnostic *diagnostic)
{
    struct recorded_parameter *parameter = &space->parameters[p];
    struct numbered order[RECORDED_VALUES_MAX];
    int32_t places[RECORDED_VALUES_MAX];
    const char *texts[RECORDED_VALUES_MAX];
    parameter->is_numeric = true;
    for (int v = 0; v < parameter->value_count; v++) {
        order[v] = (struct numbered){.index = v};
        parameter->is_numeric = parameter->is_numeric &&
                                text_to_real(parameter->texts[v], &order[v].number) &&
                                isfinite(order[v].number);
        texts[v] = parameter->texts[v];
    }
    if (parameter->is_numeric)
        qsort(order, (size_t)parameter->value_count, sizeof *order, compare_numbered);
    TRY_NEW(parameter->numbers, space->arena, parameter->value_count + 1, diagnostic);
    for (int v = 0; v < parameter->value_count; v++) {
        parameter->texts[v] = texts[order[v].index];
        parameter->numbers[v] = parameter->is_numeric ? order[v].number : v;
        places[order[v].index] = v;
    }
    for (int c = 0; c < space->config_count; c++) {
        int32_t *index = &space->configs[c].indices[p];
        if (*index >= 0) *index = places[*index];
    }
    return STATUS_OK;
}

static size_t index_bytes(const struct recorded_space *space)
{
    return (size_t)space->parameter_count * sizeof(int32_t);
}

static size_t slot_of(const struct recorded_space *space, const int32_t *indices)
{
    size_t mask = space->slot_count - 1,
           at = (size_t)hash_bytes(indices, index_bytes(space)).low & mask;
    while (space->slots[at] &&
           memcmp(space->configs[space->slots[at] - 1].indices, indices, index_bytes(space)) != 0)
        at = (at + 1) & mask;
    return at;
}

int recorded_find(const struct recorded_space *space, const int32_t *indices)
{
    return space->slots[slot_of(space, indices)] - 1;
}

/* The first of several records of a config counts. */
static status index_configs(struct recorded_space *space, struct diagnostic *diagnostic)
{
    int kept = 0;
    space->slot_count = 64;
    while (space->slot_count < 2 * (size_t)space->config_count) space->slot_count *= 2;
    TRY_NEW(space->slots, space->arena, space->slot_count, diagnostic);
    for (int c = 0; c < space->config_count; c++) {
        size_t slot = slot_of(space, space->configs[c].indices);
        if (space->slots[slot]) continue;
        if (space->default_config == c) space->default_config = kept;
        space->configs[kept++] = space->configs[c];
        space->slots[slot] = kept;
    }
    space->config_count = kept;
    return STATUS_OK;
}

static bool is_time(double seconds)
{
    return seconds > 0 && seconds < 1e9;
}

static void summarise(struct recorded_space *space)
{
    space->has_estimates = space->has_costs = true;
    for (int c = 0; c < space->config_count; c++) {
        struct recorded_config *config = &space->configs[c];
        if (config->status == RECORD_OK && !is_time(config->seconds))
            config->status = RECORD_CRASHED;
        if (config->status != RECORD_OK) config->seconds = 0;
        if (!is_time(config->compile_seconds)) config->compile_seconds = 0;
        if (!is_time(config->measure_seconds)) config->measure_seconds = 0;
        space->has_estimates = space->has_estimates && is_time(config->estimate);
        space->has_costs =
            space->has_costs && config->compile_seconds + config->measure_seconds > 0;
        if (config->status == RECORD_OK &&
            (space->best < 0 || config->seconds < space->configs[space->best].seconds))
            space->best = c;
    }
}

status recorded_finish(struct recorded_space *space, const char *place,
                       struct diagnostic *diagnostic)
{
    for (int p = 0; p < space->parameter_count; p++) TRY(sort_values(space, p, diagnostic));
    TRY(index_configs(space, diagnostic));
    summarise(space);
    if (space->best < 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%s: none of its %d configs has a time, so there is nothing to replay", place,
                    space->config_count);
    return STATUS_OK;
}
