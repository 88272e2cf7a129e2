/* Vocabularies put together token by token. */
#include "tests/unit/vocabulary_harness.h"

#include "tests/check.h"

static void take_warning(void *context, const char *message)
{
    struct vocabulary *vocabulary = context;
    text_print(&vocabulary->warnings, "%s\n", message);
}

/* The alphabet by its definition: printable Latin-1 stands for itself, the rest follows from
 * U+0100 on. */
const char *vocabulary_byte(struct vocabulary *vocabulary, int byte)
{
    unsigned character = 0x100;
    for (int b = 0; b < 256; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        unsigned code = printable ? (unsigned)b : character++;
        if (b != byte) continue;
        if (code < 0x80) return arena_print(vocabulary->arena, "%c", (int)code);
        return arena_print(vocabulary->arena, "%c%c", (int)(0xc0 | code >> 6),
                           (int)(0x80 | (code & 0x3f)));
    }
    return "";
}

void vocabulary_start(struct vocabulary *vocabulary, enum tokenizer_kind kind, const char *pre)
{
    struct arena *arena = arena_create(0);
    *vocabulary = (struct vocabulary){.arena = arena, .warnings = {.arena = arena}};
    vocabulary->progress = (struct progress){.context = vocabulary, .warn = take_warning};
    vocabulary->tokens = arena_allocate(arena, VOCABULARY_TOKENS_MAX, sizeof(char *));
    vocabulary->lengths = arena_allocate(arena, VOCABULARY_TOKENS_MAX, sizeof(int32_t));
    vocabulary->types = arena_allocate(arena, VOCABULARY_TOKENS_MAX, sizeof(int32_t));
    vocabulary->scores = arena_allocate(arena, VOCABULARY_TOKENS_MAX, sizeof(float));
    vocabulary->merges = arena_allocate(arena, VOCABULARY_TOKENS_MAX, sizeof(char *));
    vocabulary->merge_lengths = arena_allocate(arena, VOCABULARY_TOKENS_MAX, sizeof(int32_t));
    bool sentencepiece = kind != TOKENIZER_BYTE_BPE;
    vocabulary->source = (struct tokenizer_source){.file = "test.gguf",
                                                   .kind = kind,
                                                   .pre = pre,
                                                   .tokens = vocabulary->tokens,
                                                   .token_lengths = vocabulary->lengths,
                                                   .types = vocabulary->types,
                                                   .scores = vocabulary->scores,
                                                   .merges = vocabulary->merges,
                                                   .merge_lengths = vocabulary->merge_lengths,
                                                   .bos = sentencepiece ? 1 : -1,
                                                   .eos = sentencepiece ? 2 : -1,
                                                   .unknown = sentencepiece ? 0 : -1,
                                                   .add_bos = sentencepiece,
                                                   .add_space_prefix = sentencepiece};
    if (sentencepiece) {
        vocabulary_add(vocabulary, "<unk>", TOKEN_UNKNOWN, 0);
        vocabulary_add(vocabulary, "<s>", TOKEN_CONTROL, 0);
        vocabulary_add(vocabulary, "</s>", TOKEN_CONTROL, 0);
    }
    for (int byte = 0; byte < 256; byte++) {
        if (sentencepiece)
            vocabulary_add(vocabulary, arena_print(arena, "<0x%02X>", (unsigned)byte), TOKEN_BYTE,
                           0);
        else
            vocabulary_add(vocabulary, vocabulary_byte(vocabulary, byte), TOKEN_NORMAL, 0);
    }
}

void vocabulary_end(struct vocabulary *vocabulary)
{
    tokenizer_close(vocabulary->tokenizer);
    arena_destroy(vocabulary->arena);
}

int32_t vocabulary_add(struct vocabulary *vocabulary, const char *text, enum token_type type,
                       float score)
{
    int32_t id = (int32_t)vocabulary->source.token_count++;
    assert_true(id < VOCABULARY_TOKENS_MAX);
    vocabulary->tokens[id] = text;
    vocabulary->lengths[id] = (int32_t)strlen(text);
    vocabulary->types[id] = (int32_t)type;
    vocabulary->scores[id] = score;
    return id;
}

void vocabulary_merge(struct vocabulary *vocabulary, const char *text)
{
    int64_t index = vocabulary->source.merge_count++;
    assert_true(index < VOCABULARY_TOKENS_MAX);
    vocabulary->merges[index] = text;
    vocabulary->merge_lengths[index] = (int32_t)strlen(text);
}

void vocabulary_add_merged(struct vocabulary *vocabulary, const char *const *merges)
{
    for (; *merges; merges++) {
        const char *space = strchr(*merges, ' ');
        const char *merged =
            arena_print(vocabulary->arena, "%.*s%s", (int)(space - *merges), *merges, space + 1);
        vocabulary_add(vocabulary, merged, TOKEN_NORMAL, 0);
        vocabulary_merge(vocabulary, *merges);
    }
}

status vocabulary_create(struct vocabulary *vocabulary, struct diagnostic *diagnostic)
{
    return tokenizer_create(&vocabulary->source, vocabulary->arena, &vocabulary->tokenizer,
                            &vocabulary->progress, diagnostic);
}

static void print_token(struct vocabulary *vocabulary, int32_t id, struct text *out)
{
    size_t length;
    const char *bytes = tokenizer_bytes(vocabulary->tokenizer, id, &length);
    if (vocabulary->types[id] == TOKEN_CONTROL) text_append(out, vocabulary->tokens[id]);
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] >= ' ' && bytes[i] <= '~')
            text_print(out, "%c", bytes[i]);
        else
            text_print(out, "\\x%02x", (unsigned)(unsigned char)bytes[i]);
    }
}

const char *vocabulary_encode(struct vocabulary *vocabulary, const char *text, int options)
{
    struct diagnostic diagnostic = {0};
    struct text out = {.arena = vocabulary->arena};
    int32_t *ids;
    int64_t count;
    CHECK_OK(tokenizer_encode(vocabulary->tokenizer, text, strlen(text), options & BEGIN,
                              options & SPECIAL, vocabulary->arena, &ids, &count, &diagnostic));
    for (int64_t i = 0; i < count; i++) {
        if (i > 0) text_append(&out, "|");
        print_token(vocabulary, ids[i], &out);
    }
    return text_finish(&out);
}
