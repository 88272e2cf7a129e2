/* Bits: logic, shifts, fields, permutations, counts. */
#include "emulator/lanes.h"

BINARY(and_32, uint32_t, uint32_t, uint32_t, x &y)
BINARY(and_64, uint64_t, uint64_t, uint64_t, x &y)
BINARY(or_32, uint32_t, uint32_t, uint32_t, x | y)
BINARY(or_64, uint64_t, uint64_t, uint64_t, x | y)
BINARY(xor_32, uint32_t, uint32_t, uint32_t, x ^ y)
BINARY(xor_64, uint64_t, uint64_t, uint64_t, x ^ y)
UNARY(not_16, uint32_t, uint16_t, uint16_t, ~x)
UNARY(not_32, uint32_t, uint32_t, uint32_t, ~x)
UNARY(not_64, uint64_t, uint64_t, uint64_t, ~x)
UNARY(cnot_32, uint32_t, uint32_t, uint32_t, x == 0)

/* Predicates are one word for the warp. */
#define PREDICATE(name, expression)                                                                \
    OPERATION(name)                                                                                \
    {                                                                                              \
        uint32_t x = *SOURCE(uint32_t, 0), y = *SOURCE(uint32_t, 1), *d = DESTINATION(uint32_t);   \
        (void)y;                                                                                   \
        *d = (*d & ~warp->mask) | ((expression)&warp->mask);                                       \
        return OUTCOME_NEXT;                                                                       \
    }
PREDICATE(and_predicate, x &y)
PREDICATE(or_predicate, x | y)
PREDICATE(xor_predicate, x ^ y)
PREDICATE(not_predicate, ~x)

TABLE(and_runs) = {[TYPE_B16] = and_32,
                   [TYPE_B32] = and_32,
                   [TYPE_B64] = and_64,
                   [TYPE_PREDICATE] = and_predicate};
TABLE(or_runs) = {
    [TYPE_B16] = or_32, [TYPE_B32] = or_32, [TYPE_B64] = or_64, [TYPE_PREDICATE] = or_predicate};
TABLE(xor_runs) = {[TYPE_B16] = xor_32,
                   [TYPE_B32] = xor_32,
                   [TYPE_B64] = xor_64,
                   [TYPE_PREDICATE] = xor_predicate};
TABLE(not_runs) = {[TYPE_B16] = not_16,
                   [TYPE_B32] = not_32,
                   [TYPE_B64] = not_64,
                   [TYPE_PREDICATE] = not_predicate};
TABLE(cnot_runs) = {[TYPE_B32] = cnot_32};

/* Shifts by more than the width give 0, or the sign. */
#define SHIFT(name, storage, cut, value, expression)                                               \
    OPERATION(name)                                                                                \
    {                                                                                              \
        storage *d = DESTINATION(storage);                                                         \
        const storage *a = SOURCE(storage, 0);                                                     \
        const uint32_t *b = SOURCE(uint32_t, 1);                                                   \
        const uint32_t bits = sizeof(cut) * 8;                                                     \
        EACH_LANE(value x = (value)a[lane]; uint32_t s = b[lane];                                  \
                  d[lane] = (storage)(cut)(expression));                                           \
        return OUTCOME_NEXT;                                                                       \
    }
SHIFT(left_16, uint32_t, uint16_t, uint16_t, s < bits ? x << s : 0)
SHIFT(left_32, uint32_t, uint32_t, uint32_t, s < bits ? x << s : 0)
SHIFT(left_64, uint64_t, uint64_t, uint64_t, s < bits ? x << s : 0)
SHIFT(right_u16, uint32_t, uint16_t, uint16_t, s < bits ? x >> s : 0)
SHIFT(right_u32, uint32_t, uint32_t, uint32_t, s < bits ? x >> s : 0)
SHIFT(right_u64, uint64_t, uint64_t, uint64_t, s < bits ? x >> s : 0)
SHIFT(right_s16, uint32_t, uint16_t, int16_t, x >> (s < bits ? s : bits - 1))
SHIFT(right_s32, uint32_t, uint32_t, int32_t, x >> (s < bits ? s : bits - 1))
SHIFT(right_s64, uint64_t, uint64_t, int64_t, x >> (s < bits ? s : bits - 1))
TABLE(left_runs) = {[TYPE_B16] = left_16, [TYPE_B32] = left_32, [TYPE_B64] = left_64};
TABLE(right_runs) = {[TYPE_B16] = right_u16, [TYPE_U16] = right_u16, [TYPE_B32] = right_u32,
                     [TYPE_U32] = right_u32, [TYPE_B64] = right_u64, [TYPE_U64] = right_u64,
                     [TYPE_S16] = right_s16, [TYPE_S32] = right_s32, [TYPE_S64] = right_s64};

/* Funnel shifts: 64 bits from b:a.  .wrap takes the amount modulo 32, .clamp at most 32. */
static uint32_t funnel(uint32_t low, uint32_t high, uint32_t amount, bool left, bool wrap)
{
    uint64_t both = (uint64_t)high << 32 | low;
    uint32_t s = wrap ? amount & 31 : amount < 32 ? amount : 32;
    return left ? (uint32_t)((both << s) >> 32) : (uint32_t)(both >> s);
}
TERNARY(funnel_left_wrap, uint32_t, uint32_t, uint32_t, funnel(x, y, z, true, true))
TERNARY(funnel_left_clamp, uint32_t, uint32_t, uint32_t, funnel(x, y, z, true, false))
TERNARY(funnel_right_wrap, uint32_t, uint32_t, uint32_t, funnel(x, y, z, false, true))
TERNARY(funnel_right_clamp, uint32_t, uint32_t, uint32_t, funnel(x, y, z, false, false))
TABLE(funnel_left_wrap_runs) = {[TYPE_B32] = funnel_left_wrap};
TABLE(funnel_left_clamp_runs) = {[TYPE_B32] = funnel_left_clamp};
TABLE(funnel_right_wrap_runs) = {[TYPE_B32] = funnel_right_wrap};
TABLE(funnel_right_clamp_runs) = {[TYPE_B32] = funnel_right_clamp};

UNARY(count_32, uint32_t, uint32_t, uint32_t, __builtin_popcount(x))
UNARY(leading_32, uint32_t, uint32_t, uint32_t, x ? __builtin_clz(x) : 32)
OPERATION(count_64)
{
    uint32_t *d = DESTINATION(uint32_t);
    const uint64_t *a = SOURCE(uint64_t, 0);
    EACH_LANE(d[lane] = (uint32_t)__builtin_popcountll(a[lane]));
    return OUTCOME_NEXT;
}
OPERATION(leading_64)
{
    uint32_t *d = DESTINATION(uint32_t);
    const uint64_t *a = SOURCE(uint64_t, 0);
    EACH_LANE(d[lane] = a[lane] ? (uint32_t)__builtin_clzll(a[lane]) : 64);
    return OUTCOME_NEXT;
}
TABLE(count_runs) = {[TYPE_B32] = count_32, [TYPE_B64] = count_64};
TABLE(leading_runs) = {[TYPE_B32] = leading_32, [TYPE_B64] = leading_64};

static uint64_t reverse_bits(uint64_t value, int bits)
{
    uint64_t result = 0;
    for (int i = 0; i < bits; i++) result |= (value >> i & 1) << (bits - 1 - i);
    return result;
}
UNARY(reverse_32, uint32_t, uint32_t, uint32_t, reverse_bits(x, 32))
UNARY(reverse_64, uint64_t, uint64_t, uint64_t, reverse_bits(x, 64))
TABLE(reverse_runs) = {[TYPE_B32] = reverse_32, [TYPE_B64] = reverse_64};

/* bfind: the place of the highest bit that differs from the sign; -1 for none. */
UNARY(find_u32, uint32_t, uint32_t, uint32_t, x ? 31 - (uint32_t)__builtin_clz(x) : UINT32_MAX)
UNARY(find_s32, uint32_t, uint32_t, uint32_t,
      (x ^ (uint32_t)((int32_t)x >> 31))
          ? 31 - (uint32_t)__builtin_clz(x ^ (uint32_t)((int32_t)x >> 31))
          : UINT32_MAX)
TABLE(find_runs) = {[TYPE_U32] = find_u32, [TYPE_S32] = find_s32};
UNARY(find_shift_u32, uint32_t, uint32_t, uint32_t, x ? (uint32_t)__builtin_clz(x) : UINT32_MAX)
UNARY(find_shift_s32, uint32_t, uint32_t, uint32_t,
      (x ^ (uint32_t)((int32_t)x >> 31)) ? (uint32_t)__builtin_clz(x ^ (uint32_t)((int32_t)x >> 31))
                                         : UINT32_MAX)
TABLE(find_shift_runs) = {[TYPE_U32] = find_shift_u32, [TYPE_S32] = find_shift_s32};

static uint64_t extract(uint64_t value, uint32_t position, uint32_t length, uint32_t bits,
                        bool is_signed)
{
    position &= 255;
    length &= 255;
    if (!length) return 0;
    uint32_t top = position + length - 1 < bits - 1 ? position + length - 1 : bits - 1;
    uint64_t sign = is_signed ? value >> top & 1 : 0;
    uint64_t result = position < bits ? value >> position : 0;
    uint32_t kept = position < bits && length > bits - position ? bits - position
                    : position < bits                           ? length
                                                                : 0;
    uint64_t mask = kept >= 64 ? UINT64_MAX : (UINT64_C(1) << kept) - 1;
    return (result & mask) | (sign ? ~mask : 0);
}

#define EXTRACT(name, storage, bits, is_signed)                                                    \
    OPERATION(name)                                                                                \
    {                                                                                              \
        storage *d = DESTINATION(storage);                                                         \
        const storage *a = SOURCE(storage, 0);                                                     \
        const uint32_t *b = SOURCE(uint32_t, 1), *c = SOURCE(uint32_t, 2);                         \
        EACH_LANE(d[lane] = (storage)extract(a[lane], b[lane], c[lane], bits, is_signed));         \
        return OUTCOME_NEXT;                                                                       \
    }
EXTRACT(extract_u32, uint32_t, 32, false)
EXTRACT(extract_s32, uint32_t, 32, true)
EXTRACT(extract_u64, uint64_t, 64, false)
EXTRACT(extract_s64, uint64_t, 64, true)
TABLE(extract_runs) = {[TYPE_U32] = extract_u32,
                       [TYPE_S32] = extract_s32,
                       [TYPE_U64] = extract_u64,
                       [TYPE_S64] = extract_s64};

static uint64_t insert(uint64_t field, uint64_t into, uint32_t position, uint32_t length,
                       uint32_t bits)
{
    position &= 255;
    length &= 255;
    if (position >= bits) return into;
    if (length > bits - position) length = bits - position;
    uint64_t mask = (length >= 64 ? UINT64_MAX : (UINT64_C(1) << length) - 1) << position;
    return (into & ~mask) | (field << position & mask);
}

#define INSERT(name, storage, bits)                                                                \
    OPERATION(name)                                                                                \
    {                                                                                              \
        storage *d = DESTINATION(storage);                                                         \
        const storage *a = SOURCE(storage, 0), *b = SOURCE(storage, 1);                            \
        const uint32_t *c = SOURCE(uint32_t, 2), *e = SOURCE(uint32_t, 3);                         \
        EACH_LANE(d[lane] = (storage)insert(a[lane], b[lane], c[lane], e[lane], bits));            \
        return OUTCOME_NEXT;                                                                       \
    }
INSERT(insert_32, uint32_t, 32)
INSERT(insert_64, uint64_t, 64)
TABLE(insert_runs) = {[TYPE_B32] = insert_32, [TYPE_B64] = insert_64};

/* bmsk: `length` ones from `position` on. */
BINARY(mask_clamp, uint32_t, uint32_t, uint32_t,
       x >= 32 ? 0 : (y >= 32 ? UINT32_MAX : (1u << y) - 1) << x)
TABLE(mask_runs) = {[TYPE_B32] = mask_clamp};

/* lop3: bit i of the table is the result for (a, b, c) = bits of i. */
OPERATION(logic3)
{
    uint32_t *d = DESTINATION(uint32_t);
    const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1), *c = SOURCE(uint32_t, 2);
    uint32_t table = (uint32_t)instruction->immediate, on[8];
    for (int i = 0; i < 8; i++) on[i] = table >> i & 1 ? UINT32_MAX : 0;
    EACH_LANE(
        uint32_t x = a[lane]; uint32_t y = b[lane]; uint32_t z = c[lane];
        d[lane] =
            (~x & ((~y & ((~z & on[0]) | (z & on[1]))) | (y & ((~z & on[2]) | (z & on[3]))))) |
            (x & ((~y & ((~z & on[4]) | (z & on[5]))) | (y & ((~z & on[6]) | (z & on[7]))))));
    return OUTCOME_NEXT;
}
TABLE(logic3_runs) = {[TYPE_B32] = logic3};

/* prmt without a mode: each nibble of the selector takes one of eight bytes, or its sign. */
static uint32_t permute(uint32_t low, uint32_t high, uint32_t selector)
{
    uint64_t both = (uint64_t)high << 32 | low;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t nibble = selector >> 4 * i & 15;
        uint8_t byte = (uint8_t)(both >> 8 * (nibble & 7));
        if (nibble & 8) byte = byte & 0x80 ? 0xff : 0;
        result |= (uint32_t)byte << 8 * i;
    }
    return result;
}
TERNARY(permute_32, uint32_t, uint32_t, uint32_t, permute(x, y, z))
TABLE(permute_runs) = {[TYPE_B32] = permute_32};

/* prmt with a mode: two bits of the selector choose one of four patterns. */
static const uint16_t permutations[][4] = {
    {0x3210, 0x4321, 0x5432, 0x6543}, /* f4e: four bytes from that one on */
    {0x5670, 0x6701, 0x7012, 0x0123}, /* b4e: the same backwards */
    {0x0000, 0x1111, 0x2222, 0x3333}, /* rc8: that byte four times */
    {0x3210, 0x3211, 0x3222, 0x3333}, /* ecl: its lower end takes the byte */
    {0x0000, 0x1110, 0x2210, 0x3210}, /* ecr: its upper end does */
    {0x1010, 0x3232, 0x1010, 0x3232}, /* rc16: that half twice */
};

OPERATION(permute_mode)
{
    uint32_t *d = DESTINATION(uint32_t);
    const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1), *c = SOURCE(uint32_t, 2);
    const uint16_t *patterns = permutations[instruction->count];
    EACH_LANE(d[lane] = permute(a[lane], b[lane], patterns[c[lane] & 3]));
    return OUTCOME_NEXT;
}

static status decode_permute_mode(struct decoder *decoder, const struct opcode *opcode)
{
    static const char *const modes[] = {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
    struct instruction *instruction = decoder->instruction;
    while (strcmp(strchr(opcode->name, '.') + 1, modes[instruction->count])) instruction->count++;
    instruction->run = permute_mode;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    for (int i = 0; i < 3; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[i]));
    }
    return STATUS_OK;
}

const struct opcode opcodes_logic[] = {
    {"and", "daa", and_runs, CATEGORY_INTEGER, NULL},
    {"or", "daa", or_runs, CATEGORY_INTEGER, NULL},
    {"xor", "daa", xor_runs, CATEGORY_INTEGER, NULL},
    {"not", "da", not_runs, CATEGORY_INTEGER, NULL},
    {"cnot", "da", cnot_runs, CATEGORY_INTEGER, NULL},
    {"shl", "dau", left_runs, CATEGORY_INTEGER, NULL},
    {"shr", "dau", right_runs, CATEGORY_INTEGER, NULL},
    {"shf.l.wrap", "daaa", funnel_left_wrap_runs, CATEGORY_INTEGER, NULL},
    {"shf.l.clamp", "daaa", funnel_left_clamp_runs, CATEGORY_INTEGER, NULL},
    {"shf.r.wrap", "daaa", funnel_right_wrap_runs, CATEGORY_INTEGER, NULL},
    {"shf.r.clamp", "daaa", funnel_right_clamp_runs, CATEGORY_INTEGER, NULL},
    {"popc", "Ua", count_runs, CATEGORY_INTEGER, NULL},
    {"clz", "Ua", leading_runs, CATEGORY_INTEGER, NULL},
    {"brev", "da", reverse_runs, CATEGORY_INTEGER, NULL},
    {"bfind", "Ua", find_runs, CATEGORY_INTEGER, NULL},
    {"bfind.shiftamt", "Ua", find_shift_runs, CATEGORY_INTEGER, NULL},
    {"bfe", "dauu", extract_runs, CATEGORY_INTEGER, NULL},
    {"bfi", "daauu", insert_runs, CATEGORY_INTEGER, NULL},
    {"bmsk.clamp", "daa", mask_runs, CATEGORY_INTEGER, NULL},
    {"lop3", "daaai", logic3_runs, CATEGORY_INTEGER, NULL},
    {"prmt", "daaa", permute_runs, CATEGORY_INTEGER, NULL},
    {"prmt.f4e", NULL, permute_runs, CATEGORY_INTEGER, decode_permute_mode},
    {"prmt.b4e", NULL, permute_runs, CATEGORY_INTEGER, decode_permute_mode},
    {"prmt.rc8", NULL, permute_runs, CATEGORY_INTEGER, decode_permute_mode},
    {"prmt.ecl", NULL, permute_runs, CATEGORY_INTEGER, decode_permute_mode},
    {"prmt.ecr", NULL, permute_runs, CATEGORY_INTEGER, decode_permute_mode},
    {"prmt.rc16", NULL, permute_runs, CATEGORY_INTEGER, decode_permute_mode},
    {0},
};
