/* The public interface over the engine. */
#include "include/hone/hone.h"

#include "engine/conversation.h"
#include "engine/engine.h"
#include "engine/state_type.h"

#include <string.h>

struct hone_engine {
    struct arena *arena;
    struct engine *engine;
};

const char *hone_version(void)
{
    return HONE_VERSION_TEXT;
}

/* The last step of every function here. */
static int answer(status code, const struct diagnostic *diagnostic, char *error)
{
    if (error) {
        const char *text = code == STATUS_OK ? "" : diagnostic->text;
        size_t length = strnlen(text, HONE_ERROR_BYTES - 1);
        memcpy(error, text, length);
        error[length] = 0;
    }
    return status_exit(code);
}

static status translate_options(const hone_options *given, struct engine_options *options,
                                struct diagnostic *diagnostic)
{
    static const hone_options defaults = {0};
    if (!given) given = &defaults;
    *options = (struct engine_options){.devices = given->devices,
                                       .cpu = given->cpu,
                                       .threads = given->threads,
                                       .context = given->context,
                                       .sequences = given->sequences,
                                       .layer_map = given->layer_map,
                                       .cache_folder = given->cache_folder};
    return state_type_parse(given->kv, options, diagnostic);
}

static status open_engine(const char *path, const hone_options *given, struct hone_engine **result,
                          struct diagnostic *diagnostic)
{
    struct engine_options options;
    TRY(translate_options(given, &options, diagnostic));
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    struct hone_engine *engine = arena_allocate(arena, 1, sizeof *engine);
    status code = engine ? engine_open(path, &options, &engine->engine, diagnostic)
                         : fail_memory(diagnostic, sizeof *engine);
    if (code != STATUS_OK) {
        arena_destroy(arena);
        return code;
    }
    engine->arena = arena;
    *result = engine;
    return STATUS_OK;
}

int hone_open(const char *path, const hone_options *options, hone_engine **engine, char *error)
{
    struct diagnostic diagnostic = {0};
    return answer(open_engine(path, options, engine, &diagnostic), &diagnostic, error);
}

void hone_close(hone_engine *engine)
{
    if (!engine) return;
    engine_close(engine->engine);
    arena_destroy(engine->arena);
}

int64_t hone_vocabulary(const hone_engine *engine)
{
    return engine_model(engine->engine)->vocabulary;
}

int64_t hone_context(const hone_engine *engine)
{
    return engine_plan(engine->engine)->bounds.context;
}

static status tokenize(const hone_engine *engine, const char *text, size_t length, int32_t *tokens,
                       int64_t capacity, int64_t *count, struct arena *scratch,
                       struct diagnostic *diagnostic)
{
    const struct model *model = engine_model(engine->engine);
    if (!model->tokenizer)
        return fail(diagnostic, STATUS_FAILED, "%s carries no tokenizer", model->path);
    int32_t *ids;
    TRY(tokenizer_encode(model->tokenizer, text, length, true, true, scratch, &ids, count,
                         diagnostic));
    int64_t copied = *count < capacity ? *count : capacity;
    if (copied > 0) memcpy(tokens, ids, (size_t)copied * sizeof *ids);
    return STATUS_OK;
}

int hone_tokenize(hone_engine *engine, const char *text, size_t length, int32_t *tokens,
                  int64_t capacity, int64_t *count, char *error)
{
    struct diagnostic diagnostic = {0};
    struct arena *scratch = arena_create(0);
    status code =
        scratch ? tokenize(engine, text, length, tokens, capacity, count, scratch, &diagnostic)
                : fail_memory(&diagnostic, 0);
    arena_destroy(scratch);
    return answer(code, &diagnostic, error);
}

/* `ids` is NULL where only the text is wanted. */
static int render(const hone_engine *engine, const hone_conversation *given, struct arena *scratch,
                  char **text, size_t *length, int32_t **ids, int64_t *count, char *error)
{
    struct diagnostic diagnostic = {0};
    const struct conversation_text conversation = {.messages = given->messages,
                                                   .tools = given->tools,
                                                   .variables = given->variables,
                                                   .chat_template = given->chat_template,
                                                   .no_generation_prompt =
                                                       given->no_generation_prompt != 0};
    status code = scratch ? conversation_render(engine->engine, &conversation, scratch, text,
                                                length, ids, count, &diagnostic)
                          : fail_memory(&diagnostic, 0);
    return answer(code, &diagnostic, error);
}

int hone_chat_text(hone_engine *engine, const hone_conversation *conversation, char *text,
                   size_t capacity, size_t *length, char *error)
{
    struct arena *scratch = arena_create(0);
    char *whole;
    int code = render(engine, conversation, scratch, &whole, length, NULL, NULL, error);
    if (code == HONE_DONE && capacity > 0) {
        size_t copied = *length < capacity ? *length : capacity - 1;
        memcpy(text, whole, copied);
        text[copied] = 0;
    }
    arena_destroy(scratch);
    return code;
}

int hone_chat_tokens(hone_engine *engine, const hone_conversation *conversation, int32_t *tokens,
                     int64_t capacity, int64_t *count, char *error)
{
    struct arena *scratch = arena_create(0);
    char *text;
    size_t length;
    int32_t *ids;
    int code = render(engine, conversation, scratch, &text, &length, &ids, count, error);
    int64_t copied = code == HONE_DONE ? (*count < capacity ? *count : capacity) : 0;
    if (copied > 0) memcpy(tokens, ids, (size_t)copied * sizeof *ids);
    arena_destroy(scratch);
    return code;
}

const char *hone_token_bytes(const hone_engine *engine, int32_t token, size_t *length)
{
    const struct model *model = engine_model(engine->engine);
    *length = 0;
    if (!model->tokenizer || token < 0 || token >= tokenizer_count(model->tokenizer)) return "";
    return tokenizer_bytes(model->tokenizer, token, length);
}

int hone_token_ends(const hone_engine *engine, int32_t token)
{
    const struct model *model = engine_model(engine->engine);
    return model->tokenizer && tokenizer_ends(model->tokenizer, token);
}

int hone_sequence_open(hone_engine *engine, int *sequence, char *error)
{
    struct diagnostic diagnostic = {0};
    return answer(engine_sequence_open(engine->engine, sequence, &diagnostic), &diagnostic, error);
}

int hone_sequence_fork(hone_engine *engine, int from, int *sequence, char *error)
{
    struct diagnostic diagnostic = {0};
    return answer(engine_sequence_fork(engine->engine, from, sequence, &diagnostic), &diagnostic,
                  error);
}

void hone_sequence_truncate(hone_engine *engine, int sequence, int64_t length)
{
    if (length >= 0 && length <= engine_sequence_length(engine->engine, sequence))
        engine_sequence_truncate(engine->engine, sequence, length);
}

int64_t hone_sequence_length(const hone_engine *engine, int sequence)
{
    return engine_sequence_length(engine->engine, sequence);
}

void hone_sequence_close(hone_engine *engine, int sequence)
{
    engine_sequence_close(engine->engine, sequence);
}

int hone_feed(hone_engine *engine, int sequence, const int32_t *tokens, int64_t count,
              float *logits, char *error)
{
    struct diagnostic diagnostic = {0};
    const struct engine_input input = {.sequence = sequence, .tokens = tokens, .count = count};
    return answer(engine_feed(engine->engine, &input, 1, logits, &diagnostic), &diagnostic, error);
}

static status feed_batch(struct engine *engine, const int *sequences, const int32_t *tokens,
                         int count, float *logits, struct diagnostic *diagnostic)
{
    struct arena *scratch = arena_create(0);
    TRY_MEMORY(scratch, diagnostic);
    struct engine_input *inputs = arena_allocate(scratch, (size_t)count, sizeof *inputs);
    for (int i = 0; inputs && i < count; i++)
        inputs[i] =
            (struct engine_input){.sequence = sequences[i], .tokens = &tokens[i], .count = 1};
    status code = inputs ? engine_feed(engine, inputs, count, logits, diagnostic)
                         : fail_memory(diagnostic, (size_t)count * sizeof *inputs);
    arena_destroy(scratch);
    return code;
}

int hone_feed_batch(hone_engine *engine, const int *sequences, const int32_t *tokens, int count,
                    float *logits, char *error)
{
    struct diagnostic diagnostic = {0};
    return answer(feed_batch(engine->engine, sequences, tokens, count, logits, &diagnostic),
                  &diagnostic, error);
}
