/* Dot products inside 32-bit lanes. */
#include "codegen/cpu/llvm_dot.h"

/* The largest unsigned byte for which two products of it with +-127 fit 16 bits: what vpmaddubsw
 * adds without saturating. */
enum { PAIR_LARGEST = 32767 / (2 * 127) };

bool dot_bytes_is_native(const struct emitter *e, int lanes)
{
    if (e->architecture != ARCHITECTURE_X86_64) return false;
    if (lanes == 16) return has(e, FACT_has_vnni);
    return (lanes == 8 || lanes == 4) && (has(e, FACT_has_vnni) || has(e, FACT_has_avxvnni));
}

static value dot_native(struct emitter *e, value sum, value positive, value signs, int lanes)
{
    /* The 256- and 128-bit forms serve AVX-VNNI too; LLVM encodes what the target has. */
    const char *name = lanes == 16  ? "llvm.x86.avx512.vpdpbusd.512"
                       : lanes == 8 ? "llvm.x86.avx512.vpdpbusd.256"
                                    : "llvm.x86.avx512.vpdpbusd.128";
    return machine_intrinsic(e, name, LLVMTypeOf(sum), (value[]){sum, positive, signs}, 3);
}

static bool has_pair_products(const struct emitter *e, int lanes)
{
    if (e->architecture != ARCHITECTURE_X86_64) return false;
    return lanes == 16 ? has(e, FACT_has_avx512) : lanes == 8 && has(e, FACT_has_avx2);
}

/* Products of neighbouring i16, added in i32 lanes. */
static value add_word_pairs(struct emitter *e, value a, value b, int lanes)
{
    const char *name = lanes == 16 ? "llvm.x86.avx512.pmaddw.d.512" : "llvm.x86.avx2.pmadd.wd";
    return machine_intrinsic(e, name, vector_of(e->i32, lanes), (value[]){a, b}, 2);
}

int dot_pairs_depth(const struct emitter *e, int lanes, int largest)
{
    if (dot_bytes_is_native(e, lanes) || !has_pair_products(e, lanes)) return 0;
    return PAIR_LARGEST / largest;
}

bool dot_pairs_take_signs(const struct emitter *e, int lanes)
{
    return lanes == 8 && !dot_bytes_is_native(e, lanes) && has_pair_products(e, lanes);
}

value dot_pairs(struct emitter *e, value positive, value signs)
{
    int lanes = lanes_of(positive);
    const char *name = lanes == 16 ? "llvm.x86.avx512.pmaddubs.w.512" : "llvm.x86.avx2.pmadd.ub.sw";
    return machine_intrinsic(e, name, vector_of(e->i16, 2 * lanes), (value[]){positive, signs}, 2);
}

value dot_pairs_of_signed(struct emitter *e, value a, value b)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    value bytes = reinterpret(e, a, vector_of(e->i8, 4 * lanes_of(a)));
    value magnitude = maximum_signed(e, bytes, sub(e, zero_of(LLVMTypeOf(bytes)), bytes));
    value signs = machine_intrinsic(e, "llvm.x86.avx2.psign.b", type, (value[]){b, a}, 2);
    return dot_pairs(e, reinterpret(e, magnitude, type), signs);
}

value dot_pairs_sum(struct emitter *e, value sum, value pairs)
{
    int lanes = lanes_of(sum);
    value ones = reinterpret(e, splat_i32(e, 0x00010001, lanes), LLVMTypeOf(pairs));
    return add(e, sum, add_word_pairs(e, pairs, ones, lanes));
}

/* Bytes 0 and 2 of every lane as i16, then bytes 1 and 3. */
static value dot_wide(struct emitter *e, value sum, value positive, value signs, int lanes)
{
    LLVMTypeRef words = vector_of(e->i16, 2 * lanes);
    value p = reinterpret(e, positive, words), s = reinterpret(e, signs, words);
    value p_even = shift_right(e, shift_left(e, p, 8), 8), p_odd = shift_right(e, p, 8);
    value s_even = shift_right_signed(e, shift_left(e, s, 8), 8);
    value s_odd = shift_right_signed(e, s, 8);
    value even = add_word_pairs(e, p_even, s_even, lanes);
    return add(e, add(e, sum, even), add_word_pairs(e, p_odd, s_odd, lanes));
}

static value dot_portable(struct emitter *e, value sum, value positive, value signs, int lanes)
{
    for (int byte = 0; byte < 4; byte++) {
        value p = shift_right(e, shift_left(e, positive, 24 - 8 * byte), 24);
        value s = shift_right_signed(e, shift_left(e, signs, 24 - 8 * byte), 24);
        sum = add(e, sum, mul(e, p, s));
    }
    (void)lanes;
    return sum;
}

value dot_bytes(struct emitter *e, value sum, value positive, int largest, value signs)
{
    int lanes = lanes_of(sum);
    if (dot_bytes_is_native(e, lanes)) return dot_native(e, sum, positive, signs, lanes);
    if (!has_pair_products(e, lanes)) return dot_portable(e, sum, positive, signs, lanes);
    if (largest <= PAIR_LARGEST) return dot_pairs_sum(e, sum, dot_pairs(e, positive, signs));
    return dot_wide(e, sum, positive, signs, lanes);
}

value dot_bf16(struct emitter *e, value sum, value a, value b)
{
    return machine_intrinsic(e, "llvm.x86.avx512bf16.dpbf16ps.512", LLVMTypeOf(sum),
                             (value[]){sum, a, b}, 3);
}
