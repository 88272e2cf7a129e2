/* Control and user-defined tokens as a sorted list.  A search narrows the list byte by byte, so it
 * takes no more steps than the longest of them has bytes, times a logarithm. */
#include "models/tokenizer_special.h"

#include "models/tokenizer_internal.h"
#include "models/tokenizer_utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

static int compare(const void *a, const void *b)
{
    const struct special_token *left = a, *right = b;
    int32_t common = left->length < right->length ? left->length : right->length;
    int order = memcmp(left->text, right->text, (size_t)common);
    if (order != 0) return order;
    if (left->length != right->length) return left->length < right->length ? -1 : 1;
    return left->id < right->id ? -1 : left->id > right->id;
}

static bool is_special(const struct tokenizer *tokenizer, int64_t id)
{
    uint8_t type = tokenizer->types[id];
    size_t length;
    token_text(tokenizer, id, &length);
    return length > 0 &&
           (type == TOKEN_CONTROL || type == TOKEN_USER_DEFINED || type == TOKEN_UNKNOWN);
}

static status collect(struct tokenizer *tokenizer, const char *file, const uint8_t *trims,
                      struct diagnostic *diagnostic)
{
    struct special_tokens *special = &tokenizer->special;
    int32_t count = 0;
    for (int32_t id = 0; id < tokenizer->count; id++) {
        if (!is_special(tokenizer, id)) continue;
        size_t length;
        const char *text = token_text(tokenizer, id, &length);
        if (length > SPECIAL_BYTES_MAX) {
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.500s: token %" PRId32 " is a control or user-defined token of %zu "
                        "bytes; such tokens have at most %d",
                        file, id, length, SPECIAL_BYTES_MAX);
        }
        special->tokens[count++] = (struct special_token){
            text, (int32_t)length, id, tokenizer->types[id] != TOKEN_USER_DEFINED,
            trims ? trims[id] : (uint8_t)0};
    }
    special->count = count;
    return STATUS_OK;
}

/* Of equal texts the lowest id, which sorting has put first, stays. */
static void remove_duplicates(struct special_tokens *special, struct tokenizer_oddities *oddities)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < special->count; i++) {
        const struct special_token *token = &special->tokens[i];
        const struct special_token *last = &special->tokens[kept > 0 ? kept - 1 : 0];
        if (kept > 0 && token->length == last->length &&
            memcmp(token->text, last->text, (size_t)token->length) == 0) {
            if (oddities->duplicate_tokens++ == 0) oddities->first_token = token->id;
            continue;
        }
        special->tokens[kept++] = *token;
    }
    special->count = kept;
}

static void index_by_byte(struct special_tokens *special)
{
    int32_t at = 0;
    for (int byte = 0; byte < BYTE_COUNT; byte++) {
        special->first[byte] = at;
        while (at < special->count && (uint8_t)special->tokens[at].text[0] == byte) at++;
    }
    special->first[BYTE_COUNT] = at;
}

status special_tokens_load(struct tokenizer *tokenizer, const char *file, const uint8_t *trims,
                           struct arena *arena, struct tokenizer_oddities *oddities,
                           struct diagnostic *diagnostic)
{
    struct special_tokens *special = &tokenizer->special;
    int64_t count = 0;
    for (int64_t id = 0; id < tokenizer->count; id++) count += is_special(tokenizer, id);
    TRY_NEW(special->tokens, arena, count, diagnostic);
    TRY(collect(tokenizer, file, trims, diagnostic));
    qsort(special->tokens, (size_t)special->count, sizeof *special->tokens, compare);
    remove_duplicates(special, oddities);
    index_by_byte(special);
    return STATUS_OK;
}

/* The first of tokens[low] to tokens[high - 1], which agree in `depth` bytes and are longer, whose
 * next byte is `least` or more. */
static int32_t narrow(const struct special_token *tokens, int32_t low, int32_t high, size_t depth,
                      int least)
{
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if ((uint8_t)tokens[middle].text[depth] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct special_token *longest_at(const struct special_tokens *special,
                                              const char *text, size_t length, bool control)
{
    const struct special_token *tokens = special->tokens, *longest = NULL;
    int32_t low = special->first[(uint8_t)*text], high = special->first[(uint8_t)*text + 1];
    for (size_t depth = 1; low < high; depth++) {
        if ((size_t)tokens[low].length == depth) {
            if (control || !tokens[low].control) longest = &tokens[low];
            low++;
        }
        if (depth == length) break;
        int byte = (uint8_t)text[depth];
        low = narrow(tokens, low, high, depth, byte);
        high = narrow(tokens, low, high, depth, byte + 1);
    }
    return longest;
}

size_t special_tokens_search(const struct special_tokens *special, const char *text, size_t length,
                             size_t from, bool control, const struct special_token **found)
{
    *found = NULL;
    for (size_t at = from; at < length; at++) {
        uint8_t byte = (uint8_t)text[at];
        if (special->first[byte] == special->first[byte + 1]) continue;
        *found = longest_at(special, text + at, length - at, control);
        if (*found) return at;
    }
    return length;
}

static bool is_space(const char *text, size_t length)
{
    return character_is_space(utf8_decode(text, length));
}

/* Letters, marks, digits, connectors and joiners make words. */
static bool is_word(const char *text, size_t length)
{
    uint32_t character = utf8_decode(text, length);
    utf8proc_category_t category = utf8proc_category((int32_t)character);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NL) ||
           category == UTF8PROC_CATEGORY_PC || character == 0x200c || character == 0x200d;
}

/* Bytes of the last character, 0 when it is none. */
static size_t last_character(const char *text, size_t length)
{
    for (size_t bytes = 1; bytes <= length && bytes <= UTF8_BYTES_MAX; bytes++)
        if (utf8_character(text + length - bytes, bytes) == bytes) return bytes;
    return 0;
}

bool special_token_stands(const struct special_token *token, const char *text, size_t length,
                          size_t at)
{
    size_t behind = at + (size_t)token->length;
    if (!(token->trims & TRIM_WORD)) return true;
    size_t before = last_character(text, at), next = utf8_character(text + behind, length - behind);
    return !(before && is_word(text + at - before, before)) &&
           !(next && is_word(text + behind, next));
}

size_t special_space_before(const char *text, size_t length)
{
    size_t end = length;
    for (size_t bytes; (bytes = last_character(text, end)) != 0; end -= bytes)
        if (!is_space(text + end - bytes, bytes)) break;
    return length - end;
}

size_t special_space_behind(const char *text, size_t length)
{
    size_t at = 0;
    for (size_t bytes; (bytes = utf8_character(text + at, length - at)) != 0; at += bytes)
        if (!is_space(text + at, bytes)) break;
    return at;
}
