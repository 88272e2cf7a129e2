/* From a GGUF file's metadata to a tokenizer.  Which keys there are, what they hold and what a
 * missing one means are facts of the format's other readers and writers. */
#include "models/tokenizer_gguf.h"

#include "models/gguf.h"
#include "models/tokenizer_pretokenize.h"
#include "models/tokenizer_steps.h"
#include "models/tokenizer_utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "tokenizer.ggml."

struct reading {
    struct model_source *files;
    struct arena *arena;
    const struct progress *progress;
    struct diagnostic *diagnostic;
    struct tokenizer_source source;
    struct text_steps steps;
};

/* fail() with the file and where in it the entry's value is. */
#define FAIL_ENTRY(reading, entry, format, ...)                                                    \
    fail((reading)->diagnostic, STATUS_BAD_INPUT, "%.500s: byte %" PRIu64 ": %.100s " format,      \
         (reading)->files->path, offset_of((reading)->files, (entry)), (entry)->key, __VA_ARGS__)

static uint64_t offset_of(const struct model_source *files, const struct metadata *entry)
{
    return (uint64_t)(entry->raw - files->files[0].bytes);
}

/* The entry, marked as used; NULL when absent. */
static struct metadata *find(const struct reading *reading, const char *key)
{
    struct metadata *entry = source_metadata(reading->files, key);
    if (entry) entry->used = true;
    return entry;
}

static status find_kind(const struct reading *reading, const char *key, enum metadata_kind kind,
                        struct metadata **entry)
{
    *entry = find(reading, key);
    if (!*entry || (*entry)->kind == kind) return STATUS_OK;
    return FAIL_ENTRY(reading, *entry, "is %s; it must be %s", metadata_kind_name((*entry)->kind),
                      metadata_kind_name(kind));
}

static status read_boolean(const struct reading *reading, const char *key, bool otherwise,
                           bool *value)
{
    struct metadata *entry;
    TRY(find_kind(reading, key, METADATA_BOOLEAN, &entry));
    *value = entry ? entry->integer != 0 : otherwise;
    return STATUS_OK;
}

/* A list whose items are of one of two types. */
static status find_list(const struct reading *reading, const char *key, enum gguf_value type,
                        enum gguf_value other_type, struct metadata **list)
{
    TRY(find_kind(reading, key, METADATA_LIST, list));
    if (!*list || (*list)->raw_item_type == type || (*list)->raw_item_type == other_type)
        return STATUS_OK;
    return FAIL_ENTRY(reading, *list, "is a list of items of type %" PRIu32 "; it must be of %d",
                      (*list)->raw_item_type, type);
}

static status read_texts(const struct reading *reading, const char *key, const char *const **texts,
                         const int32_t **lengths, int64_t *count)
{
    struct metadata *list;
    TRY(find_list(reading, key, GGUF_TEXT, GGUF_TEXT, &list));
    if (!list)
        return fail(reading->diagnostic, STATUS_BAD_INPUT,
                    "%.500s: %s is missing, without which the tokenizer cannot be made",
                    reading->files->path, key);
    *count = list->length;
    return gguf_texts(list, reading->arena, texts, lengths, reading->diagnostic);
}

/* A list that has one item per token. */
static status find_per_token(const struct reading *reading, const char *key, enum gguf_value type,
                             enum gguf_value other_type, struct metadata **list)
{
    TRY(find_list(reading, key, type, other_type, list));
    if (!*list || (*list)->length == reading->source.token_count) return STATUS_OK;
    return FAIL_ENTRY(reading, *list, "has %" PRId64 " items for %" PRId64 " tokens",
                      (*list)->length, reading->source.token_count);
}

static status read_scores(struct reading *reading)
{
    struct metadata *list, item;
    float *scores;
    TRY(find_per_token(reading, PREFIX "scores", GGUF_F32, GGUF_F32, &list));
    if (!list) return STATUS_OK;
    TRY_NEW(scores, reading->arena, list->length, reading->diagnostic);
    for (int64_t i = 0; gguf_item(list, i, &item); i++) scores[i] = (float)item.real;
    reading->source.scores = scores;
    return STATUS_OK;
}

static status read_types(struct reading *reading)
{
    struct metadata *list, item;
    int32_t *types;
    TRY(find_per_token(reading, PREFIX "token_type", GGUF_I32, GGUF_U32, &list));
    if (!list) return STATUS_OK;
    TRY_NEW(types, reading->arena, list->length, reading->diagnostic);
    for (int64_t i = 0; gguf_item(list, i, &item); i++)
        types[i] = item.integer > INT32_MAX ? INT32_MAX : (int32_t)item.integer;
    reading->source.types = types;
    return STATUS_OK;
}

static status read_id(const struct reading *reading, const char *key, int64_t *id)
{
    struct metadata *entry;
    *id = -1;
    TRY(find_kind(reading, key, METADATA_INTEGER, &entry));
    if (!entry) return STATUS_OK;
    *id = entry->integer;
    if (*id >= 0 && *id < reading->source.token_count) return STATUS_OK;
    return FAIL_ENTRY(reading, entry, "is %" PRId64 ", but the vocabulary has 0 to %" PRId64, *id,
                      reading->source.token_count - 1);
}

/* Ids that other programs want; here they are only checked. */
static const char *const other_ids[] = {
    "padding", "seperator", "separator", "cls",     "mask",    "prefix",  "suffix",
    "middle",  "fim_pre",   "fim_suf",   "fim_mid", "fim_pad", "fim_rep", "fim_sep",
};

static status read_ids(struct reading *reading)
{
    static const char *const turn_ends[] = {PREFIX "eot_token_id", PREFIX "eom_token_id"};
    struct tokenizer_source *source = &reading->source;
    TRY(read_id(reading, PREFIX "bos_token_id", &source->bos));
    TRY(read_id(reading, PREFIX "eos_token_id", &source->eos));
    TRY(read_id(reading, PREFIX "unknown_token_id", &source->unknown));
    for (size_t i = 0; i < sizeof turn_ends / sizeof *turn_ends; i++)
        TRY(read_id(reading, turn_ends[i], &source->ends[source->end_count++]));
    for (size_t i = 0; i < sizeof other_ids / sizeof *other_ids; i++) {
        char key[64];
        int64_t id;
        snprintf(key, sizeof key, PREFIX "%s_token_id", other_ids[i]);
        TRY(read_id(reading, key, &id));
    }
    for (int64_t id = 0; source->types && source->unknown < 0 && id < source->token_count; id++)
        if (source->types[id] == TOKEN_UNKNOWN) source->unknown = id;
    return STATUS_OK;
}

static status read_pre(struct reading *reading, unsigned *flags)
{
    struct metadata *entry;
    TRY(find_kind(reading, PREFIX "pre", METADATA_TEXT, &entry));
    if (!entry)
        return fail(reading->diagnostic, STATUS_BAD_INPUT,
                    "%.500s: " PREFIX "pre is missing, so nothing says how text is to be cut into "
                    "pieces; convert the model again with a current converter",
                    reading->files->path);
    char *name = arena_text_range(reading->arena, entry->text, (size_t)entry->length);
    TRY_MEMORY(name, reading->diagnostic);
    reading->source.pre = name;
    pretokenizer_known(name, flags); /* tokenizer_create refuses the unknown */
    return STATUS_OK;
}

/* SentencePiece's map of characters: a list of bytes. */
static status read_charsmap(struct reading *reading, struct metadata *map)
{
    enum { LIST_HEAD_BYTES = 12 }; /* the items' type and their number */
    struct text_step *step = &reading->steps.steps[0];
    bool bytes = map->kind == METADATA_LIST &&
                 (map->raw_item_type == GGUF_U8 || map->raw_item_type == GGUF_I8);
    if (bytes && map->length == 0) return STATUS_OK;
    step->kind = STEP_CHARSMAP;
    if (!bytes || !charsmap_open(map->raw + LIST_HEAD_BYTES, (size_t)map->length, &step->map))
        return FAIL_ENTRY(reading, map, "is no map of characters, or a damaged one%s", "");
    reading->steps.count = 1;
    reading->source.steps = &reading->steps;
    return STATUS_OK;
}

/* What an entry that is understood, but not supported, would ask for. */
static status refuse_unsupported(struct reading *reading)
{
    bool byte_bpe = reading->source.kind == TOKENIZER_BYTE_BPE, squeeze;
    bool unigram = reading->source.kind == TOKENIZER_UNIGRAM;
    TRY(read_boolean(reading, PREFIX "remove_extra_whitespaces", false, &squeeze));
    reading->source.spacing.collapses = squeeze && unigram;
    if (squeeze && !unigram)
        return FAIL_ENTRY(reading, find(reading, PREFIX "remove_extra_whitespaces"),
                          "asks for spaces to be left out, which is not supported%s", "");
    if (byte_bpe && reading->source.add_space_prefix)
        return FAIL_ENTRY(reading, find(reading, PREFIX "add_space_prefix"),
                          "asks for a space in front of text, which is not supported for %s",
                          "byte-level vocabularies");
    struct metadata *map = find(reading, PREFIX "precompiled_charsmap");
    if (map && unigram) return read_charsmap(reading, map);
    if (map)
        return FAIL_ENTRY(reading, map, "asks for characters to be replaced, which is not %s",
                          "supported");
    return STATUS_OK;
}

static status read_options(struct reading *reading)
{
    struct tokenizer_source *source = &reading->source;
    bool byte_bpe = source->kind == TOKENIZER_BYTE_BPE, add_eos;
    unsigned flags = PRETOKENIZE_BEGIN; /* SentencePiece models want one */
    if (byte_bpe) TRY(read_pre(reading, &flags));
    bool begin = (flags & PRETOKENIZE_BEGIN) && source->bos >= 0;
    TRY(read_boolean(reading, PREFIX "add_bos_token", begin, &source->add_bos));
    TRY(read_boolean(reading, PREFIX "add_eos_token", false, &add_eos));
    TRY(read_boolean(reading, PREFIX "add_space_prefix", !byte_bpe, &source->add_space_prefix));
    return refuse_unsupported(reading);
}

static status read_source(struct reading *reading)
{
    struct tokenizer_source *source = &reading->source;
    TRY(read_texts(reading, PREFIX "tokens", &source->tokens, &source->token_lengths,
                   &source->token_count));
    TRY(read_scores(reading));
    TRY(read_types(reading));
    TRY(read_ids(reading));
    if (source->kind == TOKENIZER_BYTE_BPE)
        TRY(read_texts(reading, PREFIX "merges", &source->merges, &source->merge_lengths,
                       &source->merge_count));
    return read_options(reading);
}

static bool is_passed_over(const char *key)
{
    static const char *const keys[] = {PREFIX "model", PREFIX "pre", PREFIX "merges",
                                       PREFIX "token_type_count", "tokenizer.huggingface.json"};
    if (strncmp(key, "tokenizer.chat_template", strlen("tokenizer.chat_template")) == 0)
        return true;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static void warn_of_unknown_keys(const struct reading *reading)
{
    for (int i = 0; i < reading->files->metadata_count; i++) {
        struct metadata *entry = &reading->files->metadata[i];
        if (entry->used || strncmp(entry->key, "tokenizer.", strlen("tokenizer.")) != 0) continue;
        if (is_passed_over(entry->key))
            entry->used = true;
        else
            progress_warn(reading->progress,
                          "%.500s: the key '%.200s' is not known; text may be "
                          "meant to become other tokens",
                          reading->files->path, entry->key);
    }
}

/* Whether there is a tokenizer at all, and of which kind. */
static status read_kind(struct reading *reading, bool *present)
{
    struct metadata *entry;
    char excerpt[EXCERPT_BYTES];
    TRY(find_kind(reading, PREFIX "model", METADATA_TEXT, &entry));
    *present = entry && !metadata_is_text(entry, "none") && !metadata_is_text(entry, "no_vocab");
    if (!*present) return STATUS_OK;
    if (metadata_is_text(entry, "gpt2"))
        reading->source.kind = TOKENIZER_BYTE_BPE;
    else if (metadata_is_text(entry, "llama"))
        reading->source.kind = TOKENIZER_SENTENCEPIECE;
    else if (metadata_is_text(entry, "t5"))
        reading->source.kind = TOKENIZER_UNIGRAM;
    else
        return FAIL_ENTRY(reading, entry, "is '%s'; known are gpt2, llama and t5",
                          utf8_excerpt(entry->text, (size_t)entry->length, excerpt));
    return STATUS_OK;
}

static status read_and_create(struct reading *reading, struct arena *arena,
                              struct tokenizer **tokenizer)
{
    bool present;
    TRY(read_kind(reading, &present));
    if (!present) return STATUS_OK;
    TRY(read_source(reading));
    warn_of_unknown_keys(reading);
    return tokenizer_create(&reading->source, arena, tokenizer, reading->progress,
                            reading->diagnostic);
}

status tokenizer_from_gguf(struct model_source *source, struct arena *arena,
                           struct tokenizer **tokenizer, const struct progress *progress,
                           struct diagnostic *diagnostic)
{
    *tokenizer = NULL;
    if (source->format != SOURCE_GGUF) return STATUS_OK;
    struct arena *scratch = arena_create(0); /* for the lists, of which copies are kept */
    TRY_MEMORY(scratch, diagnostic);
    struct reading reading = {.files = source,
                              .arena = scratch,
                              .progress = progress,
                              .diagnostic = diagnostic,
                              .source = {.file = source->path}};
    status code = read_and_create(&reading, arena, tokenizer);
    arena_destroy(scratch);
    return code;
}
