/* The table of block types, and the bytes of their codes. */
#include "codegen/cpu/llvm_unpack.h"

#include "codegen/cpu/llvm_unpack_scales.h"

#include <assert.h>

enum { CHUNK_LANES = 4, CHUNK_BYTES = 16 };

/* Twice the values of E2M1. */
static const signed char e2m1_values[16] = {0, 1,  2,  3,  4,  6,  8,  12,
                                            0, -1, -2, -3, -4, -6, -8, -12};
static const signed char iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                           1,    13,   25,  38,  53,  69,  89,  113};

static const struct unpack_form forms[ELEMENT_COUNT] = {
    [ELEMENT_Q8_0] = {32, 32, 255, 128, false, {2, 32, 8, 2}, {0}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q4_0] = {32, 32, 15, 8, false, {2, 16, 4, 1}, {0}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q4_1] = {32, 32, 15, 0, true, {4, 16, 4, 1}, {0}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q5_0] = {32, 32, 31, 16, false, {6, 16, 4, 1}, {2, 4, 1, 0}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q5_1] = {32, 32, 31, 0, true, {8, 16, 4, 1}, {4, 4, 1, 0}, NULL, ELEMENT_COUNT},
    [ELEMENT_IQ4_NL] = {32, 32, 241, 128, false, {2, 16, 4, 1}, {0}, iq4_values, ELEMENT_COUNT},
    [ELEMENT_MXFP4] = {32, 32, 24, 12, false, {1, 16, 4, 1}, {0}, e2m1_values, ELEMENT_COUNT},
    [ELEMENT_Q2_K] = {256, 16, 3, 0, true, {16, 64, 2, 2}, {0}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q3_K] = {256, 16, 7, 4, false, {32, 64, 2, 2}, {0, 32, 1, 2}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q4_K] = {256, 32, 15, 0, true, {16, 128, 4, 2}, {0}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q5_K] = {256, 32, 31, 0, true, {48, 128, 4, 2}, {16, 32, 1, 2}, NULL, ELEMENT_COUNT},
    [ELEMENT_Q6_K] = {256, 16, 63, 32, false, {0, 128, 4, 4}, {128, 64, 2, 2}, NULL, ELEMENT_COUNT},
    [ELEMENT_IQ4_XS] = {256, 32, 241, 128, false, {8, 128, 4, 1}, {0}, iq4_values, ELEMENT_COUNT},
    [ELEMENT_F8_E4M3_128] = {128, 32, 255, 0, false, {4, 128, 8, 8}, {0}, NULL, ELEMENT_F8_E4M3},
    [ELEMENT_F8_E5M2_128] = {128, 32, 255, 0, false, {4, 128, 8, 8}, {0}, NULL, ELEMENT_F8_E5M2},
    [ELEMENT_I8_128] = {128, 32, 255, 128, false, {4, 128, 8, 8}, {0}, NULL, ELEMENT_COUNT},
    [ELEMENT_I4_128] = {128, 32, 15, 0, true, {4, 64, 4, 1}, {0}, NULL, ELEMENT_COUNT},
    [ELEMENT_NVFP4_128] = {128, 16, 24, 12, false, {12, 64, 4, 1}, {0}, e2m1_values, ELEMENT_COUNT},
    [ELEMENT_I4_32] = {32, 32, 15, 0, true, {4, 16, 4, 1}, {0}, NULL, ELEMENT_COUNT},
};

const struct unpack_form *unpack_form_of(enum element_type type)
{
    return forms[type].block ? &forms[type] : NULL;
}

bool unpack_is_paired(enum element_type type)
{
    return type == ELEMENT_Q4_K || type == ELEMENT_Q5_K;
}

/* ---- Where columns are ---- */

int unpack_part_count(const struct unpack_request *request)
{
    return request->blocks * forms[request->type].block / (4 * request->lanes);
}

/* Registers that hold the low plane; each gives a part for each of its bits' places. */
static int register_count(const struct unpack_request *request)
{
    return request->blocks * forms[request->type].low.bytes / (4 * request->lanes);
}

int unpack_group_at(const struct unpack_request *request, int part, int slot)
{
    const struct unpack_plane *low = &forms[request->type].low;
    int registers = register_count(request), places = 8 / low->bits;
    int place = part / registers, chunk = part % registers * (request->lanes / CHUNK_LANES) + slot;
    return chunk / low->run * low->run * places + place * low->run + chunk % low->run;
}

/* ---- Low planes ---- */

/* Chunks of 16 bytes of all blocks, in order, as registers. */
static void load_low(struct emitter *e, const struct unpack_request *request, value pointer,
                     value *registers)
{
    const struct unpack_plane *low = &forms[request->type].low;
    int64_t block_bytes = element_of(request->type)->block_bytes;
    int per_register = request->lanes / CHUNK_LANES, per_block = low->bytes / CHUNK_BYTES;
    /* The longest stretch that is whole both in a block and in a register. */
    int joined = per_register < per_block ? per_register : per_block;
    for (int r = 0; r < register_count(request); r++) {
        value pieces[UNPACK_PARTS_MAX];
        int count = per_register / joined;
        for (int i = 0; i < count; i++) {
            int chunk = r * per_register + i * joined, block = chunk / per_block;
            LLVMTypeRef type = vector_of(e->i32, joined * CHUNK_LANES);
            int64_t at = block * block_bytes + low->at + chunk % per_block * CHUNK_BYTES;
            pieces[i] = block < request->present ? load(e, type, address_at(e, pointer, at), 1)
                                                 : zero_of(type);
        }
        for (int n = count; n > 1; n /= 2)
            for (int i = 0; i < n / 2; i++)
                pieces[i] = concatenate(e, pieces[2 * i], pieces[2 * i + 1]);
        registers[r] = pieces[0];
    }
}

static value mask_codes(struct emitter *e, value bytes, int bits)
{
    int64_t mask = (1 << bits) - 1;
    return bit_and(e, bytes, splat_i32(e, mask * 0x01010101, lanes_of(bytes)));
}

/* ---- High planes ---- */

/* One bit for each column of a block of 32, in four bytes: a byte takes the bit of its column. */
static value small_high(struct emitter *e, const struct unpack_request *request, value pointer,
                        int part)
{
    const struct unpack_form *form = &forms[request->type];
    int64_t block_bytes = element_of(request->type)->block_bytes;
    int picked[64], bytes = 4 * request->lanes;
    value bits = zero_of(vector_of(e->i32, request->blocks)), each[64];
    for (int b = 0; b < request->present; b++) {
        value word = load(e, e->i32, address_at(e, pointer, b * block_bytes + form->high.at), 1);
        bits = request->blocks == 1 ? word : with_lane(e, bits, word, b);
    }
    for (int i = 0; i < bytes; i++) {
        int group = unpack_group_at(request, part, i / CHUNK_BYTES);
        picked[i] = group / 2 * 4 + group % 2 * 2 + i % CHUNK_BYTES / 8;
        each[i] = constant_i8(e, 1 << i % 8);
    }
    value spread = shuffle(e, reinterpret(e, bits, vector_of(e->i8, 4 * request->blocks)), NULL,
                           picked, bytes);
    value masked = bit_and(e, spread, constant_vector(each, bytes));
    value zero = zero_of(vector_of(e->i8, bytes));
    value high = choose(e, equal(e, masked, zero), zero, splat_i8(e, 1 << form->low.bits, bytes));
    return reinterpret(e, high, vector_of(e->i32, request->lanes));
}

/* Whole slots of the plane, each shifted to where its bits are. */
static value super_high(struct emitter *e, const struct unpack_request *request, value pointer,
                        int part)
{
    const struct unpack_form *form = &forms[request->type];
    const struct unpack_plane *high = &form->high;
    int picked[16], shifts[16], places = 8 / high->bits;
    value plane = load(e, vector_of(e->i32, high->bytes / 4), address_at(e, pointer, high->at), 1);
    for (int i = 0; i < request->lanes; i++) {
        int group = unpack_group_at(request, part, i / CHUNK_LANES), run = group / high->run;
        int chunk = run / places * high->run + group % high->run;
        picked[i] = chunk * CHUNK_LANES + i % CHUNK_LANES;
        shifts[i] = run % places * high->bits;
    }
    value spread = shuffle(e, plane, NULL, picked, request->lanes);
    value codes = mask_codes(e, shift_right_each(e, spread, shifts), high->bits);
    return shift_left(e, codes, form->low.bits);
}

/* ---- Bytes ---- */

void unpack_parts(struct emitter *e, const struct unpack_request *request, value pointer,
                  value *parts)
{
    const struct unpack_form *form = &forms[request->type];
    value registers[UNPACK_PARTS_MAX];
    int count = register_count(request);
    load_low(e, request, pointer, registers);
    for (int p = 0; p < unpack_part_count(request); p++) {
        value bytes = registers[p % count];
        if (form->low.bits == 8) {
            value sign = splat_i32(e, (int64_t)form->offset * 0x01010101, request->lanes);
            parts[p] = form->offset ? bit_xor(e, bytes, sign) : bytes;
            continue;
        }
        int shift = p / count * form->low.bits;
        bytes = mask_codes(e, shift ? shift_right(e, bytes, shift) : bytes, form->low.bits);
        if (form->high.bits)
            bytes = bit_or(e, bytes,
                           form->block == 32 ? small_high(e, request, pointer, p)
                                             : super_high(e, request, pointer, p));
        parts[p] = form->of_code ? look_up_bytes(e, bytes, form->of_code, form->offset) : bytes;
    }
}

void unpack_scales(struct emitter *e, const struct unpack_request *request, value pointer,
                   value *scales, value *minima)
{
    *minima = NULL;
    if (forms[request->type].block == 32)
        unpack_small_scales(e, request, pointer, scales, minima);
    else if (forms[request->type].block == 128)
        unpack_wide_scales(e, request->type, pointer, scales, minima);
    else
        unpack_super_scales(e, request->type, pointer, scales, minima);
}

/* ---- One block ---- */

struct unpacked unpack_block(struct emitter *e, enum element_type type, value pointer)
{
    struct unpack_request request = {type, 1, 1, CHUNK_LANES};
    struct unpacked block = {.form = &forms[type]};
    /* Wide registers where a block fills them: fewer instructions, and slots are cut out. */
    if (block.form->block > 32) request.lanes = e->lanes;
    value parts[UNPACK_PARTS_MAX];
    unpack_parts(e, &request, pointer, parts);
    for (int p = 0; p < unpack_part_count(&request); p++)
        for (int s = 0; s < request.lanes / CHUNK_LANES; s++)
            block.bytes[unpack_group_at(&request, p, s)] =
                request.lanes == CHUNK_LANES ? parts[p]
                                             : slice(e, parts[p], s * CHUNK_LANES, CHUNK_LANES);
    unpack_scales(e, &request, pointer, &block.scales, &block.minima);
    return block;
}

value unpacked_numbers(struct emitter *e, const struct unpack_form *form, value bytes)
{
    if (form->floats != ELEMENT_COUNT) return widen_f8(e, form->floats, bytes);
    value whole = zero_extend(e, bytes, e->i32);
    if (form->offset) whole = sub(e, whole, splat_i32(e, form->offset, lanes_of(bytes)));
    return integer_to_f32(e, whole);
}

value unpacked_whole(struct emitter *e, const struct unpacked *block, int group)
{
    value bytes = reinterpret(e, block->bytes[group], vector_of(e->i8, UNPACK_GROUP));
    return unpacked_numbers(e, block->form, bytes);
}

value unpacked_reals(struct emitter *e, const struct unpacked *block, int group)
{
    /* Products are exact (ir/element_decode_super.h), so fusing the sum changes nothing. */
    value scale = splat(e, lane(e, block->scales, group), UNPACK_GROUP);
    value reals = unpacked_whole(e, block, group);
    if (!block->minima) return mulf(e, reals, scale);
    return muladdf(e, reals, scale, splat(e, lane(e, block->minima, group), UNPACK_GROUP));
}
