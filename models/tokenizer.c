/* Making a tokenizer from what a model file says of it. */
#include "models/tokenizer_internal.h"
#include "models/tokenizer_utf8.h"

#include <math.h>
#include <string.h>

/* Control tokens that end a turn of a conversation.  Files name one of them as the end token; in
 * files of models tuned for chat it is not always the one that their template uses.  Where "<|return|>" ends a turn,
 * "<|end|>" only ends one of its parts. */
static const char *const turn_ends[] = {
    "<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>", "<|im_end|>",
    "<|end|>",       "<end_of_turn>",   "<|return|>", "<|call|>",
};

static status check_id(const struct tokenizer_source *source, const char *what, int64_t id,
                       struct diagnostic *diagnostic)
{
    if (id >= -1 && id < source->token_count) return STATUS_OK;
    return fail(diagnostic, STATUS_BAD_INPUT,
                "%.500s: the %s token is %" PRId64 ", but the vocabulary has 0 to %" PRId64,
                source->file, what, id, source->token_count - 1);
}

static status check_source(const struct tokenizer_source *source, struct diagnostic *diagnostic)
{
    TRY(check_id(source, "begin-of-sequence", source->bos, diagnostic));
    TRY(check_id(source, "end-of-sequence", source->eos, diagnostic));
    TRY(check_id(source, "unknown", source->unknown, diagnostic));
    for (int i = 0; i < source->end_count; i++)
        TRY(check_id(source, "end-of-turn", source->ends[i], diagnostic));
    if (source->add_bos && source->bos < 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: a begin-of-sequence token is to be put in front of text, but none is "
                    "named",
                    source->file);
    return STATUS_OK;
}

/* Numbers in the opposite order of the scores: the highest score comes first. */
static uint32_t priority_of(float score)
{
    uint32_t bits;
    score += 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : 0x7fffffffu - bits;
}

static status load_scores(const struct tokenizer_source *source, struct arena *arena,
                          struct tokenizer *tokenizer, struct diagnostic *diagnostic)
{
    uint32_t *priorities;
    if (!source->scores)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: the vocabulary has no scores, which tell what to merge first",
                    source->file);
    TRY_NEW(priorities, arena, source->token_count, diagnostic);
    for (int64_t id = 0; id < source->token_count; id++) {
        if (!isfinite(source->scores[id]))
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.500s: the score of token %" PRId64 " is no number", source->file, id);
        priorities[id] = priority_of(source->scores[id]);
    }
    tokenizer->priorities = priorities;
    return STATUS_OK;
}

static void add_end(struct tokenizer *tokenizer, int64_t id)
{
    if (id < 0 || tokenizer_ends(tokenizer, id)) return;
    if (tokenizer->end_count < TOKENIZER_ENDS_MAX) tokenizer->ends[tokenizer->end_count++] = id;
}

static void load_ends(const struct tokenizer_source *source, struct tokenizer *tokenizer)
{
    tokenizer->bos = source->bos;
    tokenizer->eos = source->eos;
    tokenizer->unknown = source->unknown;
    size_t return_length;
    bool channels = tokenizer_find_control(tokenizer, "<|return|>", strlen("<|return|>"), 0,
                                           &return_length) == 0;
    add_end(tokenizer, source->eos);
    for (int i = 0; i < source->end_count; i++) add_end(tokenizer, source->ends[i]);
    for (size_t i = 0; i < sizeof turn_ends / sizeof *turn_ends; i++) {
        const struct special_token *found;
        size_t length = strlen(turn_ends[i]);
        size_t at =
            special_tokens_search(&tokenizer->special, turn_ends[i], length, 0, true, &found);
        bool whole = found && at == 0 && (size_t)found->length == length && found->control;
        if (whole && !(channels && !strcmp(turn_ends[i], "<|end|>"))) add_end(tokenizer, found->id);
    }
}

static void warn(const struct tokenizer_source *source, const struct tokenizer *tokenizer,
                 const struct tokenizer_oddities *oddities, const struct progress *progress)
{
    char excerpt[EXCERPT_BYTES];
    if (oddities->duplicate_tokens > 0) {
        size_t length;
        const char *text = token_text(tokenizer, oddities->first_token, &length);
        progress_warn(progress,
                      "%.500s: %" PRId64 " tokens have the text of an earlier one, which is used "
                      "in their place; the first is %" PRId64 ", '%s'",
                      source->file, oddities->duplicate_tokens, oddities->first_token,
                      utf8_excerpt(text, length, excerpt));
    }
    if (oddities->duplicate_merges > 0)
        progress_warn(progress,
                      "%.500s: %" PRId64 " merges are there twice, the first is merge %" PRId64
                      "; the earlier one is used",
                      source->file, oddities->duplicate_merges, oddities->first_merge);
    if (tokenizer->pretokenizer.flags & PRETOKENIZE_GUESS)
        progress_warn(progress,
                      "%.500s: the pre-tokenizer '%s' is a guess, so text may become other tokens "
                      "than the model has learned; a newly converted file would name the right one",
                      source->file, source->pre);
}

static status load_kind(const struct tokenizer_source *source, struct arena *arena,
                        struct tokenizer *tokenizer, struct tokenizer_oddities *oddities,
                        struct diagnostic *diagnostic)
{
    if (source->kind == TOKENIZER_UNIGRAM)
        return unigram_load(source, arena, tokenizer, diagnostic);
    if (source->kind == TOKENIZER_SENTENCEPIECE)
        return load_scores(source, arena, tokenizer, diagnostic);
    TRY(tokenizer_load_merges(source, arena, tokenizer, oddities, diagnostic));
    const unsigned chosen = PRETOKENIZE_COMPOSE | PRETOKENIZE_WHOLE;
    struct pretokenizer *pretokenizer = &tokenizer->pretokenizer;
    TRY(pretokenizer_create(source->pre, source->file, arena, pretokenizer, diagnostic));
    if (source->pre_flags)
        pretokenizer->flags = (pretokenizer->flags & ~chosen) | (*source->pre_flags & chosen);
    return STATUS_OK;
}

/* The source's texts and maps are gone once the tokenizer is made. */
static status copy_step(struct text_step *step, struct arena *arena, struct diagnostic *diagnostic)
{
    struct charsmap *map = &step->map;
    if (step->kind == STEP_CHARSMAP) {
        map->trie = arena_copy(arena, map->trie, 4 * (size_t)map->unit_count);
        map->texts = arena_copy(arena, map->texts, map->text_bytes);
        if (!map->trie || !map->texts) return fail_memory(diagnostic, map->text_bytes);
    }
    if (step->from) step->from = arena_text(arena, step->from);
    if (step->to) step->to = arena_text(arena, step->to);
    return STATUS_OK;
}

static status copy_steps(const struct text_steps *steps, struct arena *arena,
                         struct text_steps *copy, struct diagnostic *diagnostic)
{
    if (!steps) return STATUS_OK;
    *copy = *steps;
    for (int i = 0; i < copy->count; i++) {
        const struct text_step *step = &steps->steps[i];
        TRY(copy_step(&copy->steps[i], arena, diagnostic));
        if ((step->from && !copy->steps[i].from) || (step->to && !copy->steps[i].to))
            return fail_memory(diagnostic, 0);
    }
    return STATUS_OK;
}

static status load(const struct tokenizer_source *source, struct arena *arena,
                   struct tokenizer *tokenizer, const struct progress *progress,
                   struct diagnostic *diagnostic)
{
    struct tokenizer_oddities oddities = {0};
    tokenizer->kind = source->kind;
    tokenizer->add_bos = source->add_bos;
    tokenizer->add_space_prefix = source->add_space_prefix;
    tokenizer->spacing = source->spacing;
    TRY(tokenizer_load_tokens(source, arena, tokenizer, &oddities, diagnostic));
    TRY(check_source(source, diagnostic));
    TRY(special_tokens_load(tokenizer, source->file, source->trims, arena, &oddities, diagnostic));
    TRY(copy_steps(source->steps, arena, &tokenizer->steps, diagnostic));
    TRY(load_kind(source, arena, tokenizer, &oddities, diagnostic));
    load_ends(source, tokenizer);
    warn(source, tokenizer, &oddities, progress);
    return STATUS_OK;
}

status tokenizer_create(const struct tokenizer_source *source, struct arena *arena,
                        struct tokenizer **tokenizer, const struct progress *progress,
                        struct diagnostic *diagnostic)
{
    TRY_NEW(*tokenizer, arena, 1, diagnostic);
    status code = load(source, arena, *tokenizer, progress, diagnostic);
    if (code == STATUS_OK) return STATUS_OK;
    tokenizer_close(*tokenizer);
    *tokenizer = NULL;
    return code;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (tokenizer) pretokenizer_close(&tokenizer->pretokenizer);
}

size_t tokenizer_find_control(const struct tokenizer *tokenizer, const char *text, size_t length,
                              size_t from, size_t *token_length)
{
    for (const struct special_token *found; from < length; from++) {
        from = special_tokens_search(&tokenizer->special, text, length, from, true, &found);
        if (!found || !found->control) continue;
        *token_length = (size_t)found->length;
        return from;
    }
    return length;
}

const char *tokenizer_text_of(const struct tokenizer *tokenizer, int64_t id, size_t *length)
{
    *length = 0;
    return id < 0 || id >= tokenizer->count ? "" : token_text(tokenizer, id, length);
}

int64_t tokenizer_count(const struct tokenizer *tokenizer)
{
    return tokenizer->count;
}

int64_t tokenizer_bos(const struct tokenizer *tokenizer)
{
    return tokenizer->bos;
}

int64_t tokenizer_eos(const struct tokenizer *tokenizer)
{
    return tokenizer->eos;
}

bool tokenizer_ends(const struct tokenizer *tokenizer, int64_t id)
{
    for (int i = 0; i < tokenizer->end_count; i++)
        if (tokenizer->ends[i] == id) return true;
    return false;
}
