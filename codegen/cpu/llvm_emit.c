/* The emitter's structure: creation, kernels, loops and conditions.  The operations are in
 * llvm_operations.c. */
#include "codegen/cpu/llvm_emit.h"

#include <assert.h>
#include <string.h>

static enum architecture architecture_of(const char *triple)
{
    if (strncmp(triple, "x86_64", 6) == 0) return ARCHITECTURE_X86_64;
    if (strncmp(triple, "aarch64", 7) == 0) return ARCHITECTURE_AARCH64;
    return ARCHITECTURE_OTHER;
}

static void set_types(struct emitter *e)
{
    e->i1 = LLVMInt1TypeInContext(e->context);
    e->i8 = LLVMInt8TypeInContext(e->context);
    e->i16 = LLVMInt16TypeInContext(e->context);
    e->i32 = LLVMInt32TypeInContext(e->context);
    e->i64 = LLVMInt64TypeInContext(e->context);
    e->f16 = LLVMHalfTypeInContext(e->context);
    e->f32 = LLVMFloatTypeInContext(e->context);
    e->pointer = LLVMPointerTypeInContext(e->context, 0);
    e->nothing = LLVMVoidTypeInContext(e->context);
}

status emitter_create(const struct device_facts *facts, struct arena *arena, struct emitter *e,
                      struct diagnostic *diagnostic)
{
    if (!facts->triple || !facts->cpu || !facts->features)
        return fail(diagnostic, STATUS_DEVICE,
                    "device %s has no LLVM triple, cpu and features; a CPU's facts need all three",
                    facts->name ? facts->name : "?");
    *e = (struct emitter){.arena = arena, .facts = facts};
    e->architecture = architecture_of(facts->triple);
    int64_t bytes = (int64_t)facts->values[FACT_vector_bytes];
    e->lanes = bytes >= 64 ? 16 : bytes >= 32 ? 8 : 4;
    e->context = LLVMContextCreate();
    e->module = LLVMModuleCreateWithNameInContext("kernel", e->context);
    e->builder = LLVMCreateBuilderInContext(e->context);
    set_types(e);
    return STATUS_OK;
}

void emitter_destroy(struct emitter *e)
{
    if (e->builder) LLVMDisposeBuilder(e->builder);
    if (e->module) LLVMDisposeModule(e->module);
    if (e->context) LLVMContextDispose(e->context);
    *e = (struct emitter){0};
}

bool has(const struct emitter *e, enum fact fact)
{
    return e->facts->values[fact] != 0;
}

/* ---- Kernels ---- */

static void set_attribute(struct emitter *e, const char *name)
{
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    LLVMAttributeRef attribute = kind ? LLVMCreateEnumAttribute(e->context, kind, 0) : NULL;
    if (attribute)
        LLVMAddAttributeAtIndex(e->function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                attribute);
}

static void set_text_attribute(struct emitter *e, const char *name, const char *text)
{
    LLVMAttributeRef attribute = LLVMCreateStringAttribute(e->context, name, (unsigned)strlen(name),
                                                           text, (unsigned)strlen(text));
    LLVMAddAttributeAtIndex(e->function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, attribute);
}

void emitter_mark_function(struct emitter *e)
{
    set_attribute(e, "nounwind");
    set_text_attribute(e, "no-builtins", ""); /* no loop may become a call of memset or memcpy */
    set_text_attribute(e, "no-jump-tables", "true"); /* tables would need relocations in data */
}

struct kernel_arguments kernel_begin(struct emitter *e, const char *name)
{
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->i64, e->i64};
    e->function = LLVMAddFunction(e->module, name, LLVMFunctionType(e->nothing, types, 4, 0));
    emitter_mark_function(e);
    LLVMPositionBuilderAtEnd(e->builder,
                             LLVMAppendBasicBlockInContext(e->context, e->function, "entry"));
    return (struct kernel_arguments){LLVMGetParam(e->function, 0), LLVMGetParam(e->function, 1),
                                     LLVMGetParam(e->function, 2), LLVMGetParam(e->function, 3)};
}

value kernel_pointer(struct emitter *e, const struct kernel_arguments *kernel, int argument)
{
    value slot = address_at(e, kernel->pointers, (int64_t)argument * (int64_t)sizeof(void *));
    return load(e, e->pointer, slot, (int)sizeof(void *));
}

value kernel_integer_value(struct emitter *e, const struct kernel_arguments *kernel,
                           enum kernel_integer integer)
{
    return load(e, e->i64, address_at(e, kernel->integers, 8 * (int64_t)integer), 8);
}

void kernel_end(struct emitter *e)
{
    LLVMBuildRetVoid(e->builder);
}

/* ---- Loops ---- */

static LLVMBasicBlockRef new_block(struct emitter *e, const char *name)
{
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

static value phi_of(struct emitter *e, value first, LLVMBasicBlockRef from)
{
    value phi = LLVMBuildPhi(e->builder, LLVMTypeOf(first), "");
    LLVMAddIncoming(phi, &first, &from, 1);
    return phi;
}

/* The loop is emitted with its test at the end behind a guard, the form that LLVM's loop passes
 * want. */
void loop_begin(struct emitter *e, struct loop *loop, value first, value limit, int64_t step,
                const value *carried, int count)
{
    assert(count <= CARRIED_MAX);
    loop->limit = limit;
    loop->step = constant_i64(e, step);
    loop->count = count;
    loop->before = LLVMGetInsertBlock(e->builder);
    LLVMBasicBlockRef enter = new_block(e, "enter");
    loop->body = new_block(e, "loop");
    loop->exit = new_block(e, "exit");
    LLVMBuildCondBr(e->builder, less(e, first, limit), enter, loop->exit);
    LLVMPositionBuilderAtEnd(e->builder, enter);
    LLVMBuildBr(e->builder, loop->body);
    LLVMPositionBuilderAtEnd(e->builder, loop->body);
    loop->index = phi_of(e, first, enter);
    for (int i = 0; i < count; i++) {
        loop->initial[i] = carried[i];
        loop->carried[i] = phi_of(e, carried[i], enter);
    }
}

void loop_end(struct emitter *e, struct loop *loop, const value *next)
{
    LLVMBasicBlockRef latch = LLVMGetInsertBlock(e->builder);
    value index = add(e, loop->index, loop->step);
    LLVMAddIncoming(loop->index, &index, &latch, 1);
    for (int i = 0; i < loop->count; i++) {
        value round = next[i];
        LLVMAddIncoming(loop->carried[i], &round, &latch, 1);
    }
    LLVMBuildCondBr(e->builder, less(e, index, loop->limit), loop->body, loop->exit);
    LLVMPositionBuilderAtEnd(e->builder, loop->exit);
    for (int i = 0; i < loop->count; i++) {
        value last = next[i];
        loop->carried[i] = phi_of(e, loop->initial[i], loop->before);
        LLVMAddIncoming(loop->carried[i], &last, &latch, 1);
    }
}

/* ---- Conditions ---- */

void if_begin(struct emitter *e, struct branch *branch, value condition)
{
    *branch = (struct branch){0};
    LLVMBasicBlockRef then = new_block(e, "then");
    branch->otherwise = new_block(e, "else");
    branch->join = new_block(e, "join");
    LLVMBuildCondBr(e->builder, condition, then, branch->otherwise);
    LLVMPositionBuilderAtEnd(e->builder, then);
}

void if_else(struct emitter *e, struct branch *branch, const value *then_values, int count)
{
    assert(count <= CARRIED_MAX && !branch->has_else);
    branch->then_end = LLVMGetInsertBlock(e->builder);
    branch->then_values = then_values;
    branch->count = count;
    branch->has_else = true;
    LLVMBuildBr(e->builder, branch->join);
    LLVMPositionBuilderAtEnd(e->builder, branch->otherwise);
}

void if_end(struct emitter *e, struct branch *branch, const value *else_values, value *merged)
{
    if (!branch->has_else) if_else(e, branch, NULL, 0);
    LLVMBasicBlockRef else_end = LLVMGetInsertBlock(e->builder);
    LLVMBuildBr(e->builder, branch->join);
    LLVMPositionBuilderAtEnd(e->builder, branch->join);
    for (int i = 0; i < branch->count; i++) {
        value last = else_values[i];
        merged[i] = phi_of(e, branch->then_values[i], branch->then_end);
        LLVMAddIncoming(merged[i], &last, &else_end, 1);
    }
}
