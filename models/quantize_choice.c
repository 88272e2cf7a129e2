/* The rules by which tensors get their types. */
#include "models/quantize_choice.h"

#include "base/text.h"
#include "models/gguf.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mix: one type for most matrices, a finer one for those that cost the most quality. */
static const struct {
    const char *name;
    enum element_type element;
} mixes[] = {{"q4_K_M", ELEMENT_Q4_K}, {"q5_K_M", ELEMENT_Q5_K}};

static const char *const type_names[] = {
#define ELEMENT(NAME, name, elements, bytes) #name,
#include "ir/element.def"
#undef ELEMENT
    "q4_K_M", "q5_K_M", NULL};

/* Types whose numbers a matrix can be made of, and that GGUF has. */
static bool is_target(enum element_type element)
{
    uint32_t id;
    return element != ELEMENT_I8 && element != ELEMENT_I32 && gguf_type_of_element(element, &id);
}

static bool read_type(const char *name, enum element_type *element, bool *medium)
{
    *medium = false;
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
        if (strcmp(mixes[i].name, name) != 0) continue;
        *element = mixes[i].element;
        *medium = true;
        return true;
    }
    return element_by_name(name, element) && is_target(*element);
}

static status unknown_type(const char *type, struct diagnostic *diagnostic)
{
    const char *nearest = text_nearest(type, type_names);
    return fail(
        diagnostic, STATUS_USAGE,
        "\"%.100s\" is no type that a GGUF file's matrices can have%s%s%s; write q8_0, q6_K, "
        "q5_K, q4_K, q4_K_M, q4_0, bf16 or another one of docs/quantisation.md",
        type, nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

status quantize_type_check(const char *type, struct diagnostic *diagnostic)
{
    enum element_type element;
    bool medium;
    return read_type(type, &element, &medium) ? STATUS_OK : unknown_type(type, diagnostic);
}

status quantize_rule_parse(const char *text, struct arena *arena, struct quantize_rule *rule,
                           struct diagnostic *diagnostic)
{
    const char *sign = strrchr(text, '=');
    if (!sign || sign == text) {
        return fail(diagnostic, STATUS_USAGE,
                    "\"%.200s\" is no rule; write PATTERN=TYPE, as '*.attn_v.weight=q6_K'", text);
    }
    if (!element_by_name(sign + 1, &rule->element) || !is_target(rule->element)) {
        return unknown_type(sign + 1, diagnostic);
    }
    rule->pattern = arena_text_range(arena, text, (size_t)(sign - text));
    TRY_MEMORY(rule->pattern, diagnostic);
    return STATUS_OK;
}

status quantize_choice_of(const struct quantize_options *options, const struct model_source *source,
                          struct quantize_choice *choice, struct diagnostic *diagnostic)
{
    *choice = (struct quantize_choice){.options = options};
    TRY(quantize_type_check(options->type, diagnostic));
    (void)read_type(options->type, &choice->element, &choice->medium);
    choice->has_output = source_tensor(source, "output.weight") != NULL;
    char key[128];
    snprintf(key, sizeof key, "%s.block_count", source->name);
    const struct metadata *layers = source_metadata(source, key);
    if (layers && layers->kind == METADATA_INTEGER) choice->layers = layers->integer;
    return STATUS_OK;
}

/* ---- One tensor ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && !strcmp(text + length - end_length, end);
}

/* Vectors; routers, whose few numbers decide which experts run; and what is no matrix product. */
static bool stays(const struct stored_tensor *tensor)
{
    static const char *const ends[] = {"_norm.weight", "ffn_gate_inp.weight",
                                       "ffn_gate_inp_shexp.weight"};
    if (tensor->type.rank < 2 || !ends_with(tensor->name, ".weight")) return true;
    if (tensor->type.element == ELEMENT_I8 || tensor->type.element == ELEMENT_I32) return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends_with(tensor->name, ends[i])) return true;
    return false;
}

/* The first and the last eighth of the layers, and every third between them: where llama.cpp's mixes
 * of medium size spend their bits. */
static bool layer_matters(const struct quantize_choice *choice, const char *name)
{
    if (strncmp(name, "blk.", 4) != 0) return false;
    int64_t layer = strtol(name + 4, NULL, 10), eighth = choice->layers / 8;
    return layer < eighth || layer >= 7 * choice->layers / 8 || (layer - eighth) % 3 == 2;
}

static enum element_type mixed(const struct quantize_choice *choice, const char *name)
{
    if (!strcmp(name, "output.weight")) return ELEMENT_Q6_K;
    if (!strcmp(name, "token_embd.weight") && !choice->has_output) return ELEMENT_Q6_K;
    bool finer = ends_with(name, ".attn_v.weight") || ends_with(name, ".ffn_down.weight") ||
                 ends_with(name, ".ffn_down_exps.weight");
    return finer && layer_matters(choice, name) ? ELEMENT_Q6_K : choice->element;
}

/* Blocks of 32 with at least as many bits. */
static enum element_type smaller_block(enum element_type element)
{
    switch (element) {
    case ELEMENT_Q2_K:
    case ELEMENT_Q3_K:
    case ELEMENT_IQ4_XS: return ELEMENT_IQ4_NL;
    case ELEMENT_Q4_K: return ELEMENT_Q5_0;
    case ELEMENT_Q5_K: return ELEMENT_Q5_1;
    default: return ELEMENT_Q8_0;
    }
}

static bool fits(enum element_type element, int64_t columns)
{
    return columns % element_of(element)->block_elements == 0;
}

static bool is_news(struct quantize_choice *choice, int64_t columns)
{
    for (int i = 0; i < choice->warned_count; i++)
        if (choice->warned_columns[i] == columns) return false;
    if (choice->warned_count == QUANTIZE_WARNED_MAX) return false;
    choice->warned_columns[choice->warned_count++] = columns;
    return true;
}

/* The nearest type whose blocks a row is made of. */
static enum element_type fitting(struct quantize_choice *choice, const struct stored_tensor *tensor,
                                 enum element_type wanted, int64_t columns)
{
    enum element_type element = wanted;
    if (!fits(element, columns)) element = smaller_block(element);
    if (!fits(element, columns)) element = ELEMENT_F16;
    if (element == wanted || !is_news(choice, columns)) return element;
    progress_warn(
        choice->options->progress,
        "%s: rows of %lld numbers are no whole %s blocks; %s is used for all of that length",
        tensor->name, (long long)columns, element_of(wanted)->name, element_of(element)->name);
    return element;
}

status quantize_choose(struct quantize_choice *choice, const struct stored_tensor *tensor,
                       enum element_type *element, struct diagnostic *diagnostic)
{
    const struct quantize_options *options = choice->options;
    int64_t columns = tensor->type.rank ? tensor->type.shape[tensor->type.rank - 1].scale : 1;
    for (int i = 0; i < options->rule_count; i++) {
        *element = options->rules[i].element;
        if (fnmatch(options->rules[i].pattern, tensor->name, 0) != 0) continue;
        if (fits(*element, columns)) return STATUS_OK;
        return fail(diagnostic, STATUS_USAGE,
                    "rule %s=%s: the rows of %s, %lld numbers, are no whole blocks of %d",
                    options->rules[i].pattern, element_of(*element)->name, tensor->name,
                    (long long)columns, element_of(*element)->block_elements);
    }
    *element = choice->medium ? mixed(choice, tensor->name) : choice->element;
    *element = stays(tensor) ? tensor->type.element : fitting(choice, tensor, *element, columns);
    return STATUS_OK;
}
