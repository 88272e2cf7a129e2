/* A conversation's turns over one sequence. */
#include "engine/conversation.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "models/chat.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

struct conversation {
    struct arena *arena;
    struct engine *engine;
    struct template *template;
    json_t *messages;
    int sequence; /* -1: none */
    int32_t *fed; /* [context], the tokens that the sequence holds */
    int64_t fed_count;
};

static status parse_template(const struct model *model, const char *file, struct arena *arena,
                             struct template **template, struct diagnostic *diagnostic)
{
    const char *text = model->chat_template, *name = model->path;
    size_t length = model->chat_template_length;
    if (!model->tokenizer)
        return fail(diagnostic, STATUS_USAGE, "%s carries no tokenizer, which a conversation needs",
                    model->path);
    if (file) {
        char *bytes;
        TRY(file_read(file, TEMPLATE_BYTES_MAX, arena, &bytes, &length, diagnostic));
        text = bytes;
        name = file;
    }
    if (!text)
        return fail(
            diagnostic, STATUS_USAGE,
            "%s carries no chat template: give one with --chat-template FILE, or leave out --chat",
            model->path);
    if (!file) name = arena_print(arena, "%s: chat template", model->path);
    TRY_MEMORY(name, diagnostic);
    return template_parse(name, text, length, arena, template, diagnostic);
}

static status append_message(struct conversation *conversation, const char *role, const char *text,
                             size_t length, struct diagnostic *diagnostic)
{
    json_t *message = json_pack("{s:s, s:o}", "role", role, "content", json_stringn(text, length));
    if (message && !json_array_append_new(conversation->messages, message)) return STATUS_OK;
    return fail_memory(diagnostic, length);
}

static status start(struct conversation *conversation, const struct conversation_options *options,
                    struct diagnostic *diagnostic)
{
    struct engine *engine = conversation->engine;
    const char *system = options->system;
    TRY(parse_template(engine_model(engine), options->template_file, conversation->arena,
                       &conversation->template, diagnostic));
    TRY_NEW(conversation->fed, conversation->arena, engine_plan(engine)->bounds.context + 1,
            diagnostic);
    conversation->messages = json_array();
    if (!conversation->messages) return fail_memory(diagnostic, 0);
    if (system && utf8_valid(system, strlen(system)) != strlen(system))
        return fail(diagnostic, STATUS_USAGE, "the system text is not UTF-8");
    if (system) TRY(append_message(conversation, "system", system, strlen(system), diagnostic));
    return engine_sequence_open(engine, &conversation->sequence, diagnostic);
}

status conversation_open(struct engine *engine, const struct conversation_options *options,
                         struct conversation **conversation, struct diagnostic *diagnostic)
{
    struct arena *arena = arena_create(0);
    struct conversation *made = arena ? arena_allocate(arena, 1, sizeof *made) : NULL;
    if (!made) {
        arena_destroy(arena);
        return fail_memory(diagnostic, sizeof *made);
    }
    *made = (struct conversation){.arena = arena, .engine = engine, .sequence = -1};
    status code = start(made, options, diagnostic);
    if (code == STATUS_OK)
        *conversation = made;
    else
        conversation_close(made);
    return code;
}

void conversation_close(struct conversation *conversation)
{
    if (!conversation) return;
    if (conversation->sequence >= 0)
        engine_sequence_close(conversation->engine, conversation->sequence);
    json_decref(conversation->messages);
    arena_destroy(conversation->arena);
}

/* Cuts the sequence back to what it shares with the prompt, of which at least the last token is fed. */
static int64_t keep_common(struct conversation *conversation, const int32_t *prompt, int64_t count)
{
    int64_t shared = 0;
    while (shared < conversation->fed_count && shared < count - 1 &&
           conversation->fed[shared] == prompt[shared])
        shared++;
    engine_sequence_truncate(conversation->engine, conversation->sequence, shared);
    conversation->fed_count = shared;
    return shared;
}

/* What the sequence holds after generating: the prompt and the new tokens but, as a rule, the last. */
static void note_fed(struct conversation *conversation, const struct generation_request *request,
                     const struct generation_result *result)
{
    int64_t held = engine_sequence_length(conversation->engine, conversation->sequence);
    for (int64_t i = 0; i < held; i++)
        conversation->fed[i] = i < request->prompt_count
                                   ? request->prompt[i]
                                   : result->tokens[i - request->prompt_count];
    conversation->fed_count = held;
}

static status render_prompt(struct conversation *conversation, struct arena *arena, int32_t **ids,
                            int64_t *count, struct diagnostic *diagnostic)
{
    const struct chat_prompt prompt = {.template = conversation->template,
                                       .tokenizer = engine_model(conversation->engine)->tokenizer,
                                       .messages = conversation->messages,
                                       .now = clock_wall_seconds()};
    char *text;
    size_t length;
    TRY(chat_render(&prompt, arena, &text, &length, ids, count, diagnostic));
    if (*count == 0) return fail(diagnostic, STATUS_FAILED, "the conversation becomes no tokens");
    return STATUS_OK;
}

static status answer(struct conversation *conversation, const struct generation_request *wanted,
                     generation_sink *sink, void *sink_context, const struct progress *progress,
                     struct arena *arena, struct conversation_turn *turn,
                     struct diagnostic *diagnostic)
{
    struct generation_request request = *wanted;
    int64_t context = engine_plan(conversation->engine)->bounds.context;
    int32_t *prompt;
    TRY(render_prompt(conversation, arena, &prompt, &turn->prompt_count, diagnostic));
    int64_t room = context - turn->prompt_count;
    if (room <= 0)
        return fail(diagnostic, STATUS_USAGE,
                    "the conversation has %lld tokens, and a sequence holds %lld: raise --context",
                    (long long)turn->prompt_count, (long long)context);
    request.prompt = prompt;
    request.prompt_count = turn->prompt_count;
    request.sequence = &conversation->sequence;
    if (request.tokens <= 0 || request.tokens > room) request.tokens = room;
    turn->fed_count = turn->prompt_count - keep_common(conversation, prompt, turn->prompt_count);
    TRY(generate(conversation->engine, &request, 1, sink, sink_context, progress, arena,
                 &turn->result, &turn->times, diagnostic));
    note_fed(conversation, &request, &turn->result);
    return STATUS_OK;
}

/* An answer may end within a character, which JSON cannot hold. */
static status append_answer(struct conversation *conversation,
                            const struct generation_result *result, struct arena *arena,
                            struct diagnostic *diagnostic)
{
    struct text whole = {.arena = arena};
    utf8_append(&whole, result->text, result->text_length);
    const char *text = text_finish(&whole);
    TRY_MEMORY(text, diagnostic);
    return append_message(conversation, "assistant", text, whole.length, diagnostic);
}

status conversation_say(struct conversation *conversation, const char *text, size_t length,
                        const struct generation_request *request, generation_sink *sink,
                        void *sink_context, const struct progress *progress, struct arena *arena,
                        struct conversation_turn *turn, struct diagnostic *diagnostic)
{
    size_t before = json_array_size(conversation->messages);
    *turn = (struct conversation_turn){0};
    if (utf8_valid(text, length) != length)
        return fail(diagnostic, STATUS_USAGE, "byte %zu of the message is not UTF-8",
                    utf8_valid(text, length));
    status code = append_message(conversation, "user", text, length, diagnostic);
    if (code == STATUS_OK)
        code = answer(conversation, request, sink, sink_context, progress, arena, turn, diagnostic);
    if (code == STATUS_OK) code = append_answer(conversation, &turn->result, arena, diagnostic);
    if (code == STATUS_OK) return code;
    while (json_array_size(conversation->messages) > before)
        json_array_remove(conversation->messages, json_array_size(conversation->messages) - 1);
    engine_sequence_truncate(conversation->engine, conversation->sequence, 0);
    conversation->fed_count = 0;
    return code;
}

static status parse_json(const char *what, const char *text, bool object, json_t **value,
                         struct diagnostic *diagnostic)
{
    json_error_t error;
    *value = NULL;
    if (!text) return STATUS_OK;
    *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (*value && (object ? json_is_object(*value) : json_is_array(*value))) return STATUS_OK;
    if (*value)
        return fail(diagnostic, STATUS_USAGE, "%s: must be %s", what,
                    object ? "an object" : "a list");
    return fail(diagnostic, STATUS_USAGE, "%s: %d:%d: %s", what, error.line, error.column,
                error.text);
}

static status render_text(const struct model *model, const struct conversation_text *conversation,
                          struct chat_prompt *prompt, struct arena *arena, char **text,
                          size_t *length, int32_t **ids, int64_t *count,
                          struct diagnostic *diagnostic)
{
    struct template *template;
    const char *given = conversation->chat_template;
    TRY(parse_json("messages", conversation->messages ? conversation->messages : "", false,
                   &prompt->messages, diagnostic));
    TRY(parse_json("tools", conversation->tools, false, &prompt->tools, diagnostic));
    TRY(parse_json("variables", conversation->variables, true, &prompt->variables, diagnostic));
    if (given && model->tokenizer)
        TRY(template_parse("the chat template", given, strlen(given), arena, &template,
                           diagnostic));
    else
        TRY(parse_template(model, NULL, arena, &template, diagnostic));
    prompt->template = template;
    return chat_render(prompt, arena, text, length, ids, count, diagnostic);
}

status conversation_render(const struct engine *engine,
                           const struct conversation_text *conversation, struct arena *arena,
                           char **text, size_t *length, int32_t **ids, int64_t *count,
                           struct diagnostic *diagnostic)
{
    const struct model *model = engine_model(engine);
    struct chat_prompt prompt = {.tokenizer = model->tokenizer,
                                 .no_generation_prompt = conversation->no_generation_prompt,
                                 .now = clock_wall_seconds()};
    status code =
        render_text(model, conversation, &prompt, arena, text, length, ids, count, diagnostic);
    json_decref(prompt.messages);
    json_decref(prompt.tools);
    json_decref(prompt.variables);
    return code;
}
