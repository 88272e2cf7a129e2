/* A vocabulary without training: the 256 bytes in GPT-2's alphabet, so that any text can be encoded
 * and decoded, then made-up words up to the wanted number, then begin and end of text. */
#include "models/synth_internal.h"

enum { BYTE_COUNT = 256, SPECIAL_COUNT = 2 };

/* Bytes that have a printable character of their own in GPT-2's alphabet. */
static bool is_printable(int byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

/* The others get the characters from 256 on, in order. */
static int byte_character(int byte)
{
    int unprintable = 0;
    if (is_printable(byte)) return byte;
    for (int b = 0; b < byte; b++) unprintable += !is_printable(b);
    return BYTE_COUNT + unprintable;
}

/* All of these characters are below 2048: one byte or two. */
static const char *character_text(struct arena *arena, int character)
{
    if (character < 128) return arena_print(arena, "%c", character);
    return arena_print(arena, "%c%c", 0xc0 | character >> 6, 0x80 | (character & 63));
}

/* A word behind a space (which GPT-2 writes as U+0120), different for each number. */
static const char *word_text(struct arena *arena, int64_t number)
{
    char letters[16];
    int length = 0;
    do letters[length++] = (char)('a' + number % 26);
    while ((number /= 26) > 0);
    return arena_print(arena, "\xc4\xa0%.*s", length, letters);
}

status synth_put_tokens(struct gguf_writer *writer, int64_t count, struct arena *arena,
                        struct diagnostic *diagnostic)
{
    const char **tokens;
    int32_t *types;
    int64_t words = count - BYTE_COUNT - SPECIAL_COUNT;
    if (words < 0) return STATUS_OK;
    TRY_NEW(tokens, arena, count, diagnostic);
    TRY_NEW(types, arena, count, diagnostic);
    for (int64_t i = 0; i < count; i++) {
        types[i] = i < BYTE_COUNT + words ? 1 : 3; /* normal, control */
        if (i < BYTE_COUNT)
            tokens[i] = character_text(arena, byte_character((int)i));
        else if (i < BYTE_COUNT + words)
            tokens[i] = word_text(arena, i - BYTE_COUNT);
        else
            tokens[i] = i == count - 1 ? "<|end|>" : "<|begin|>";
        TRY_MEMORY(tokens[i], diagnostic);
    }
    gguf_put_text(writer, "tokenizer.ggml.model", "gpt2");
    gguf_put_text(writer, "tokenizer.ggml.pre", "gpt-2");
    gguf_put_texts(writer, "tokenizer.ggml.tokens", count, tokens);
    gguf_put_numbers(writer, "tokenizer.ggml.token_type", GGUF_I32, count, types);
    gguf_put_texts(writer, "tokenizer.ggml.merges", 0, NULL);
    gguf_put_integer(writer, "tokenizer.ggml.bos_token_id", GGUF_U32, count - 2);
    gguf_put_integer(writer, "tokenizer.ggml.eos_token_id", GGUF_U32, count - 1);
    gguf_put_boolean(writer, "tokenizer.ggml.add_bos_token", false);
    return STATUS_OK;
}
