/* Rendering a conversation.
 *
 * A guard, a character that Unicode will never assign and that occurs nowhere in the conversation, is put behind the first
 * character of every control token's text in the messages.  It survives what templates do to texts; behind the rendering it
 * is taken out again, and the tokenizer is told of its places. */
#include "models/chat.h"

#include "base/text.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

enum { GUARD_BYTES = 3, GUARDS = 32, VALUE_DEPTH_MAX = 64 };

struct guarding {
    const struct chat_prompt *prompt;
    struct arena *arena;
    struct diagnostic *diagnostic;
    char guard[GUARD_BYTES]; /* U+FDD0 to U+FDEF */
    int depth;
};

static status guard_value(struct guarding *guarding, json_t *value, json_t **guarded);

static bool occurs(json_t *value, const char guard[static GUARD_BYTES], int depth)
{
    size_t index;
    const char *key;
    json_t *item;
    if (depth > VALUE_DEPTH_MAX) return true;
    if (json_is_string(value))
        return memmem(json_string_value(value), json_string_length(value), guard, GUARD_BYTES);
    json_array_foreach(value, index, item) if (occurs(item, guard, depth + 1)) return true;
    json_object_foreach(value, key, item) if (occurs(item, guard, depth + 1)) return true;
    return false;
}

static status choose_guard(struct guarding *guarding)
{
    const struct chat_prompt *prompt = guarding->prompt;
    for (int i = 0; i < GUARDS; i++) {
        memcpy(guarding->guard, (char[]){'\xef', '\xb7', (char)(0x90 + i)}, GUARD_BYTES);
        if (!occurs(prompt->messages, guarding->guard, 0) &&
            !occurs(prompt->tools, guarding->guard, 0) &&
            !occurs(prompt->variables, guarding->guard, 0))
            return STATUS_OK;
    }
    return fail(guarding->diagnostic, STATUS_USAGE,
                "the conversation is nested too deeply, or holds all of U+FDD0 to U+FDEF");
}

static status guard_text(struct guarding *guarding, const json_t *value, json_t **guarded)
{
    const char *bytes = json_string_value(value);
    size_t length = json_string_length(value), at = 0, token_length;
    struct text text = {.arena = guarding->arena};
    while (at < length) {
        size_t found =
            tokenizer_find_control(guarding->prompt->tokenizer, bytes, length, at, &token_length);
        size_t first = found < length ? utf8_character(bytes + found, length - found) : 0;
        text_append_range(&text, bytes + at, found + first - at);
        if (found < length) text_append_range(&text, guarding->guard, GUARD_BYTES);
        at = found + first;
    }
    const char *finished = text_finish(&text);
    *guarded = finished ? json_stringn(finished, text.length) : NULL;
    return *guarded ? STATUS_OK : fail_memory(guarding->diagnostic, length);
}

static status guard_members(struct guarding *guarding, json_t *value, json_t *guarded)
{
    size_t index;
    const char *key;
    json_t *item, *copy = NULL;
    json_array_foreach(value, index, item)
    {
        TRY(guard_value(guarding, item, &copy));
        if (json_array_append_new(guarded, copy)) return fail_memory(guarding->diagnostic, 0);
    }
    json_object_foreach(value, key, item)
    {
        TRY(guard_value(guarding, item, &copy));
        if (json_object_set_new(guarded, key, copy)) return fail_memory(guarding->diagnostic, 0);
    }
    return STATUS_OK;
}

/* A copy with guards in all texts; its depth was checked by choose_guard. */
static status guard_value(struct guarding *guarding, json_t *value, json_t **guarded)
{
    if (json_is_string(value)) return guard_text(guarding, value, guarded);
    if (!json_is_array(value) && !json_is_object(value)) {
        *guarded = json_incref(value);
        return STATUS_OK;
    }
    *guarded = json_is_array(value) ? json_array() : json_object();
    if (!*guarded) return fail_memory(guarding->diagnostic, 0);
    status code = guard_members(guarding, value, *guarded);
    if (code == STATUS_OK) return code;
    json_decref(*guarded);
    *guarded = NULL;
    return code;
}

static status set(struct guarding *guarding, json_t *variables, const char *name, json_t *value)
{
    if (value && !json_object_set_new(variables, name, value)) return STATUS_OK;
    return fail_memory(guarding->diagnostic, 0);
}

static status set_token(struct guarding *guarding, json_t *variables, const char *name, int64_t id)
{
    size_t length;
    const char *text = tokenizer_text_of(guarding->prompt->tokenizer, id, &length);
    if (!length || utf8_valid(text, length) != length) return STATUS_OK;
    return set(guarding, variables, name, json_stringn(text, length));
}

/* What transformers gives to a template. */
static status collect(struct guarding *guarding, json_t *variables)
{
    const struct chat_prompt *prompt = guarding->prompt;
    json_t *value = NULL;
    TRY(choose_guard(guarding));
    TRY(set_token(guarding, variables, "bos_token", tokenizer_bos(prompt->tokenizer)));
    TRY(set_token(guarding, variables, "eos_token", tokenizer_eos(prompt->tokenizer)));
    TRY(set(guarding, variables, "documents", json_null()));
    TRY(set(guarding, variables, "tools", json_null()));
    TRY(set(guarding, variables, "add_generation_prompt",
            json_boolean(!prompt->no_generation_prompt)));
    if (prompt->variables) TRY(guard_members(guarding, prompt->variables, variables));
    if (prompt->tools) {
        TRY(guard_value(guarding, prompt->tools, &value));
        TRY(set(guarding, variables, "tools", value));
    }
    TRY(guard_value(guarding, prompt->messages, &value));
    return set(guarding, variables, "messages", value);
}

/* Takes the guards out; `barriers` says where they were. */
static status remove_guards(struct guarding *guarding, char *text, size_t *length,
                            size_t **barriers, size_t *barrier_count)
{
    size_t kept = 0, capacity = 0;
    *barriers = NULL;
    *barrier_count = 0;
    for (size_t at = 0; at < *length;) {
        if (*length - at < GUARD_BYTES || memcmp(text + at, guarding->guard, GUARD_BYTES) != 0) {
            text[kept++] = text[at++];
            continue;
        }
        TRY_APPEND(*barriers, *barrier_count, capacity, guarding->arena, guarding->diagnostic);
        (*barriers)[*barrier_count - 1] = kept;
        at += GUARD_BYTES;
    }
    text[kept] = 0;
    *length = kept;
    return STATUS_OK;
}

static status render(struct guarding *guarding, json_t *variables, char **text, size_t *length,
                     int32_t **ids, int64_t *count)
{
    const struct chat_prompt *prompt = guarding->prompt;
    struct tokenizer_text encoded = {.special = true};
    size_t *barriers;
    TRY(collect(guarding, variables));
    TRY(template_render(prompt->template, variables, prompt->now, guarding->arena, text, length,
                        guarding->diagnostic));
    TRY(remove_guards(guarding, *text, length, &barriers, &encoded.barrier_count));
    if (!ids) return STATUS_OK;
    encoded.bytes = *text;
    encoded.length = *length;
    encoded.barriers = barriers;
    return tokenizer_encode_text(prompt->tokenizer, &encoded, guarding->arena, ids, count,
                                 guarding->diagnostic);
}

status chat_render(const struct chat_prompt *prompt, struct arena *arena, char **text,
                   size_t *length, int32_t **ids, int64_t *count, struct diagnostic *diagnostic)
{
    struct guarding guarding = {.prompt = prompt, .arena = arena, .diagnostic = diagnostic};
    json_t *variables = json_object();
    if (!variables) return fail_memory(diagnostic, 0);
    status code = render(&guarding, variables, text, length, ids, count);
    json_decref(variables);
    return code;
}
