/* Byte BPE's merges: a table from two neighbouring tokens to the token that they become. */
#include "models/tokenizer_alphabet.h"
#include "models/tokenizer_internal.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

/* Any odd number with well mixed bits: the upper half of a product with it depends on all bits. */
#define MIXER UINT64_C(0x9e3779b97f4a7c15)

static uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

/* Where the pair is, or the free place where it would go. */
static struct merge *place_of(const struct merge_table *table, uint64_t pair)
{
    uint64_t product = pair * MIXER;
    uint64_t place = (product ^ (product >> 32)) & table->mask;
    while (table->merges[place].priority && table->merges[place].pair != pair)
        place = (place + 1) & table->mask;
    return &table->merges[place];
}

const struct merge *tokenizer_find_merge(const struct tokenizer *tokenizer, int32_t left,
                                         int32_t right)
{
    const struct merge *merge = place_of(&tokenizer->merges, pair_of(left, right));
    return merge->priority ? merge : NULL;
}

static status fail_merge(const struct tokenizer_source *source, int64_t index,
                         const char *complaint, struct diagnostic *diagnostic)
{
    char excerpt[EXCERPT_BYTES];
    utf8_excerpt(source->merges[index], (size_t)source->merge_lengths[index], excerpt);
    return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: merge %" PRId64 ", '%s', %s", source->file,
                index, excerpt, complaint);
}

/* The two parts of a merge as bytes, one behind the other. */
struct parts {
    size_t left_bytes, right_bytes;
    char bytes[2 * TOKEN_BYTES_MAX];
};

static status split(const struct tokenizer_source *source, int64_t index, struct parts *parts,
                    struct diagnostic *diagnostic)
{
    const char *text = source->merges[index];
    int32_t length = source->merge_lengths[index];
    if (length < 0 || length > 2 * TOKEN_BYTES_MAX)
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: merge %" PRId64 " has %" PRId32 " bytes",
                    source->file, index, length);
    const char *space = memchr(text, ' ', (size_t)length);
    size_t left = space ? (size_t)(space - text) : 0;
    size_t right = space ? (size_t)length - left - 1 : 0;
    if (left == 0 || right == 0 || memchr(space + 1, ' ', right))
        return fail_merge(source, index, "must be two tokens with one space between", diagnostic);
    if (!alphabet_decode(text, left, parts->bytes, &parts->left_bytes) ||
        !alphabet_decode(space + 1, right, parts->bytes + parts->left_bytes, &parts->right_bytes))
        return fail_merge(source, index, "has a character that stands for no byte", diagnostic);
    return STATUS_OK;
}

static status take_merge(const struct tokenizer_source *source, int64_t index,
                         struct tokenizer *tokenizer, struct tokenizer_oddities *oddities,
                         struct diagnostic *diagnostic)
{
    struct parts parts;
    TRY(split(source, index, &parts, diagnostic));
    int32_t left = tokenizer_find(tokenizer, parts.bytes, parts.left_bytes);
    int32_t right = tokenizer_find(tokenizer, parts.bytes + parts.left_bytes, parts.right_bytes);
    int32_t merged = tokenizer_find(tokenizer, parts.bytes, parts.left_bytes + parts.right_bytes);
    if (left < 0) return fail_merge(source, index, "starts with what is no token", diagnostic);
    if (right < 0) return fail_merge(source, index, "ends with what is no token", diagnostic);
    if (merged < 0) return fail_merge(source, index, "makes what is no token", diagnostic);
    struct merge *merge = place_of(&tokenizer->merges, pair_of(left, right));
    if (merge->priority) {
        if (oddities->duplicate_merges++ == 0) oddities->first_merge = index;
        return STATUS_OK;
    }
    *merge = (struct merge){pair_of(left, right), merged, (uint32_t)index + 1};
    return STATUS_OK;
}

status tokenizer_load_merges(const struct tokenizer_source *source, struct arena *arena,
                             struct tokenizer *tokenizer, struct tokenizer_oddities *oddities,
                             struct diagnostic *diagnostic)
{
    struct merge_table *table = &tokenizer->merges;
    uint64_t places = 2;
    if (source->merge_count < 0 || source->merge_count > MERGES_MAX) {
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: a list of %" PRId64 " merges; at most %d can be loaded", source->file,
                    source->merge_count, MERGES_MAX);
    }
    while (places < (uint64_t)source->merge_count * 3 / 2 + 1) places *= 2;
    TRY_NEW(table->merges, arena, places, diagnostic);
    table->mask = places - 1;
    for (int64_t i = 0; i < source->merge_count; i++)
        TRY(take_merge(source, i, tokenizer, oddities, diagnostic));
    return STATUS_OK;
}
