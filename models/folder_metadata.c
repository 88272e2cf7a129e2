/* The metadata of a folder as a GGUF file has them, and the check that nothing was lost. */
#include "models/architecture_bind.h"
#include "models/chat_template.h"
#include "models/folder_gguf.h"
#include "models/tokenizer_huggingface.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- Hyper-parameters ---- */

struct putting {
    const struct bound_architecture *bound;
    struct gguf_writer *writer;
    const struct parameter *parameter;
    const char *key;
    bool real;
};

static int64_t integer_of(const struct putting *putting, int64_t layer)
{
    int64_t index = putting->parameter - putting->bound->architecture->parameters;
    if (putting->parameter->per_layer) return putting->bound->layer_integers[index][layer];
    return putting->bound->integers[putting->parameter->slot];
}

static double real_of(const struct putting *putting, int64_t layer)
{
    const struct parameter *parameter = putting->parameter;
    int64_t index = parameter - putting->bound->architecture->parameters;
    if (parameter->unit > 0) return (double)integer_of(putting, layer) * parameter->unit;
    return parameter->per_layer ? putting->bound->layer_reals[index][layer]
                                : putting->bound->reals[parameter->slot];
}

static const char *choice_of(const struct putting *putting)
{
    const struct parameter *parameter = putting->parameter;
    for (int i = 0; i < parameter->choice_count; i++)
        if (parameter->choice_slots[i] == integer_of(putting, 0)) return parameter->choices[i];
    return NULL;
}

/* Lists of layers: numbers only. */
static status put_list(const struct putting *putting)
{
    struct bound_architecture *bound = (struct bound_architecture *)(uintptr_t)putting->bound;
    int32_t *integers;
    float *reals;
    TRY_NEW(integers, bound->arena, bound->layers, bound->diagnostic);
    TRY_NEW(reals, bound->arena, bound->layers, bound->diagnostic);
    for (int64_t layer = 0; layer < bound->layers; layer++) {
        integers[layer] = (int32_t)integer_of(putting, layer);
        if (putting->real) reals[layer] = (float)real_of(putting, layer);
    }
    gguf_put_numbers(putting->writer, putting->key, putting->real ? GGUF_F32 : GGUF_I32,
                     bound->layers, putting->real ? (const void *)reals : (const void *)integers);
    return STATUS_OK;
}

static status put_value(const struct putting *putting)
{
    const struct parameter *parameter = putting->parameter;
    if (parameter->type == PARAMETER_CHOICE) {
        const char *choice = parameter->per_layer ? NULL : choice_of(putting);
        if (choice) gguf_put_text(putting->writer, putting->key, choice);
        return STATUS_OK;
    }
    if (parameter->listed) return STATUS_OK;
    if (parameter->per_layer) return put_list(putting);
    if (putting->real)
        gguf_put_real(putting->writer, putting->key, real_of(putting, 0));
    else if (parameter->type == PARAMETER_BOOLEAN)
        gguf_put_boolean(putting->writer, putting->key, integer_of(putting, 0) != 0);
    else
        gguf_put_integer(putting->writer, putting->key, GGUF_U32, integer_of(putting, 0));
    return STATUS_OK;
}

/* What the folder says, what a GGUF file must say, and what is not nothing; but no details of a scaling that nobody
 * asked for. */
static bool is_wanted(const struct putting *putting)
{
    const struct parameter *parameter = putting->parameter;
    if (putting->bound->integers[parameter->given_slot]) return true;
    if (!parameter->otherwise[SOURCE_GGUF].expression) return true;
    if (strstr(putting->key, ".rope.scaling.") || parameter->type == PARAMETER_CHOICE) return false;
    if (parameter->per_layer || parameter->type == PARAMETER_BOOLEAN) return false;
    return putting->real ? real_of(putting, 0) != 0 : integer_of(putting, 0) != 0;
}

/* A rule of the description leaves it out (a window that is there and not used). */
static status is_left_out(const struct putting *putting, bool *left_out)
{
    const struct architecture *architecture = putting->bound->architecture;
    *left_out = false;
    for (int i = 0; i < architecture->gguf_check_count; i++) {
        const struct check_rule *check = &architecture->gguf_checks[i];
        bool holds = true;
        if (!check->parameter || strcmp(check->parameter, putting->parameter->name) != 0) continue;
        TRY(bind_condition(putting->bound, &check->require, true, &holds));
        *left_out = *left_out || !holds;
    }
    return STATUS_OK;
}

static status put_parameter(struct putting *putting, const char *name)
{
    const struct parameter *parameter = putting->parameter;
    struct arena *arena = putting->bound->arena;
    const char *key =
        parameter->key_count[SOURCE_GGUF] ? parameter->keys[SOURCE_GGUF][0] : "length(";
    if (!strncmp(key, "length(", 7) || !strncmp(key, "hone.", 5)) return STATUS_OK;
    putting->key = *key == '.' ? arena_print(arena, "%s%s", name, key) : key;
    TRY_MEMORY(putting->key, putting->bound->diagnostic);
    putting->real = parameter->type == PARAMETER_REAL || parameter->unit > 0;
    bool left_out;
    TRY(is_left_out(putting, &left_out));
    return !left_out && is_wanted(putting) ? put_value(putting) : STATUS_OK;
}

/* ---- Tokenizer ---- */

struct putting_tokens {
    struct gguf_writer *writer;
    struct arena *arena;
    const struct progress *progress;
    int64_t rows; /* of the embedding: tokens that are missing are made up, as nobody uses them */
};

static status put_tokens(const struct putting_tokens *putting,
                         const struct tokenizer_source *source, struct diagnostic *diagnostic)
{
    int64_t count = source->token_count > putting->rows ? source->token_count : putting->rows;
    const char **tokens;
    int32_t *types;
    float *scores;
    TRY_NEW(tokens, putting->arena, count, diagnostic);
    TRY_NEW(types, putting->arena, count, diagnostic);
    TRY_NEW(scores, putting->arena, count, diagnostic);
    for (int64_t i = 0; i < count; i++) {
        bool known = i < source->token_count;
        tokens[i] = known ? arena_text_range(putting->arena, source->tokens[i],
                                             (size_t)source->token_lengths[i])
                          : arena_print(putting->arena, "[PAD%" PRId64 "]", i);
        TRY_MEMORY(tokens[i], diagnostic);
        types[i] = !known ? TOKEN_UNUSED : source->types ? source->types[i] : TOKEN_NORMAL;
        scores[i] = known && source->scores ? source->scores[i] : 0;
    }
    gguf_put_texts(putting->writer, "tokenizer.ggml.tokens", count, tokens);
    gguf_put_numbers(putting->writer, "tokenizer.ggml.token_type", GGUF_I32, count, types);
    if (source->scores)
        gguf_put_numbers(putting->writer, "tokenizer.ggml.scores", GGUF_F32, count, scores);
    return STATUS_OK;
}

static status put_merges(const struct putting_tokens *putting,
                         const struct tokenizer_source *source, struct diagnostic *diagnostic)
{
    const char **merges;
    if (!source->merge_count) return STATUS_OK;
    TRY_NEW(merges, putting->arena, source->merge_count, diagnostic);
    for (int64_t i = 0; i < source->merge_count; i++) {
        merges[i] =
            arena_text_range(putting->arena, source->merges[i], (size_t)source->merge_lengths[i]);
        TRY_MEMORY(merges[i], diagnostic);
    }
    gguf_put_texts(putting->writer, "tokenizer.ggml.merges", source->merge_count, merges);
    return STATUS_OK;
}

static void put_id(struct gguf_writer *writer, const char *key, int64_t id)
{
    if (id >= 0) gguf_put_integer(writer, key, GGUF_U32, id);
}

static status put_tokenizer(void *context, const struct tokenizer_source *source,
                            struct diagnostic *diagnostic)
{
    const struct putting_tokens *putting = context;
    struct gguf_writer *writer = putting->writer;
    bool bytes = source->kind == TOKENIZER_BYTE_BPE;
    gguf_put_text(writer, "tokenizer.ggml.model", bytes ? "gpt2" : "llama");
    if (bytes) gguf_put_text(writer, "tokenizer.ggml.pre", source->pre);
    TRY(put_tokens(putting, source, diagnostic));
    TRY(put_merges(putting, source, diagnostic));
    put_id(writer, "tokenizer.ggml.bos_token_id", source->bos);
    put_id(writer, "tokenizer.ggml.eos_token_id", source->eos);
    put_id(writer, "tokenizer.ggml.unknown_token_id", source->unknown);
    for (int i = 0; i < source->end_count; i++) {
        if (source->ends[i] == source->eos) continue;
        put_id(writer, "tokenizer.ggml.eot_token_id", source->ends[i]);
        break;
    }
    gguf_put_boolean(writer, "tokenizer.ggml.add_bos_token", source->add_bos);
    if (!bytes)
        gguf_put_boolean(writer, "tokenizer.ggml.add_space_prefix", source->add_space_prefix);
    return STATUS_OK;
}

static status put_template(struct model *model, struct gguf_writer *writer,
                           struct diagnostic *diagnostic)
{
    const char *text;
    size_t length;
    struct bound_architecture *bound = model_bound(model);
    TRY(chat_template_find(bound->source, bound->arena, &text, &length, diagnostic));
    if (text && !memchr(text, 0, length)) {
        text = arena_text_range(bound->arena, text, length);
        TRY_MEMORY(text, diagnostic);
        gguf_put_text(writer, "tokenizer.chat_template", text);
    }
    return STATUS_OK;
}

status folder_put_metadata(struct model *model, const char *name, struct gguf_writer *writer,
                           const struct progress *progress, struct diagnostic *diagnostic)
{
    struct bound_architecture *bound = model_bound(model);
    struct putting putting = {.bound = bound, .writer = writer};
    struct putting_tokens tokens = {writer, bound->arena, progress, model->vocabulary};
    bound->diagnostic = diagnostic;
    gguf_put_text(writer, "general.architecture", name);
    TRY(bind_layer(bound, 0)); /* rules may ask for what differs between layers */
    for (int i = 0; i < bound->architecture->parameter_count; i++) {
        putting.parameter = &bound->architecture->parameters[i];
        TRY(put_parameter(&putting, name));
    }
    TRY(tokenizer_use_huggingface(bound->source, &(struct tokenizer_use){put_tokenizer, &tokens},
                                  progress, diagnostic));
    return put_template(model, writer, diagnostic);
}

/* ---- Nothing lost ---- */

static status fail_node(const struct model *folder, const struct node *node, const char *what,
                        struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_UNSUPPORTED,
                "%.400s: GGUF has no way to say %s of %s (layer %d): no file is written",
                folder->path, what, node->op->name, node->layer);
}

/* f32 is what GGUF keeps of real numbers. */
static bool is_near(double a, double b)
{
    return a == b || fabs(a - b) <= 1e-6 * fmax(fabs(a), fabs(b));
}

static status compare_nodes(const struct model *folder, const struct node *a,
                            const struct model *file, const struct node *b,
                            struct diagnostic *diagnostic)
{
    if (a->op != b->op) return fail_node(folder, a, "what is computed instead", diagnostic);
    for (int i = 0; i < op_input_count(a->op); i++) {
        bool there = a->inputs[i] != VALUE_NONE;
        if (there != (b->inputs[i] != VALUE_NONE))
            return fail_node(folder, a, "the inputs", diagnostic);
        if (there && strcmp(folder->graph->values[a->inputs[i]].name,
                            file->graph->values[b->inputs[i]].name) != 0)
            return fail_node(folder, a, "the inputs", diagnostic);
    }
    for (int i = 0; a->op->attributes && a->op->attributes[i].name; i++) {
        const struct attribute_rule *rule = &a->op->attributes[i];
        bool equal = rule->kind == ATTRIBUTE_REAL
                         ? is_near(a->attributes[i].real, b->attributes[i].real)
                         : a->attributes[i].integer == b->attributes[i].integer;
        /* The order of rows, which were turned to match. */
        if (!equal && strcmp(rule->name, "pairing") != 0)
            return fail_node(folder, a, rule->name, diagnostic);
    }
    return STATUS_OK;
}

status folder_compare(const struct model *folder, const struct model *file,
                      struct diagnostic *diagnostic)
{
    const struct graph *a = folder->graph, *b = file->graph;
    if (a->node_count != b->node_count)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "%.400s: a GGUF file would say %d operations and not %d: no file is written",
                    folder->path, b->node_count, a->node_count);
    for (int n = 0; n < a->node_count; n++)
        TRY(compare_nodes(folder, &a->nodes[n], file, &b->nodes[n], diagnostic));
    return STATUS_OK;
}
