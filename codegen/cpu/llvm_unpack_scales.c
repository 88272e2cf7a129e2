/* Scales and minima of block types, and tables of bytes. */
#include "codegen/cpu/llvm_unpack_scales.h"

enum { GROUPS = UNPACK_GROUPS_MAX, HALF = 8 };

value constant_vector(value *each, int count)
{
    return LLVMConstVector(each, (unsigned)count);
}

/* ---- Tables ---- */

/* One instruction picks 16 bytes; elsewhere each of the 16 values is chosen in turn. */
value look_up_bytes(struct emitter *e, value codes, const signed char *table, int offset)
{
    int lanes = lanes_of(codes), bytes = 4 * lanes;
    value each[64];
    for (int i = 0; i < bytes; i++) each[i] = constant_i8(e, table[i % 16] + offset);
    if (e->architecture == ARCHITECTURE_X86_64 && has(e, FACT_has_avx2) && lanes <= 16) {
        const char *name = lanes == 16  ? "llvm.x86.avx512.pshuf.b.512"
                           : lanes == 8 ? "llvm.x86.avx2.pshuf.b"
                                        : "llvm.x86.ssse3.pshuf.b.128";
        return machine_intrinsic(e, name, LLVMTypeOf(codes),
                                 (value[]){constant_vector(each, bytes), codes}, 2);
    }
    value from = reinterpret(e, codes, vector_of(e->i8, bytes));
    value found = splat_i8(e, table[0] + offset, bytes);
    for (int c = 1; c < 16; c++)
        found = choose(e, equal(e, from, splat_i8(e, c, bytes)),
                       splat_i8(e, table[c] + offset, bytes), found);
    return reinterpret(e, found, LLVMTypeOf(codes));
}

/* ---- Blocks of 32: an f16 (or a byte of exponent) in front ---- */

static int block_of_lane(const struct unpack_request *request, int lane_number)
{
    return lane_number * request->blocks / request->lanes;
}

/* All scales with one load that also covers quants, where that load stays inside the blocks. */
static value halves_by_load(struct emitter *e, const struct unpack_request *request, value pointer,
                            int words, int block_words)
{
    int lanes[16];
    for (int i = 0; i < request->lanes; i++) lanes[i] = block_of_lane(request, i) * block_words;
    value loaded = load(e, vector_of(e->i16, words), pointer, 2);
    return words == 32 ? pick_words(e, loaded, lanes, request->lanes)
                       : shuffle(e, loaded, NULL, lanes, request->lanes);
}

/* The item of type `item` at byte `at` of each block; a scalar where there is one block. */
static value items_of_blocks(struct emitter *e, const struct unpack_request *request, value pointer,
                             LLVMTypeRef item, int at)
{
    int64_t block_bytes = element_of(request->type)->block_bytes;
    int alignment = item == e->i8 ? 1 : 2;
    if (request->blocks == 1) return load(e, item, address_at(e, pointer, at), alignment);
    value each = zero_of(vector_of(item, request->blocks));
    for (int i = 0; i < request->present; i++) {
        value from = address_at(e, pointer, i * block_bytes + at);
        each = with_lane(e, each, load(e, item, from, alignment), i);
    }
    return each;
}

/* From a number for each block to one for each lane: the last step, as there are fewer blocks. */
static value spread_blocks(struct emitter *e, const struct unpack_request *request, value numbers)
{
    if (request->blocks == 1) return splat(e, numbers, request->lanes);
    int lanes[16];
    for (int i = 0; i < request->lanes; i++) lanes[i] = block_of_lane(request, i);
    return shuffle(e, numbers, NULL, lanes, request->lanes);
}

static value halves_of_blocks(struct emitter *e, const struct unpack_request *request,
                              value pointer, int at)
{
    return spread_blocks(e, request,
                         widen_f16(e, items_of_blocks(e, request, pointer, e->i16, at)));
}

static value load_halves(struct emitter *e, const struct unpack_request *request, value pointer)
{
    int block_bytes = element_of(request->type)->block_bytes;
    int words = 2 * request->lanes, block_words = block_bytes / 2;
    bool one_load =
        has(e, FACT_has_avx512) && request->blocks > 1 && request->present == request->blocks &&
        words * 2 <= block_bytes * request->blocks && (request->blocks - 1) * block_words < words;
    return one_load ? widen_f16(e, halves_by_load(e, request, pointer, words, block_words))
                    : halves_of_blocks(e, request, pointer, 0);
}

/* 2^(exponent - 128), as element_half_of_e8m0 has it; below 2^-126 the bits are those of the mantissa,
 * 2^21 and 2^22, where the first of the two is smaller. */
static value half_of_e8m0(struct emitter *e, value exponents)
{
    int lanes = lanes_of(exponents);
    value wide = zero_extend(e, exponents, e->i32), one = splat_i32(e, 1, lanes);
    value normal = shift_left(e, sub(e, wide, one), 23);
    value bits = maximum_signed(e, normal, shift_left(e, add(e, wide, one), 21));
    return reinterpret(e, bits, vector_of(e->f32, lanes));
}

/* What the zeros of 4-bit integers amount to: exact, as the products are. */
static value minima_of_zeros(struct emitter *e, value scales, value zeros)
{
    return negf(e, mulf(e, scales, integer_to_f32(e, zero_extend(e, zeros, e->i32))));
}

void unpack_small_scales(struct emitter *e, const struct unpack_request *request, value pointer,
                         value *scales, value *minima)
{
    if (request->type == ELEMENT_MXFP4)
        *scales = spread_blocks(e, request,
                                half_of_e8m0(e, items_of_blocks(e, request, pointer, e->i8, 0)));
    else
        *scales = load_halves(e, request, pointer);
    if (request->type == ELEMENT_I4_32)
        *minima = minima_of_zeros(
            e, *scales, spread_blocks(e, request, items_of_blocks(e, request, pointer, e->i8, 2)));
    else if (unpack_form_of(request->type)->has_minima)
        *minima = halves_of_blocks(e, request, pointer, 2);
}

/* ---- Blocks of 128: one scale for all, or for each 16 a float of 8 bits beside it ---- */

static value nvfp4_scales(struct emitter *e, value pointer)
{
    int lanes[GROUPS];
    for (int i = 0; i < GROUPS; i++) lanes[i] = i % HALF;
    value small = load(e, vector_of(e->i8, HALF), address_at(e, pointer, 4), 4);
    value halves = mulf(e, widen_f8(e, ELEMENT_F8_E4M3, small), splat_f32(e, 0.5, HALF));
    value scales = mulf(e, splat(e, load(e, e->f32, pointer, 4), HALF), halves);
    return shuffle(e, scales, NULL, lanes, GROUPS);
}

void unpack_wide_scales(struct emitter *e, enum element_type type, value pointer, value *scales,
                        value *minima)
{
    if (type == ELEMENT_NVFP4_128) {
        *scales = nvfp4_scales(e, pointer);
        return;
    }
    if (type != ELEMENT_I4_128) {
        *scales = splat(e, load(e, e->f32, pointer, 4), GROUPS);
        return;
    }
    *scales = widen_f16(e, splat(e, load(e, e->i16, pointer, 2), GROUPS));
    value zero = load(e, e->i8, address_at(e, pointer, 2), 1);
    *minima = minima_of_zeros(e, *scales, splat(e, zero, GROUPS));
}

/* ---- Blocks of 256: units, and whole scales packed in many ways ---- */

static value load_unit(struct emitter *e, value pointer, int at)
{
    return widen_f16(e, load(e, e->i16, address_at(e, pointer, at), 2));
}

/* A real for each group of 16, from whole numbers for each 16 or each 32. */
static value scale_groups(struct emitter *e, value unit, value whole)
{
    int count = lanes_of(whole), lanes[GROUPS];
    value reals = mulf(e, integer_to_f32(e, whole), splat(e, unit, count));
    if (count == GROUPS) return reals;
    for (int i = 0; i < GROUPS; i++) lanes[i] = i / 2;
    return shuffle(e, reals, NULL, lanes, GROUPS);
}

/* `count` bytes from byte `at` on, repeated up to `lanes` of i32, each shifted down by its own count
 * of bits. */
static value spread_bytes(struct emitter *e, value pointer, int at, int count, int lanes,
                          const int *shifts)
{
    int picked[GROUPS];
    value bytes = load(e, vector_of(e->i8, count), address_at(e, pointer, at), 1);
    for (int i = 0; i < lanes; i++) picked[i] = i % count;
    if (lanes != count) bytes = shuffle(e, bytes, NULL, picked, lanes);
    value wide = zero_extend(e, bytes, e->i32);
    return shifts ? shift_right_each(e, wide, shifts) : wide;
}

static value low_bits(struct emitter *e, value whole, int bits)
{
    return bit_and(e, whole, splat_i32(e, (1 << bits) - 1, lanes_of(whole)));
}

static void q2_K_scales(struct emitter *e, value pointer, value *scales, value *minima)
{
    value both = spread_bytes(e, pointer, 0, GROUPS, GROUPS, NULL);
    *scales = scale_groups(e, load_unit(e, pointer, 80), low_bits(e, both, 4));
    value unit = negf(e, load_unit(e, pointer, 82));
    *minima = scale_groups(e, unit, shift_right(e, both, 4));
}

static value q3_K_scales(struct emitter *e, value pointer)
{
    int low_shifts[GROUPS], high_shifts[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        low_shifts[i] = i / 8 * 4;
        high_shifts[i] = i / 4 * 2;
    }
    value low = low_bits(e, spread_bytes(e, pointer, 96, 8, GROUPS, low_shifts), 4);
    value high = low_bits(e, spread_bytes(e, pointer, 104, 4, GROUPS, high_shifts), 2);
    value whole = bit_or(e, low, shift_left(e, high, 4));
    return scale_groups(e, load_unit(e, pointer, 108), sub(e, whole, splat_i32(e, 32, GROUPS)));
}

/* Bytes of the 16 at `pointer`, or zeros where `picked` says so; a register of all 16 would else be
 * put together of pieces. */
static value pick_bytes(struct emitter *e, value pointer, const int *picked)
{
    LLVMTypeRef bytes = vector_of(e->i8, 16), words = vector_of(e->i32, GROUPS);
    value from = load(e, bytes, pointer, 1), each[4 * GROUPS];
    int repeated[4 * GROUPS];
    if (e->architecture != ARCHITECTURE_X86_64 || !has(e, FACT_has_avx512))
        return reinterpret(e, shuffle(e, from, zero_of(bytes), picked, 4 * GROUPS), words);
    for (int i = 0; i < 4 * GROUPS; i++) {
        repeated[i] = i % 16;
        each[i] = constant_i8(e, picked[i] < 16 ? picked[i] : 128);
    }
    value arguments[] = {shuffle(e, from, NULL, repeated, 4 * GROUPS),
                         constant_vector(each, 4 * GROUPS)};
    value spread = machine_intrinsic(e, "llvm.x86.avx512.pshuf.b.512", vector_of(e->i8, 4 * GROUPS),
                                     arguments, 2);
    return reinterpret(e, spread, words);
}

/* Eight scales, then eight minima: groups 0 to 3 have 6 bits in a byte of their own, 4 to 7 have 4
 * bits in one of the last four bytes and 2 at the top of the byte of the group four before. */
static value paired_whole(struct emitter *e, value pointer)
{
    int picked[4 * GROUPS], shifts[GROUPS];
    value mask[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        bool minimum = i >= HALF, early = i % HALF < 4;
        int own = early ? 4 * minimum + i % HALF : 4 + i % HALF;
        shifts[i] = !early && minimum ? 4 : 0;
        mask[i] = constant_i32(e, early ? 63 : 15);
        picked[4 * i] = 4 + own;
        picked[4 * i + 1] = early ? 16 : 4 + 4 * minimum + i % HALF - 4;
        picked[4 * i + 2] = picked[4 * i + 3] = 16;
    }
    value words = pick_bytes(e, pointer, picked);
    value upper = bit_and(e, shift_right(e, words, 10), splat_i32(e, 48, GROUPS));
    value lower = bit_and(e, shift_right_each(e, words, shifts), constant_vector(mask, GROUPS));
    return bit_or(e, lower, upper);
}

/* q4_K and q5_K. */
value unpack_paired_scales(struct emitter *e, value pointer)
{
    int lanes[GROUPS];
    for (int i = 0; i < GROUPS; i++) lanes[i] = i / HALF;
    value units = widen_f16(e, load(e, vector_of(e->i16, 2), pointer, 2));
    value whole = integer_to_f32(e, paired_whole(e, pointer));
    return mulf(e, whole, shuffle(e, units, NULL, lanes, GROUPS));
}

static void q4_K_scales(struct emitter *e, value pointer, value *scales, value *minima)
{
    int first[GROUPS], last[GROUPS];
    for (int i = 0; i < GROUPS; i++) {
        first[i] = i / 2;
        last[i] = HALF + i / 2;
    }
    value both = unpack_paired_scales(e, pointer);
    *scales = shuffle(e, both, NULL, first, GROUPS);
    *minima = negf(e, shuffle(e, both, NULL, last, GROUPS));
}

static value q6_K_scales(struct emitter *e, value pointer)
{
    value bytes = load(e, vector_of(e->i8, GROUPS), address_at(e, pointer, 192), 1);
    return scale_groups(e, load_unit(e, pointer, 208), sign_extend(e, bytes, e->i32));
}

static value iq4_xs_scales(struct emitter *e, value pointer)
{
    int low_shifts[HALF], high_shifts[HALF];
    for (int i = 0; i < HALF; i++) {
        low_shifts[i] = 4 * i;
        high_shifts[i] = 2 * i;
    }
    value low = splat(e, load(e, e->i32, address_at(e, pointer, 4), 2), HALF);
    value high = load(e, e->i16, address_at(e, pointer, 2), 2);
    high = splat(e, zero_extend(e, high, e->i32), HALF);
    low = low_bits(e, shift_right_each(e, low, low_shifts), 4);
    high = low_bits(e, shift_right_each(e, high, high_shifts), 2);
    value whole = bit_or(e, low, shift_left(e, high, 4));
    return scale_groups(e, load_unit(e, pointer, 0), sub(e, whole, splat_i32(e, 32, HALF)));
}

void unpack_super_scales(struct emitter *e, enum element_type type, value pointer, value *scales,
                         value *minima)
{
    switch (type) {
    case ELEMENT_Q2_K: q2_K_scales(e, pointer, scales, minima); break;
    case ELEMENT_Q3_K: *scales = q3_K_scales(e, pointer); break;
    case ELEMENT_Q6_K: *scales = q6_K_scales(e, pointer); break;
    case ELEMENT_IQ4_XS: *scales = iq4_xs_scales(e, pointer); break;
    default: q4_K_scales(e, pointer, scales, minima); break; /* q4_K, q5_K */
    }
}
