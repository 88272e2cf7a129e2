/* Integer arithmetic. */
#include "emulator/lanes.h"

INTEGERS(BINARY, add, x + y)
INTEGERS(BINARY, subtract, x - y)
INTEGERS(BINARY, multiply_low, x *y)
INTEGERS(TERNARY, multiply_add, x *y + z)
INTEGERS(BINARY, minimum, x < y ? x : y)
INTEGERS(BINARY, maximum, x > y ? x : y)
INTEGERS(UNARY, negate, 0 - x)
SIGNED(UNARY, absolute, x < 0 ? 0 - x : x)
/* What a card gives for a division by zero: all ones, and the dividend as the remainder. */
UNSIGNED(BINARY, divide, y ? x / y : UINT64_MAX)
UNSIGNED(BINARY, remainder, y ? x % y : x)
SIGNED(BINARY, divide, y == 0 ? UINT64_MAX : y == -1 ? 0 - (uint64_t)x : (uint64_t)(x / y))
SIGNED(BINARY, remainder, y == 0 ? x : y == -1 ? 0 : x % y)

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

TABLE(subtract_runs) = {INTEGER_ROWS(subtract)};
TABLE(multiply_low_runs) = {INTEGER_ROWS(multiply_low)};
TABLE(multiply_add_runs) = {INTEGER_ROWS(multiply_add)};
TABLE(negate_runs) = {INTEGER_ROWS(negate)};
TABLE(absolute_runs) = {
    [TYPE_S16] = absolute_s16, [TYPE_S32] = absolute_s32, [TYPE_S64] = absolute_s64};
TABLE(divide_runs) = {INTEGER_ROWS(divide)};
TABLE(remainder_runs) = {INTEGER_ROWS(remainder)};

BINARY(multiply_high_u32, uint32_t, uint32_t, uint32_t, ((uint64_t)x * y) >> 32)
BINARY(multiply_high_s32, uint32_t, uint32_t, int32_t, (uint64_t)((int64_t)x *y) >> 32)
BINARY(multiply_high_u64, uint64_t, uint64_t, uint64_t, ((uint128)x * y) >> 64)
BINARY(multiply_high_s64, uint64_t, uint64_t, int64_t, (uint128)((int128)x *y) >> 64)
BINARY(multiply_high_u16, uint32_t, uint16_t, uint16_t, ((uint32_t)x * y) >> 16)
BINARY(multiply_high_s16, uint32_t, uint16_t, int16_t, (uint32_t)((int32_t)x *y) >> 16)
TABLE(multiply_high_runs) = {INTEGER_ROWS(multiply_high)};

TERNARY(multiply_add_high_u32, uint32_t, uint32_t, uint32_t, (((uint64_t)x * y) >> 32) + z)
TERNARY(multiply_add_high_s32, uint32_t, uint32_t, int32_t,
        ((uint64_t)((int64_t)x * y) >> 32) + (uint32_t)z)
TABLE(multiply_add_high_runs) = {
    [TYPE_U32] = multiply_add_high_u32, [TYPE_S32] = multiply_add_high_s32};

/* Products of twice the width. */
#define WIDE(name, storage, result, value, wide)                                                   \
    OPERATION(multiply_wide_##name)                                                                \
    {                                                                                              \
        result *d = DESTINATION(result);                                                           \
        const storage *a = SOURCE(storage, 0), *b = SOURCE(storage, 1);                            \
        EACH_LANE(d[lane] = (result)((wide)(value)a[lane] * (wide)(value)b[lane]));                \
        return OUTCOME_NEXT;                                                                       \
    }                                                                                              \
    OPERATION(multiply_add_wide_##name)                                                            \
    {                                                                                              \
        result *d = DESTINATION(result);                                                           \
        const storage *a = SOURCE(storage, 0), *b = SOURCE(storage, 1);                            \
        const result *c = SOURCE(result, 2);                                                       \
        EACH_LANE(d[lane] = (result)((wide)(value)a[lane] * (wide)(value)b[lane]) + c[lane]);      \
        return OUTCOME_NEXT;                                                                       \
    }
WIDE(u16, uint32_t, uint32_t, uint16_t, uint32_t)
WIDE(s16, uint32_t, uint32_t, int16_t, int32_t)
WIDE(u32, uint32_t, uint64_t, uint32_t, uint64_t)
WIDE(s32, uint32_t, uint64_t, int32_t, int64_t)
TABLE(multiply_wide_runs) = {[TYPE_U16] = multiply_wide_u16,
                             [TYPE_S16] = multiply_wide_s16,
                             [TYPE_U32] = multiply_wide_u32,
                             [TYPE_S32] = multiply_wide_s32};
TABLE(multiply_add_wide_runs) = {[TYPE_U16] = multiply_add_wide_u16,
                                 [TYPE_S16] = multiply_add_wide_s16,
                                 [TYPE_U32] = multiply_add_wide_u32,
                                 [TYPE_S32] = multiply_add_wide_s32};

/* 24-bit products, of which the low 32 bits are asked for. */
BINARY(multiply24_u32, uint32_t, uint32_t, uint32_t, (x & 0xffffff) * (y & 0xffffff))
BINARY(multiply24_s32, uint32_t, uint32_t, int32_t,
       (int32_t)((uint32_t)x << 8) / 256 * ((int32_t)((uint32_t)y << 8) / 256))
TABLE(multiply24_runs) = {[TYPE_U32] = multiply24_u32, [TYPE_S32] = multiply24_s32};

/* dp4a: four products of bytes; each operand signed or not. */
static int32_t dot4(uint32_t x, uint32_t y, bool x_signed, bool y_signed)
{
    int32_t sum = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t p = (uint8_t)(x >> 8 * i), q = (uint8_t)(y >> 8 * i);
        sum += (x_signed ? (int32_t)(int8_t)p : p) * (y_signed ? (int32_t)(int8_t)q : q);
    }
    return sum;
}

#define DOT4(name, x_signed, y_signed)                                                             \
    TERNARY(dot4_##name, uint32_t, uint32_t, uint32_t, z + (uint32_t)dot4(x, y, x_signed, y_signed))
DOT4(uu, false, false)
DOT4(us, false, true)
DOT4(su, true, false)
DOT4(ss, true, true)

/* dp2a: two products of 16 bits with the low or high bytes of the second operand. */
static int32_t dot2(uint32_t x, uint32_t y, bool x_signed, bool y_signed, bool high)
{
    int32_t sum = 0;
    if (high) y >>= 16;
    for (int i = 0; i < 2; i++) {
        uint16_t p = (uint16_t)(x >> 16 * i);
        uint8_t q = (uint8_t)(y >> 8 * i);
        sum += (x_signed ? (int32_t)(int16_t)p : p) * (y_signed ? (int32_t)(int8_t)q : q);
    }
    return sum;
}

OPERATION(dot2_any)
{
    uint32_t *d = DESTINATION(uint32_t);
    const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1), *c = SOURCE(uint32_t, 2);
    bool a_signed = instruction->type == TYPE_S32, b_signed = instruction->type2 == TYPE_S32;
    EACH_LANE(d[lane] = c[lane] +
                        (uint32_t)dot2(a[lane], b[lane], a_signed, b_signed, instruction->count));
    return OUTCOME_NEXT;
}

static status decode_dot(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    bool two = opcode->name[2] == '2';
    if (decoder->type_count != 2) return decoder_refuse(decoder, "it needs two types");
    instruction->type = (uint8_t)decoder->types[0];
    instruction->type2 = (uint8_t)decoder->types[1];
    bool a_signed = decoder->types[0] == TYPE_S32, b_signed = decoder->types[1] == TYPE_S32;
    instruction->run = a_signed ? b_signed ? dot4_ss : dot4_su : b_signed ? dot4_us : dot4_uu;
    if (two) {
        instruction->run = dot2_any;
        instruction->count = decoder_take(decoder, "hi");
        decoder_take(decoder, "lo");
    }
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    for (int i = 0; i < 3; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[i]));
    }
    return STATUS_OK;
}

/* "min.relu", and two 16-bit halves at once. */
#define HALVES(name, value, expression)                                                            \
    static uint32_t name##_halves_of(uint32_t p, uint32_t q)                                       \
    {                                                                                              \
        uint32_t result = 0;                                                                       \
        for (int i = 0; i < 32; i += 16) {                                                         \
            value x = (value)(p >> i), y = (value)(q >> i);                                        \
            result |= (uint32_t)(uint16_t)(expression) << i;                                       \
        }                                                                                          \
        return result;                                                                             \
    }                                                                                              \
    BINARY(name, uint32_t, uint32_t, uint32_t, name##_halves_of(x, y))
HALVES(add_u16x2, uint16_t, x + y)
HALVES(minimum_u16x2, uint16_t, x < y ? x : y)
HALVES(minimum_s16x2, int16_t, x < y ? x : y)
HALVES(maximum_u16x2, uint16_t, x > y ? x : y)
HALVES(maximum_s16x2, int16_t, x > y ? x : y)
TABLE(add_integer_runs) = {INTEGER_ROWS(add), [TYPE_U16X2] = add_u16x2, [TYPE_S16X2] = add_u16x2};
TABLE(minimum_integer_runs) = {
    INTEGER_ROWS(minimum), [TYPE_U16X2] = minimum_u16x2, [TYPE_S16X2] = minimum_s16x2};
TABLE(maximum_integer_runs) = {
    INTEGER_ROWS(maximum), [TYPE_U16X2] = maximum_u16x2, [TYPE_S16X2] = maximum_s16x2};

OPERATION(add_saturated_s32)
{
    uint32_t *d = DESTINATION(uint32_t);
    const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1);
    bool minus = instruction->count;
    EACH_LANE(int64_t x = (int32_t)a[lane]; int64_t y = (int32_t)b[lane];
              int64_t sum = minus ? x - y : x + y;
              d[lane] = (uint32_t)(sum > INT32_MAX   ? INT32_MAX
                                   : sum < INT32_MIN ? INT32_MIN
                                                     : sum));
    return OUTCOME_NEXT;
}

static status decode_saturated(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    instruction->run = add_saturated_s32;
    instruction->count = opcode->name[0] == 's';
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    for (int i = 0; i < 2; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[i]));
    }
    return STATUS_OK;
}

TABLE(saturated_runs) = {[TYPE_S32] = add_saturated_s32};

const struct opcode opcodes_integer[] = {
    {"add", "daa", add_integer_runs, CATEGORY_INTEGER, NULL},
    {"add.sat", NULL, saturated_runs, CATEGORY_INTEGER, decode_saturated},
    {"sub", "daa", subtract_runs, CATEGORY_INTEGER, NULL},
    {"sub.sat", NULL, saturated_runs, CATEGORY_INTEGER, decode_saturated},
    {"neg", "da", negate_runs, CATEGORY_INTEGER, NULL},
    {"abs", "da", absolute_runs, CATEGORY_INTEGER, NULL},
    {"div", "daa", divide_runs, CATEGORY_SPECIAL, NULL},
    {"rem", "daa", remainder_runs, CATEGORY_SPECIAL, NULL},
    {"min", "daa", minimum_integer_runs, CATEGORY_INTEGER, NULL},
    {"max", "daa", maximum_integer_runs, CATEGORY_INTEGER, NULL},
    {"mul.lo", "daa", multiply_low_runs, CATEGORY_INTEGER, NULL},
    {"mul.hi", "daa", multiply_high_runs, CATEGORY_INTEGER, NULL},
    {"mul.wide", "Daa", multiply_wide_runs, CATEGORY_INTEGER, NULL},
    {"mul24.lo", "daa", multiply24_runs, CATEGORY_INTEGER, NULL},
    {"mad.lo", "daaa", multiply_add_runs, CATEGORY_INTEGER, NULL},
    {"mad.hi", "daaa", multiply_add_high_runs, CATEGORY_INTEGER, NULL},
    {"mad.wide", "Daaw", multiply_add_wide_runs, CATEGORY_INTEGER, NULL},
    {"dp4a", NULL, NULL, CATEGORY_INTEGER, decode_dot},
    {"dp2a", NULL, NULL, CATEGORY_INTEGER, decode_dot},
    {0},
};
