/* hone tokenize: the tokens of a text, or the text of tokens.  Reads only the head of the model's
 * file, so that files with a vocabulary and no tensors will do. */
#include "base/file.h"
#include "cli/command.h"
#include "cli/json_text.h"
#include "models/model_source.h"
#include "models/tokenizer_gguf.h"
#include "models/tokenizer_huggingface.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct tokenizing {
    const struct arguments *arguments;
    struct arena *arena;
    const struct tokenizer *tokenizer;
    const char *path;
};

static status read_standard_input(struct arena *arena, const char **bytes, size_t *length,
                                  struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    char chunk[1 << 16];
    ssize_t count;
    while ((count = read(STDIN_FILENO, chunk, sizeof chunk)) != 0) {
        if (count < 0 && console_interrupted())
            return fail(diagnostic, STATUS_INTERRUPTED, "interrupted");
        if (count < 0 && errno == EINTR) continue;
        if (count < 0)
            return fail(diagnostic, STATUS_INPUT_OUTPUT, "standard input: %s", strerror(errno));
        text_append_range(&text, chunk, (size_t)count);
        if (text.length > TOKENIZER_TEXT_MAX) break; /* tokenizer_encode says so */
    }
    *bytes = text_finish(&text);
    *length = text.length;
    TRY_MEMORY(*bytes, diagnostic);
    return STATUS_OK;
}

static status find_text(const struct tokenizing *tokenizing, const char **text, size_t *length,
                        struct diagnostic *diagnostic)
{
    TRY(command_positional(tokenizing->arguments, 1, "a text, or - for standard input", text,
                           diagnostic));
    *length = strlen(*text);
    if (strcmp(*text, "-") != 0) return STATUS_OK;
    return read_standard_input(tokenizing->arena, text, length, diagnostic);
}

/* {"tokens": [1, 15], "pieces": ["a", " b"]}; control tokens have empty pieces. */
static json_t *tokens_json(const struct tokenizing *tokenizing, const int32_t *ids, int64_t count)
{
    json_t *tokens = json_array(), *pieces = json_array();
    for (int64_t i = 0; i < count; i++) {
        size_t length;
        const char *bytes = tokenizer_bytes(tokenizing->tokenizer, ids[i], &length);
        json_array_append_new(tokens, json_integer(ids[i]));
        json_array_append_new(pieces, json_text(bytes, length, tokenizing->arena));
    }
    return json_pack("{s:o, s:o}", "tokens", tokens, "pieces", pieces);
}

static status encode(const struct tokenizing *tokenizing, struct diagnostic *diagnostic)
{
    const char *text;
    size_t length;
    int32_t *ids;
    int64_t count;
    bool prompt = !tokenizing->arguments->plain;
    TRY(find_text(tokenizing, &text, &length, diagnostic));
    TRY(tokenizer_encode(tokenizing->tokenizer, text, length, prompt, prompt, tokenizing->arena,
                         &ids, &count, diagnostic));
    if (tokenizing->arguments->json)
        return console_print_json(tokens_json(tokenizing, ids, count), diagnostic);
    for (int64_t i = 0; i < count; i++) printf("%s%d", i ? "," : "", ids[i]);
    putchar('\n');
    return console_flush(diagnostic);
}

static status decode(const struct tokenizing *tokenizing, struct diagnostic *diagnostic)
{
    int32_t *ids;
    int64_t count;
    char *text;
    size_t length;
    if (tokenizing->arguments->positional_count > 1)
        return fail(diagnostic, STATUS_USAGE, "give a text or --decode IDS, not both");
    TRY(arguments_parse_ids(tokenizing->arguments->decode, tokenizing->arena, &ids, &count,
                            diagnostic));
    TRY(tokenizer_decode(tokenizing->tokenizer, ids, count, tokenizing->arena, &text, &length,
                         diagnostic));
    if (tokenizing->arguments->json) {
        json_t *shown = json_text(text, length, tokenizing->arena);
        return console_print_json(json_pack("{s:o}", "text", shown), diagnostic);
    }
    fwrite(text, 1, length, stdout);
    putchar('\n');
    return console_flush(diagnostic);
}

static status tokenize(struct tokenizing *tokenizing, struct diagnostic *diagnostic)
{
    if (!tokenizing->tokenizer)
        return fail(diagnostic, STATUS_BAD_INPUT, "%s carries no tokenizer", tokenizing->path);
    if (tokenizing->arguments->decode) return decode(tokenizing, diagnostic);
    return encode(tokenizing, diagnostic);
}

status command_tokenize(const struct arguments *arguments, struct console *console,
                        struct arena *arena, struct diagnostic *diagnostic)
{
    struct tokenizing tokenizing = {.arguments = arguments, .arena = arena};
    struct model_source source;
    struct tokenizer *tokenizer = NULL;
    TRY(command_positional(arguments, 0, "a model file", &tokenizing.path, diagnostic));
    status code = source_open(tokenizing.path, arena, &console->progress, &source, diagnostic);
    if (code == STATUS_OK && source.format == SOURCE_GGUF)
        code = tokenizer_from_gguf(&source, arena, &tokenizer, &console->progress, diagnostic);
    else if (code == STATUS_OK)
        code =
            tokenizer_from_huggingface(&source, arena, &tokenizer, &console->progress, diagnostic);
    source_close(&source);
    tokenizing.tokenizer = tokenizer;
    if (code == STATUS_OK) code = tokenize(&tokenizing, diagnostic);
    tokenizer_close(tokenizer);
    return code;
}
