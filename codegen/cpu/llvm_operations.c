/* The emitter's operations: constants, arithmetic, comparisons, conversions, memory, intrinsics. */
#include "codegen/cpu/llvm_emit.h"

#include <assert.h>
#include <string.h>

/* ---- Constants and types ---- */

value constant_i8(struct emitter *e, int number)
{
    return LLVMConstInt(e->i8, (unsigned long long)(unsigned char)number, 0);
}

value constant_i32(struct emitter *e, int64_t number)
{
    return LLVMConstInt(e->i32, (unsigned long long)(uint32_t)number, 0);
}

value constant_i64(struct emitter *e, int64_t number)
{
    return LLVMConstInt(e->i64, (unsigned long long)number, 1);
}

value constant_f32(struct emitter *e, double number)
{
    return LLVMConstReal(e->f32, number);
}

LLVMTypeRef vector_of(LLVMTypeRef element, int lanes)
{
    return lanes == 1 ? element : LLVMVectorType(element, (unsigned)lanes);
}

value zero_of(LLVMTypeRef type)
{
    return LLVMConstNull(type);
}

static bool is_vector(value x)
{
    return LLVMGetTypeKind(LLVMTypeOf(x)) == LLVMVectorTypeKind;
}

int lanes_of(value x)
{
    return is_vector(x) ? (int)LLVMGetVectorSize(LLVMTypeOf(x)) : 1;
}

/* `number` as a constant of x's type, in every lane. */
static value constant_like(value x, int64_t number)
{
    LLVMTypeRef type = LLVMTypeOf(x);
    if (!is_vector(x)) return LLVMConstInt(type, (unsigned long long)number, 0);
    int lanes = lanes_of(x);
    value each[256];
    assert(lanes <= 256);
    for (int i = 0; i < lanes; i++)
        each[i] = LLVMConstInt(LLVMGetElementType(type), (unsigned long long)number, 0);
    return LLVMConstVector(each, (unsigned)lanes);
}

/* ---- Arithmetic ---- */

#define BINARY(name, builder_function)                                                             \
    value name(struct emitter *e, value a, value b)                                                \
    {                                                                                              \
        return builder_function(e->builder, a, b, "");                                             \
    }
BINARY(add, LLVMBuildAdd)
BINARY(sub, LLVMBuildSub)
BINARY(mul, LLVMBuildMul)
BINARY(divide_signed, LLVMBuildSDiv)
BINARY(remainder_signed, LLVMBuildSRem)
BINARY(bit_and, LLVMBuildAnd)
BINARY(bit_or, LLVMBuildOr)
BINARY(bit_xor, LLVMBuildXor)
BINARY(addf, LLVMBuildFAdd)
BINARY(subf, LLVMBuildFSub)
BINARY(mulf, LLVMBuildFMul)
BINARY(divf, LLVMBuildFDiv)
#undef BINARY

value bit_not(struct emitter *e, value a)
{
    return LLVMBuildNot(e->builder, a, "");
}

value shift_left(struct emitter *e, value a, int bits)
{
    return LLVMBuildShl(e->builder, a, constant_like(a, bits), "");
}

value shift_right(struct emitter *e, value a, int bits)
{
    return LLVMBuildLShr(e->builder, a, constant_like(a, bits), "");
}

value shift_right_each(struct emitter *e, value a, const int *bits)
{
    value each[64];
    int lanes = lanes_of(a);
    LLVMTypeRef type = LLVMGetElementType(LLVMTypeOf(a));
    assert(lanes <= 64);
    for (int i = 0; i < lanes; i++) each[i] = LLVMConstInt(type, (unsigned)bits[i], false);
    return LLVMBuildLShr(e->builder, a, LLVMConstVector(each, (unsigned)lanes), "");
}

value shift_right_signed(struct emitter *e, value a, int bits)
{
    return LLVMBuildAShr(e->builder, a, constant_like(a, bits), "");
}

value minimum_signed(struct emitter *e, value a, value b)
{
    return choose(e, less(e, a, b), a, b);
}

value maximum_signed(struct emitter *e, value a, value b)
{
    return choose(e, less(e, a, b), b, a);
}

value negf(struct emitter *e, value a)
{
    return LLVMBuildFNeg(e->builder, a, "");
}

value muladdf(struct emitter *e, value a, value b, value c)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return intrinsic(e, "llvm.fmuladd", &type, 1, (value[]){a, b, c}, 3);
}

value absolutef(struct emitter *e, value a)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return intrinsic(e, "llvm.fabs", &type, 1, &a, 1);
}

value rootf(struct emitter *e, value a)
{
    LLVMTypeRef type = LLVMTypeOf(a);
    return intrinsic(e, "llvm.sqrt", &type, 1, &a, 1);
}

value minimumf(struct emitter *e, value a, value b)
{
    return choose(e, lessf(e, a, b), a, b);
}

value maximumf(struct emitter *e, value a, value b)
{
    return choose(e, greaterf(e, a, b), a, b);
}

/* ---- Comparisons and selection ---- */

value less(struct emitter *e, value a, value b)
{
    return LLVMBuildICmp(e->builder, LLVMIntSLT, a, b, "");
}

value greater_equal(struct emitter *e, value a, value b)
{
    return LLVMBuildICmp(e->builder, LLVMIntSGE, a, b, "");
}

value equal(struct emitter *e, value a, value b)
{
    return LLVMBuildICmp(e->builder, LLVMIntEQ, a, b, "");
}

value lessf(struct emitter *e, value a, value b)
{
    return LLVMBuildFCmp(e->builder, LLVMRealOLT, a, b, "");
}

value greaterf(struct emitter *e, value a, value b)
{
    return LLVMBuildFCmp(e->builder, LLVMRealOGT, a, b, "");
}

value choose(struct emitter *e, value condition, value a, value b)
{
    return LLVMBuildSelect(e->builder, condition, a, b, "");
}

/* ---- Conversions ---- */

static LLVMTypeRef shaped(value x, LLVMTypeRef element)
{
    return vector_of(element, lanes_of(x));
}

value sign_extend(struct emitter *e, value x, LLVMTypeRef type)
{
    return LLVMBuildSExt(e->builder, x, shaped(x, type), "");
}

value zero_extend(struct emitter *e, value x, LLVMTypeRef type)
{
    return LLVMBuildZExt(e->builder, x, shaped(x, type), "");
}

value truncate_to(struct emitter *e, value x, LLVMTypeRef type)
{
    return LLVMBuildTrunc(e->builder, x, shaped(x, type), "");
}

value integer_to_f32(struct emitter *e, value x)
{
    return LLVMBuildSIToFP(e->builder, x, shaped(x, e->f32), "");
}

value f32_to_i32(struct emitter *e, value x)
{
    return LLVMBuildFPToSI(e->builder, x, shaped(x, e->i32), "");
}

value reinterpret(struct emitter *e, value x, LLVMTypeRef type)
{
    return LLVMTypeOf(x) == type ? x : LLVMBuildBitCast(e->builder, x, type, "");
}

/* ---- Memory ---- */

value address(struct emitter *e, value pointer, value bytes)
{
    return LLVMBuildGEP2(e->builder, e->i8, pointer, &bytes, 1, "");
}

value address_at(struct emitter *e, value pointer, int64_t bytes)
{
    return bytes ? address(e, pointer, constant_i64(e, bytes)) : pointer;
}

value load(struct emitter *e, LLVMTypeRef type, value pointer, int alignment)
{
    value x = LLVMBuildLoad2(e->builder, type, pointer, "");
    LLVMSetAlignment(x, (unsigned)alignment);
    return x;
}

void store(struct emitter *e, value x, value pointer, int alignment)
{
    LLVMSetAlignment(LLVMBuildStore(e->builder, x, pointer), (unsigned)alignment);
}

value stack_room(struct emitter *e, int64_t bytes)
{
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef entry = LLVMGetEntryBasicBlock(e->function);
    value first = LLVMGetFirstInstruction(entry);
    if (first)
        LLVMPositionBuilderBefore(e->builder, first);
    else
        LLVMPositionBuilderAtEnd(e->builder, entry);
    value room = LLVMBuildAlloca(e->builder, LLVMArrayType(e->i8, (unsigned)bytes), "");
    LLVMSetAlignment(room, 64);
    LLVMPositionBuilderAtEnd(e->builder, here);
    return room;
}

void prefetch(struct emitter *e, value pointer, int64_t bytes, int level)
{
    value arguments[] = {address_at(e, pointer, bytes), constant_i32(e, 0),
                         constant_i32(e, level == 1 ? 3 : 2), constant_i32(e, 1)};
    intrinsic(e, "llvm.prefetch", &e->pointer, 1, arguments, 4);
}

/* ---- Intrinsics ---- */

value intrinsic(struct emitter *e, const char *name, LLVMTypeRef *types, int type_count,
                value *arguments, int count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id); /* generic intrinsics exist in every LLVM */
    value function = LLVMGetIntrinsicDeclaration(e->module, id, types, (size_t)type_count);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, types, (size_t)type_count);
    return LLVMBuildCall2(e->builder, type, function, arguments, (unsigned)count, "");
}

enum { MACHINE_ARGUMENTS_MAX = 4 };

value machine_intrinsic(struct emitter *e, const char *name, LLVMTypeRef result, value *arguments,
                        int count)
{
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id) {
        if (!e->problem) e->problem = arena_print(e->arena, "this LLVM has no intrinsic %s", name);
        return result == e->nothing ? NULL : LLVMGetUndef(result);
    }
    value function = LLVMGetIntrinsicDeclaration(e->module, id, NULL, 0);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, NULL, 0);
    LLVMTypeRef wanted[MACHINE_ARGUMENTS_MAX];
    assert(count <= MACHINE_ARGUMENTS_MAX && LLVMCountParamTypes(type) == (unsigned)count);
    LLVMGetParamTypes(type, wanted);
    value converted[MACHINE_ARGUMENTS_MAX];
    for (int i = 0; i < count; i++) converted[i] = reinterpret(e, arguments[i], wanted[i]);
    value x = LLVMBuildCall2(e->builder, type, function, converted, (unsigned)count, "");
    return result == e->nothing ? NULL : reinterpret(e, x, result);
}
