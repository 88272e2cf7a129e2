/* From a preset to a file: its parameters become the metadata that its architecture would read from
 * a GGUF file, the same code that checks a file's parameters computes the shapes, and the weights
 * are drawn at random. */
#include "models/synth.h"

#include "base/text.h"
#include "models/architecture_bind.h"
#include "models/architecture_catalogue.h"
#include "models/synth_internal.h"

#include <math.h>
#include <string.h>

struct synthesis {
    const struct synth_options *options;
    struct arena *arena;
    struct diagnostic *diagnostic;
    struct yaml *preset;
    struct yaml *with; /* optional weights that the model has; may be NULL */
    const struct architecture *architecture;
    struct model_source source; /* what would be read */
    struct bound_architecture *bound;
    struct synth_weights weights;
};

static status read_presets(struct arena *arena, struct yaml **presets, const char *const **names,
                           struct diagnostic *diagnostic)
{
    const char **list;
    TRY(embedded_yaml("presets", arena, presets, diagnostic));
    TRY_NEW(list, arena, (*presets)->count + 1, diagnostic);
    for (int i = 0; i < (*presets)->count; i++) list[i] = (*presets)->items[i].key;
    *names = list;
    return STATUS_OK;
}

status synth_presets(struct arena *arena, const char *const **names, struct diagnostic *diagnostic)
{
    struct yaml *presets;
    return read_presets(arena, &presets, names, diagnostic);
}

static status find_preset(struct synthesis *synthesis)
{
    const char *const *names;
    struct yaml *presets;
    struct text text = {.arena = synthesis->arena};
    TRY(read_presets(synthesis->arena, &presets, &names, synthesis->diagnostic));
    synthesis->preset = yaml_find(presets, synthesis->options->preset);
    if (synthesis->preset) return STATUS_OK;
    const char *nearest = text_nearest(synthesis->options->preset, names);
    for (int i = 0; names[i]; i++) text_print(&text, "%s%s", i ? ", " : "", names[i]);
    const char *known = text_finish(&text);
    TRY_MEMORY(known, synthesis->diagnostic);
    return fail(synthesis->diagnostic, STATUS_USAGE,
                "there is no preset '%.100s'%s%s%s; there are %s", synthesis->options->preset,
                nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "",
                known);
}

static status find_architecture(struct synthesis *synthesis)
{
    struct architecture_catalogue catalogue;
    const char *name;
    TRY(yaml_text(synthesis->preset, "architecture", &name, synthesis->diagnostic));
    TRY(architectures_read(synthesis->options->architecture_folder, synthesis->options->ops,
                           synthesis->arena, &catalogue, synthesis->diagnostic));
    for (int i = 0; i < catalogue.count; i++) {
        if (strcmp(catalogue.items[i]->name, name) != 0) continue;
        synthesis->architecture = catalogue.items[i];
        return STATUS_OK;
    }
    return fail(synthesis->diagnostic, STATUS_UNSUPPORTED,
                "the preset '%s' needs the architecture '%s', which is not described yet",
                synthesis->options->preset, name);
}

/* The value of one parameter, as a GGUF file of this architecture would hold it. */
static status add_parameter(struct synthesis *synthesis, struct yaml *node)
{
    struct model_source *source = &synthesis->source;
    int index = architecture_parameter(synthesis->architecture, node->key);
    const struct parameter *parameter = &synthesis->architecture->parameters[index < 0 ? 0 : index];
    if (index < 0 || !parameter->key_count[SOURCE_GGUF]) {
        return yaml_fail(node, synthesis->diagnostic, "%s has no parameter '%s' with a GGUF key",
                         synthesis->architecture->name, node->key);
    }
    const char *key = parameter->keys[SOURCE_GGUF][0];
    TRY_APPEND(source->metadata, source->metadata_count, source->metadata_capacity,
               synthesis->arena, synthesis->diagnostic);
    struct metadata *entry = &source->metadata[source->metadata_count - 1];
    entry->key = *key == '.' ? arena_print(synthesis->arena, "%s%s", source->name, key) : key;
    TRY_MEMORY(entry->key, synthesis->diagnostic);
    if (parameter->type == PARAMETER_REAL) {
        entry->kind = METADATA_REAL;
        return yaml_real(node, &entry->real, synthesis->diagnostic);
    }
    if (parameter->type == PARAMETER_BOOLEAN) {
        bool value;
        TRY(yaml_boolean(node, &value, synthesis->diagnostic));
        entry->kind = METADATA_BOOLEAN;
        entry->integer = value;
        return STATUS_OK;
    }
    bool word = node->kind == YAML_SCALAR && !strchr("0123456789", *node->text);
    if (parameter->type == PARAMETER_CHOICE && word) {
        entry->kind = METADATA_TEXT;
        entry->text = node->text;
        entry->length = (int64_t)strlen(node->text);
        return STATUS_OK;
    }
    entry->kind = METADATA_INTEGER;
    TRY(yaml_integer(node, &entry->integer, synthesis->diagnostic));
    if (!strcmp(node->key, "layers") && synthesis->options->layers) {
        entry->integer = synthesis->options->layers;
    }
    entry->real = (double)entry->integer;
    return STATUS_OK;
}

static status bind_preset(struct synthesis *synthesis)
{
    struct yaml *parameters;
    struct model_source *source = &synthesis->source;
    *source = (struct model_source){
        .arena = synthesis->arena, .format = SOURCE_GGUF, .path = synthesis->options->preset};
    TRY(yaml_text(synthesis->preset, "name", &source->name, synthesis->diagnostic));
    TRY(yaml_require(synthesis->preset, "parameters", YAML_MAP, &parameters,
                     synthesis->diagnostic));
    synthesis->with = yaml_find(synthesis->preset, "with");
    for (int i = 0; i < parameters->count; i++) {
        TRY(add_parameter(synthesis, &parameters->items[i]));
    }
    TRY(source_index(source, synthesis->diagnostic));
    return bind_parameters(synthesis->architecture, source, synthesis->arena, &synthesis->bound,
                           synthesis->diagnostic);
}

/* A required weight, or an optional one that the preset names. */
static status is_present(const struct synthesis *synthesis, const struct weight_rule *rule,
                         bool *present)
{
    bool wanted, optional, listed = false;
    TRY(bind_condition(synthesis->bound, &rule->when, true, &wanted));
    TRY(bind_condition(synthesis->bound, &rule->optional, false, &optional));
    for (int i = 0; synthesis->with && i < synthesis->with->count; i++) {
        listed |= !strcmp(synthesis->with->items[i].text, rule->name);
    }
    *present = wanted && (!optional || listed) && rule->pattern_count[SOURCE_GGUF] > 0;
    return STATUS_OK;
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && !strcmp(text + length - end_length, end);
}

/* Norms lie around 1; a matrix keeps the variance of what it multiplies, since a uniform number
 * from -s to s has the variance s^2 / 3. */
static void choose_spread(const struct weight_rule *rule, struct synth_weight *weight)
{
    double columns = (double)weight->type.shape[weight->type.rank - 1].scale;
    bool norm = ends_with(rule->name, "_norm"), vector = weight->type.rank == 1;
    weight->centre = norm ? 1.0f : 0.0f;
    weight->spread = norm || vector ? 0.1f : (float)sqrt(3 / columns);
}

/* Rows that are no whole blocks are kept as f16. */
static status choose_element(struct synthesis *synthesis, const struct weight_rule *rule,
                             struct synth_weight *weight)
{
    const struct element *element = element_of(synthesis->options->element);
    int64_t columns = weight->type.shape[weight->type.rank - 1].scale;
    weight->type.element = synthesis->options->element;
    if (rule->element >= 0 || weight->type.rank == 1) {
        weight->type.element = ELEMENT_F32;
    } else if (columns % element->block_elements) {
        weight->type.element = ELEMENT_F16;
        progress_warn(synthesis->options->progress,
                      "%s: rows of %lld elements are no whole %s blocks; f16 is used", weight->name,
                      (long long)columns, element->name);
    }
    return tensor_check(&weight->type, synthesis->diagnostic);
}

/* Several weights may be parts of one tensor. */
static bool is_there(const struct synth_weights *weights, const char *name)
{
    int i = weights->count - 1;
    while (i >= 0 && strcmp(weights->items[i].name, name) != 0) i--;
    return i >= 0;
}

static status add_weight(struct synthesis *synthesis, const struct weight_rule *rule, int64_t layer)
{
    struct synth_weights *weights = &synthesis->weights;
    struct synth_weight weight = {0};
    bool present;
    TRY(is_present(synthesis, rule, &present));
    if (!present) return STATUS_OK;
    TRY(bind_stored_shape(synthesis->bound, rule, &weight.type));
    TRY(bind_name(synthesis->bound, rule->patterns[SOURCE_GGUF][0], layer, 0, &weight.name));
    if (rule->views[SOURCE_GGUF].stored_rank && is_there(weights, weight.name)) return STATUS_OK;
    TRY(choose_element(synthesis, rule, &weight));
    choose_spread(rule, &weight);
    TRY_APPEND(weights->items, weights->count, weights->capacity, synthesis->arena,
               synthesis->diagnostic);
    weights->items[weights->count - 1] = weight;
    return STATUS_OK;
}

static status add_weights(struct synthesis *synthesis)
{
    const struct architecture *architecture = synthesis->architecture;
    for (int64_t layer = -1; layer < synthesis->bound->layers; layer++) {
        TRY(bind_layer(synthesis->bound, layer));
        for (int i = 0; i < architecture->weight_count; i++) {
            const struct weight_rule *rule = &architecture->weights[i];
            if (rule->per_layer == (layer >= 0)) TRY(add_weight(synthesis, rule, layer));
        }
    }
    return STATUS_OK;
}

static void put_entry(struct gguf_writer *writer, const struct metadata *entry)
{
    switch (entry->kind) {
    case METADATA_REAL: gguf_put_real(writer, entry->key, entry->real); break;
    case METADATA_TEXT: gguf_put_text(writer, entry->key, entry->text); break;
    case METADATA_BOOLEAN: gguf_put_boolean(writer, entry->key, entry->integer != 0); break;
    default: gguf_put_integer(writer, entry->key, GGUF_U32, entry->integer); break;
    }
}

static status put_metadata(struct synthesis *synthesis, struct gguf_writer *writer)
{
    const struct model_source *source = &synthesis->source;
    const char *name = arena_print(synthesis->arena, "random %s", synthesis->options->preset);
    TRY_MEMORY(name, synthesis->diagnostic);
    gguf_put_text(writer, "general.architecture", source->name);
    gguf_put_text(writer, "general.name", name);
    gguf_put_integer(writer, "general.file_type", GGUF_U32,
                     gguf_file_type(element_of(synthesis->options->element)->name));
    gguf_put_integer(writer, "general.quantization_version", GGUF_U32, 2);
    for (int i = 0; i < source->metadata_count; i++) put_entry(writer, &source->metadata[i]);
    return synth_put_tokens(writer, bind_parameter(synthesis->bound, "vocabulary"),
                            synthesis->arena, synthesis->diagnostic);
}

static status write_weights(struct synthesis *synthesis, struct gguf_writer *writer)
{
    struct diagnostic *diagnostic = synthesis->diagnostic;
    TRY(put_metadata(synthesis, writer));
    for (int i = 0; i < synthesis->weights.count; i++) {
        const struct synth_weight *weight = &synthesis->weights.items[i];
        int index;
        TRY(gguf_put_tensor(writer, weight->name, &weight->type, &index, diagnostic));
    }
    TRY(gguf_writer_start(writer, diagnostic));
    TRY(synth_fill(writer, &synthesis->weights, synthesis->options, synthesis->arena, diagnostic));
    return gguf_writer_finish(writer, diagnostic);
}

/* Numbers that operators take as weights. */
static status check_element(const struct synthesis *synthesis)
{
    enum element_type element = synthesis->options->element;
    bool whole = element == ELEMENT_I8 || element == ELEMENT_I32;
    if (!whole) return STATUS_OK;
    return fail(synthesis->diagnostic, STATUS_USAGE, "weights cannot be made of %s numbers",
                element_of(element)->name);
}

static status shape_weights(struct synthesis *synthesis)
{
    TRY(check_element(synthesis));
    TRY(find_preset(synthesis));
    TRY(find_architecture(synthesis));
    TRY(bind_preset(synthesis));
    return add_weights(synthesis);
}

static status synthesize(struct synthesis *synthesis, const char *path)
{
    struct gguf_writer *writer;
    TRY(shape_weights(synthesis));
    TRY(gguf_writer_create(path, synthesis->arena, &writer, synthesis->diagnostic));
    status result = write_weights(synthesis, writer);
    gguf_writer_close(writer);
    return result;
}

status synth_write(const char *path, const struct synth_options *options,
                   struct diagnostic *diagnostic)
{
    struct synthesis synthesis = {
        .options = options, .arena = arena_create(0), .diagnostic = diagnostic};
    if (!synthesis.arena) return fail_memory(diagnostic, 0);
    status result = synthesize(&synthesis, path);
    arena_destroy(synthesis.arena);
    return result;
}

status synth_describe(const struct synth_options *options, struct arena *arena,
                      struct model_source *source, struct diagnostic *diagnostic)
{
    static const int64_t none[SYMBOL_COUNT] = {0};
    struct synthesis synthesis = {.options = options, .arena = arena, .diagnostic = diagnostic};
    TRY(shape_weights(&synthesis));
    *source = synthesis.source;
    for (int i = 0; i < synthesis.weights.count; i++) {
        const struct synth_weight *weight = &synthesis.weights.items[i];
        TRY_APPEND(source->tensors, source->tensor_count, source->tensor_capacity, arena,
                   diagnostic);
        source->tensors[source->tensor_count - 1] =
            (struct stored_tensor){.name = weight->name,
                                   .type = weight->type,
                                   .byte_count = tensor_bytes(&weight->type, none),
                                   .file = options->preset};
    }
    return source_index(source, diagnostic);
}
