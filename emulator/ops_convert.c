/* cvt: between all number types, with the rounding that is asked for. */
#include "emulator/lanes.h"
#include "emulator/number.h"

#include <math.h>

/* A lane's value on its way: whole numbers in 64 bits with their sign, floats as double (which
 * holds every f32, f16, bf16 and fp8 exactly). */
struct conversion {
    enum ptx_type from, to;
    bool from_wide, to_wide, to_half;
    enum rounding rounding;
    bool whole; /* float to float, rounded to a whole number */
    bool saturate, finite, relu, flush;
};

static double read_float(enum ptx_type type, uint64_t bits)
{
    switch (type) {
    case TYPE_F32:
    case TYPE_TF32: return (double)float_of((uint32_t)bits);
    case TYPE_F64: return double_of(bits);
    case TYPE_F16: return (double)f16_decode((uint16_t)bits);
    case TYPE_BF16: return (double)bf16_decode((uint16_t)bits);
    default: return number_decode(type, (uint32_t)bits);
    }
}

static float round_to_f32(double value, enum rounding rounding)
{
    float nearest = (float)value;
    if (rounding == ROUND_NEAREST || (double)nearest == value || isnan(value)) return nearest;
    bool above = (double)nearest > value;
    if (rounding == ROUND_UP) return above ? nearest : nextafterf(nearest, INFINITY);
    if (rounding == ROUND_DOWN) return above ? nextafterf(nearest, -INFINITY) : nearest;
    return fabs((double)nearest) > fabs(value) ? nextafterf(nearest, 0) : nearest;
}

static uint32_t round_to_tf32(float value, enum rounding rounding)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7f800000u) == 0x7f800000u) return bits;
    bits += rounding == ROUND_NEAREST ? 0xfff + (bits >> 13 & 1)
            : rounding == ROUND_AWAY  ? 0x1000
                                      : 0;
    return bits & ~UINT32_C(0x1fff);
}

static uint64_t write_float(const struct conversion *conversion, double value)
{
    if (conversion->relu && (value < 0 || (value == 0 && signbit(value)))) value = 0;
    if (conversion->saturate) value = value > 0 ? value < 1 ? value : 1 : 0;
    switch (conversion->to) {
    case TYPE_F32: {
        float result = round_to_f32(value, conversion->rounding);
        if (conversion->flush && fabsf(result) < 0x1p-126f) result = copysignf(0, result);
        return isnan(value) ? 0x7fffffff : bits_of(result);
    }
    case TYPE_TF32: return round_to_tf32((float)value, conversion->rounding);
    case TYPE_F64: return bits_of_double(value);
    default: return number_encode(conversion->to, value, conversion->rounding, conversion->finite);
    }
}

static double round_whole(double value, enum rounding rounding)
{
    switch (rounding) {
    case ROUND_NEAREST: return nearbyint(value);
    case ROUND_ZERO: return trunc(value);
    case ROUND_DOWN: return floor(value);
    case ROUND_UP: return ceil(value);
    case ROUND_AWAY: return round(value);
    }
    return value;
}

/* Floats beyond the type give its end, NaN gives 0 (for 64 bits the card gives 2^63). */
static uint64_t float_to_whole(const struct conversion *conversion, double value)
{
    int bits = type_bits(conversion->to);
    bool is_signed = type_kind(conversion->to) == KIND_SIGNED;
    if (isnan(value)) return bits == 64 ? UINT64_C(1) << 63 : 0;
    value = round_whole(value, conversion->rounding);
    if (is_signed) {
        double end = ldexp(1, bits - 1);
        if (value >= end) return (UINT64_C(1) << (bits - 1)) - 1;
        if (value < -end) return UINT64_C(1) << (bits - 1);
        return (uint64_t)(int64_t)value;
    }
    if (value <= 0) return 0;
    if (value >= ldexp(1, bits)) return bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    return (uint64_t)value;
}

/* As a register has it that is wider than the type. */
static uint64_t extend(enum ptx_type type, uint64_t bits)
{
    int width = type_bits(type);
    if (width == 64) return bits;
    if (type_kind(type) == KIND_SIGNED)
        return (uint64_t)((int64_t)(bits << (64 - width)) >> (64 - width));
    return bits & ((UINT64_C(1) << width) - 1);
}

static uint64_t saturate_whole(const struct conversion *conversion, uint64_t value)
{
    int bits = type_bits(conversion->to);
    bool from_signed = type_kind(conversion->from) == KIND_SIGNED;
    bool to_signed = type_kind(conversion->to) == KIND_SIGNED;
    int64_t number = (int64_t)value;
    uint64_t most = (to_signed    ? UINT64_C(1) << (bits - 1)
                     : bits == 64 ? 0
                                  : UINT64_C(1) << bits) -
                    1;
    if (from_signed && number < 0) {
        int64_t least = to_signed ? -(int64_t)most - 1 : 0;
        return number < least ? (uint64_t)least : value;
    }
    return value > most ? most : value;
}

static double whole_to_float(const struct conversion *conversion, uint64_t value)
{
    /* 64 bits do not fit into a double: to f32 they are rounded once, directly. */
    bool is_signed = type_kind(conversion->from) == KIND_SIGNED;
    if (type_bits(conversion->from) == 64 && conversion->to == TYPE_F32)
        return (double)(is_signed ? (float)(int64_t)value : (float)value);
    return is_signed ? (double)(int64_t)value : (double)value;
}

static uint64_t convert(const struct conversion *conversion, uint64_t bits)
{
    bool from_float = type_kind(conversion->from) == KIND_FLOAT;
    bool to_float = type_kind(conversion->to) == KIND_FLOAT;
    if (from_float) {
        double value = read_float(conversion->from, bits);
        if (!to_float) return extend(conversion->to, float_to_whole(conversion, value));
        if (conversion->whole) value = round_whole(value, conversion->rounding);
        return write_float(conversion, value);
    }
    uint64_t value = extend(conversion->from, bits);
    if (to_float) return write_float(conversion, whole_to_float(conversion, value));
    return extend(conversion->to, conversion->saturate ? saturate_whole(conversion, value) : value);
}

OPERATION(convert_any)
{
    const struct conversion *conversion = instruction->detail;
    const uint32_t *a = SOURCE(uint32_t, 0);
    const uint64_t *wide = SOURCE(uint64_t, 0);
    uint32_t *d = DESTINATION(uint32_t);
    uint64_t *wide_d = DESTINATION(uint64_t);
    EACH_LANE(uint64_t value = convert(conversion, conversion->from_wide ? wide[lane] : a[lane]);
              if (conversion->to_wide) wide_d[lane] = value;
              else d[lane] = (uint32_t)(conversion->to_half ? (uint16_t)value : value));
    return OUTCOME_NEXT;
}

/* The ones that kernels are full of. */
#define CONVERT(name, to, from, expression)                                                        \
    OPERATION(name)                                                                                \
    {                                                                                              \
        to *d = DESTINATION(to);                                                                   \
        const from *a = SOURCE(from, 0);                                                           \
        EACH_LANE(d[lane] = (to)(expression));                                                     \
        return OUTCOME_NEXT;                                                                       \
    }
CONVERT(s32_to_s64, uint64_t, uint32_t, (int64_t)(int32_t)a[lane])
CONVERT(u32_to_u64, uint64_t, uint32_t, a[lane])
CONVERT(u64_to_u32, uint32_t, uint64_t, a[lane])
CONVERT(s32_to_f32, float, int32_t, a[lane])
CONVERT(u32_to_f32, float, uint32_t, a[lane])
CONVERT(u16_to_u32, uint32_t, uint32_t, (uint16_t)a[lane])
CONVERT(s16_to_s32, uint32_t, uint32_t, (int16_t)a[lane])
CONVERT(f16_to_f32, float, uint32_t, f16_decode((uint16_t)a[lane]))
CONVERT(bf16_to_f32, float, uint32_t, bf16_decode((uint16_t)a[lane]))
CONVERT(f32_to_f16, uint32_t, float, f16_encode(a[lane]))
CONVERT(f32_to_bf16, uint32_t, float, bf16_encode(a[lane]))

static operation *quick_conversion(const struct conversion *conversion)
{
    static const struct {
        enum ptx_type to, from;
        operation *run;
    } quick[] = {
        {TYPE_S64, TYPE_S32, s32_to_s64},   {TYPE_U64, TYPE_U32, u32_to_u64},
        {TYPE_U32, TYPE_U64, u64_to_u32},   {TYPE_F32, TYPE_S32, s32_to_f32},
        {TYPE_F32, TYPE_U32, u32_to_f32},   {TYPE_U32, TYPE_U16, u16_to_u32},
        {TYPE_S32, TYPE_S16, s16_to_s32},   {TYPE_F32, TYPE_F16, f16_to_f32},
        {TYPE_F32, TYPE_BF16, bf16_to_f32}, {TYPE_F16, TYPE_F32, f32_to_f16},
        {TYPE_BF16, TYPE_F32, f32_to_bf16},
    };
    if (conversion->rounding != ROUND_NEAREST || conversion->whole || conversion->saturate ||
        conversion->finite || conversion->relu)
        return NULL;
    for (size_t i = 0; i < sizeof quick / sizeof *quick; i++)
        if (quick[i].to == conversion->to && quick[i].from == conversion->from &&
            conversion->from_wide == type_is_wide(conversion->from) &&
            conversion->to_wide == type_is_wide(conversion->to))
            return quick[i].run;
    return NULL;
}

static void take_rounding(struct decoder *decoder, struct conversion *conversion)
{
    static const struct {
        const char *name;
        enum rounding rounding;
        bool whole;
    } names[] = {
        {"rn", ROUND_NEAREST, false}, {"rz", ROUND_ZERO, false},  {"rm", ROUND_DOWN, false},
        {"rp", ROUND_UP, false},      {"rna", ROUND_AWAY, false}, {"rni", ROUND_NEAREST, true},
        {"rzi", ROUND_ZERO, true},    {"rmi", ROUND_DOWN, true},  {"rpi", ROUND_UP, true},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (decoder_take(decoder, names[i].name)) {
            conversion->rounding = names[i].rounding;
            conversion->whole = names[i].whole;
        }
    if (decoder_take(decoder, "ftz")) conversion->flush = true;
    if (decoder_take(decoder, "sat")) conversion->saturate = true;
    if (decoder_take(decoder, "satfinite")) conversion->finite = true;
    if (decoder_take(decoder, "relu")) conversion->relu = true;
}

static enum ptx_type half_of_pair(enum ptx_type type)
{
    switch (type) {
    case TYPE_F16X2: return TYPE_F16;
    case TYPE_BF16X2: return TYPE_BF16;
    case TYPE_E4M3X2: return TYPE_E4M3;
    case TYPE_E5M2X2: return TYPE_E5M2;
    case TYPE_E2M1X2: return TYPE_E2M1;
    case TYPE_E2M3X2: return TYPE_E2M3;
    case TYPE_E3M2X2: return TYPE_E3M2;
    case TYPE_UE8M0X2: return TYPE_UE8M0;
    default: return TYPE_NONE;
    }
}

/* Bits from one half of a pair to the other: six bits stand in a byte each. */
static int pair_step(enum ptx_type type)
{
    return type_bits(type) == 6 ? 8 : type_bits(type);
}

/* "cvt.rn.f16x2.f32 d, a, b": a goes into the upper half.  Pairs of one source keep their order. */
OPERATION(convert_pair)
{
    const struct conversion *conversion = instruction->detail;
    const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1);
    uint32_t *d = DESTINATION(uint32_t);
    int from = pair_step(conversion->from), to = pair_step(conversion->to);
    bool two = instruction->count == 2;
    uint32_t mask = from == 32 ? UINT32_MAX : (1u << from) - 1;
    EACH_LANE(uint32_t high = two ? a[lane] : a[lane] >> from;
              uint32_t low = two ? b[lane] : a[lane];
              d[lane] = (uint32_t)convert(conversion, low & mask) |
                        (uint32_t)convert(conversion, high & mask) << to);
    return OUTCOME_NEXT;
}

static status decode_pair(struct decoder *decoder, struct conversion *conversion)
{
    struct instruction *instruction = decoder->instruction;
    enum ptx_type to = decoder->types[0], from = decoder->types[1];
    bool two = half_of_pair(from) == TYPE_NONE;
    conversion->to = half_of_pair(to);
    conversion->from = two ? from : half_of_pair(from);
    if (conversion->to == TYPE_NONE || type_kind(from) != KIND_FLOAT || type_is_wide(from))
        return decoder_refuse(decoder, "not for these types");
    /* Formats without infinity only come with .satfinite. */
    instruction->count = two ? 2 : 1;
    instruction->run = convert_pair;
    TRY(read_destination(decoder, to, &instruction->destination));
    for (int i = 0; i < instruction->count; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, from, &instruction->sources[i]));
    }
    return STATUS_OK;
}

static status decode_single(struct decoder *decoder, struct conversion *conversion)
{
    struct instruction *instruction = decoder->instruction;
    enum ptx_type type;
    conversion->to = decoder->types[0];
    conversion->from = decoder->types[1];
    bool from_float = type_kind(conversion->from) == KIND_FLOAT;
    bool to_float = type_kind(conversion->to) == KIND_FLOAT;
    if (from_float && !to_float && !conversion->whole)
        return decoder_refuse(decoder, "it needs .rni, .rzi, .rmi or .rpi");
    TRY(read_any_register(decoder, &instruction->destination, &type));
    conversion->to_wide = type_is_wide(type);
    conversion->to_half = type_bits(type) == 16;
    TRY(read_comma(decoder));
    if (decoder->lexer->token.kind == TOKEN_WORD && decoder->lexer->token.text[0] == '%' &&
        symbol_find(decoder->parser, &decoder->lexer->token, &(uint32_t){0})) {
        TRY(read_any_register(decoder, &instruction->sources[0], &type));
        conversion->from_wide = type_is_wide(type);
    } else {
        TRY(read_source(decoder, conversion->from, &instruction->sources[0]));
        conversion->from_wide = type_is_wide(conversion->from);
    }
    instruction->run = quick_conversion(conversion);
    if (!instruction->run) instruction->run = convert_any;
    return STATUS_OK;
}

static status decode_convert(struct decoder *decoder, const struct opcode *opcode)
{
    struct conversion *conversion;
    (void)opcode;
    if (decoder->type_count != 2) return decoder_refuse(decoder, "it needs two types");
    TRY_NEW(conversion, decoder->parser->module->arena, 1, decoder->lexer->diagnostic);
    decoder->instruction->detail = conversion;
    take_rounding(decoder, conversion);
    if (half_of_pair(decoder->types[0]) != TYPE_NONE) return decode_pair(decoder, conversion);
    return decode_single(decoder, conversion);
}

/* "cvt.pack.sat.u8.s32.b32 d, a, b, c": saturates a and b into d's upper part, c's moves up. */
OPERATION(convert_pack)
{
    const struct conversion *conversion = instruction->detail;
    const uint32_t *a = SOURCE(uint32_t, 0), *b = SOURCE(uint32_t, 1);
    uint32_t *d = DESTINATION(uint32_t);
    const uint32_t *c = instruction->count == 3 ? SOURCE(uint32_t, 2) : NULL;
    int bits = type_bits(conversion->to);
    uint32_t mask = (1u << bits) - 1;
    EACH_LANE(uint32_t low = (uint32_t)convert(conversion, b[lane]) & mask;
              uint32_t high = (uint32_t)convert(conversion, a[lane]) & mask;
              uint32_t rest = c ? c[lane] << 2 * bits : 0; d[lane] = rest | high << bits | low);
    return OUTCOME_NEXT;
}

static status decode_pack(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    struct conversion *conversion;
    (void)opcode;
    if (decoder->type_count < 2 || type_bits(decoder->types[0]) > 16)
        return decoder_refuse(decoder, "not for these types");
    TRY_NEW(conversion, decoder->parser->module->arena, 1, decoder->lexer->diagnostic);
    *conversion =
        (struct conversion){.to = decoder->types[0], .from = decoder->types[1], .saturate = true};
    decoder_take(decoder, "sat");
    instruction->detail = conversion;
    instruction->run = convert_pack;
    instruction->count = decoder->type_count == 3 ? 3 : 2;
    TRY(read_destination(decoder, TYPE_B32, &instruction->destination));
    for (int i = 0; i < instruction->count; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, TYPE_B32, &instruction->sources[i]));
    }
    return STATUS_OK;
}

const struct opcode opcodes_convert[] = {
    {"cvt", NULL, NULL, CATEGORY_CONVERT, decode_convert},
    {"cvt.pack", NULL, NULL, CATEGORY_CONVERT, decode_pack},
    {0},
};
