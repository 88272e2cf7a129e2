/* Moves: copies, packing and unpacking, addresses between spaces. */
#include "emulator/lanes.h"

UNARY(move_32, uint32_t, uint32_t, uint32_t, x)
UNARY(move_64, uint64_t, uint64_t, uint64_t, x)

OPERATION(move_predicate)
{
    uint32_t x = *SOURCE(uint32_t, 0), *d = DESTINATION(uint32_t);
    *d = (*d & ~warp->mask) | (x & warp->mask);
    return OUTCOME_NEXT;
}

/* "{a, b} = c": the parts from the lowest bits on; `bytes` of each. */
OPERATION(move_unpack)
{
    uint32_t bits = instruction->bytes * 8u;
    bool wide = bits * instruction->list_count == 64;
    for (uint32_t part = 0; part < instruction->list_count; part++) {
        uint32_t *d = LANES(uint32_t, instruction->list[part]);
        uint64_t mask = (UINT64_C(1) << bits) - 1;
        if (wide) {
            const uint64_t *a = SOURCE(uint64_t, 0);
            EACH_LANE(d[lane] = (uint32_t)(a[lane] >> part * bits & mask));
        } else {
            const uint32_t *a = SOURCE(uint32_t, 0);
            EACH_LANE(d[lane] = (uint32_t)(a[lane] >> part * bits & mask));
        }
    }
    return OUTCOME_NEXT;
}

OPERATION(move_pack)
{
    uint32_t bits = instruction->bytes * 8u;
    uint64_t result[WARP_LANES] = {0};
    for (uint32_t part = 0; part < instruction->list_count; part++) {
        const uint32_t *a = LANES(const uint32_t, instruction->list[part]);
        uint64_t mask = (UINT64_C(1) << bits) - 1;
        for (unsigned lane = 0; lane < WARP_LANES; lane++)
            result[lane] |= (a[lane] & mask) << part * bits;
    }
    if (bits * instruction->list_count == 64) {
        uint64_t *d = DESTINATION(uint64_t);
        EACH_LANE(d[lane] = result[lane]);
    } else {
        uint32_t *d = DESTINATION(uint32_t);
        EACH_LANE(d[lane] = (uint32_t)result[lane]);
    }
    return OUTCOME_NEXT;
}

static enum ptx_type part_type(int bytes)
{
    return bytes == 4 ? TYPE_B32 : bytes == 2 ? TYPE_B16 : TYPE_B8;
}

/* How many parts "{...}" at the lexer has. */
static int count_parts(const struct lexer *lexer)
{
    struct lexer ahead = *lexer;
    int parts = 1;
    while (ahead.token.kind != TOKEN_END && !token_is(&ahead.token, "}")) {
        parts += token_is(&ahead.token, ",");
        lexer_advance(&ahead);
    }
    return parts;
}

static status decode_vector_move(struct decoder *decoder, enum ptx_type type)
{
    struct instruction *instruction = decoder->instruction;
    uint32_t list[OPERAND_LIST_MAX];
    uint16_t count = 0;
    bool unpack = token_is(&decoder->lexer->token, "{");
    if (!unpack) {
        TRY(read_destination(decoder, type, &instruction->destination));
        TRY(read_comma(decoder));
    }
    int parts = count_parts(decoder->lexer);
    if (type_bytes(type) % parts || type_bytes(type) / parts > 4)
        return decoder_refuse(decoder, "the parts do not fit");
    instruction->bytes = (uint8_t)(type_bytes(type) / parts);
    TRY(read_registers_of(decoder, part_type(instruction->bytes), !unpack, list, &count));
    instruction->run = unpack ? move_unpack : move_pack;
    if (unpack) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, type, &instruction->sources[0]));
    }
    return keep_list(decoder, list, count);
}

static bool move_has_vector(const struct lexer *lexer)
{
    struct lexer ahead = *lexer;
    while (ahead.token.kind != TOKEN_END && !token_is(&ahead.token, ";")) {
        if (token_is(&ahead.token, "{")) return true;
        lexer_advance(&ahead);
    }
    return false;
}

static status decode_move(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    if (decoder->type_count != 1 || type_bits(decoder->types[0]) > 64)
        return decoder_refuse(decoder, "not for this type");
    enum ptx_type type = decoder->types[0];
    if (move_has_vector(decoder->lexer)) return decode_vector_move(decoder, type);
    instruction->run = type == TYPE_PREDICATE ? move_predicate
                       : type_is_wide(type)   ? move_64
                                              : move_32;
    TRY(read_destination(decoder, type, &instruction->destination));
    TRY(read_comma(decoder));
    return read_source(decoder, type, &instruction->sources[0]);
}

/* Generic addresses carry a tag; those of shared, local and parameter memory lose it. */
OPERATION(tag_address)
{
    uint64_t tag = (uint64_t)instruction->immediate, *d = DESTINATION(uint64_t);
    const uint64_t *a = SOURCE(uint64_t, 0);
    EACH_LANE(d[lane] = a[lane] | tag);
    return OUTCOME_NEXT;
}

OPERATION(untag_address)
{
    uint64_t tag = (uint64_t)instruction->immediate, *d = DESTINATION(uint64_t);
    const uint64_t *a = SOURCE(uint64_t, 0);
    EACH_LANE(d[lane] = a[lane] & ~tag);
    return OUTCOME_NEXT;
}

static uint64_t take_space_tag(struct decoder *decoder)
{
    if (decoder_take(decoder, "shared") || decoder_take(decoder, "shared::cta") ||
        decoder_take(decoder, "shared::cluster"))
        return TAG_SHARED;
    if (decoder_take(decoder, "local")) return TAG_LOCAL;
    if (decoder_take(decoder, "param") || decoder_take(decoder, "param::entry"))
        return TAG_PARAMETER;
    if (decoder_take(decoder, "global") || decoder_take(decoder, "const")) return 0;
    return 1; /* none */
}

static status decode_convert_address(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    instruction->run = decoder_take(decoder, "to") ? untag_address : tag_address;
    uint64_t tag = take_space_tag(decoder);
    if (tag == 1 || decoder->type_count != 1 || !type_is_wide(decoder->types[0]))
        return decoder_refuse(decoder, "not for this space or type");
    instruction->immediate = (int64_t)tag;
    TRY(read_destination(decoder, TYPE_B64, &instruction->destination));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B64, &instruction->sources[0]);
}

/* isspacep: the tag tells. */
OPERATION(test_space)
{
    uint64_t tag = (uint64_t)instruction->immediate;
    const uint64_t *a = SOURCE(uint64_t, 0);
    uint32_t result = 0, *d = DESTINATION(uint32_t);
    uint64_t others = TAG_SHARED | TAG_LOCAL | TAG_PARAMETER;
    for (unsigned lane = 0; lane < WARP_LANES; lane++)
        result |= (uint32_t)(tag ? (a[lane] & tag) != 0 : !(a[lane] & others)) << lane;
    *d = (*d & ~warp->mask) | (result & warp->mask);
    return OUTCOME_NEXT;
}

static status decode_test_space(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    uint64_t tag = take_space_tag(decoder);
    if (tag == 1) return decoder_refuse(decoder, "not for this space");
    instruction->immediate = (int64_t)tag;
    instruction->run = test_space;
    TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination));
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B64, &instruction->sources[0]);
}

/* createpolicy: a hint for a cache that is not modelled. */
static status decode_policy(struct decoder *decoder, const struct opcode *opcode)
{
    (void)opcode;
    for (int i = 0; i < decoder->part_count; i++) decoder->parts[i].taken = true;
    decoder->instruction->run = move_64;
    TRY(read_destination(decoder, TYPE_B64, &decoder->instruction->destination));
    struct constant zero = {.wide = true};
    TRY(constant_register(decoder->parser, zero, &decoder->instruction->sources[0]));
    while (!token_is(&decoder->lexer->token, ";") && decoder->lexer->token.kind != TOKEN_END)
        lexer_advance(decoder->lexer);
    return STATUS_OK;
}

const struct opcode opcodes_move[] = {
    {"mov", NULL, NULL, CATEGORY_MOVE, decode_move},
    {"cvta", NULL, NULL, CATEGORY_MOVE, decode_convert_address},
    {"isspacep", NULL, NULL, CATEGORY_INTEGER, decode_test_space},
    {"createpolicy", NULL, NULL, CATEGORY_MOVE, decode_policy},
    {0},
};
