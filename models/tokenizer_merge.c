/* Byte pair encoding of one piece of text.
 *
 * The piece starts as a chain of symbols, bytes or characters.  Of all neighbours that can merge,
 * those with the least priority value do so first, the leftmost of equals; a heap holds the
 * candidates.  A merge changes only its own place in the chain and makes at most two new
 * candidates, so n symbols take O(n log n) steps whatever the text.  Candidates that a merge has
 * made stale stay in the heap and are known by the length of what they would merge. */
#include "models/tokenizer_encoder.h"
#include "models/tokenizer_utf8.h"

#include <string.h>

/* Symbols are numbered by the byte that they start at.  A symbol that was merged into its left
 * neighbour is out of the chain and keeps what is needed to undo that. */
struct symbol {
    int32_t previous, next; /* -1: none */
    int32_t length;         /* bytes; 0: merged into the left neighbour */
    int32_t id;             /* -1: no token */
    int32_t absorbed;       /* the symbol merged into this one last; -1: none */
    int32_t undo_length, undo_left_id, undo_left_absorbed;
};

struct candidate {
    uint64_t order; /* priority, then the number of the left symbol */
    int32_t length; /* of both symbols together */
    int32_t merged;
};

static void push(struct encoder *encoder, struct candidate candidate)
{
    struct candidate *heap = encoder->heap;
    size_t at = encoder->heap_count++;
    while (at > 0 && heap[(at - 1) / 2].order > candidate.order) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = candidate;
}

static struct candidate pop(struct encoder *encoder)
{
    struct candidate *heap = encoder->heap, first = heap[0], last = heap[--encoder->heap_count];
    size_t count = encoder->heap_count, at = 0;
    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1].order < heap[child].order) child++;
        if (heap[child].order >= last.order) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = last;
    return first;
}

/* Puts the pair that starts with symbol `left` into the heap, if it can merge. */
static void consider(struct encoder *encoder, int32_t left)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    const struct symbol *symbols = encoder->symbols;
    int32_t right = symbols[left].next;
    if (right < 0) return;
    int32_t length = symbols[left].length + symbols[right].length, merged;
    uint32_t priority;
    if (tokenizer->kind == TOKENIZER_SENTENCEPIECE) {
        merged = tokenizer_find(tokenizer, encoder->piece + left, (size_t)length);
        if (merged < 0) return;
        priority = tokenizer->priorities[merged];
    } else {
        if (symbols[left].id < 0 || symbols[right].id < 0) return;
        const struct merge *merge =
            tokenizer_find_merge(tokenizer, symbols[left].id, symbols[right].id);
        if (!merge) return;
        merged = merge->merged;
        priority = merge->priority;
    }
    uint64_t order = (uint64_t)priority << 32 | (uint32_t)left;
    push(encoder, (struct candidate){order, length, merged});
}

/* The chain at the beginning.  Bytes that are no UTF-8 are symbols of their own. */
static void split(struct encoder *encoder, size_t length)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    int32_t previous = -1;
    for (size_t at = 0; at < length;) {
        const char *text = encoder->piece + at;
        size_t step = 1;
        int32_t id;
        if (tokenizer->kind == TOKENIZER_SENTENCEPIECE) {
            step = utf8_character(text, length - at);
            if (step == 0) step = 1;
            id = tokenizer_find(tokenizer, text, step);
        } else {
            id = tokenizer->byte_tokens[(uint8_t)*text];
        }
        if (previous >= 0) encoder->symbols[previous].next = (int32_t)at;
        encoder->symbols[at] = (struct symbol){
            .previous = previous, .next = -1, .length = (int32_t)step, .id = id, .absorbed = -1};
        previous = (int32_t)at;
        at += step;
    }
}

static void join(struct encoder *encoder, int32_t left, int32_t merged)
{
    struct symbol *symbols = encoder->symbols, *symbol = &symbols[left];
    int32_t right = symbol->next;
    struct symbol *other = &symbols[right];
    other->undo_length = other->length;
    other->undo_left_id = symbol->id;
    other->undo_left_absorbed = symbol->absorbed;
    symbol->length += other->length;
    symbol->id = merged;
    symbol->absorbed = right;
    symbol->next = other->next;
    if (other->next >= 0) symbols[other->next].previous = left;
    other->length = 0;
}

static void undo_join(struct encoder *encoder, int32_t left)
{
    struct symbol *symbols = encoder->symbols, *symbol = &symbols[left];
    struct symbol *other = &symbols[symbol->absorbed];
    int32_t right = symbol->absorbed;
    other->length = other->undo_length;
    symbol->length -= other->length;
    symbol->id = other->undo_left_id;
    symbol->absorbed = other->undo_left_absorbed;
    other->next = symbol->next; /* `previous` is of no use any more */
    symbol->next = right;
}

static void merge_all(struct encoder *encoder)
{
    while (encoder->heap_count > 0) {
        struct candidate candidate = pop(encoder);
        int32_t left = (int32_t)(uint32_t)candidate.order;
        const struct symbol *symbol = &encoder->symbols[left];
        if (symbol->length == 0 || symbol->next < 0 ||
            symbol->length + encoder->symbols[symbol->next].length != candidate.length)
            continue;
        join(encoder, left, candidate.merged);
        if (symbol->previous >= 0) consider(encoder, symbol->previous);
        consider(encoder, left);
    }
}

static status append_unknown(struct encoder *encoder, uint8_t byte)
{
    const struct tokenizer *tokenizer = encoder->tokenizer;
    if (tokenizer->unknown < 0)
        return fail(encoder->diagnostic, STATUS_BAD_INPUT,
                    "the text holds the byte 0x%02x, for which the model's vocabulary has no token",
                    byte);
    bool again = encoder->after_unknown; /* a run of them is one token */
    encoder->after_unknown = true;
    return again ? STATUS_OK : encoder_append(encoder, tokenizer->unknown);
}

/* A symbol that is no token becomes the tokens of its bytes. */
status encoder_append_bytes(struct encoder *encoder, const char *text, size_t length)
{
    const int32_t *byte_tokens = encoder->tokenizer->byte_tokens;
    if (encoder->tokenizer->kind != TOKENIZER_BYTE_BPE && *text == ' ') {
        text = SPACE_MARK;
        length = SPACE_MARK_BYTES;
    }
    for (size_t i = 0; i < length; i++)
        if (byte_tokens[(uint8_t)text[i]] < 0) return append_unknown(encoder, (uint8_t)text[i]);
    for (size_t i = 0; i < length; i++) TRY(encoder_append(encoder, byte_tokens[(uint8_t)text[i]]));
    encoder->after_unknown = false;
    return STATUS_OK;
}

/* SentencePiece's unused tokens serve as steps of merging only: what such a token was merged from
 * stands for it. */
static bool is_step(const struct tokenizer *tokenizer, const struct symbol *symbol)
{
    return symbol->absorbed >= 0 && tokenizer->kind == TOKENIZER_SENTENCEPIECE &&
           tokenizer->types[symbol->id] == TOKEN_UNUSED;
}

static status append_symbols(struct encoder *encoder)
{
    for (int32_t at = 0; at >= 0; at = encoder->symbols[at].next) {
        const struct symbol *symbol = &encoder->symbols[at];
        while (is_step(encoder->tokenizer, symbol)) undo_join(encoder, at);
        if (symbol->id < 0) {
            TRY(encoder_append_bytes(encoder, encoder->piece + at, (size_t)symbol->length));
            continue;
        }
        encoder->after_unknown = false;
        TRY(encoder_append(encoder, symbol->id));
    }
    return STATUS_OK;
}

/* A heap of candidates: one per pair at first; each merge takes one out and puts two in at most. */
static status reserve(struct encoder *encoder, size_t length)
{
    if (length <= encoder->symbol_capacity) return STATUS_OK;
    size_t capacity = 2 * encoder->symbol_capacity;
    if (capacity < length) capacity = length;
    encoder->symbol_capacity = 0;
    TRY_NEW(encoder->symbols, encoder->arena, capacity, encoder->diagnostic);
    TRY_NEW(encoder->heap, encoder->arena, 2 * capacity, encoder->diagnostic);
    encoder->symbol_capacity = capacity;
    return STATUS_OK;
}

status encoder_merge(struct encoder *encoder, const char *piece, size_t length)
{
    if (length == 0) return STATUS_OK;
    TRY(reserve(encoder, length));
    encoder->piece = piece;
    encoder->heap_count = 0;
    encoder->after_unknown = false;
    split(encoder, length);
    for (int32_t at = 0; at >= 0; at = encoder->symbols[at].next) consider(encoder, at);
    merge_all(encoder);
    return append_symbols(encoder);
}
