/* Range reduction in double precision, polynomials in single. */
#include "codegen/cpu/llvm_angle.h"

#include <assert.h>

enum { TABLE_MAX = 1024 };

LLVMTypeRef type_f64(struct emitter *e)
{
    return LLVMDoubleTypeInContext(e->context);
}

value constant_f64(struct emitter *e, double number)
{
    return LLVMConstReal(type_f64(e), number);
}

value splat_f64(struct emitter *e, double number, int lanes)
{
    return splat(e, constant_f64(e, number), lanes);
}

value integer_to_f64(struct emitter *e, value x)
{
    return LLVMBuildSIToFP(e->builder, x, vector_of(type_f64(e), lanes_of(x)), "");
}

value f32_to_f64(struct emitter *e, value x)
{
    return LLVMBuildFPExt(e->builder, x, vector_of(type_f64(e), lanes_of(x)), "");
}

value table_f64(struct emitter *e, const double *numbers, int count)
{
    value each[TABLE_MAX];
    assert(count <= TABLE_MAX);
    for (int i = 0; i < count; i++) each[i] = constant_f64(e, numbers[i]);
    LLVMTypeRef type = LLVMArrayType(type_f64(e), (unsigned)count);
    value table = LLVMAddGlobal(e->module, type, "table");
    LLVMSetInitializer(table, LLVMConstArray(type_f64(e), each, (unsigned)count));
    LLVMSetGlobalConstant(table, 1);
    LLVMSetLinkage(table, LLVMPrivateLinkage);
    LLVMSetUnnamedAddress(table, LLVMGlobalUnnamedAddr);
    LLVMSetAlignment(table, 64);
    return table;
}

/* The angle less `*quarter` quarter turns, within an eighth of a turn of 0.  The quarter turn is in
 * three parts of which two have 26 bits, so that their products with fewer than 2^27 quarters are
 * exact; what a fused multiply-add makes of them is exact always. */
static value reduce(struct emitter *e, value angle, value *quarter)
{
    static const double parts[] = {0x1.921fb5p+0, 0x1.110b46p-26, 0x1.1a62633145c07p-54};
    int lanes = lanes_of(angle);
    value round = splat_f64(e, 0x1.8p52, lanes);
    value biased = muladdf(e, angle, splat_f64(e, 0x1.45f306dc9c883p-1, lanes), round);
    value count = subf(e, biased, round);
    for (int i = 0; i < 3; i++) angle = muladdf(e, count, splat_f64(e, -parts[i], lanes), angle);
    *quarter = truncate_to(e, reinterpret(e, biased, vector_of(e->i64, lanes)), e->i32);
    return LLVMBuildFPTrunc(e->builder, angle, vector_of(e->f32, lanes), "");
}

/* Horner's rule in `square`, highest power first. */
static value series(struct emitter *e, value square, const double *coefficients, int count)
{
    int lanes = lanes_of(square);
    value sum = splat_f32(e, coefficients[0], lanes);
    for (int i = 1; i < count; i++)
        sum = muladdf(e, sum, square, splat_f32(e, coefficients[i], lanes));
    return sum;
}

/* `x` with its sign flipped where bit 1 of `quarter` is set. */
static value flip(struct emitter *e, value x, value quarter)
{
    LLVMTypeRef bits = LLVMTypeOf(quarter), reals = LLVMTypeOf(x);
    value sign = shift_left(e, bit_and(e, quarter, splat_i32(e, 2, lanes_of(x))), 30);
    return reinterpret(e, bit_xor(e, reinterpret(e, x, bits), sign), reals);
}

/* Taylor's series end where the next term is below 3e-9 at an eighth of a turn. */
void math_sine_cosine(struct emitter *e, value angle, value *sine, value *cosine)
{
    static const double odd[] = {1.0 / 362880, -1.0 / 5040, 1.0 / 120, -1.0 / 6};
    static const double even[] = {-1.0 / 3628800, 1.0 / 40320, -1.0 / 720, 1.0 / 24, -0.5, 1};
    int lanes = lanes_of(angle);
    value quarter, x = reduce(e, angle, &quarter), square = mulf(e, x, x);
    value small_sine = muladdf(e, mulf(e, x, square), series(e, square, odd, 4), x);
    value small_cosine = series(e, square, even, 6);
    value one = splat_i32(e, 1, lanes);
    value crossed = equal(e, bit_and(e, quarter, one), one);
    *sine = flip(e, choose(e, crossed, small_cosine, small_sine), quarter);
    *cosine = flip(e, choose(e, crossed, small_sine, small_cosine), add(e, quarter, one));
}
