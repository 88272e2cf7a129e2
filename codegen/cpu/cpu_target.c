/* Target machines, the optimisation pipeline, and emission to memory. */
#include "codegen/cpu/cpu_target.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <llvm/Config/llvm-config.h>
#include <stdlib.h>
#include <string.h>

/* From 18 on the pass, named in a text, aborts when a second round would still find something. */
#if LLVM_VERSION_MAJOR >= 18
#define COMBINE "instcombine<no-verify-fixpoint>"
#else
#define COMBINE "instcombine"
#endif

/* Emitters write vectors, rotated loops and unrolled bodies themselves; what is left to do is
 * common subexpressions, constants in addresses, and moving invariants out of loops.  Not gvn: it
 * cuts a load out of an earlier one that overlaps it, and turns the unaligned loads of quantised
 * blocks into scalar shifts. */
static const char *const PIPELINE = "function(early-cse<memssa>," COMBINE ",simplifycfg,"
                                    "loop-mssa(licm),early-cse<memssa>," COMBINE ",dce)";

static status initialize(enum architecture architecture, const char *triple,
                         struct diagnostic *diagnostic)
{
    switch (architecture) {
    case ARCHITECTURE_X86_64:
        LLVMInitializeX86TargetInfo();
        LLVMInitializeX86Target();
        LLVMInitializeX86TargetMC();
        LLVMInitializeX86AsmPrinter();
        return STATUS_OK;
    case ARCHITECTURE_AARCH64:
        LLVMInitializeAArch64TargetInfo();
        LLVMInitializeAArch64Target();
        LLVMInitializeAArch64TargetMC();
        LLVMInitializeAArch64AsmPrinter();
        return STATUS_OK;
    default:
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "no code generation for %s yet: x86_64 and aarch64 are known; the operators' "
                    "references still run",
                    triple);
    }
}

static status create_machine(const struct emitter *e, LLVMTargetMachineRef *machine,
                             struct diagnostic *diagnostic)
{
    const struct device_facts *facts = e->facts;
    TRY(initialize(e->architecture, facts->triple, diagnostic));
    LLVMTargetRef target;
    char *message = NULL;
    if (LLVMGetTargetFromTriple(facts->triple, &target, &message)) {
        status code = fail(diagnostic, STATUS_COMPILE, "LLVM does not know %s: %s", facts->triple,
                           message ? message : "?");
        LLVMDisposeMessage(message);
        return code;
    }
    *machine = LLVMCreateTargetMachine(target, facts->triple, facts->cpu, facts->features,
                                       LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelSmall);
    if (!*machine)
        return fail(diagnostic, STATUS_COMPILE, "LLVM has no target machine for %s, %s",
                    facts->triple, facts->cpu);
    LLVMSetTarget(e->module, facts->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(*machine);
    LLVMSetModuleDataLayout(e->module, layout);
    LLVMDisposeTargetData(layout);
    return STATUS_OK;
}

static status verify(const struct emitter *e, struct diagnostic *diagnostic)
{
    char *message = NULL;
    status code = STATUS_OK;
    if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &message))
        code = fail(diagnostic, STATUS_COMPILE, "the emitter made an illegal kernel: %s", message);
    LLVMDisposeMessage(message);
    return code;
}

static status optimize(const struct emitter *e, LLVMTargetMachineRef machine,
                       struct diagnostic *diagnostic)
{
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(e->module, PIPELINE, machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error) return STATUS_OK;
    char *message = LLVMGetErrorMessage(error);
    status code = fail(diagnostic, STATUS_COMPILE, "LLVM's passes failed: %s", message);
    LLVMDisposeErrorMessage(message);
    return code;
}

/* Emission changes the module, so it works on a copy. */
static status emit(const struct emitter *e, LLVMTargetMachineRef machine, LLVMCodeGenFileType kind,
                   LLVMMemoryBufferRef *buffer, struct diagnostic *diagnostic)
{
    LLVMModuleRef copy = LLVMCloneModule(e->module);
    char *message = NULL;
    status code = STATUS_OK;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, copy, kind, &message, buffer)) {
        code = fail(diagnostic, STATUS_COMPILE, "LLVM made no code: %s", message ? message : "?");
        LLVMDisposeMessage(message);
    }
    LLVMDisposeModule(copy);
    return code;
}

static status emit_object(const struct emitter *e, LLVMTargetMachineRef machine,
                          struct arena *arena, const void **object, size_t *object_bytes,
                          struct diagnostic *diagnostic)
{
    LLVMMemoryBufferRef buffer;
    TRY(emit(e, machine, LLVMObjectFile, &buffer, diagnostic));
    *object_bytes = LLVMGetBufferSize(buffer);
    *object = arena_copy(arena, LLVMGetBufferStart(buffer), *object_bytes);
    LLVMDisposeMemoryBuffer(buffer);
    TRY_MEMORY(*object, diagnostic);
    return STATUS_OK;
}

static status list(const struct emitter *e, LLVMTargetMachineRef machine, struct arena *arena,
                   struct listing *listing, struct diagnostic *diagnostic)
{
    char *source = LLVMPrintModuleToString(e->module);
    listing->source = arena_text(arena, source);
    LLVMDisposeMessage(source);
    TRY_MEMORY(listing->source, diagnostic);
    LLVMMemoryBufferRef buffer;
    TRY(emit(e, machine, LLVMAssemblyFile, &buffer, diagnostic));
    listing->assembly =
        arena_text_range(arena, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    TRY_MEMORY(listing->assembly, diagnostic);
    return STATUS_OK;
}

static status compile_with(struct emitter *e, LLVMTargetMachineRef machine, struct arena *arena,
                           const void **object, size_t *object_bytes, struct listing *listing,
                           struct diagnostic *diagnostic)
{
    TRY(verify(e, diagnostic));
    TRY(optimize(e, machine, diagnostic));
    if (listing) TRY(list(e, machine, arena, listing, diagnostic));
    return emit_object(e, machine, arena, object, object_bytes, diagnostic);
}

status cpu_target_compile(struct emitter *e, struct arena *arena, const void **object,
                          size_t *object_bytes, struct listing *listing,
                          struct diagnostic *diagnostic)
{
    LLVMTargetMachineRef machine;
    TRY(create_machine(e, &machine, diagnostic));
    status code = compile_with(e, machine, arena, object, object_bytes, listing, diagnostic);
    LLVMDisposeTargetMachine(machine);
    return code;
}
