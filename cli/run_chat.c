/* hone run --chat: turns from -p or from the lines of standard input, answers to standard output. */
#include "cli/run_chat.h"

#include "cli/generation_json.h"
#include "engine/conversation.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 1 << 20, PART_BYTES = 4096 };

struct chatting {
    const struct arguments *arguments;
    struct console *console;
    struct engine *engine;
    struct arena *arena; /* of a turn */
    struct conversation *conversation;
    json_t *turns; /* with --json */
};

status chat_check_arguments(const struct arguments *arguments, struct diagnostic *diagnostic)
{
    if (!arguments->chat && (arguments->system || arguments->chat_template))
        return fail(diagnostic, STATUS_USAGE, "--system and --chat-template go with --chat");
    if (!arguments->chat) return STATUS_OK;
    if (arguments->token_ids || arguments->logits || given_or(arguments->sequences, 1) > 1)
        return fail(diagnostic, STATUS_USAGE,
                    "--chat does not go with --token-ids, --logits or --sequences");
    return STATUS_OK;
}

static void print_text(void *context, int request, const char *text, size_t length)
{
    struct chatting *chatting = context;
    (void)request;
    console_clear_line(chatting->console);
    fwrite(text, 1, length, stdout);
    fflush(stdout);
}

static void keep_turn(struct chatting *chatting, const struct conversation_turn *turn)
{
    json_t *entry = generation_json(&turn->result, chatting->arena);
    json_object_set_new(entry, "prompt_tokens", json_integer(turn->prompt_count));
    json_object_set_new(entry, "fed_tokens", json_integer(turn->fed_count));
    json_object_set_new(entry, "prefill_seconds", json_real(turn->times.prefill_seconds));
    json_object_set_new(entry, "decode_seconds", json_real(turn->times.decode_seconds));
    json_array_append_new(chatting->turns, entry);
}

static status take_turn(struct chatting *chatting, const char *text, size_t length,
                        struct diagnostic *diagnostic)
{
    const struct arguments *arguments = chatting->arguments;
    struct conversation_turn turn;
    const struct generation_request request = {.tokens = arguments->tokens,
                                               .sampling = command_sampling(arguments),
                                               .stops = arguments->stops,
                                               .ignore_end = arguments->ignore_end};
    TRY(conversation_say(chatting->conversation, text, length, &request,
                         arguments->json ? NULL : print_text, chatting,
                         &chatting->console->progress, chatting->arena, &turn, diagnostic));
    if (arguments->json) {
        keep_turn(chatting, &turn);
    } else {
        putchar('\n');
        TRY(console_flush(diagnostic));
    }
    if (console_interrupted()) return fail(diagnostic, STATUS_INTERRUPTED, "interrupted");
    return STATUS_OK;
}

/* One line without its end; *more is false behind the last one. */
static status read_line(struct chatting *chatting, struct text *line, bool *more,
                        struct diagnostic *diagnostic)
{
    char part[PART_BYTES];
    *line = (struct text){.arena = chatting->arena};
    *more = false;
    while (fgets(part, sizeof part, stdin)) {
        *more = true;
        text_append(line, part);
        if (line->failed) return fail_memory(diagnostic, line->length);
        if (line->length > LINE_BYTES_MAX)
            return fail(diagnostic, STATUS_USAGE, "a line has more than %d bytes", LINE_BYTES_MAX);
        if (line->bytes[line->length - 1] == '\n') break;
    }
    while (line->length && strchr("\r\n", line->bytes[line->length - 1])) line->length--;
    return STATUS_OK;
}

/* Empty lines say nothing. */
static status talk(struct chatting *chatting, struct diagnostic *diagnostic)
{
    bool person = isatty(STDIN_FILENO) && !chatting->arguments->quiet;
    for (bool more = true; more && !console_interrupted();) {
        struct text line;
        arena_reset(chatting->arena);
        if (person) fputs("> ", stderr);
        TRY(read_line(chatting, &line, &more, diagnostic));
        if (line.length) TRY(take_turn(chatting, line.bytes, line.length, diagnostic));
    }
    if (person) fputc('\n', stderr);
    return STATUS_OK;
}

static status print_turns(struct chatting *chatting, struct diagnostic *diagnostic)
{
    const struct engine_report *report = engine_report(chatting->engine);
    json_t *last = json_array_get(chatting->turns, json_array_size(chatting->turns) - 1);
    json_t *document = last ? json_copy(last) : json_object();
    json_object_set(document, "turns", chatting->turns);
    json_object_set_new(document, "kernels_compiled", json_integer(report->kernels_compiled));
    json_object_set_new(document, "load_seconds", json_real(report->load_seconds));
    return console_print_json(document, diagnostic);
}

static status run_turns(struct chatting *chatting, struct diagnostic *diagnostic)
{
    const struct arguments *arguments = chatting->arguments;
    const struct conversation_options options = {.system = arguments->system,
                                                 .template_file = arguments->chat_template};
    TRY(conversation_open(chatting->engine, &options, &chatting->conversation, diagnostic));
    if (arguments->prompt)
        TRY(take_turn(chatting, arguments->prompt, strlen(arguments->prompt), diagnostic));
    else
        TRY(talk(chatting, diagnostic));
    return arguments->json ? print_turns(chatting, diagnostic) : STATUS_OK;
}

status chat_run(const struct arguments *arguments, struct console *console, struct engine *engine,
                struct diagnostic *diagnostic)
{
    struct chatting chatting = {.arguments = arguments,
                                .console = console,
                                .engine = engine,
                                .arena = arena_create(0),
                                .turns = json_array()};
    TRY_MEMORY(chatting.arena, diagnostic);
    status code = chatting.turns ? run_turns(&chatting, diagnostic) : fail_memory(diagnostic, 0);
    conversation_close(chatting.conversation);
    json_decref(chatting.turns);
    arena_destroy(chatting.arena);
    return code;
}
