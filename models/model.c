/* Opening a model: files, architecture, parameters, weights, graph, tokenizer.  Everything is
 * checked before anything is computed, and what the architecture did not use is refused by name. */
#include "models/model.h"

#include "base/text.h"
#include "ir/pass.h"
#include "models/architecture_bind.h"
#include "models/architecture_catalogue.h"
#include "models/chat_template.h"
#include "models/check_files.h"
#include "models/check_numbers.h"
#include "models/synth.h"
#include "models/tokenizer_gguf.h"
#include "models/tokenizer_huggingface.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Bounds what a hostile file can make the reader keep: the directory of the largest model takes
 * 30 MB, a vocabulary 20 MB. */
enum { MODEL_ARENA_BYTES = 1 << 30 };

/* What the user asks of a model stands among the metadata of its file. */
#define SETTING_PREFIX "hone."

/* A weight by name, for the weight source. */
struct weight_row {
    const char *name;
    const char *gguf; /* the tensor's name in GGUF files; NULL: none */
    const struct stored_weight *stored;
};

struct model_files {
    struct model_source source;
    struct weight_row *weights; /* sorted by name */
    size_t weight_count;
    struct bound_architecture *bound;
};

static bool matches(const struct model_source *source, const char *pattern, const char *key)
{
    if (*pattern == '.') {
        size_t length = strlen(source->name);
        if (strncmp(key, source->name, length) != 0) return false;
        key += length;
    }
    size_t length = strlen(pattern);
    if (length && pattern[length - 1] == '*') return !strncmp(key, pattern, length - 1);
    return !strcmp(key, pattern);
}

static bool matches_any(const struct model_source *source, const char *const *patterns, int count,
                        const char *key)
{
    for (int i = 0; i < count; i++) {
        if (matches(source, patterns[i], key)) return true;
    }
    return false;
}

/* What to do about something unused: a warning, or a refusal. */
static status report_unused(const struct model_options *options, const struct model_source *source,
                            const char *what, const char *name, const char *architecture,
                            struct diagnostic *diagnostic)
{
    if (options->allow_unknown_keys) {
        progress_warn(options->progress, "%.300s: %s '%.200s' is not used by %s", source->path,
                      what, name, architecture);
        return STATUS_OK;
    }
    if (!strncmp(name, SETTING_PREFIX, strlen(SETTING_PREFIX)))
        return fail(diagnostic, STATUS_USAGE,
                    "%.300s: the architecture %s has no setting '%.100s' (--mla is for latent "
                    "attention, as of "
                    "DeepSeek); leave it out",
                    source->path, architecture, name + strlen(SETTING_PREFIX));
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.300s: %s '%.200s' is not known to the architecture %.64s and may change what "
                "the model means; --allow-unknown-keys loads it all the same",
                source->path, what, name, architecture);
}

static status check_keys(const struct model_options *options,
                         const struct architecture_catalogue *catalogue,
                         const struct bound_architecture *bound, struct diagnostic *diagnostic)
{
    const struct architecture *architecture = bound->architecture;
    const struct model_source *source = bound->source;
    int format = source->format;
    for (int i = 0; i < source->metadata_count; i++) {
        const struct metadata *entry = &source->metadata[i];
        if (entry->used || entry->consumed || entry->kind == METADATA_NOTHING ||
            matches_any(source, catalogue->harmless[format], catalogue->harmless_count[format],
                        entry->key) ||
            matches_any(source, architecture->harmless[format],
                        architecture->harmless_count[format], entry->key)) {
            continue;
        }
        TRY(report_unused(options, source, "key", entry->key, architecture->name, diagnostic));
    }
    return STATUS_OK;
}

/* Marks the tensors that the description says are not needed. */
static status mark_ignored(struct bound_architecture *bound)
{
    const struct architecture *architecture = bound->architecture;
    for (int i = 0; i < architecture->ignored_count; i++) {
        const struct ignored_rule *rule = &architecture->ignored[i];
        const char *pattern = rule->patterns[bound->source->format], *name;
        bool ignored;
        TRY(bind_condition(bound, &rule->when, true, &ignored));
        if (!pattern || !ignored) continue;
        int64_t count = strstr(pattern, "{layer}") ? bound->layers : 1;
        for (int64_t layer = 0; layer < count; layer++) {
            TRY(bind_name(bound, pattern, layer, 0, &name));
            struct stored_tensor *tensor = source_tensor(bound->source, name);
            if (tensor) tensor->used = true;
        }
    }
    return STATUS_OK;
}

static status check_tensors(const struct model_options *options, struct bound_architecture *bound,
                            struct diagnostic *diagnostic)
{
    TRY(mark_ignored(bound));
    for (int i = 0; i < bound->source->tensor_count; i++) {
        const struct stored_tensor *tensor = &bound->source->tensors[i];
        if (tensor->used) continue;
        TRY(report_unused(options, bound->source, "tensor", tensor->name, bound->architecture->name,
                          diagnostic));
    }
    return STATUS_OK;
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const struct weight_row *)a)->name, ((const struct weight_row *)b)->name);
}

/* A weight that another stands in for has the other's name. */
static status name_in_gguf(const struct bound_architecture *bound, int weight, int64_t layer,
                           const char **name)
{
    const struct weight_rule *rule = &bound->architecture->weights[weight];
    int other = rule->otherwise;
    if (other >= 0 && bound->weights[weight][layer].name == bound->weights[other][layer].name)
        rule = &bound->architecture->weights[other];
    *name = NULL;
    if (!rule->pattern_count[SOURCE_GGUF]) return STATUS_OK;
    return bind_name(bound, rule->patterns[SOURCE_GGUF][0], layer, 0, name);
}

/* A tied weight is bound twice under one name; both rows say the same. */
static status index_weights(struct model *model, const struct bound_architecture *bound,
                            struct diagnostic *diagnostic)
{
    struct model_files *files = model->files;
    size_t capacity = 0;
    for (int i = 0; i < bound->architecture->weight_count; i++) {
        int64_t count = bound->architecture->weights[i].per_layer ? bound->layers : 1;
        for (int64_t layer = 0; layer < count; layer++) {
            const struct bound_weight *weight = &bound->weights[i][layer];
            if (!weight->name) continue;
            TRY_APPEND(files->weights, files->weight_count, capacity, model->arena, diagnostic);
            struct weight_row *row = &files->weights[files->weight_count - 1];
            *row = (struct weight_row){weight->name, NULL, &weight->stored};
            TRY(name_in_gguf(bound, i, layer, &row->gguf));
        }
    }
    if (files->weight_count) {
        qsort(files->weights, files->weight_count, sizeof *files->weights, compare_rows);
    }
    return STATUS_OK;
}

static const struct weight_row *find_row(const struct model_files *files, const char *name)
{
    struct weight_row wanted = {.name = name};
    if (!files->weight_count) return NULL;
    return bsearch(&wanted, files->weights, files->weight_count, sizeof wanted, compare_rows);
}

const char *model_gguf_name(const struct model *model, const char *weight)
{
    const struct weight_row *row = find_row(model->files, weight);
    return row ? row->gguf : NULL;
}

struct bound_architecture *model_bound(const struct model *model)
{
    return ((const struct model_files *)model->files)->bound;
}

static status find_weight(void *context, const char *name, struct stored_weight *weight,
                          struct diagnostic *diagnostic)
{
    const struct model_files *files = context;
    const struct weight_row *row = find_row(files, name);
    if (!row) {
        return fail(diagnostic, STATUS_NOT_FOUND, "%.500s: there is no weight '%.200s'",
                    files->source.path, name);
    }
    *weight = *row->stored;
    for (int p = 0; p < weight->part_count; p++)
        deferred_make_at(&files->source.deferred, weight->parts[p]);
    return STATUS_OK;
}

/* The element type that most bytes have. */
static const char *main_element(const struct model_source *source)
{
    int64_t bytes[ELEMENT_COUNT] = {0};
    int main = 0;
    for (int i = 0; i < source->tensor_count; i++) {
        const struct stored_tensor *tensor = &source->tensors[i];
        bytes[tensor->type.element] += tensor->byte_count;
    }
    for (int e = 0; e < ELEMENT_COUNT; e++) {
        if (bytes[e] > bytes[main]) main = e;
    }
    return element_of((enum element_type)main)->name;
}

/* "llama, 22 layers, width 2048, q8_0" */
static status describe(struct model *model, const struct bound_architecture *bound,
                       struct diagnostic *diagnostic)
{
    model->layer_count = bound->layers;
    model->vocabulary = bind_parameter(bound, "vocabulary");
    model->context = bind_parameter(bound, "context");
    model->architecture = bound->architecture->name;
    model->description =
        arena_print(model->arena, "%s, %" PRId64 " layer%s, width %" PRId64 ", %s",
                    model->architecture, model->layer_count, model->layer_count == 1 ? "" : "s",
                    bind_parameter(bound, "width"), main_element(bound->source));
    TRY_MEMORY(model->description, diagnostic);
    return STATUS_OK;
}

static status bind_model(struct model *model, const struct model_options *options,
                         struct diagnostic *diagnostic)
{
    struct model_files *files = model->files;
    struct graph_options graph = {options->ops, options->state_element, options->page_tokens};
    struct architecture_catalogue catalogue;
    const struct architecture *architecture;
    struct bound_architecture *bound;
    TRY(architectures_read(options->architecture_folder, options->ops, model->arena, &catalogue,
                           diagnostic));
    TRY(architecture_choose(&catalogue, &files->source, model->arena, &architecture, diagnostic));
    TRY(bind_parameters(architecture, &files->source, model->arena, &bound, diagnostic));
    files->bound = bound;
    TRY(check_keys(options, &catalogue, bound, diagnostic));
    TRY(bind_weights(bound));
    TRY(check_tensors(options, bound, diagnostic));
    TRY(index_weights(model, bound, diagnostic));
    deferred_sort(&files->source.deferred);
    TRY(describe(model, bound, diagnostic));
    TRY(bind_graph(bound, &graph, &model->graph));
    return options->rotates_states ? pass_rotate_states(model->graph, diagnostic) : STATUS_OK;
}

/* Ids that the vocabulary has beyond the rows of the embedding would be read outside it. */
static status open_tokenizer(struct model *model, const struct model_options *options,
                             struct diagnostic *diagnostic)
{
    struct model_files *files = model->files;
    if (files->source.format == SOURCE_GGUF)
        TRY(tokenizer_from_gguf(&files->source, model->arena, &model->tokenizer, options->progress,
                                diagnostic));
    else
        TRY(tokenizer_from_huggingface(&files->source, model->arena, &model->tokenizer,
                                       options->progress, diagnostic));
    if (!model->tokenizer || tokenizer_count(model->tokenizer) <= model->vocabulary)
        return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: the tokenizer has %" PRId64 " tokens, but the network has %" PRId64,
                model->path, tokenizer_count(model->tokenizer), model->vocabulary);
}

/* What the user asks of a model: "mla=naive" is the metadata entry hone.mla. */
static status add_settings(struct model_source *source, const char *settings,
                           struct diagnostic *diagnostic)
{
    for (const char *rest = settings; rest && *rest;) {
        size_t length = strcspn(rest, ","), name = strcspn(rest, "=");
        if (name >= length) {
            return fail(diagnostic, STATUS_USAGE, "'%.100s': a setting is NAME=VALUE", rest);
        }
        TRY_APPEND(source->metadata, source->metadata_count, source->metadata_capacity,
                   source->arena, diagnostic);
        struct metadata *entry = &source->metadata[source->metadata_count - 1];
        entry->key = arena_print(source->arena, SETTING_PREFIX "%.*s", (int)name, rest);
        entry->kind = METADATA_TEXT;
        entry->text = arena_text_range(source->arena, rest + name + 1, length - name - 1);
        entry->length = (int64_t)(length - name - 1);
        if (!entry->key || !entry->text) return fail_memory(diagnostic, length);
        rest += length + (rest[length] == ',');
    }
    return settings ? source_index(source, diagnostic) : STATUS_OK;
}

static status create_files(struct model *model, const char *path, struct diagnostic *diagnostic)
{
    struct model_files *files;
    TRY_NEW(files, model->arena, 1, diagnostic);
    model->files = files;
    model->path = arena_text(model->arena, path);
    TRY_MEMORY(model->path, diagnostic);
    return STATUS_OK;
}

static status bind_source(struct model *model, const struct model_options *options,
                          struct diagnostic *diagnostic)
{
    struct model_files *files = model->files;
    TRY(add_settings(&files->source, options->settings, diagnostic));
    files->source.run_context = options->context;
    model->identity = files->source.identity;
    model->weights = (struct weight_source){files, find_weight};
    return bind_model(model, options, diagnostic);
}

/* What the user asked to be sure of, before anything is made of the files. */
static status check_source(const struct model_source *source, const struct model_options *options,
                           struct diagnostic *diagnostic)
{
    if (options->sums) TRY(check_files(source, options->sums, options->progress, diagnostic));
    if (!options->check_numbers) return STATUS_OK;
    return check_numbers(source, options->threads, options->progress, diagnostic);
}

static status open_files(struct model *model, const char *path, const struct model_options *options,
                         struct diagnostic *diagnostic)
{
    TRY(create_files(model, path, diagnostic));
    struct model_files *files = model->files;
    TRY(source_open(model->path, model->arena, options->progress, &files->source, diagnostic));
    TRY(check_source(&files->source, options, diagnostic));
    TRY(bind_source(model, options, diagnostic));
    TRY(chat_template_find(&files->source, model->arena, &model->chat_template,
                           &model->chat_template_length, diagnostic));
    return open_tokenizer(model, options, diagnostic);
}

static status describe_files(struct model *model, const struct synth_options *preset,
                             const struct model_options *options, struct diagnostic *diagnostic)
{
    TRY(create_files(model, preset->preset, diagnostic));
    struct model_files *files = model->files;
    TRY(synth_describe(preset, model->arena, &files->source, diagnostic));
    return bind_source(model, options, diagnostic);
}

static status create_model(struct model **result, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(MODEL_ARENA_BYTES);
    struct model *model = arena ? arena_allocate(arena, 1, sizeof *model) : NULL;
    if (!model) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *model);
    }
    model->arena = arena;
    *result = model;
    return STATUS_OK;
}

/* The model that was opened, or nothing. */
static status finish_model(struct model *model, status outcome, struct model **result)
{
    if (outcome == STATUS_OK)
        *result = model;
    else
        model_close(model);
    return outcome;
}

status model_open(const char *path, const struct model_options *options, struct model **result,
                  struct diagnostic *diagnostic)
{
    struct model *model = NULL;
    TRY(create_model(&model, diagnostic));
    return finish_model(model, open_files(model, path, options, diagnostic), result);
}

status model_describe(const struct synth_options *preset, const struct model_options *options,
                      struct model **result, struct diagnostic *diagnostic)
{
    struct model *model = NULL;
    TRY(create_model(&model, diagnostic));
    return finish_model(model, describe_files(model, preset, options, diagnostic), result);
}

void model_close(struct model *model)
{
    if (!model) return;
    struct model_files *files = model->files;
    tokenizer_close(model->tokenizer);
    if (files) source_close(&files->source);
    arena_destroy(model->arena);
}
