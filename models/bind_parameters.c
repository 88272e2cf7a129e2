/* Reading the parameters of a model from its metadata, with their defaults and bounds. */
#include "models/architecture_bind.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A parameter's value on its way from the file. */
struct reading {
    struct bound_architecture *bound;
    const struct parameter *parameter;
    const char *key;
};

/* "FILE: key 'llama.block_count'" in front of the reason. */
#define REFUSE(reading, format, ...)                                                               \
    fail((reading)->bound->diagnostic, STATUS_BAD_INPUT, "%.400s: key '%.150s': " format,          \
         (reading)->bound->source->path, (reading)->key, __VA_ARGS__)

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

/* A key that begins with a dot stands behind the architecture's name; length(KEY) is the number of
 * a list's items.  NULL without a failure: the file does not have it. */
static status find_entry(struct reading *reading, const char *written, struct metadata *entry,
                         bool *found)
{
    struct bound_architecture *bound = reading->bound;
    size_t length = strlen(written);
    bool count = !strncmp(written, "length(", 7) && written[length - 1] == ')';
    const char *key = count ? arena_text_range(bound->arena, written + 7, length - 8) : written;
    if (key && *key == '.') key = arena_print(bound->arena, "%s%s", bound->source->name, key);
    TRY_MEMORY(key, bound->diagnostic);
    reading->key = key;
    struct metadata *stored = source_metadata(bound->source, key);
    *found = stored && stored->kind != METADATA_NOTHING;
    if (!stored) return STATUS_OK;
    stored->used = true;
    *entry = *stored;
    if (!count || !*found) return STATUS_OK;
    if (stored->kind != METADATA_LIST) return REFUSE(reading, "%s", "must be a list");
    *entry = (struct metadata){
        .kind = METADATA_INTEGER, .integer = stored->length, .real = (double)stored->length};
    return STATUS_OK;
}

/* The text of a number or of a text, as choices are written. */
static const char *choice_text(struct arena *arena, const struct metadata *entry)
{
    if (entry->kind == METADATA_TEXT) {
        return arena_text_range(arena, entry->text, (size_t)entry->length);
    }
    if (entry->kind != METADATA_INTEGER) return "";
    return arena_print(arena, "%" PRId64, entry->integer);
}

static status read_choice(struct reading *reading, const struct metadata *entry, int64_t *value)
{
    const struct parameter *parameter = reading->parameter;
    const char *text = choice_text(reading->bound->arena, entry);
    char known[256] = "";
    TRY_MEMORY(text, reading->bound->diagnostic);
    for (int i = 0; i < parameter->choice_count; i++) {
        if (!strcmp(parameter->choices[i], text)) {
            *value = parameter->choice_slots[i];
            return STATUS_OK;
        }
        size_t length = strlen(known);
        snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "",
                 parameter->choices[i]);
    }
    return REFUSE(reading, "'%.60s' is not supported; known are %s", text, known);
}

static status check_bounds(struct reading *reading, double value)
{
    const struct parameter *parameter = reading->parameter;
    if (isfinite(value) && (!parameter->bounded_below || value >= parameter->least) &&
        (!parameter->bounded_above || value <= parameter->most)) {
        return STATUS_OK;
    }
    if (!isfinite(value)) return REFUSE(reading, "%g is not a number that can be used", value);
    return REFUSE(reading, "%.17g is out of bounds: %.17g to %.17g are allowed", value,
                  parameter->bounded_below ? parameter->least : -HUGE_VAL,
                  parameter->bounded_above ? parameter->most : HUGE_VAL);
}

static status read_value(struct reading *reading, const struct metadata *entry, int64_t *integer,
                         double *real)
{
    static const char *const wanted[] = {"a whole number", "a number", "true or false", "a text"};
    enum parameter_type type = reading->parameter->type;
    bool fits = type == PARAMETER_CHOICE ||
                (type == PARAMETER_BOOLEAN && entry->kind == METADATA_BOOLEAN) ||
                (type != PARAMETER_BOOLEAN && entry->kind == METADATA_INTEGER) ||
                (type == PARAMETER_REAL && entry->kind == METADATA_REAL);
    if (!fits) {
        return REFUSE(reading, "must be %s, not %s", wanted[type], metadata_kind_name(entry->kind));
    }
    *integer = entry->integer;
    if (type == PARAMETER_CHOICE) TRY(read_choice(reading, entry, integer));
    *real = type == PARAMETER_REAL ? entry->real : (double)*integer;
    return check_bounds(reading, *real);
}

static bool is_given(const struct reading *reading)
{
    return reading->bound->integers[reading->parameter->given_slot] != 0;
}

/* Puts a value into its slot, or into the slot of one layer; another key's value must be equal. */
static status store(struct reading *reading, int64_t layer, int64_t integer, double real)
{
    struct bound_architecture *bound = reading->bound;
    int64_t index = reading->parameter - bound->architecture->parameters;
    bool own = reading->parameter->per_layer;
    int64_t *integers =
        own ? &bound->layer_integers[index][layer] : &bound->integers[reading->parameter->slot];
    double *reals =
        own ? &bound->layer_reals[index][layer] : &bound->reals[reading->parameter->slot];
    if (is_given(reading) && (*integers != integer || *reals != real)) {
        return REFUSE(reading, "contradicts another key for the same thing ('%s')",
                      reading->parameter->name);
    }
    *integers = integer;
    *reals = real;
    return STATUS_OK;
}

/* A list gives one value per layer.  Where the architecture has one for all, they must be equal. */
static status read_list(struct reading *reading, const struct metadata *list)
{
    const struct parameter *parameter = reading->parameter;
    struct bound_architecture *bound = reading->bound;
    struct metadata item;
    int64_t integer, first_integer = 0;
    double real, first_real = 0;
    if (list->length != bound->layers || !bound->layers) {
        return REFUSE(reading, "a list of %" PRId64 " values, but there are %" PRId64 " layers",
                      list->length, bound->layers);
    }
    for (int64_t layer = 0; metadata_item(list, layer, &item); layer++) {
        TRY(read_value(reading, &item, &integer, &real));
        if (parameter->per_layer) TRY(store(reading, layer, integer, real));
        if (!layer) first_integer = integer, first_real = real;
        if (!parameter->per_layer && (integer != first_integer || real != first_real)) {
            return REFUSE(reading, "layers differ, but %s has one value for all",
                          bound->architecture->name);
        }
    }
    return parameter->per_layer ? STATUS_OK : store(reading, 0, first_integer, first_real);
}

static status read_entry(struct reading *reading, const struct metadata *entry)
{
    int64_t integer = 0;
    double real = 0;
    if (entry->kind == METADATA_LIST) return read_list(reading, entry);
    TRY(read_value(reading, entry, &integer, &real));
    if (!reading->parameter->per_layer) return store(reading, 0, integer, real);
    for (int64_t layer = 0; layer < reading->bound->layers; layer++) {
        TRY(store(reading, layer, integer, real));
    }
    return STATUS_OK;
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
        TRY(check_bounds(reading, real));
        TRY(store(reading, layer, integer, real));
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
        TRY(find_entry(&reading, parameter->keys[format][i], &entry, &found));
        if (!found) continue;
        TRY(read_entry(&reading, &entry));
        bound->integers[parameter->given_slot] = 1;
        bound->reals[parameter->given_slot] = 1;
    }
    if (!is_given(&reading)) TRY(use_default(&reading));
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
