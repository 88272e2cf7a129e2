/* The values of a model's parameters: from its metadata, or by default; what is derived from them; and
 * the checks. */
#include "models/bind_metadata.h"

#include <string.h>

status bind_integer(const struct bound_architecture *bound, const struct formula *formula,
                    int64_t *value)
{
    return expression_integer(formula->expression, bound->integers, value, bound->diagnostic);
}

status bind_real(const struct bound_architecture *bound, const struct formula *formula,
                 double *value)
{
    return expression_real(formula->expression, bound->reals, value, bound->diagnostic);
}

status bind_condition(const struct bound_architecture *bound, const struct formula *formula,
                      bool absent, bool *value)
{
    int64_t integer = absent;
    double real = 0;
    if (formula->expression && formula->real)
        TRY(bind_real(bound, formula, &real));
    else if (formula->expression)
        TRY(bind_integer(bound, formula, &integer));
    *value = formula->expression && formula->real ? real != 0 : integer != 0;
    return STATUS_OK;
}

int64_t bind_parameter(const struct bound_architecture *bound, const char *name)
{
    int index = architecture_parameter(bound->architecture, name);
    return index < 0 ? 0 : bound->integers[bound->architecture->parameters[index].slot];
}

static void set_slot(struct bound_architecture *bound, int slot, int64_t value)
{
    bound->integers[slot] = value;
    bound->reals[slot] = (double)value;
}

/* The parameters that differ between layers. */
static void set_layer(struct bound_architecture *bound, int64_t layer)
{
    const struct architecture *architecture = bound->architecture;
    set_slot(bound, SLOT_LAYER, layer);
    for (int i = 0; layer >= 0 && i < architecture->parameter_count; i++) {
        if (!bound->layer_integers[i]) continue;
        bound->integers[architecture->parameters[i].slot] = bound->layer_integers[i][layer];
        bound->reals[architecture->parameters[i].slot] = bound->layer_reals[i][layer];
    }
}

/* The default, which may be computed from parameters above and, within layers, from the layer. */
static status use_default(struct reading *reading)
{
    struct bound_architecture *bound = reading->bound;
    const struct parameter *parameter = reading->parameter;
    const struct formula *formula = &parameter->otherwise[bound->source->format];
    int64_t count = parameter->per_layer ? bound->layers : 1;
    if (!formula->expression) {
        return fail(bound->diagnostic, STATUS_BAD_INPUT,
                    "%.400s: key '%.150s' is missing; %s needs it", bound->source->path,
                    reading->key, bound->architecture->name);
    }
    for (int64_t layer = 0; layer < count; layer++) {
        int64_t integer = 0;
        double real = 0;
        if (parameter->per_layer) set_layer(bound, layer);
        if (parameter->type == PARAMETER_REAL)
            TRY(bind_real(bound, formula, &real));
        else
            TRY(bind_integer(bound, formula, &integer));
        if (parameter->type != PARAMETER_REAL) real = (double)integer;
        reading->key = parameter->name;
        TRY(reading_check(reading, real));
        TRY(reading_store(reading, layer, integer, real));
    }
    return STATUS_OK;
}

static status read_parameter(struct bound_architecture *bound, int index)
{
    const struct parameter *parameter = &bound->architecture->parameters[index];
    enum source_format format = bound->source->format;
    struct reading reading = {bound, parameter, parameter->name};
    if (parameter->per_layer) {
        TRY_NEW(bound->layer_integers[index], bound->arena, bound->layers, bound->diagnostic);
        TRY_NEW(bound->layer_reals[index], bound->arena, bound->layers, bound->diagnostic);
    }
    for (int i = 0; i < parameter->key_count[format]; i++) {
        struct metadata entry;
        bool found;
        TRY(reading_find(&reading, parameter->keys[format][i], &entry, &found));
        if (!found) continue;
        TRY(reading_take(&reading, &entry));
        bound->integers[parameter->given_slot] = 1;
        bound->reals[parameter->given_slot] = 1;
    }
    if (!reading_is_given(&reading)) TRY(use_default(&reading));
    if (!strcmp(parameter->name, "layers")) bound->layers = bound->integers[parameter->slot];
    return STATUS_OK;
}

/* Words stand for their own slot numbers. */
static status create(const struct architecture *architecture, struct model_source *source,
                     struct arena *arena, struct bound_architecture **result,
                     struct diagnostic *diagnostic)
{
    struct bound_architecture *bound;
    const char *format = source_format_name(source->format);
    TRY_NEW(bound, arena, 1, diagnostic);
    *bound = (struct bound_architecture){
        .architecture = architecture, .source = source, .arena = arena, .diagnostic = diagnostic};
    TRY_NEW(bound->integers, arena, architecture->slot_count, diagnostic);
    TRY_NEW(bound->reals, arena, architecture->slot_count, diagnostic);
    TRY_NEW(bound->layer_integers, arena, architecture->parameter_count, diagnostic);
    TRY_NEW(bound->layer_reals, arena, architecture->parameter_count, diagnostic);
    TRY_NEW(bound->weights, arena, architecture->weight_count, diagnostic);
    for (int i = 0; i < architecture->slot_count; i++) {
        if (architecture->slots[i].kind != SLOT_WORD) continue;
        set_slot(bound, i, i);
        if (!strcmp(architecture->slots[i].name, format)) set_slot(bound, SLOT_FORMAT, i);
        if (!strcmp(architecture->slots[i].name, source->name)) set_slot(bound, SLOT_NAME, i);
    }
    set_slot(bound, SLOT_RUN_CONTEXT, source->run_context);
    *result = bound;
    return STATUS_OK;
}

status bind_layer(struct bound_architecture *bound, int64_t layer)
{
    const struct architecture *architecture = bound->architecture;
    set_layer(bound, layer);
    for (int i = 0; i < architecture->let_count; i++) {
        const struct let_rule *let = &architecture->lets[i];
        int64_t integer = 0;
        double real = 0;
        if (let->value.per_layer && layer < 0) continue;
        if (let->value.real)
            TRY(bind_real(bound, &let->value, &real));
        else
            TRY(bind_integer(bound, &let->value, &integer));
        bound->integers[let->slot] = integer;
        bound->reals[let->slot] = let->value.real ? real : (double)integer;
    }
    for (int i = 0; i < architecture->weight_count; i++) {
        const struct weight_rule *rule = &architecture->weights[i];
        if (!bound->weights[i] || (rule->per_layer && layer < 0)) continue;
        set_slot(bound, rule->given_slot,
                 bound->weights[i][rule->per_layer ? layer : 0].name != NULL);
    }
    return STATUS_OK;
}

static status run_check(struct bound_architecture *bound, const struct check_rule *check)
{
    bool holds;
    TRY(bind_condition(bound, &check->require, true, &holds));
    if (holds) return STATUS_OK;
    return fail(bound->diagnostic, STATUS_BAD_INPUT, "%.400s: %s (%s requires %.200s)",
                bound->source->path, check->reason, bound->architecture->name,
                check->require.expression->text);
}

static status run_checks(struct bound_architecture *bound)
{
    const struct architecture *architecture = bound->architecture;
    for (int64_t layer = -1; layer < bound->layers; layer++) {
        TRY(bind_layer(bound, layer));
        for (int i = 0; i < architecture->check_count; i++) {
            const struct check_rule *check = &architecture->checks[i];
            if (check->require.per_layer == (layer >= 0)) TRY(run_check(bound, check));
        }
    }
    return bind_layer(bound, -1);
}

/* How many parameters `when` needs: those up to the last one that it names. */
static int parameters_needed(const struct architecture *architecture)
{
    const struct expression *when = architecture->when.expression;
    int needed = 0;
    for (int s = 0; when && s < when->step_count; s++) {
        if (when->steps[s].operation != EXPRESSION_NAME) continue;
        for (int i = needed; i < architecture->parameter_count; i++) {
            const struct parameter *parameter = &architecture->parameters[i];
            int slot = when->steps[s].slot;
            if (parameter->slot == slot || parameter->given_slot == slot) needed = i + 1;
        }
    }
    return needed;
}

status bind_matches(const struct architecture *architecture, struct model_source *source,
                    struct arena *arena, bool *matches, struct diagnostic *diagnostic)
{
    struct bound_architecture *bound;
    TRY(create(architecture, source, arena, &bound, diagnostic));
    int needed = parameters_needed(architecture);
    for (int i = 0; i < needed; i++) TRY(read_parameter(bound, i));
    TRY(bind_condition(bound, &architecture->when, true, matches));
    for (int i = 0; i < source->metadata_count; i++) source->metadata[i].used = false;
    return STATUS_OK;
}

status bind_parameters(const struct architecture *architecture, struct model_source *source,
                       struct arena *arena, struct bound_architecture **result,
                       struct diagnostic *diagnostic)
{
    struct bound_architecture *bound;
    TRY(create(architecture, source, arena, &bound, diagnostic));
    for (int i = 0; i < architecture->parameter_count; i++) TRY(read_parameter(bound, i));
    bind_use_values(bound);
    TRY(run_checks(bound));
    *result = bound;
    return STATUS_OK;
}
