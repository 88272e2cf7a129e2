/* What a model's metadata say of one parameter: finding the key, the value's type, bounds, choices, and
 * lists over layers. */
#include "models/bind_metadata.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* "FILE: key 'llama.block_count'" in front of the reason. */
#define REFUSE(reading, format, ...)                                                               \
    fail((reading)->bound->diagnostic, STATUS_BAD_INPUT, "%.400s: key '%.150s': " format,          \
         (reading)->bound->source->path, (reading)->key, __VA_ARGS__)

/* A key that begins with a dot stands behind the architecture's name; length(KEY) is the number of
 * a list's items.  NULL without a failure: the file does not have it. */
status reading_find(struct reading *reading, const char *written, struct metadata *entry,
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

status reading_check(struct reading *reading, double value)
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

/* A real number as a whole number of units. */
static status read_units(struct reading *reading, const struct metadata *entry, int64_t *integer,
                         double *real)
{
    double units = entry->real / reading->parameter->unit;
    if (entry->kind != METADATA_REAL && entry->kind != METADATA_INTEGER) {
        return REFUSE(reading, "must be a number, not %s", metadata_kind_name(entry->kind));
    }
    TRY(reading_check(reading, rint(units)));
    if (fabs(units - rint(units)) > 1e-3) {
        return REFUSE(reading, "%.17g is no whole number of %g", entry->real,
                      reading->parameter->unit);
    }
    *integer = (int64_t)rint(units);
    *real = (double)*integer;
    return STATUS_OK;
}

static status read_value(struct reading *reading, const struct metadata *entry, int64_t *integer,
                         double *real)
{
    static const char *const wanted[] = {"a whole number", "a number", "true or false", "a text"};
    enum parameter_type type = reading->parameter->type;
    if (reading->parameter->unit > 0) return read_units(reading, entry, integer, real);
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
    return reading_check(reading, *real);
}

bool reading_is_given(const struct reading *reading)
{
    return reading->bound->integers[reading->parameter->given_slot] != 0;
}

/* Puts a value into its slot, or into the slot of one layer; another key's value must be equal. */
status reading_store(struct reading *reading, int64_t layer, int64_t integer, double real)
{
    struct bound_architecture *bound = reading->bound;
    int64_t index = reading->parameter - bound->architecture->parameters;
    bool own = reading->parameter->per_layer;
    int64_t *integers =
        own ? &bound->layer_integers[index][layer] : &bound->integers[reading->parameter->slot];
    double *reals =
        own ? &bound->layer_reals[index][layer] : &bound->reals[reading->parameter->slot];
    if (reading_is_given(reading) && (*integers != integer || *reals != real)) {
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
        if (parameter->per_layer) TRY(reading_store(reading, layer, integer, real));
        if (!layer) first_integer = integer, first_real = real;
        if (!parameter->per_layer && (integer != first_integer || real != first_real)) {
            return REFUSE(reading, "layers differ, but %s has one value for all",
                          bound->architecture->name);
        }
    }
    return parameter->per_layer ? STATUS_OK : reading_store(reading, 0, first_integer, first_real);
}

/* The layers that a list names. */
static status read_listed(struct reading *reading, const struct metadata *list)
{
    struct bound_architecture *bound = reading->bound;
    int64_t index = reading->parameter - bound->architecture->parameters;
    struct metadata item;
    if (list->kind != METADATA_LIST) return REFUSE(reading, "%s", "must be a list of layers");
    for (int64_t i = 0; i < list->length; i++) {
        if (!metadata_item(list, i, &item) || item.kind != METADATA_INTEGER || item.integer < 0 ||
            item.integer >= bound->layers) {
            return REFUSE(reading, "item %" PRId64 " is none of the %" PRId64 " layers", i,
                          bound->layers);
        }
        bound->layer_integers[index][item.integer] = 1;
        bound->layer_reals[index][item.integer] = 1;
    }
    return STATUS_OK;
}

status reading_take(struct reading *reading, const struct metadata *entry)
{
    int64_t integer = 0;
    double real = 0;
    if (reading->parameter->listed) return read_listed(reading, entry);
    if (entry->kind == METADATA_LIST) return read_list(reading, entry);
    TRY(read_value(reading, entry, &integer, &real));
    if (!reading->parameter->per_layer) return reading_store(reading, 0, integer, real);
    for (int64_t layer = 0; layer < reading->bound->layers; layer++) {
        TRY(reading_store(reading, layer, integer, real));
    }
    return STATUS_OK;
}
