/* Token ids to text. */
#include "models/tokenizer_internal.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

const char *tokenizer_bytes(const struct tokenizer *tokenizer, int64_t id, size_t *length)
{
    *length = 0;
    if (id < 0 || id >= tokenizer->count || tokenizer->types[id] == TOKEN_CONTROL) return "";
    return token_text(tokenizer, id, length);
}

static status check_ids(const struct tokenizer *tokenizer, const int32_t *ids, int64_t count,
                        size_t *total_bytes, struct diagnostic *diagnostic)
{
    *total_bytes = 0;
    for (int64_t i = 0; i < count; i++) {
        size_t length;
        if (ids[i] < 0 || ids[i] >= tokenizer->count) {
            return fail(diagnostic, STATUS_USAGE,
                        "token %" PRId64 " of the list is %" PRId32
                        "; this model has 0 to %" PRId64,
                        i + 1, ids[i], tokenizer->count - 1);
        }
        tokenizer_bytes(tokenizer, ids[i], &length);
        *total_bytes += length;
    }
    return STATUS_OK;
}

/* Encoding puts a space in front of SentencePiece text; decoding takes it away again.  A byte token
 * is no such space. */
static bool has_space_prefix(const struct tokenizer *tokenizer, const int32_t *ids, int64_t count)
{
    size_t length = 0;
    if (!tokenizer->add_space_prefix || tokenizer->kind == TOKENIZER_BYTE_BPE) return false;
    for (int64_t i = 0; i < count; i++) {
        const char *bytes = tokenizer_bytes(tokenizer, ids[i], &length);
        if (length > 0) return *bytes == ' ' && tokenizer->types[ids[i]] != TOKEN_BYTE;
    }
    return false;
}

status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, int64_t count,
                        struct arena *arena, char **text, size_t *length,
                        struct diagnostic *diagnostic)
{
    size_t total_bytes, at = 0;
    TRY(check_ids(tokenizer, ids, count, &total_bytes, diagnostic));
    TRY_NEW(*text, arena, total_bytes + 1, diagnostic);
    for (int64_t i = 0; i < count; i++) {
        size_t token_length;
        const char *bytes = tokenizer_bytes(tokenizer, ids[i], &token_length);
        if (token_length > 0) memcpy(*text + at, bytes, token_length);
        at += token_length;
    }
    if (has_space_prefix(tokenizer, ids, count)) {
        ++*text;
        at--;
    }
    *length = at;
    return STATUS_OK;
}

size_t tokenizer_printable(const char *pending, size_t pending_length)
{
    size_t most = pending_length < UTF8_BYTES_MAX - 1 ? pending_length : UTF8_BYTES_MAX - 1;
    for (size_t held = most; held > 0; held--)
        if (utf8_is_start(pending + pending_length - held, held)) return pending_length - held;
    return pending_length;
}
