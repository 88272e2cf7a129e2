/* The vocabulary in memory: the bytes of all tokens one behind the other, and a table from bytes to
 * ids.  In the table are the tokens that plain text can become; control tokens have their own list
 * (tokenizer_special.c), byte tokens theirs. */
#include "base/hash.h"
#include "models/tokenizer_alphabet.h"
#include "models/tokenizer_internal.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

struct loading {
    const struct tokenizer_source *source;
    struct arena *arena;
    struct tokenizer *tokenizer;
    struct tokenizer_oddities *oddities;
    struct diagnostic *diagnostic;
    char *bytes;
    uint32_t *starts;
    uint8_t *types;
};

static uint64_t place_of(const struct token_table *table, const char *bytes, size_t length)
{
    return hash_bytes(bytes, length).low & table->mask;
}

int32_t tokenizer_find(const struct tokenizer *tokenizer, const char *bytes, size_t length)
{
    const struct token_table *table = &tokenizer->table;
    if (length > tokenizer->longest) return -1;
    uint64_t place = place_of(table, bytes, length);
    for (; table->ids[place] >= 0; place = (place + 1) & table->mask) {
        size_t token_length;
        const char *token = token_text(tokenizer, table->ids[place], &token_length);
        if (token_length == length && memcmp(token, bytes, length) == 0) return table->ids[place];
    }
    return -1;
}

static status make_table(struct loading *loading)
{
    struct token_table *table = &loading->tokenizer->table;
    uint64_t places = 2;
    while (places < 2 * (uint64_t)loading->source->token_count) places *= 2;
    TRY_NEW(table->ids, loading->arena, places, loading->diagnostic);
    memset(table->ids, 0xff, places * sizeof *table->ids);
    table->mask = places - 1;
    return STATUS_OK;
}

/* The lowest id keeps a text that is there twice.  Special tokens are counted in their own list. */
static void insert(struct loading *loading, int32_t id)
{
    struct tokenizer *tokenizer = loading->tokenizer;
    struct token_table *table = &tokenizer->table;
    size_t length;
    const char *bytes = token_text(tokenizer, id, &length);
    if (length == 0) return;
    if (tokenizer_find(tokenizer, bytes, length) >= 0) {
        bool ordinary = loading->types[id] == TOKEN_NORMAL || loading->types[id] == TOKEN_UNUSED;
        if (ordinary && loading->oddities->duplicate_tokens++ == 0)
            loading->oddities->first_token = id;
        return;
    }
    if (length > tokenizer->longest) tokenizer->longest = length;
    uint64_t place = place_of(table, bytes, length);
    while (table->ids[place] >= 0) place = (place + 1) & table->mask;
    table->ids[place] = id;
}

static int hexadecimal(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return -1;
}

/* A byte token is written <0xHH>. */
static status take_byte_token(struct loading *loading, int32_t id, const char *text, size_t length,
                              size_t *byte_count)
{
    int high = -1, low = -1;
    if (length == 6 && memcmp(text, "<0x", 3) == 0 && text[5] == '>') {
        high = hexadecimal(text[3]);
        low = hexadecimal(text[4]);
    }
    if (high < 0 || low < 0) {
        char excerpt[EXCERPT_BYTES];
        return fail(loading->diagnostic, STATUS_BAD_INPUT,
                    "%.500s: token %" PRId32
                    " is of type byte, but its text is '%s'; such tokens are <0x00> to <0xFF>",
                    loading->source->file, id, utf8_excerpt(text, length, excerpt));
    }
    int byte = high * 16 + low;
    loading->bytes[loading->starts[id]] = (char)byte;
    *byte_count = 1;
    int32_t *token = &loading->tokenizer->byte_tokens[byte];
    if (*token < 0)
        *token = id;
    else if (loading->oddities->duplicate_tokens++ == 0)
        loading->oddities->first_token = id;
    return STATUS_OK;
}

/* Copies with every U+2581 as a space; false when there was a real space, which text never has
 * once its spaces are U+2581. */
static bool copy_marked(const char *text, size_t length, char *bytes, size_t *byte_count)
{
    size_t count = 0;
    bool real_space = false;
    for (size_t at = 0; at < length;) {
        if (length - at >= SPACE_MARK_BYTES && !memcmp(text + at, SPACE_MARK, SPACE_MARK_BYTES)) {
            bytes[count++] = ' ';
            at += SPACE_MARK_BYTES;
        } else {
            real_space |= text[at] == ' ';
            bytes[count++] = text[at++];
        }
    }
    *byte_count = count;
    return !real_space;
}

/* What the token prints, and whether merging may produce it. */
static bool take_text(struct loading *loading, enum token_type type, bool apart, const char *text,
                      size_t length, char *bytes, size_t *byte_count)
{
    bool ordinary = type == TOKEN_NORMAL || type == TOKEN_UNUSED;
    *byte_count = length;
    if (loading->source->kind != TOKENIZER_BYTE_BPE) {
        if (ordinary) return copy_marked(text, length, bytes, byte_count);
        if (type == TOKEN_USER_DEFINED) {
            copy_marked(text, length, bytes, byte_count);
            return !apart;
        }
        memcpy(bytes, text, length);
        return false;
    }
    if (ordinary && alphabet_decode(text, length, bytes, byte_count)) return true;
    memcpy(bytes, text, length);
    return !ordinary && alphabet_is_plain(text, length);
}

static status take_token(struct loading *loading, int32_t id)
{
    const struct tokenizer_source *source = loading->source;
    const char *text = source->tokens[id];
    size_t length = (size_t)source->token_lengths[id], byte_count = 0;
    int32_t type = source->types ? source->types[id] : TOKEN_NORMAL;
    bool in_table = false;
    if (type < TOKEN_NORMAL || type > TOKEN_BYTE) {
        return fail(loading->diagnostic, STATUS_BAD_INPUT,
                    "%.500s: token %" PRId32 " has the type %" PRId32 "; types are %d to %d",
                    source->file, id, type, TOKEN_NORMAL, TOKEN_BYTE);
    }
    loading->types[id] = (uint8_t)type;
    if (type == TOKEN_BYTE) {
        TRY(take_byte_token(loading, id, text, length, &byte_count));
    } else if (length > 0) {
        bool apart = source->trims && source->trims[id] & TRIM_APART;
        in_table = take_text(loading, (enum token_type)type, apart, text, length,
                             loading->bytes + loading->starts[id], &byte_count);
    }
    loading->starts[id + 1] = loading->starts[id] + (uint32_t)byte_count;
    if (in_table) insert(loading, id);
    return STATUS_OK;
}

static status measure(const struct tokenizer_source *source, size_t *total_bytes,
                      struct diagnostic *diagnostic)
{
    *total_bytes = 0;
    if (source->token_count < 1 || source->token_count > TOKENS_MAX) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: a vocabulary of %" PRId64 " tokens; 1 to %d can be loaded",
                    source->file, source->token_count, TOKENS_MAX);
    }
    for (int64_t id = 0; id < source->token_count; id++) {
        int32_t length = source->token_lengths[id];
        if (length < 0 || length > TOKEN_BYTES_MAX) {
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.500s: token %" PRId64 " has %" PRId32 " bytes; at most %d are allowed",
                        source->file, id, length, TOKEN_BYTES_MAX);
        }
        *total_bytes += (size_t)length;
    }
    if (*total_bytes > UINT32_MAX) {
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: the tokens' text takes %zu bytes",
                    source->file, *total_bytes);
    }
    return STATUS_OK;
}

/* In byte BPE a byte's token is that of its character in the alphabet. */
static void find_byte_tokens(struct tokenizer *tokenizer)
{
    for (int byte = 0; byte < BYTE_COUNT; byte++) {
        char bytes[1] = {(char)byte};
        int32_t id = tokenizer_find(tokenizer, bytes, 1);
        if (id >= 0) tokenizer->byte_tokens[byte] = id;
    }
}

status tokenizer_load_tokens(const struct tokenizer_source *source, struct arena *arena,
                             struct tokenizer *tokenizer, struct tokenizer_oddities *oddities,
                             struct diagnostic *diagnostic)
{
    struct loading loading = {.source = source,
                              .arena = arena,
                              .tokenizer = tokenizer,
                              .oddities = oddities,
                              .diagnostic = diagnostic};
    size_t total_bytes;
    TRY(measure(source, &total_bytes, diagnostic));
    TRY_NEW(loading.bytes, arena, total_bytes + 1, diagnostic);
    TRY_NEW(loading.starts, arena, source->token_count + 1, diagnostic);
    TRY_NEW(loading.types, arena, source->token_count, diagnostic);
    TRY(make_table(&loading));
    tokenizer->count = source->token_count;
    tokenizer->bytes = loading.bytes;
    tokenizer->starts = loading.starts;
    tokenizer->types = loading.types;
    memset(tokenizer->byte_tokens, 0xff, sizeof tokenizer->byte_tokens);
    for (int32_t id = 0; id < source->token_count; id++) TRY(take_token(&loading, id));
    if (tokenizer->kind == TOKENIZER_BYTE_BPE) find_byte_tokens(tokenizer);
    return STATUS_OK;
}
