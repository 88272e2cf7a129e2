/* What the lanes of a warp tell each other: shuffles, votes, matches, reductions. */
#include "emulator/lanes.h"

enum exchange_kind { UP, DOWN, BUTTERFLY, INDEX };
enum vote_kind { VOTE_ALL, VOTE_ANY, VOTE_UNIFORM, VOTE_BALLOT };

static uint32_t first_lane(const struct warp *warp)
{
    return (uint32_t)__builtin_ctz(warp->mask);
}

/* The lane that `lane` reads from, and whether it is in range. */
static uint32_t shuffle_source(uint8_t kind, uint32_t lane, uint32_t b, uint32_t c, bool *in_range)
{
    uint32_t segment = c >> 8 & 31, clamp = c & 31, amount = b & 31;
    int most = (int)((lane & segment) | (clamp & ~segment)), from = 0;
    switch (kind) {
    case UP: from = (int)lane - (int)amount; break;
    case DOWN: from = (int)lane + (int)amount; break;
    case BUTTERFLY: from = (int)(lane ^ amount); break;
    default: from = (int)((lane & segment) | (amount & ~segment)); break;
    }
    *in_range = kind == UP ? from >= most : from <= most;
    return *in_range ? (uint32_t)from : lane;
}

OPERATION(shuffle)
{
    enum outcome outcome;
    uint32_t members = SOURCE(uint32_t, 3)[first_lane(warp)], result[WARP_LANES], range = 0;
    const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1), *c = SOURCE(uint32_t, 2);
    if (!warp_gathers(warp, instruction, members, &outcome)) return outcome;
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        uint32_t lane = (uint32_t)__builtin_ctz(left);
        bool in_range;
        uint32_t from = shuffle_source(instruction->count, lane, b[lane], c[lane], &in_range);
        if (!(warp->mask >> from & 1))
            return warp_fault(warp, instruction, MACHINE_DIVERGENCE,
                              "lane %u reads from lane %u, which is not here", lane, from);
        result[lane] = a[from];
        range |= (uint32_t)in_range << lane;
    }
    uint32_t *d = DESTINATION(uint32_t);
    EACH_LANE(d[lane] = result[lane]);
    if (instruction->destination2 != NO_REGISTER) {
        uint32_t *p = LANES(uint32_t, instruction->destination2);
        *p = (*p & ~warp->mask) | range;
    }
    return OUTCOME_NEXT;
}

static status decode_shuffle(struct decoder *decoder, const struct opcode *opcode)
{
    static const char *const kinds[] = {"up", "down", "bfly", "idx"};
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    uint8_t kind = 0;
    while (kind < 4 && !decoder_take(decoder, kinds[kind])) kind++;
    if (kind == 4 || decoder->type_count != 1 || type_bits(decoder->types[0]) != 32)
        return decoder_refuse(decoder, "not for this kind or type");
    instruction->count = kind;
    instruction->run = shuffle;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    if (lexer_take(decoder->lexer, "|"))
        TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination2));
    for (int i = 0; i < 4; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[i]));
    }
    return STATUS_OK;
}

OPERATION(vote)
{
    enum outcome outcome;
    uint32_t members = SOURCE(uint32_t, 1)[first_lane(warp)], votes = *SOURCE(uint32_t, 0);
    if (!warp_gathers(warp, instruction, members, &outcome)) return outcome;
    if (instruction->flags & FLAG_NEGATE) votes = ~votes;
    votes &= warp->mask;
    if (instruction->count == VOTE_BALLOT) {
        uint32_t *d = DESTINATION(uint32_t);
        EACH_LANE(d[lane] = votes);
        return OUTCOME_NEXT;
    }
    bool all = votes == warp->mask;
    bool result = instruction->count == VOTE_ALL   ? all
                  : instruction->count == VOTE_ANY ? votes != 0
                                                   : all || !votes;
    uint32_t *p = DESTINATION(uint32_t);
    *p = (*p & ~warp->mask) | (result ? warp->mask : 0);
    return OUTCOME_NEXT;
}

static status decode_vote(struct decoder *decoder, const struct opcode *opcode)
{
    static const char *const kinds[] = {"all", "any", "uni", "ballot"};
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    uint8_t kind = 0;
    while (kind < 4 && !decoder_take(decoder, kinds[kind])) kind++;
    if (kind == 4) return decoder_refuse(decoder, "it has no kind");
    instruction->count = kind;
    instruction->run = vote;
    TRY(read_destination(decoder, kind == VOTE_BALLOT ? TYPE_B32 : TYPE_PREDICATE,
                         &instruction->destination));
    TRY(read_comma(decoder));
    TRY(read_predicate(decoder, &instruction->sources[0]));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B32, &instruction->sources[1]);
}

OPERATION(active_mask)
{
    uint32_t *d = DESTINATION(uint32_t), mask = warp->mask;
    EACH_LANE(d[lane] = mask);
    return OUTCOME_NEXT;
}

static status decode_active_mask(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    decoder->instruction->run = active_mask;
    return read_destination(decoder, TYPE_B32, &decoder->instruction->destination);
}

/* match.any: the lanes with the same value; match.all: all of them or none. */
OPERATION(match)
{
    enum outcome outcome;
    bool wide = instruction->bytes == 8;
    uint32_t members = SOURCE(uint32_t, 1)[first_lane(warp)], same[WARP_LANES] = {0};
    const uint32_t *a = SOURCE(uint32_t, 0);
    const uint64_t *w = SOURCE(uint64_t, 0);
    if (!warp_gathers(warp, instruction, members, &outcome)) return outcome;
    for (unsigned i = 0; i < WARP_LANES; i++)
        for (unsigned j = 0; j < WARP_LANES; j++) {
            bool equal = wide ? w[i] == w[j] : a[i] == a[j];
            if (lane_runs(warp, i) && lane_runs(warp, j) && equal) same[i] |= 1u << j;
        }
    uint32_t *d = DESTINATION(uint32_t), mask = warp->mask;
    bool all = same[first_lane(warp)] == mask;
    EACH_LANE(d[lane] = instruction->count ? all ? mask : 0 : same[lane]);
    if (instruction->destination2 != NO_REGISTER) {
        uint32_t *p = LANES(uint32_t, instruction->destination2);
        *p = (*p & ~mask) | (all ? mask : 0);
    }
    return OUTCOME_NEXT;
}

static status decode_match(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    instruction->count = decoder_take(decoder, "all");
    if (!instruction->count && !decoder_take(decoder, "any"))
        return decoder_refuse(decoder, "it has no kind");
    instruction->bytes = (uint8_t)type_bytes(decoder->types[0]);
    instruction->run = match;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    if (lexer_take(decoder->lexer, "|"))
        TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination2));
    TRY(read_comma(decoder));
    TRY(read_source(decoder, decoder->types[0], &instruction->sources[0]));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B32, &instruction->sources[1]);
}

enum reduction_kind { REDUCE_ADD, REDUCE_MIN, REDUCE_MAX, REDUCE_AND, REDUCE_OR, REDUCE_XOR };

static uint32_t reduce_two(uint8_t kind, bool is_signed, uint32_t x, uint32_t y)
{
    bool less = is_signed ? (int32_t)x < (int32_t)y : x < y;
    switch (kind) {
    case REDUCE_ADD: return x + y;
    case REDUCE_MIN: return less ? x : y;
    case REDUCE_MAX: return less ? y : x;
    case REDUCE_AND: return x & y;
    case REDUCE_OR: return x | y;
    default: return x ^ y;
    }
}

OPERATION(reduce)
{
    enum outcome outcome;
    uint32_t members = SOURCE(uint32_t, 1)[first_lane(warp)], *d = DESTINATION(uint32_t);
    const uint32_t *a = SOURCE(uint32_t, 0);
    if (!warp_gathers(warp, instruction, members, &outcome)) return outcome;
    uint32_t result = a[first_lane(warp)];
    for (uint32_t left = warp->mask & (warp->mask - 1); left; left &= left - 1)
        result = reduce_two(instruction->count, instruction->type == TYPE_S32, result,
                            a[__builtin_ctz(left)]);
    EACH_LANE(d[lane] = result);
    return OUTCOME_NEXT;
}

static status decode_reduce(struct decoder *decoder, const struct opcode *opcode)
{
    static const char *const kinds[] = {"add", "min", "max", "and", "or", "xor"};
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    uint8_t kind = 0;
    while (kind < 6 && !decoder_take(decoder, kinds[kind])) kind++;
    if (kind == 6 || type_bits(decoder->types[0]) != 32 ||
        type_kind(decoder->types[0]) == KIND_FLOAT)
        return decoder_refuse(decoder, "not for this kind or type");
    instruction->count = kind;
    instruction->type = (uint8_t)decoder->types[0];
    instruction->run = reduce;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    TRY(read_comma(decoder));
    TRY(read_source(decoder, TYPE_B32, &instruction->sources[0]));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B32, &instruction->sources[1]);
}

/* elect.sync: the lowest lane. */
OPERATION(elect)
{
    enum outcome outcome;
    uint32_t members = SOURCE(uint32_t, 0)[first_lane(warp)], *d = DESTINATION(uint32_t);
    if (!warp_gathers(warp, instruction, members, &outcome)) return outcome;
    uint32_t chosen = first_lane(warp), *p = LANES(uint32_t, instruction->destination2);
    EACH_LANE(d[lane] = chosen);
    *p = (*p & ~warp->mask) | 1u << chosen;
    return OUTCOME_NEXT;
}

static status decode_elect(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    instruction->run = elect;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    TRY(lexer_expect(decoder->lexer, "|"));
    TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination2));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B32, &instruction->sources[0]);
}

const struct opcode opcodes_exchange[] = {
    {"shfl.sync", NULL, NULL, CATEGORY_EXCHANGE, decode_shuffle},
    {"vote.sync", NULL, NULL, CATEGORY_EXCHANGE, decode_vote},
    {"match.sync", NULL, NULL, CATEGORY_EXCHANGE, decode_match},
    {"redux.sync", NULL, NULL, CATEGORY_EXCHANGE, decode_reduce},
    {"activemask", NULL, NULL, CATEGORY_EXCHANGE, decode_active_mask},
    {"elect.sync", NULL, NULL, CATEGORY_EXCHANGE, decode_elect},
    {0},
};
