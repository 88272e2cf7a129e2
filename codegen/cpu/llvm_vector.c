/* Vector operations of the emitter: lanes, sums, transposes, masks. */
#include "codegen/cpu/llvm_vector.h"

#include <assert.h>
#include <string.h>

enum { LANES_MAX = 128 };

/* ---- Lanes ---- */

value splat(struct emitter *e, value scalar, int lanes)
{
    if (lanes == 1) return scalar;
    LLVMTypeRef type = vector_of(LLVMTypeOf(scalar), lanes);
    value one =
        LLVMBuildInsertElement(e->builder, LLVMGetPoison(type), scalar, constant_i32(e, 0), "");
    value zeros = zero_of(vector_of(e->i32, lanes));
    return LLVMBuildShuffleVector(e->builder, one, LLVMGetPoison(type), zeros, "");
}

static value constant_splat(value scalar, int lanes)
{
    value each[LANES_MAX];
    assert(lanes <= LANES_MAX);
    if (lanes == 1) return scalar;
    for (int i = 0; i < lanes; i++) each[i] = scalar;
    return LLVMConstVector(each, (unsigned)lanes);
}

value splat_i32(struct emitter *e, int64_t number, int lanes)
{
    return constant_splat(constant_i32(e, number), lanes);
}

value splat_f32(struct emitter *e, double number, int lanes)
{
    return constant_splat(constant_f32(e, number), lanes);
}

value splat_i8(struct emitter *e, int number, int lanes)
{
    return constant_splat(constant_i8(e, number), lanes);
}

value lane(struct emitter *e, value vector, int index)
{
    if (lanes_of(vector) == 1) return vector;
    return LLVMBuildExtractElement(e->builder, vector, constant_i32(e, index), "");
}

value with_lane(struct emitter *e, value vector, value scalar, int index)
{
    return LLVMBuildInsertElement(e->builder, vector, scalar, constant_i32(e, index), "");
}

value shuffle(struct emitter *e, value a, value b, const int *lanes, int count)
{
    value each[LANES_MAX];
    assert(count <= LANES_MAX);
    for (int i = 0; i < count; i++)
        each[i] = lanes[i] < 0 ? LLVMGetUndef(e->i32) : constant_i32(e, lanes[i]);
    value mask = LLVMConstVector(each, (unsigned)count);
    if (!b) b = LLVMGetPoison(LLVMTypeOf(a));
    return LLVMBuildShuffleVector(e->builder, a, b, mask, "");
}

/* A value that LLVM knows nothing about, so that it stays in its register. */
static value opaque(struct emitter *e, value x)
{
    LLVMTypeRef type = LLVMTypeOf(x), function = LLVMFunctionType(type, &type, 1, false);
    char text[] = "", constraints[] = "=v,0"; /* not const before LLVM 18 */
    value nothing = LLVMGetInlineAsm(function, text, 0, constraints, strlen(constraints), false,
                                     false, LLVMInlineAsmDialectATT, false);
    value call = LLVMBuildCall2(e->builder, function, nothing, &x, 1, "");
    const char *const pure[] = {"memory", "nounwind", "willreturn"};
    for (size_t i = 0; i < sizeof pure / sizeof *pure; i++) {
        unsigned kind = LLVMGetEnumAttributeKindForName(pure[i], strlen(pure[i]));
        LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                 LLVMCreateEnumAttribute(e->context, kind, 0));
    }
    return call;
}

enum { WORDS = 32 };

static value word_numbers(struct emitter *e, const int *lanes, int count)
{
    value each[WORDS];
    for (int i = 0; i < WORDS; i++)
        each[i] = LLVMConstInt(e->i16, (unsigned)(i < count ? lanes[i] : 0), false);
    return opaque(e, LLVMConstVector(each, WORDS));
}

value pick_words(struct emitter *e, value words, const int *lanes, int count)
{
    value picked = word_numbers(e, lanes, count);
    value all = machine_intrinsic(e, "llvm.x86.avx512.permvar.hi.512", vector_of(e->i16, WORDS),
                                  (value[]){words, picked}, 2);
    return count == WORDS ? all : slice(e, all, 0, count);
}

value pick_words_of(struct emitter *e, value a, value b, const int *lanes, int count)
{
    return machine_intrinsic(e, "llvm.x86.avx512.vpermi2var.hi.512", vector_of(e->i16, WORDS),
                             (value[]){a, word_numbers(e, lanes, count), b}, 3);
}

value concatenate(struct emitter *e, value low, value high)
{
    int picked[LANES_MAX], count = 2 * lanes_of(low);
    assert(count <= LANES_MAX);
    for (int i = 0; i < count; i++) picked[i] = i;
    return shuffle(e, low, high, picked, count);
}

value slice(struct emitter *e, value vector, int first, int count)
{
    if (count == 1) return lane(e, vector, first);
    int picked[LANES_MAX];
    assert(count <= LANES_MAX);
    for (int i = 0; i < count; i++) picked[i] = first + i;
    return shuffle(e, vector, NULL, picked, count);
}

value count_up(struct emitter *e, int lanes)
{
    value each[LANES_MAX];
    assert(lanes <= LANES_MAX);
    for (int i = 0; i < lanes; i++) each[i] = constant_i32(e, i);
    return LLVMConstVector(each, (unsigned)lanes);
}

static value halve(struct emitter *e, value vector,
                   value (*join)(struct emitter *e, value a, value b))
{
    for (int n = lanes_of(vector); n > 1; n /= 2)
        vector = join(e, slice(e, vector, 0, n / 2), slice(e, vector, n / 2, n / 2));
    return vector;
}

value horizontal_addf(struct emitter *e, value vector)
{
    return halve(e, vector, addf);
}

value horizontal_add(struct emitter *e, value vector)
{
    return halve(e, vector, add);
}

value horizontal_maximumf(struct emitter *e, value vector)
{
    return halve(e, vector, maximumf);
}

value horizontal_maximum_signed(struct emitter *e, value vector)
{
    return halve(e, vector, maximum_signed);
}

/* ---- Transposes ---- */

/* Exchanges bit `bit` of the vector's number with the same bit of the lane, for all pairs of
 * vectors. */
static void exchange_bit(struct emitter *e, value *vectors, int count, int lanes, int bit)
{
    int step = 1 << bit, low[LANES_MAX], high[LANES_MAX];
    for (int l = 0; l < lanes; l++) {
        low[l] = l & step ? lanes + (l ^ step) : l;
        high[l] = l & step ? lanes + l : l | step;
    }
    for (int i = 0; i < count; i++) {
        if (i & step) continue;
        value a = vectors[i], b = vectors[i + step];
        vectors[i] = shuffle(e, a, b, low, lanes);
        vectors[i + step] = shuffle(e, a, b, high, lanes);
    }
}

static void transpose_square(struct emitter *e, value *vectors, int size)
{
    for (int bit = 0; 1 << bit < size; bit++) exchange_bit(e, vectors, size, size, bit);
}

/* More rows than columns: groups of `columns` rows are joined pairwise, so that the bits of the row
 * number above the columns' are already in the lanes, in order, when the rest are exchanged. */
static void transpose_tall(struct emitter *e, const value *rows, int count, int columns,
                           value *transposed)
{
    value joined[TRANSPOSE_MAX];
    for (int i = 0; i < count; i++) joined[i] = rows[i];
    int lanes = columns;
    for (int height = count; height > columns; height /= 2, lanes *= 2)
        for (int i = 0; i < height / 2; i++) {
            int first = i / columns * 2 * columns + i % columns;
            joined[i] = concatenate(e, joined[first], joined[first + columns]);
        }
    for (int bit = 0; 1 << bit < columns; bit++) exchange_bit(e, joined, columns, lanes, bit);
    for (int i = 0; i < columns; i++) transposed[i] = joined[i];
}

void transpose(struct emitter *e, const value *rows, int count, int columns, value *transposed)
{
    assert(count <= TRANSPOSE_MAX && columns <= TRANSPOSE_MAX);
    if (count >= columns) {
        transpose_tall(e, rows, count, columns, transposed);
        return;
    }
    for (int first = 0; first < columns; first += count) {
        for (int i = 0; i < count; i++) transposed[first + i] = slice(e, rows[i], first, count);
        transpose_square(e, transposed + first, count);
    }
}

/* ---- Masks ---- */

value mask_below(struct emitter *e, value count, int lanes)
{
    value limit = minimum_signed(e, count, constant_i64(e, lanes));
    value limits = splat(e, truncate_to(e, limit, e->i32), lanes);
    return less(e, count_up(e, lanes), limits);
}

value mask_first(struct emitter *e, int count, int lanes)
{
    value each[LANES_MAX];
    assert(lanes <= LANES_MAX);
    for (int i = 0; i < lanes; i++) each[i] = LLVMConstInt(e->i1, i < count, 0);
    return LLVMConstVector(each, (unsigned)lanes);
}

/* LLVM 22 took the alignment out of the arguments; the number of parameters tells which form this
 * LLVM has. */
static value masked(struct emitter *e, const char *name, LLVMTypeRef type, value *arguments,
                    int count, int alignment_at)
{
    LLVMTypeRef types[] = {type, e->pointer};
    unsigned id = LLVMLookupIntrinsicID(name, __builtin_strlen(name));
    LLVMTypeRef signature = LLVMIntrinsicGetType(e->context, id, types, 2);
    if ((int)LLVMCountParamTypes(signature) < count) {
        for (int i = alignment_at; i + 1 < count; i++) arguments[i] = arguments[i + 1];
        count--;
    }
    return intrinsic(e, name, types, 2, arguments, count);
}

value masked_load(struct emitter *e, LLVMTypeRef type, value pointer, value mask, int alignment)
{
    value arguments[] = {pointer, constant_i32(e, alignment), mask, zero_of(type)};
    return masked(e, "llvm.masked.load", type, arguments, 4, 1);
}

void masked_store(struct emitter *e, value x, value pointer, value mask, int alignment)
{
    value arguments[] = {x, pointer, constant_i32(e, alignment), mask};
    masked(e, "llvm.masked.store", LLVMTypeOf(x), arguments, 4, 2);
}

value load_first(struct emitter *e, LLVMTypeRef type, value pointer, int count, int alignment)
{
    int lanes = (int)LLVMGetVectorSize(type);
    if (count == lanes) return load(e, type, pointer, alignment);
    return masked_load(e, type, pointer, mask_first(e, count, lanes), alignment);
}

void store_first(struct emitter *e, value x, value pointer, int count, int alignment)
{
    if (count == lanes_of(x))
        store(e, x, pointer, alignment);
    else
        masked_store(e, x, pointer, mask_first(e, count, lanes_of(x)), alignment);
}
