/* Comparisons and selections. */
#include "emulator/lanes.h"
#include "emulator/number.h"

#include <math.h>

/* The comparisons of setp: what is true for less, equal, greater and unordered. */
enum { LESS = 1, EQUAL = 2, GREATER = 4, UNORDERED = 8 };

static const struct {
    const char *name;
    int truth;
} comparisons[] = {
    {"eq", EQUAL},
    {"ne", LESS | GREATER},
    {"lt", LESS},
    {"le", LESS | EQUAL},
    {"gt", GREATER},
    {"ge", GREATER | EQUAL},
    {"lo", LESS},
    {"ls", LESS | EQUAL},
    {"hi", GREATER},
    {"hs", GREATER | EQUAL},
    {"equ", EQUAL | UNORDERED},
    {"neu", LESS | GREATER | UNORDERED},
    {"ltu", LESS | UNORDERED},
    {"leu", LESS | EQUAL | UNORDERED},
    {"gtu", GREATER | UNORDERED},
    {"geu", GREATER | EQUAL | UNORDERED},
    {"num", LESS | EQUAL | GREATER},
    {"nan", UNORDERED},
};

#define COMPARE_LOOP(storage, value)                                                               \
    {                                                                                              \
        const storage *a = SOURCE(storage, 0), *b = SOURCE(storage, 1);                            \
        for (unsigned lane = 0; lane < WARP_LANES; lane++) {                                       \
            value x = (value)a[lane], y = (value)b[lane];                                          \
            less |= (uint32_t)(x < y) << lane;                                                     \
            greater |= (uint32_t)(x > y) << lane;                                                  \
            equal |= (uint32_t)(x == y) << lane;                                                   \
        }                                                                                          \
    }

#define HALF_LOOP(decode)                                                                          \
    {                                                                                              \
        const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1);                         \
        for (unsigned lane = 0; lane < WARP_LANES; lane++) {                                       \
            float x = decode((uint16_t)(a[lane] >> shift));                                        \
            float y = decode((uint16_t)(b[lane] >> shift));                                        \
            less |= (uint32_t)(x < y) << lane;                                                     \
            greater |= (uint32_t)(x > y) << lane;                                                  \
            equal |= (uint32_t)(x == y) << lane;                                                   \
        }                                                                                          \
    }

/* `shift`: to the half of a pair. */
static uint32_t compare(const struct warp *warp, const struct instruction *instruction,
                        unsigned shift)
{
    uint32_t less = 0, equal = 0, greater = 0, result = 0;
    switch (instruction->type) {
    case TYPE_U16:
    case TYPE_B16: COMPARE_LOOP(uint32_t, uint16_t) break;
    case TYPE_S16: COMPARE_LOOP(uint32_t, int16_t) break;
    case TYPE_U32:
    case TYPE_B32: COMPARE_LOOP(uint32_t, uint32_t) break;
    case TYPE_S32: COMPARE_LOOP(uint32_t, int32_t) break;
    case TYPE_U64:
    case TYPE_B64: COMPARE_LOOP(uint64_t, uint64_t) break;
    case TYPE_S64: COMPARE_LOOP(uint64_t, int64_t) break;
    case TYPE_F32: COMPARE_LOOP(float, float) break;
    case TYPE_F64: COMPARE_LOOP(double, double) break;
    case TYPE_F16:
    case TYPE_F16X2: HALF_LOOP(f16_decode) break;
    default: HALF_LOOP(bf16_decode) break;
    }
    if (instruction->count & LESS) result |= less;
    if (instruction->count & EQUAL) result |= equal;
    if (instruction->count & GREATER) result |= greater;
    if (instruction->count & UNORDERED) result |= ~(less | equal | greater);
    return result;
}

static void write_predicate(struct warp *warp, uint32_t offset, uint32_t value)
{
    uint32_t *d = LANES(uint32_t, offset);
    *d = (*d & ~warp->mask) | (value & warp->mask);
}

static uint32_t combine(uint32_t a, uint32_t b, uint8_t how)
{
    return how == 'a' ? a & b : how == 'o' ? a | b : how == 'x' ? a ^ b : a;
}

OPERATION(set_predicate)
{
    uint32_t result = compare(warp, instruction, 0), other = 0, second = ~result;
    bool pair = instruction->type == TYPE_F16X2 || instruction->type == TYPE_BF16X2;
    if (pair) second = compare(warp, instruction, 16);
    if (instruction->space) {
        other = *SOURCE(uint32_t, 2);
        if (instruction->flags & FLAG_NEGATE) other = ~other;
    }
    if (instruction->destination2)
        write_predicate(warp, instruction->destination2,
                        combine(second, other, instruction->space));
    write_predicate(warp, instruction->destination, combine(result, other, instruction->space));
    return OUTCOME_NEXT;
}

/* set: the result as a number, all ones or 1.0. */
OPERATION(set_number)
{
    uint32_t result = compare(warp, instruction, 0), *d = DESTINATION(uint32_t);
    uint32_t one = instruction->type2 == TYPE_F32 ? 0x3f800000u : UINT32_MAX;
    EACH_LANE(d[lane] = result >> lane & 1 ? one : 0);
    return OUTCOME_NEXT;
}

static bool type_compares(enum ptx_type type)
{
    return type == TYPE_B16 || type == TYPE_B32 || type == TYPE_B64 || type == TYPE_U16 ||
           type == TYPE_S16 || type == TYPE_U32 || type == TYPE_S32 || type == TYPE_U64 ||
           type == TYPE_S64 || type == TYPE_F32 || type == TYPE_F64 || type == TYPE_F16 ||
           type == TYPE_BF16;
}

static status take_comparison(struct decoder *decoder)
{
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++)
        if (decoder_take(decoder, comparisons[i].name)) {
            decoder->instruction->count = (uint8_t)comparisons[i].truth;
            decoder_take(decoder, "ftz");
            return STATUS_OK;
        }
    return decoder_refuse(decoder, "it has no comparison");
}

static status decode_setp(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    TRY(take_comparison(decoder));
    if (decoder_take(decoder, "and")) instruction->space = 'a';
    if (decoder_take(decoder, "or")) instruction->space = 'o';
    if (decoder_take(decoder, "xor")) instruction->space = 'x';
    bool pair = decoder->types[0] == TYPE_F16X2 || decoder->types[0] == TYPE_BF16X2;
    if (decoder->type_count != 1 || (!pair && !type_compares(decoder->types[0])))
        return decoder_refuse(decoder, "not for this type");
    instruction->type = (uint8_t)decoder->types[0];
    instruction->run = set_predicate;
    TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination));
    if (lexer_take(decoder->lexer, "|"))
        TRY(read_destination(decoder, TYPE_PREDICATE, &instruction->destination2));
    for (int i = 0; i < 2; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, decoder->types[0], &instruction->sources[i]));
    }
    if (!instruction->space) return STATUS_OK;
    TRY(read_comma(decoder));
    return read_predicate(decoder, &instruction->sources[2]);
}

static status decode_set(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    (void)opcode;
    TRY(take_comparison(decoder));
    if (decoder->type_count != 2 || !type_compares(decoder->types[1]) ||
        type_bits(decoder->types[0]) != 32)
        return decoder_refuse(decoder, "not for these types");
    instruction->type = (uint8_t)decoder->types[1];
    instruction->type2 = (uint8_t)decoder->types[0];
    instruction->run = set_number;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    for (int i = 0; i < 2; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, decoder->types[1], &instruction->sources[i]));
    }
    return STATUS_OK;
}

#define SELECT(name, storage)                                                                      \
    OPERATION(name)                                                                                \
    {                                                                                              \
        storage *d = DESTINATION(storage);                                                         \
        const storage *a = SOURCE(storage, 0), *b = SOURCE(storage, 1);                            \
        uint32_t p = *SOURCE(uint32_t, 2);                                                         \
        if (instruction->flags & FLAG_NEGATE) p = ~p;                                              \
        EACH_LANE(d[lane] = p >> lane & 1 ? a[lane] : b[lane]);                                    \
        return OUTCOME_NEXT;                                                                       \
    }
SELECT(select_32, uint32_t)
SELECT(select_64, uint64_t)
TABLE(select_runs) = {
    [TYPE_B16] = select_32, [TYPE_U16] = select_32, [TYPE_S16] = select_32, [TYPE_B32] = select_32,
    [TYPE_U32] = select_32, [TYPE_S32] = select_32, [TYPE_F32] = select_32, [TYPE_B64] = select_64,
    [TYPE_U64] = select_64, [TYPE_S64] = select_64, [TYPE_F64] = select_64,
};

const struct opcode opcodes_compare[] = {
    {"setp", NULL, NULL, CATEGORY_INTEGER, decode_setp},
    {"set", NULL, NULL, CATEGORY_INTEGER, decode_set},
    {"selp", "daap", select_runs, CATEGORY_INTEGER, NULL},
    {0},
};
