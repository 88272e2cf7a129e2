/* A small structured layer over the LLVM C API: what the emitters of CPU kernels are written with.
 *
 * An emitter holds the insertion point.  A `value` is an SSA value; every function below appends at
 * the insertion point and returns the new value, so an emitter reads like the kernel it makes.  No
 * emitter makes a basic block or a phi: loops and conditions are structured and carry their values
 * explicitly.
 *
 *     struct kernel_arguments kernel = kernel_begin(e, "scale");
 *     value x = kernel_pointer(e, &kernel, 0), y = kernel_pointer(e, &kernel, 1);
 *     struct loop loop;
 *     loop_begin(e, &loop, kernel.begin, kernel.end, 1, NULL, 0);
 *     value at = mul(e, loop.index, constant_i64(e, 4));
 *     value scaled = mulf(e, load(e, e->f32, address(e, x, at), 4), constant_f32(e, 0.5));
 *     store(e, scaled, address(e, y, at), 4);
 *     loop_end(e, &loop, NULL);
 *     kernel_end(e);
 *
 * Rules that keep kernels correct everywhere:
 *  - Addresses are bytes: address(e, pointer, bytes).  Loads and stores name the alignment that is
 * certain.
 *  - A kernel may call nothing: no operation below becomes a call on any processor.  Half precision
 * goes through widen_f16 and narrow_f16 (llvm_vector.h), multiply-add through muladdf.
 *  - Vectors have `e->lanes` elements of 32 bits, the width of the widest register of the target
 * (16, 8 or 4); other counts are legal too, LLVM splits or widens them.
 *  - Integer signs are in the operation (sign_extend, zero_extend), not in the type. */
#ifndef CODEGEN_CPU_LLVM_EMIT_H
#define CODEGEN_CPU_LLVM_EMIT_H

#include "ir/variant.h"

#include <llvm-c/Core.h>

typedef LLVMValueRef value;

enum architecture { ARCHITECTURE_X86_64, ARCHITECTURE_AARCH64, ARCHITECTURE_OTHER };

struct emitter {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder;
    value function; /* being emitted */
    LLVMTypeRef i1, i8, i16, i32, i64, f16, f32, pointer, nothing;
    struct arena *arena;
    const struct device_facts *facts;
    enum architecture architecture;
    int lanes; /* 32-bit elements of a vector register */
    const char
        *problem; /* the first thing that could not be emitted; reported by kernel_image_finish */
};

/* `facts` and `arena` must outlive the emitter. */
CHECKED status emitter_create(const struct device_facts *facts, struct arena *arena,
                              struct emitter *e, struct diagnostic *diagnostic);
void emitter_destroy(struct emitter *e);

/* Whether the target has a fact (FACT_has_vnni ...): what emitters ask before they use an
 * instruction family. */
bool has(const struct emitter *e, enum fact fact);

/* ---- Kernels ---- */

struct kernel_arguments {
    value pointers, integers; /* arrays, see kernel_function in ir/image.h */
    value begin, end;         /* work items */
};

/* Gives e->function the attributes that every function of a kernel has. */
void emitter_mark_function(struct emitter *e);
struct kernel_arguments kernel_begin(struct emitter *e, const char *name);
value kernel_pointer(struct emitter *e, const struct kernel_arguments *kernel, int argument);
value kernel_integer_value(struct emitter *e, const struct kernel_arguments *kernel,
                           enum kernel_integer integer);
void kernel_end(struct emitter *e);

/* ---- Structure ---- */

/* Enough for the accumulators of the largest register tile. */
enum { CARRIED_MAX = 96 };

/* for (index = first; index < limit; index += step), all i64, carrying `count` values from round to
 * round. Inside, `carried` are the values at the start of the round; after loop_end they are the
 * final ones. */
struct loop {
    value index;
    value carried[CARRIED_MAX];
    int count;
    value limit, step;
    LLVMBasicBlockRef before, body, exit;
    value initial[CARRIED_MAX];
};

void loop_begin(struct emitter *e, struct loop *loop, value first, value limit, int64_t step,
                const value *carried, int count);
void loop_end(struct emitter *e, struct loop *loop, const value *next);

/* if (condition) { ... } else { ... }: both sides yield `count` values; if_end merges them into
 * `merged`. if_begin .. if_end(no values) is an if without else. */
struct branch {
    LLVMBasicBlockRef otherwise, join, then_end;
    const value *then_values;
    int count;
    bool has_else;
};

void if_begin(struct emitter *e, struct branch *branch, value condition);
void if_else(struct emitter *e, struct branch *branch, const value *then_values, int count);
void if_end(struct emitter *e, struct branch *branch, const value *else_values, value *merged);

/* ---- Constants and types ---- */

value constant_i8(struct emitter *e, int number);
value constant_i32(struct emitter *e, int64_t number);
value constant_i64(struct emitter *e, int64_t number);
value constant_f32(struct emitter *e, double number);
LLVMTypeRef vector_of(LLVMTypeRef element, int lanes);
value zero_of(LLVMTypeRef type);
int lanes_of(value x); /* 1 for scalars */

/* ---- Arithmetic: scalars or vectors of one type ---- */

value add(struct emitter *e, value a, value b);
value sub(struct emitter *e, value a, value b);
value mul(struct emitter *e, value a, value b);
value divide_signed(struct emitter *e, value a, value b);
value remainder_signed(struct emitter *e, value a, value b);
value shift_left(struct emitter *e, value a, int bits);
value shift_right(struct emitter *e, value a, int bits);             /* fills with zeros */
value shift_right_signed(struct emitter *e, value a, int bits);      /* fills with the sign */
value shift_right_each(struct emitter *e, value a, const int *bits); /* each lane by its own */
value bit_and(struct emitter *e, value a, value b);
value bit_or(struct emitter *e, value a, value b);
value bit_xor(struct emitter *e, value a, value b);
value bit_not(struct emitter *e, value a);
value minimum_signed(struct emitter *e, value a, value b);
value maximum_signed(struct emitter *e, value a, value b);

value addf(struct emitter *e, value a, value b);
value subf(struct emitter *e, value a, value b);
value mulf(struct emitter *e, value a, value b);
value divf(struct emitter *e, value a, value b);
value negf(struct emitter *e, value a);
value muladdf(struct emitter *e, value a, value b,
              value c); /* a * b + c, fused where the target can */
value absolutef(struct emitter *e, value a);
value rootf(struct emitter *e, value a);
value minimumf(struct emitter *e, value a, value b); /* b where either is NaN */
value maximumf(struct emitter *e, value a, value b);

/* ---- Comparisons and selection ---- */

value less(struct emitter *e, value a, value b); /* signed integers */
value greater_equal(struct emitter *e, value a, value b);
value equal(struct emitter *e, value a, value b);
value lessf(struct emitter *e, value a, value b); /* false for NaN */
value greaterf(struct emitter *e, value a, value b);
value choose(struct emitter *e, value condition, value a, value b);

/* ---- Conversions: `type` is a scalar; vectors keep their lane count ---- */

value sign_extend(struct emitter *e, value x, LLVMTypeRef type);
value zero_extend(struct emitter *e, value x, LLVMTypeRef type);
value truncate_to(struct emitter *e, value x, LLVMTypeRef type);
value integer_to_f32(struct emitter *e, value x);
value f32_to_i32(struct emitter *e, value x); /* towards zero; out of range is undefined */
value reinterpret(struct emitter *e, value x, LLVMTypeRef type); /* same bits, `type` in full */

/* ---- Memory ---- */

value address(struct emitter *e, value pointer, value bytes);
value address_at(struct emitter *e, value pointer, int64_t bytes);
value load(struct emitter *e, LLVMTypeRef type, value pointer, int alignment);
void store(struct emitter *e, value x, value pointer, int alignment);
value stack_room(struct emitter *e,
                 int64_t bytes); /* aligned to 64; once per kernel, in its entry block */
/* Fetches the line at pointer + bytes into the nearest cache (`level` 1) or the second (`level` 2).
 */
void prefetch(struct emitter *e, value pointer, int64_t bytes, int level);

/* ---- Intrinsics ---- */

/* An intrinsic with the overloaded types given. */
value intrinsic(struct emitter *e, const char *name, LLVMTypeRef *types, int type_count,
                value *arguments, int count);
/* A processor's intrinsic: arguments are reinterpreted as the types that this LLVM declares (they
 * differ between its versions), the result as `result` (e->nothing: there is none). */
value machine_intrinsic(struct emitter *e, const char *name, LLVMTypeRef result, value *arguments,
                        int count);

#endif
