/* Half precision for the emitter.  Where the target converts in hardware LLVM does it; elsewhere it
 * would call a library function, which a kernel cannot, so the conversion is made of integer
 * operations. */
#include "codegen/cpu/llvm_vector.h"

#include <assert.h>

static bool converts_f16(const struct emitter *e)
{
    return e->architecture == ARCHITECTURE_AARCH64 ||
           (e->architecture == ARCHITECTURE_X86_64 && has(e, FACT_has_avx2));
}

static value integers(struct emitter *e, value like, int64_t number)
{
    return splat_i32(e, number, lanes_of(like));
}

static value as_f32(struct emitter *e, value bits)
{
    return reinterpret(e, bits, vector_of(e->f32, lanes_of(bits)));
}

static value as_bits(struct emitter *e, value x)
{
    return reinterpret(e, x, vector_of(e->i32, lanes_of(x)));
}

/* Moves exponent and mantissa into place.  Subnormals: the mantissa as the low bits of 2^-14 (1 +
 * m/1024), less 2^-14, is exact; infinities and NaN get the largest exponent. */
static value widen_f16_by_bits(struct emitter *e, value bits)
{
    value wide = zero_extend(e, bits, e->i32);
    value sign = shift_left(e, bit_and(e, wide, integers(e, wide, 0x8000)), 16);
    value magnitude = shift_left(e, bit_and(e, wide, integers(e, wide, 0x7fff)), 13);
    value normal = add(e, magnitude, integers(e, wide, 112 << 23));
    value base = integers(e, wide, 113 << 23);
    value tiny = as_bits(e, subf(e, as_f32(e, add(e, magnitude, base)), as_f32(e, base)));
    value special = add(e, magnitude, integers(e, wide, 224 << 23));
    value is_tiny = less(e, magnitude, integers(e, wide, 1 << 23));
    value is_special = greater_equal(e, magnitude, integers(e, wide, 31 << 23));
    value result = choose(e, is_tiny, tiny, choose(e, is_special, special, normal));
    return as_f32(e, bit_or(e, result, sign));
}

value widen_f16(struct emitter *e, value bits)
{
    if (!converts_f16(e)) return widen_f16_by_bits(e, bits);
    int lanes = lanes_of(bits);
    value half = reinterpret(e, bits, vector_of(e->f16, lanes));
    return LLVMBuildFPExt(e->builder, half, vector_of(e->f32, lanes), "");
}

value widen_bf16(struct emitter *e, value bits)
{
    return as_f32(e, shift_left(e, zero_extend(e, bits, e->i32), 16));
}

/* Adds half of the last kept place, less one when the kept part is even: round to nearest even. */
static value round_off(struct emitter *e, value bits, int dropped)
{
    value odd = bit_and(e, shift_right(e, bits, dropped), integers(e, bits, 1));
    value half = integers(e, bits, (1 << (dropped - 1)) - 1);
    return shift_right(e, add(e, bits, add(e, half, odd)), dropped);
}

static value narrow_f16_by_bits(struct emitter *e, value x)
{
    value bits = as_bits(e, x);
    value sign = bit_and(e, shift_right(e, bits, 16), integers(e, bits, 0x8000));
    value magnitude = bit_and(e, bits, integers(e, bits, 0x7fffffff));
    value normal = round_off(e, sub(e, magnitude, integers(e, bits, 112 << 23)), 13);
    /* The last place of 0.5 is the unit of half's subnormals: adding it rounds as wanted. */
    value half = integers(e, bits, 126 << 23);
    value tiny = sub(e, as_bits(e, addf(e, as_f32(e, magnitude), as_f32(e, half))), half);
    value is_tiny = less(e, magnitude, integers(e, bits, 113 << 23));
    value is_large = greater_equal(e, magnitude, integers(e, bits, 0x47800000)); /* 65536 */
    value is_nan = less(e, integers(e, bits, 0x7f800000), magnitude);
    value large = choose(e, is_nan, integers(e, bits, 0x7e00), integers(e, bits, 0x7c00));
    value result = choose(e, is_tiny, tiny, choose(e, is_large, large, normal));
    return truncate_to(e, bit_or(e, result, sign), e->i16);
}

value narrow_f16(struct emitter *e, value x)
{
    if (!converts_f16(e)) return narrow_f16_by_bits(e, x);
    int lanes = lanes_of(x);
    value half = LLVMBuildFPTrunc(e->builder, x, vector_of(e->f16, lanes), "");
    return reinterpret(e, half, vector_of(e->i16, lanes));
}

value narrow_bf16(struct emitter *e, value x)
{
    int lanes = lanes_of(x);
    if (has(e, FACT_has_bf16) && lanes == 16)
        return machine_intrinsic(e, "llvm.x86.avx512bf16.cvtneps2bf16.512",
                                 vector_of(e->i16, lanes), &x, 1);
    if (has(e, FACT_has_bf16) && lanes == 32)
        return concatenate(e, narrow_bf16(e, slice(e, x, 0, 16)),
                           narrow_bf16(e, slice(e, x, 16, 16)));
    value bits = as_bits(e, x);
    value magnitude = bit_and(e, bits, integers(e, bits, 0x7fffffff));
    value is_nan = less(e, integers(e, bits, 0x7f800000), magnitude);
    value quiet = bit_or(e, shift_right(e, bits, 16), integers(e, bits, 0x40));
    return truncate_to(e, choose(e, is_nan, quiet, round_off(e, bits, 16)), e->i16);
}

value narrow_bf16_pairs(struct emitter *e, value first, value second)
{
    enum { LANES_MAX = 16 };
    int lanes = lanes_of(first), order[2 * LANES_MAX];
    assert(lanes <= LANES_MAX);
    for (int i = 0; i < 2 * lanes; i++) order[i] = i / 2 + i % 2 * lanes;
    if (!has(e, FACT_has_bf16) || lanes != LANES_MAX)
        return shuffle(e, narrow_bf16(e, first), narrow_bf16(e, second), order, 2 * lanes);
    value both = machine_intrinsic(e, "llvm.x86.avx512bf16.cvtne2ps2bf16.512",
                                   vector_of(e->i16, 2 * lanes), (value[]){second, first}, 2);
    return shuffle(e, both, NULL, order, 2 * lanes);
}

/* As f16 the bits stand for 2^-8 times the number, but for NaN, all of whose bits are ones. */
static value widen_e4m3(struct emitter *e, value bits)
{
    value wide = zero_extend(e, bits, e->i32), ones = integers(e, bits, 0x7f);
    value magnitude = bit_and(e, wide, ones);
    value sign = shift_left(e, bit_and(e, wide, integers(e, bits, 0x80)), 8);
    value half = bit_or(e, sign, shift_left(e, magnitude, 7));
    half = choose(e, equal(e, magnitude, ones), integers(e, bits, 0x7e00), half);
    value real = widen_f16(e, truncate_to(e, half, e->i16));
    int lanes = lanes_of(real);
    return mulf(e, real, lanes == 1 ? constant_f32(e, 256) : splat_f32(e, 256, lanes));
}

value widen_f8(struct emitter *e, enum element_type type, value bits)
{
    if (type == ELEMENT_F8_E4M3) return widen_e4m3(e, bits);
    assert(type == ELEMENT_F8_E5M2);
    return widen_f16(e, shift_left(e, zero_extend(e, bits, e->i16), 8));
}

value load_as_f32(struct emitter *e, enum element_type type, value pointer, int count, int lanes)
{
    int bytes = element_of(type)->block_bytes;
    LLVMTypeRef item = bytes == 4 ? e->f32 : bytes == 2 ? e->i16 : e->i8;
    value bits = lanes == 1 ? load(e, item, pointer, bytes)
                            : load_first(e, vector_of(item, lanes), pointer, count, bytes);
    switch (type) {
    case ELEMENT_F32: return bits;
    case ELEMENT_F16: return widen_f16(e, bits);
    case ELEMENT_F8_E4M3:
    case ELEMENT_F8_E5M2: return widen_f8(e, type, bits);
    default: assert(type == ELEMENT_BF16); return widen_bf16(e, bits);
    }
}
