/* atom and red: one lane after the other, and against other host threads by compare and swap. */
#include "emulator/lanes.h"
#include "emulator/memory_reach.h"
#include "emulator/number.h"

#include <math.h>

enum atomic_kind { ADD, MINIMUM, MAXIMUM, AND, OR, XOR, EXCHANGE, SWAP, INCREMENT, DECREMENT };

static const char *const kinds[] = {"add", "min",  "max", "and", "or",
                                    "xor", "exch", "cas", "inc", "dec"};

static uint64_t combine_whole(enum atomic_kind kind, bool is_signed, uint32_t bytes, uint64_t old,
                              uint64_t value)
{
    int shift = (int)(64 - 8 * bytes);
    int64_t a = (int64_t)(old << shift) >> shift, b = (int64_t)(value << shift) >> shift;
    bool less = is_signed ? a < b : old < value;
    switch (kind) {
    case ADD: return old + value;
    case MINIMUM: return less ? old : value;
    case MAXIMUM: return less ? value : old;
    case AND: return old & value;
    case OR: return old | value;
    case XOR: return old ^ value;
    case INCREMENT: return old >= value ? 0 : old + 1;
    case DECREMENT: return old == 0 || old > value ? value : old - 1;
    case EXCHANGE:
    case SWAP: break;
    }
    return value;
}

static double combine_real(enum atomic_kind kind, double old, double value)
{
    return kind == ADD ? old + value : kind == MINIMUM ? fmin(old, value) : fmax(old, value);
}

static uint64_t combine_halves(enum atomic_kind kind, enum ptx_type type, uint64_t old,
                               uint64_t value)
{
    bool brain = type == TYPE_BF16 || type == TYPE_BF16X2;
    enum ptx_type half = brain ? TYPE_BF16 : TYPE_F16;
    uint64_t result = 0;
    for (int s = 0; s < type_bits(type); s += 16) {
        double a = number_decode(half, old >> s & 0xffff),
               b = number_decode(half, value >> s & 0xffff);
        result |= (uint64_t)number_encode(half, combine_real(kind, a, b), ROUND_NEAREST, false)
                  << s;
    }
    return result;
}

static uint64_t combine(const struct instruction *instruction, uint64_t old, uint64_t value,
                        uint64_t swap)
{
    enum ptx_type type = (enum ptx_type)instruction->type;
    enum atomic_kind kind = (enum atomic_kind)instruction->immediate;
    if (kind == EXCHANGE) return value;
    if (kind == SWAP) return old == value ? swap : old;
    if (type == TYPE_F32)
        return kind == ADD ? bits_of(float_of((uint32_t)old) + float_of((uint32_t)value))
                           : bits_of((float)combine_real(kind, (double)float_of((uint32_t)old),
                                                         (double)float_of((uint32_t)value)));
    if (type == TYPE_F64)
        return bits_of_double(combine_real(kind, double_of(old), double_of(value)));
    if (type_kind(type) == KIND_FLOAT) return combine_halves(kind, type, old, value);
    return combine_whole(kind, type_kind(type) == KIND_SIGNED, instruction->bytes, old, value);
}

#define EXCHANGE_IN(type)                                                                          \
    {                                                                                              \
        type *place = (type *)(void *)at, before = __atomic_load_n(place, __ATOMIC_SEQ_CST);       \
        while (!__atomic_compare_exchange_n(place, &before,                                        \
                                            (type)combine(instruction, before, value, swap),       \
                                            false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {          \
        }                                                                                          \
        return before;                                                                             \
    }

static uint64_t exchange(const struct instruction *instruction, unsigned char *at, uint64_t value,
                         uint64_t swap)
{
    switch (instruction->bytes) {
    case 2: EXCHANGE_IN(uint16_t)
    case 4: EXCHANGE_IN(uint32_t)
    default: EXCHANGE_IN(uint64_t)
    }
}

static uint64_t lane_value(const struct warp *warp, const struct instruction *instruction,
                           int source, unsigned lane)
{
    return instruction->bytes == 8 ? SOURCE(uint64_t, source)[lane]
                                   : SOURCE(uint32_t, source)[lane];
}

OPERATION(atomic_any)
{
    uint64_t addresses[WARP_LANES];
    enum space space = (enum space)instruction->space;
    warp_addresses(warp, &instruction->address, addresses);
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        unsigned char *at = memory_reach(warp, instruction, space, lane, addresses[lane],
                                         instruction->bytes, REACH_READ | REACH_WRITE);
        if (!at) return OUTCOME_FAULT;
        uint64_t old = exchange(instruction, at, lane_value(warp, instruction, 0, lane),
                                lane_value(warp, instruction, 1, lane));
        if (instruction->destination == NO_REGISTER) continue;
        if (instruction->bytes == 8)
            DESTINATION(uint64_t)[lane] = old;
        else
            DESTINATION(uint32_t)[lane] = (uint32_t)old;
    }
    memory_count(warp, space, addresses, instruction->bytes);
    return OUTCOME_NEXT;
}

/* "red.v4.f32.add": each element by itself, all in one access. */
OPERATION(atomic_vector)
{
    uint64_t addresses[WARP_LANES];
    enum space space = (enum space)instruction->space;
    uint32_t bytes = (uint32_t)instruction->bytes * instruction->count;
    warp_addresses(warp, &instruction->address, addresses);
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        unsigned char *at = memory_reach(warp, instruction, space, lane, addresses[lane], bytes,
                                         REACH_READ | REACH_WRITE);
        if (!at) return OUTCOME_FAULT;
        for (uint32_t e = 0; e < instruction->count; e++)
            exchange(instruction, at + e * instruction->bytes,
                     LANES(const uint32_t, instruction->list[e])[lane], 0);
    }
    memory_count(warp, space, addresses, bytes);
    return OUTCOME_NEXT;
}

static status read_vector(struct decoder *decoder)
{
    uint32_t list[OPERAND_LIST_MAX];
    uint16_t count = 0;
    TRY(read_registers_of(decoder, decoder->types[0], true, list, &count));
    if (count != decoder->instruction->count || type_bits(decoder->types[0]) > 32)
        return decoder_refuse(decoder, "its vector has another size");
    decoder->instruction->run = atomic_vector;
    return keep_list(decoder, list, count);
}

static status take_kind(struct decoder *decoder)
{
    struct instruction *instruction = decoder->instruction;
    enum ptx_type type = decoder->types[0];
    size_t kind = 0, count = sizeof kinds / sizeof *kinds;
    while (kind < count && !decoder_take(decoder, kinds[kind])) kind++;
    bool real = type_kind(type) == KIND_FLOAT, small = type_bits(type) < 16;
    if (kind == count || decoder->type_count != 1 || small || type_bits(type) > 64)
        return decoder_refuse(decoder, "not for this operation or type");
    if (real && kind != ADD && kind != MINIMUM && kind != MAXIMUM)
        return decoder_refuse(decoder, "floats are added, min and max only");
    instruction->immediate = (int64_t)kind;
    instruction->type = (uint8_t)type;
    instruction->bytes = (uint8_t)type_bytes(type);
    return STATUS_OK;
}

static status decode_atomic(struct decoder *decoder, const struct opcode *opcode)
{
    static const char *const ignored[] = {"relaxed", "acquire", "release", "acq_rel", "weak",
                                          "cta",     "cluster", "gpu",     "sys",     "noftz"};
    struct instruction *instruction = decoder->instruction;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) decoder_take(decoder, ignored[i]);
    bool hint = decoder_take(decoder, "L2::cache_hint");
    instruction->space = decoder_take(decoder, "global") ? SPACE_GLOBAL
                         : decoder_take(decoder, "shared") ||
                                 decoder_take(decoder, "shared::cta") ||
                                 decoder_take(decoder, "shared::cluster")
                             ? SPACE_SHARED
                             : SPACE_GENERIC;
    instruction->count = decoder_take(decoder, "v2")   ? 2
                         : decoder_take(decoder, "v4") ? 4
                         : decoder_take(decoder, "v8") ? 8
                                                       : 1;
    TRY(take_kind(decoder));
    instruction->run = atomic_any;
    instruction->flags |= FLAG_VOLATILE;
    if (opcode->name[0] == 'a') {
        TRY(read_destination(decoder, decoder->types[0], &instruction->destination));
        TRY(read_comma(decoder));
    }
    TRY(read_address(decoder, &instruction->address, NULL));
    if (instruction->count > 1) {
        if (opcode->name[0] == 'a') return decoder_refuse(decoder, "red only for vectors");
        TRY(read_comma(decoder));
        TRY(read_vector(decoder));
    }
    int sources = instruction->count > 1 ? 0 : instruction->immediate == SWAP ? 2 : 1;
    for (int i = 0; i < sources; i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, decoder->types[0], &instruction->sources[i]));
    }
    if (!hint) return STATUS_OK;
    TRY(read_comma(decoder));
    return read_source(decoder, TYPE_B64, &instruction->sources[3]);
}

const struct opcode opcodes_atomic[] = {
    {"atom", NULL, NULL, CATEGORY_ATOMIC, decode_atomic},
    {"red", NULL, NULL, CATEGORY_ATOMIC, decode_atomic},
    {0},
};
