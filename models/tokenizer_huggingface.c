/* From tokenizer.json to a tokenizer.  Byte-level BPE is read, BPE of SentencePiece's kind, and unigram models; the keys that say how are checked one by
 * one, and what asks for anything else is another kind. */
#include "models/tokenizer_huggingface.h"

#include "models/json_read.h"
#include "models/tokenizer_json.h"

#include <inttypes.h>
#include <string.h>

enum {
    TOKENIZER_BYTES_MAX = 64 << 20, /* twice the largest that is known */
    GENERATION_BYTES_MAX = 1 << 20,
};

/* Null, false, 0 or "" */
static bool is_off(const json_t *value)
{
    const char *text = json_string_value(value);
    return !value || json_is_null(value) || json_is_false(value) || (text && !*text) ||
           (json_is_number(value) && json_number_value(value) == 0);
}

static status check_model(struct tokenizer_json *reading)
{
    static const char *const off[] = {"dropout", "continuing_subword_prefix", "end_of_word_suffix"};
    const json_t *model = json_object_get(reading->root, "model");
    if (!json_is_object(model))
        return JSON_REFUSE(reading, BAD_INPUT, "model", "%s", "must be an object");
    const char *type = json_text(model, "type");
    if (!strcmp(type, "Unigram")) return STATUS_OK;
    if (*type && strcmp(type, "BPE") != 0)
        return JSON_REFUSE(reading, UNSUPPORTED, "model",
                           "'%.40s' is not supported; BPE and Unigram are", type);
    for (size_t i = 0; i < sizeof off / sizeof *off; i++)
        if (!is_off(json_object_get(model, off[i])))
            return JSON_REFUSE(reading, UNSUPPORTED, "model", "'%s' is not supported", off[i]);
    return STATUS_OK;
}

static status check_id(struct tokenizer_json *reading, const char *where, int64_t id)
{
    if (id >= 0 && id < reading->source.token_count) return STATUS_OK;
    return JSON_REFUSE(reading, BAD_INPUT, where,
                       "the id %" PRId64 " is none of the %" PRId64 " tokens", id,
                       reading->source.token_count);
}

static status add_end(struct tokenizer_json *reading, const char *where, int64_t id)
{
    struct tokenizer_source *source = &reading->source;
    TRY(check_id(reading, where, id));
    if (source->eos < 0) source->eos = id;
    if (source->end_count < TOKENIZER_ENDS_MAX) source->ends[source->end_count++] = id;
    return STATUS_OK;
}

/* config.json: one id, or a list. */
static status read_ends(struct tokenizer_json *reading)
{
    const struct metadata *entry = source_metadata(reading->model, "eos_token_id");
    struct metadata item;
    if (entry && entry->kind == METADATA_INTEGER)
        return add_end(reading, "config.json's eos_token_id", entry->integer);
    for (int64_t i = 0; entry && entry->kind == METADATA_LIST && metadata_item(entry, i, &item);
         i++)
        TRY(add_end(reading, "config.json's eos_token_id", item.integer));
    return STATUS_OK;
}

/* generation_config.json may name more ends than config.json. */
static status read_generation(struct tokenizer_json *reading)
{
    const char *path = file_join(reading->arena, reading->model->path, "generation_config.json");
    size_t count, index;
    char *bytes;
    json_t *root, *item;
    TRY_MEMORY(path, reading->diagnostic);
    if (!file_exists(path)) return STATUS_OK;
    TRY(file_read(path, GENERATION_BYTES_MAX, reading->arena, &bytes, &count, reading->diagnostic));
    TRY(json_read(path, bytes, count, &root, reading->diagnostic));
    const json_t *ends = json_object_get(root, "eos_token_id");
    status code = STATUS_OK;
    if (json_is_integer(ends))
        code = add_end(reading, "generation_config.json", json_integer_value(ends));
    json_array_foreach(ends, index, item)
    {
        if (code == STATUS_OK && json_is_integer(item))
            code = add_end(reading, "generation_config.json", json_integer_value(item));
    }
    json_decref(root);
    return code;
}

/* TemplateProcessing: what stands in front of the text. */
static status read_template(struct tokenizer_json *reading, const json_t *node)
{
    size_t index;
    json_t *item;
    json_array_foreach(json_object_get(node, "single"), index, item)
    {
        const json_t *token = json_object_get(item, "SpecialToken");
        if (!token) return STATUS_OK; /* the text; what follows ends it */
        const json_t *known =
            json_object_get(json_object_get(node, "special_tokens"), json_text(token, "id"));
        const json_t *ids = json_object_get(known, "ids");
        if (index || json_array_size(ids) != 1)
            return JSON_REFUSE(reading, UNSUPPORTED, "post_processor", "%s",
                               "more than one token in front of text is not supported");
        reading->source.bos = json_integer_value(json_array_get(ids, 0));
        reading->source.add_bos = true;
        TRY(check_id(reading, "post_processor", reading->source.bos));
    }
    return STATUS_OK;
}

static status read_post_processor(struct tokenizer_json *reading, const json_t *node)
{
    const char *type = json_text(node, "type");
    size_t index;
    json_t *item;
    if (!node || json_is_null(node) || !strcmp(type, "ByteLevel")) return STATUS_OK;
    if (!strcmp(type, "TemplateProcessing")) return read_template(reading, node);
    if (strcmp(type, "Sequence") != 0)
        return JSON_REFUSE(reading, UNSUPPORTED, "post_processor", "'%.40s' is not supported",
                           type);
    json_array_foreach(json_object_get(node, "processors"), index, item)
        TRY(read_post_processor(reading, item));
    return STATUS_OK;
}

static status read_source(struct tokenizer_json *reading)
{
    const struct metadata *bos = source_metadata(reading->model, "bos_token_id");
    reading->source.bos = reading->source.eos = reading->source.unknown = -1;
    TRY(check_model(reading));
    const json_t *model = json_object_get(reading->root, "model");
    if (!strcmp(json_text(model, "type"), "Unigram")) {
        TRY(tokenizer_json_unigram(reading));
    } else if (is_off(json_object_get(model, "byte_fallback"))) {
        TRY(tokenizer_json_pieces(reading));
        TRY(tokenizer_json_vocabulary(reading));
    } else {
        TRY(tokenizer_json_marks(reading));
    }
    if (bos && bos->kind == METADATA_INTEGER) {
        reading->source.bos = bos->integer;
        TRY(check_id(reading, "config.json's bos_token_id", bos->integer));
    }
    TRY(read_post_processor(reading, json_object_get(reading->root, "post_processor")));
    TRY(read_ends(reading));
    return read_generation(reading);
}

static status read_and_use(struct tokenizer_json *reading, const struct tokenizer_use *use)
{
    size_t count;
    char *bytes;
    TRY(file_read(reading->file, TOKENIZER_BYTES_MAX, reading->arena, &bytes, &count,
                  reading->diagnostic));
    TRY(json_read(reading->file, bytes, count, &reading->root, reading->diagnostic));
    TRY(read_source(reading));
    return use->use(use->context, &reading->source, reading->diagnostic);
}

status tokenizer_use_huggingface(struct model_source *source, const struct tokenizer_use *use,
                                 const struct progress *progress, struct diagnostic *diagnostic)
{
    if (source->format != SOURCE_HUGGINGFACE) return STATUS_OK;
    struct arena *scratch = arena_create(0); /* for the lists, of which copies are kept */
    TRY_MEMORY(scratch, diagnostic);
    const char *file = file_join(scratch, source->path, "tokenizer.json");
    struct diagnostic reason = {0};
    struct tokenizer_json reading = {
        .model = source,
        .file = file,
        .arena = scratch,
        .diagnostic = &reason,
        .source = {.file = file, .kind = TOKENIZER_BYTE_BPE},
    };
    status code = STATUS_OK;
    if (!file) code = fail_memory(&reason, 0);
    if (file && file_exists(file)) code = read_and_use(&reading, use);
    json_decref(reading.root);
    arena_destroy(scratch);
    if (code == STATUS_OK) return code;
    for (char *c = reason.text; *c; c++) { /* of tokens that messages quote */
        if (*c == '\n') *c = ' ';
    }
    if (code != STATUS_UNSUPPORTED) return fail(diagnostic, code, "%s", reason.text);
    progress_warn(progress, "%s; the model takes token ids only", reason.text);
    return STATUS_OK;
}

struct creation {
    struct arena *arena;
    struct tokenizer **tokenizer;
    const struct progress *progress;
};

static status create(void *context, const struct tokenizer_source *source,
                     struct diagnostic *diagnostic)
{
    const struct creation *creation = context;
    return tokenizer_create(source, creation->arena, creation->tokenizer, creation->progress,
                            diagnostic);
}

status tokenizer_from_huggingface(struct model_source *source, struct arena *arena,
                                  struct tokenizer **tokenizer, const struct progress *progress,
                                  struct diagnostic *diagnostic)
{
    struct creation creation = {arena, tokenizer, progress};
    *tokenizer = NULL;
    return tokenizer_use_huggingface(source, &(struct tokenizer_use){create, &creation}, progress,
                                     diagnostic);
}
