/* Additions and subtractions that take or leave a carry, which NVRTC makes wide integers of.  The
 * carry is a bit per lane; a borrow is a carry that is set. */
#include "emulator/lanes.h"

__extension__ typedef unsigned __int128 wide_word;
__extension__ typedef __int128 wide_integer;

enum carry_kind { CARRY_ADD, CARRY_SUBTRACT, CARRY_MULTIPLY_LOW, CARRY_MULTIPLY_HIGH };

/* x + y + `in` or x - y - `in`, in `bits`; gives the carry. */
static uint64_t carry_through(bool subtracts, int bits, uint64_t x, uint64_t y, uint32_t *carry)
{
    wide_word wide = subtracts ? (wide_word)x - y - *carry : (wide_word)x + y + *carry;
    *carry = (uint32_t)(wide >> bits) & 1;
    return bits == 64 ? (uint64_t)wide : (uint32_t)wide;
}

static uint64_t factor_of(const struct instruction *instruction, uint64_t a, uint64_t b)
{
    bool is_signed = instruction->flags & FLAG_SIGNED,
         high = instruction->count == CARRY_MULTIPLY_HIGH;
    if (instruction->bytes == 4) {
        uint64_t product = is_signed ? (uint64_t)((int64_t)(int32_t)a * (int32_t)b) : a * b;
        return (uint32_t)(high ? product >> 32 : product);
    }
    wide_word product =
        is_signed ? (wide_word)((wide_integer)(int64_t)a * (int64_t)b) : (wide_word)a * b;
    return (uint64_t)(high ? product >> 64 : product);
}

static uint64_t value_at(const struct warp *warp, const struct instruction *instruction, int source,
                         unsigned lane)
{
    return instruction->bytes == 8 ? SOURCE(uint64_t, source)[lane]
                                   : SOURCE(uint32_t, source)[lane];
}

/* FLAG_TRANSPOSE stands for "takes a carry", FLAG_VOLATILE for "leaves one". */
OPERATION(carry_any)
{
    bool takes = instruction->flags & FLAG_TRANSPOSE, leaves = instruction->flags & FLAG_VOLATILE;
    for (uint32_t left = warp->mask; left; left &= left - 1) {
        unsigned lane = (unsigned)__builtin_ctz(left);
        uint64_t x = value_at(warp, instruction, 0, lane);
        uint64_t y = value_at(warp, instruction, 1, lane);
        uint32_t carry = takes ? warp->carry >> lane & 1 : 0;
        if (instruction->count >= CARRY_MULTIPLY_LOW) {
            x = factor_of(instruction, x, y);
            y = value_at(warp, instruction, 2, lane);
        }
        uint64_t sum = carry_through(instruction->count == CARRY_SUBTRACT, instruction->bytes * 8,
                                     x, y, &carry);
        if (instruction->bytes == 8)
            DESTINATION(uint64_t)[lane] = sum;
        else
            DESTINATION(uint32_t)[lane] = (uint32_t)sum;
        if (leaves) warp->carry = (warp->carry & ~(1u << lane)) | carry << lane;
    }
    return OUTCOME_NEXT;
}

static status decode_carry(struct decoder *decoder, const struct opcode *opcode)
{
    struct instruction *instruction = decoder->instruction;
    enum ptx_type type = decoder->types[0];
    bool multiplies = opcode->name[0] == 'm';
    size_t stem = strcspn(opcode->name, ".");
    if (decoder->type_count != 1 || (type_bits(type) != 32 && type_bits(type) != 64) ||
        type_kind(type) == KIND_FLOAT)
        return decoder_refuse(decoder, "not for this type");
    instruction->count =
        multiplies ? strstr(opcode->name, ".hi") ? CARRY_MULTIPLY_HIGH : CARRY_MULTIPLY_LOW
        : opcode->name[0] == 's' ? CARRY_SUBTRACT
                                 : CARRY_ADD;
    instruction->bytes = (uint8_t)type_bytes(type);
    if (opcode->name[stem - 1] == 'c') instruction->flags |= FLAG_TRANSPOSE;
    if (strstr(opcode->name, ".cc") || decoder_take(decoder, "cc"))
        instruction->flags |= FLAG_VOLATILE;
    if (type_kind(type) == KIND_SIGNED) instruction->flags |= FLAG_SIGNED;
    instruction->run = carry_any;
    TRY(read_destination(decoder, type, &instruction->destination));
    for (int i = 0; i < (multiplies ? 3 : 2); i++) {
        TRY(read_comma(decoder));
        TRY(read_source(decoder, type, &instruction->sources[i]));
    }
    return STATUS_OK;
}

const struct opcode opcodes_carry[] = {
    {"add.cc", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {"addc", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {"sub.cc", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {"subc", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {"mad.lo.cc", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {"mad.hi.cc", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {"madc.lo", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {"madc.hi", NULL, NULL, CATEGORY_INTEGER, decode_carry},
    {0},
};
