/* The unigram model: a trie of tokens, and the best way through it by dynamic programming, from the front. */
#include "models/tokenizer_unigram.h"

#include "models/tokenizer_encoder.h"
#include "models/tokenizer_utf8.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const double UNKNOWN_PENALTY = 10; /* below the least score, in both libraries */

struct building {
    uint64_t *keys, mask;
    uint32_t *children, node_count;
    int32_t *ids;
};

static uint64_t place_of(uint64_t key, uint64_t mask)
{
    key *= 0x9e3779b97f4a7c15u; /* an odd number with well spread bits */
    return (key ^ key >> 32) & mask;
}

/* The child's place in the table, or the free place where it belongs. */
static uint64_t find_place(const uint64_t *keys, uint64_t mask, uint32_t node, uint8_t byte)
{
    uint64_t key = ((uint64_t)node << 8 | byte) + 1, place = place_of(key, mask);
    while (keys[place] && keys[place] != key) place = (place + 1) & mask;
    return place;
}

static void insert(struct building *building, const char *text, size_t length, int32_t id)
{
    uint32_t node = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        uint64_t place = find_place(building->keys, building->mask, node, byte);
        if (!building->keys[place]) {
            building->keys[place] = ((uint64_t)node << 8 | byte) + 1;
            building->children[place] = building->node_count;
            building->ids[building->node_count++] = -1;
        }
        node = building->children[place];
    }
    if (building->ids[node] < 0) building->ids[node] = id;
}

/* Tokens that text can become. */
static bool is_reachable(const struct tokenizer *tokenizer, int64_t id)
{
    size_t length;
    const char *text = token_text(tokenizer, id, &length);
    return length > 0 &&
           (tokenizer->types[id] == TOKEN_NORMAL || tokenizer->types[id] == TOKEN_USER_DEFINED) &&
           tokenizer_find(tokenizer, text, length) == id;
}

/* What is inserted for a token: tokenizer.json's byte tokens can be spelled, too. */
static bool trie_text(const struct tokenizer_source *source, const struct tokenizer *tokenizer,
                      int64_t id, const char **text, size_t *length)
{
    bool spelled = source->exact_scores && tokenizer->types[id] == TOKEN_BYTE;
    *text = spelled ? source->tokens[id] : token_text(tokenizer, id, length);
    if (spelled) *length = (size_t)source->token_lengths[id];
    return spelled || is_reachable(tokenizer, id);
}

static status build(const struct tokenizer_source *source, struct tokenizer *tokenizer,
                    struct arena *arena, struct diagnostic *diagnostic)
{
    struct building building = {.mask = 1, .node_count = 1};
    size_t bytes = 1;
    for (int64_t id = 0; id < tokenizer->count; id++) {
        const char *text;
        size_t length;
        if (trie_text(source, tokenizer, id, &text, &length)) bytes += length;
    }
    while (building.mask < 2 * bytes) building.mask = 2 * building.mask + 1;
    TRY_NEW(building.keys, arena, building.mask + 1, diagnostic);
    TRY_NEW(building.children, arena, building.mask + 1, diagnostic);
    TRY_NEW(building.ids, arena, bytes, diagnostic);
    building.ids[0] = -1;
    for (int32_t id = 0; id < tokenizer->count; id++) {
        const char *text;
        size_t length;
        if (trie_text(source, tokenizer, id, &text, &length)) insert(&building, text, length, id);
    }
    struct unigram *unigram = &tokenizer->unigram;
    unigram->keys = building.keys;
    unigram->children = building.children;
    unigram->ids = building.ids;
    unigram->mask = building.mask;
    return STATUS_OK;
}

static status load_scores(const struct tokenizer_source *source, struct arena *arena,
                          struct tokenizer *tokenizer, struct diagnostic *diagnostic)
{
    double *scores, least = DBL_MAX;
    if (!source->scores && !source->exact_scores)
        return fail(diagnostic, STATUS_BAD_INPUT, "%.500s: the vocabulary has no scores",
                    source->file);
    TRY_NEW(scores, arena, source->token_count, diagnostic);
    for (int64_t id = 0; id < source->token_count; id++) {
        size_t length;
        token_text(tokenizer, id, &length);
        scores[id] = source->exact_scores ? source->exact_scores[id] : (double)source->scores[id];
        if (!isfinite(scores[id]))
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.500s: the score of token %" PRId64 " is no number", source->file, id);
        if (length > UNIGRAM_TOKEN_BYTES_MAX)
            return fail(diagnostic, STATUS_BAD_INPUT,
                        "%.500s: token %" PRId64
                        " has %zu bytes; at most %d are allowed in a unigram vocabulary",
                        source->file, id, length, UNIGRAM_TOKEN_BYTES_MAX);
        bool counts = source->exact_scores || tokenizer->types[id] == TOKEN_NORMAL;
        if (counts && scores[id] < least) least = scores[id];
    }
    tokenizer->unigram.scores = scores;
    tokenizer->unigram.narrow = !source->exact_scores;
    least = (least == DBL_MAX ? 0 : least) - UNKNOWN_PENALTY;
    tokenizer->unigram.unknown_score = source->exact_scores ? least : (double)(float)least;
    return STATUS_OK;
}

status unigram_load(const struct tokenizer_source *source, struct arena *arena,
                    struct tokenizer *tokenizer, struct diagnostic *diagnostic)
{
    if (source->unknown < 0)
        return fail(diagnostic, STATUS_BAD_INPUT,
                    "%.500s: a unigram vocabulary needs an unknown token, and none is named",
                    source->file);
    TRY(load_scores(source, arena, tokenizer, diagnostic));
    return build(source, tokenizer, arena, diagnostic);
}

/* The best cut of the piece up to a byte. */
struct best {
    double score;
    int32_t begin, id; /* of the last token; begin -1: nothing ends here */
};

static void offer(const struct unigram *unigram, struct best *bests, size_t begin, size_t end,
                  int32_t id, double score)
{
    double sum = bests[begin].score + score;
    struct best *best = &bests[end];
    if (unigram->narrow) sum = (double)(float)sum;
    if (best->begin < 0 || sum > best->score) *best = (struct best){sum, (int32_t)begin, id};
}

/* All tokens that begin at `at`, and the character there as an unknown one if it is no token itself. */
static void extend(const struct unigram *unigram, struct best *bests, const char *piece,
                   size_t length, size_t at, size_t character)
{
    uint32_t node = 0;
    bool single = false;
    for (size_t end = at; end < length;) {
        uint64_t place = find_place(unigram->keys, unigram->mask, node, (uint8_t)piece[end++]);
        if (!unigram->keys[place]) break;
        node = unigram->children[place];
        int32_t id = unigram->ids[node];
        if (id < 0) continue;
        offer(unigram, bests, at, end, id, unigram->scores[id]);
        single |= end - at == character;
    }
    if (!single) offer(unigram, bests, at, at + character, -1, unigram->unknown_score);
}

/* The ends of the best cut's tokens, from the back; the chain is turned around in place. */
static void turn_around(struct best *bests, size_t length)
{
    int32_t end = (int32_t)length, next = -1;
    while (end > 0) {
        int32_t begin = bests[end].begin;
        bests[end].begin = next; /* from now on: where the next token ends */
        next = end;
        end = begin;
    }
    bests[0].begin = next;
}

status encoder_unigram(struct encoder *encoder, const char *piece, size_t length)
{
    const struct unigram *unigram = &encoder->tokenizer->unigram;
    struct best *bests;
    if (length == 0) return STATUS_OK;
    TRY_NEW(bests, encoder->arena, length + 1, encoder->diagnostic);
    for (size_t i = 1; i <= length; i++) bests[i].begin = -1;
    for (size_t at = 0, step; at < length; at += step) {
        step = utf8_character(piece + at, length - at);
        if (!step) step = 1;
        extend(unigram, bests, piece, length, at, step);
    }
    turn_around(bests, length);
    encoder->after_unknown = false;
    for (int32_t begin = 0, end = bests[0].begin; end > 0; begin = end, end = bests[end].begin) {
        if (bests[end].id < 0) {
            TRY(encoder_append_bytes(encoder, piece + begin, (size_t)(end - begin)));
            continue;
        }
        encoder->after_unknown = false;
        TRY(encoder_append(encoder, bests[end].id));
    }
    return STATUS_OK;
}
