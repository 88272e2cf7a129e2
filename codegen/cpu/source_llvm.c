/* Reads a kernel's text, gives its constants their values, and compiles it as if an emitter had made it. */
#include "codegen/cpu/source_llvm.h"

#include "codegen/cpu/kernel_image.h"
#include "codegen/source_kernel.h"

#include <llvm-c/IRReader.h>

#include <string.h>

static status parse(struct emitter *e, const struct kernel_source *source,
                    struct diagnostic *diagnostic)
{
    char *message = NULL;
    LLVMModuleRef module = NULL;
    LLVMMemoryBufferRef buffer =
        LLVMCreateMemoryBufferWithMemoryRangeCopy(source->text, strlen(source->text), source->path);
    if (LLVMParseIRInContext(e->context, buffer, &module, &message)) { /* takes the buffer */
        status code = fail(diagnostic, STATUS_COMPILE, "%s", message ? message : "no reason given");
        LLVMDisposeMessage(message);
        return code;
    }
    LLVMDisposeModule(e->module);
    e->module = module;
    return STATUS_OK;
}

/* ---- Constants ---- */

static status give_value(struct emitter *e, const struct kernel_constant *constant,
                         const char *variant, struct diagnostic *diagnostic)
{
    value global = LLVMGetNamedGlobal(e->module, constant->name);
    if (!global || !LLVMIsDeclaration(global)) return STATUS_OK;
    LLVMTypeRef type = LLVMGlobalGetValueType(global);
    LLVMTypeKind kind = LLVMGetTypeKind(type);
    bool real = kind == LLVMFloatTypeKind || kind == LLVMDoubleTypeKind;
    if (!real && kind != LLVMIntegerTypeKind)
        return fail(diagnostic, STATUS_COMPILE,
                    "%s: @%s is a constant of the problem and must be an integer, a float or a "
                    "double",
                    variant, constant->name);
    if (constant->real && !real)
        return fail(diagnostic, STATUS_COMPILE,
                    "%s: @%s is a real number; declare it as float or "
                    "double",
                    variant, constant->name);
    double number = constant->real ? constant->value : (double)constant->whole;
    LLVMSetInitializer(global, real ? LLVMConstReal(type, number)
                                    : LLVMConstInt(type, (unsigned long long)constant->whole, 1));
    LLVMSetLinkage(global, LLVMInternalLinkage);
    LLVMSetGlobalConstant(global, 1);
    return STATUS_OK;
}

static status give_values(struct emitter *e, const struct kernel_constants *constants,
                          const char *variant, struct diagnostic *diagnostic)
{
    for (int c = 0; c < constants->count; c++)
        TRY(give_value(e, &constants->rows[c], variant, diagnostic));
    for (value global = LLVMGetFirstGlobal(e->module); global; global = LLVMGetNextGlobal(global)) {
        size_t length;
        const char *name = LLVMGetValueName2(global, &length);
        if (LLVMIsDeclaration(global))
            return fail(diagnostic, STATUS_COMPILE,
                        "%s: @%s is external, but it is no constant of this problem", variant,
                        name);
        LLVMSetLinkage(global, LLVMInternalLinkage);
    }
    return STATUS_OK;
}

/* ---- Functions ---- */

static void drop_attribute(value function, const char *name)
{
    LLVMRemoveStringAttributeAtIndex(function, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, name,
                                     (unsigned)strlen(name));
}

static bool is_entry(const struct image *image, const char *name)
{
    for (int l = 0; l < image->launch_count; l++)
        if (strcmp(image->launches[l].name, name) == 0) return true;
    return false;
}

static bool has_entry_type(const struct emitter *e, value function)
{
    LLVMTypeRef types[] = {e->pointer, e->pointer, e->i64, e->i64};
    return LLVMGlobalGetValueType(function) == LLVMFunctionType(e->nothing, types, 4, 0);
}

static status prepare_functions(struct emitter *e, const struct image *image, const char *variant,
                                struct diagnostic *diagnostic)
{
    static const char *const dropped[] = {"target-cpu", "target-features", "tune-cpu", NULL};
    for (value f = LLVMGetFirstFunction(e->module); f; f = LLVMGetNextFunction(f)) {
        size_t length;
        const char *name = LLVMGetValueName2(f, &length);
        if (LLVMIsDeclaration(f)) continue;
        if (is_entry(image, name) && !has_entry_type(e, f))
            return fail(diagnostic, STATUS_COMPILE,
                        "%s: @%s must be 'void (ptr, ptr, i64, i64)': pointers, integers, and the "
                        "first work item and the one behind the last",
                        variant, name);
        for (const char *const *attribute = dropped; *attribute; attribute++)
            drop_attribute(f, *attribute);
        e->function = f;
        emitter_mark_function(e);
        if (!is_entry(image, name)) LLVMSetLinkage(f, LLVMInternalLinkage);
    }
    return STATUS_OK;
}

static status generate(struct emitter *e, const struct generation *generation, struct image *image,
                       struct listing *listing, struct diagnostic *diagnostic)
{
    const struct space *space = generation->space;
    struct kernel_constants constants;
    TRY(source_prepare(generation, e->arena, image, &constants, diagnostic));
    TRY(parse(e, &space->kernel, diagnostic));
    TRY(give_values(e, &constants, space->variant, diagnostic));
    TRY(prepare_functions(e, image, space->variant, diagnostic));
    return kernel_image_finish(e, image, listing, diagnostic);
}

status source_llvm_generate(const struct generation *generation, struct arena *arena,
                            struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    struct emitter e;
    TRY(emitter_create(generation->facts, arena, &e, diagnostic));
    status code = generate(&e, generation, image, listing, diagnostic);
    emitter_destroy(&e);
    return code;
}
