/* Finds the code generator, runs it here or in a child process, and names what it yields. */
#include "codegen/compile.h"

#include "base/file.h"
#include "base/process.h"
#include "codegen/cuda/kernel_compile.h"
#include "codegen/cuda/nvrtc.h"
#include "codegen/source_c.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

struct compile_limits compile_limits_default(void)
{
    return (struct compile_limits){.seconds = 60, .memory_bytes = (uint64_t)4 << 30};
}

const char *compile_identity(enum target target)
{
    return target == TARGET_CPU ? "llvm " HONE_LLVM_VERSION_TEXT : nvrtc_identity();
}

status compile_check(const struct device_facts *facts, struct diagnostic *diagnostic)
{
    if (facts->target != TARGET_CUDA) return STATUS_OK;
    struct diagnostic reason = {0};
    status code = kernel_check_architecture((int)facts->values[FACT_sm], &reason);
    if (code == STATUS_OK) return STATUS_OK;
    return fail(diagnostic, code == STATUS_UNSUPPORTED ? STATUS_DEVICE : code, "%s: %s",
                facts->name, reason.text);
}

/* ---- The module ---- */

static const char MODULE_NAME[] = "libhone_codegen_cpu.so";

/* The folder of the library (or program) that this function is in. */
static const char *own_folder(struct arena *arena)
{
    Dl_info info;
    if (!dladdr((const void *)&MODULE_NAME, &info) || !info.dli_fname) return NULL;
    return file_folder_of(arena, info.dli_fname);
}

/* HONE_MODULE_PATH alone when it is set; otherwise beside libhone (a build folder) or in hone/
 * below it (installed). */
static status find_module(struct arena *arena, const char **path, struct diagnostic *diagnostic)
{
    const char *given = getenv("HONE_MODULE_PATH");
    if (given && *given) {
        *path = file_join(arena, given, MODULE_NAME);
        TRY_MEMORY(*path, diagnostic);
        if (file_exists(*path)) return STATUS_OK;
        return fail(diagnostic, STATUS_NOT_FOUND,
                    "HONE_MODULE_PATH is %s, but there is no %s in it", given, MODULE_NAME);
    }
    const char *folder = own_folder(arena);
    const char *const places[] = {"", "hone", "../lib", "../lib/hone"};
    for (size_t i = 0; folder && i < sizeof places / sizeof *places; i++) {
        const char *place = *places[i] ? file_join(arena, folder, places[i]) : folder;
        *path = place ? file_join(arena, place, MODULE_NAME) : NULL;
        TRY_MEMORY(*path, diagnostic);
        if (file_exists(*path)) return STATUS_OK;
    }
    return fail(diagnostic, STATUS_NOT_FOUND,
                "the code generator %s is neither in %s nor in hone/ below it; install it, or name "
                "its folder in HONE_MODULE_PATH",
                MODULE_NAME, folder ? folder : "the library's folder");
}

/* The dynamic loader counts references and keeps the module, so this is cheap the second time. */
static status open_module(struct arena *arena, const struct codegen_module **module,
                          struct diagnostic *diagnostic)
{
    const char *path;
    TRY(find_module(arena, &path, diagnostic));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *reason = dlerror();
        if (!reason) reason = "unknown reason";
        if (strstr(reason, "libLLVM"))
            return fail(diagnostic, STATUS_COMPILE,
                        "%s cannot be loaded: %s; to compile kernels, install the package "
                        "libllvm%d (or run with --references)",
                        path, reason, atoi(HONE_LLVM_VERSION_TEXT));
        return fail(diagnostic, STATUS_COMPILE, "%s cannot be loaded: %s", path, reason);
    }
    *module = dlsym(library, "hone_codegen_module");
    if (!*module || (*module)->version != CODEGEN_MODULE_VERSION ||
        strcmp((*module)->compiler, compile_identity(TARGET_CPU)) != 0)
        return fail(diagnostic, STATUS_COMPILE,
                    "%s belongs to another build of Hone; rebuild or reinstall both", path);
    return STATUS_OK;
}

static bool is_c(const struct kernel_source *source)
{
    size_t length = strlen(source->path);
    return length > 2 && strcmp(source->path + length - 2, ".c") == 0;
}

static status find_generator(const struct generation *generation, struct arena *arena,
                             generate_function **generate, struct diagnostic *diagnostic)
{
    if (generation->space->target == TARGET_CUDA) {
        struct nvrtc nvrtc;
        *generate = kernel_compile;
        return nvrtc_open(arena, &nvrtc, diagnostic);
    }
    if (generation->space->kernel.text && is_c(&generation->space->kernel)) {
        *generate = source_c_generate;
        return STATUS_OK;
    }
    const struct codegen_module *module;
    TRY(open_module(arena, &module, diagnostic));
    *generate =
        generation->space->kernel.text ? module->source : module->find(generation->space->variant);
    if (!*generate)
        return fail(diagnostic, STATUS_NOT_FOUND,
                    "the code generator has no emitter for variant %s; a CPU variant has one "
                    "compiled in, or its kernel (%s.c or %s.ll) beside its YAML file",
                    generation->space->variant, generation->space->variant,
                    generation->space->variant);
    return STATUS_OK;
}

status compile_here(const struct generation *generation, struct arena *arena, struct image *image,
                    struct listing *listing, struct diagnostic *diagnostic)
{
    generate_function *generate;
    TRY(find_generator(generation, arena, &generate, diagnostic));
    return generate(generation, arena, image, listing, diagnostic);
}

status compile_load(const struct device_facts *facts, struct diagnostic *diagnostic)
{
    const struct codegen_module *module;
    struct arena *arena;
    if (facts->target == TARGET_CUDA) return compile_check(facts, diagnostic);
    arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    status code = open_module(arena, &module, diagnostic);
    arena_destroy(arena);
    return code;
}

/* ---- In a child process ---- */

struct request {
    const struct generation *generation;
    bool wants_listing;
};

/* The child's answer: this header, then the encoded image, then the two texts, each with its final
 * zero. */
struct answer {
    uint64_t image_bytes, source_bytes, assembly_bytes;
};

static status pack_answer(const struct image *image, const struct listing *listing,
                          struct arena *arena, void **result, size_t *result_bytes,
                          struct diagnostic *diagnostic)
{
    void *encoded;
    size_t encoded_bytes;
    TRY(image_encode(image, arena, &encoded, &encoded_bytes, diagnostic));
    const char *source = listing->source ? listing->source : "";
    const char *assembly = listing->assembly ? listing->assembly : "";
    struct answer answer = {.image_bytes = encoded_bytes,
                            .source_bytes = strlen(source) + 1,
                            .assembly_bytes = strlen(assembly) + 1};
    *result_bytes = sizeof answer + encoded_bytes + answer.source_bytes + answer.assembly_bytes;
    uint8_t *bytes = arena_allocate(arena, *result_bytes, 1);
    TRY_MEMORY(bytes, diagnostic);
    *result = bytes;
    memcpy(bytes, &answer, sizeof answer);
    memcpy(bytes += sizeof answer, encoded, encoded_bytes);
    memcpy(bytes += encoded_bytes, source, answer.source_bytes);
    memcpy(bytes + answer.source_bytes, assembly, answer.assembly_bytes);
    return STATUS_OK;
}

static status work_in_child(void *context, struct arena *arena, void **result, size_t *result_bytes,
                            struct diagnostic *diagnostic)
{
    const struct request *request = context;
    struct image image = {0};
    struct listing listing = {0};
    TRY(compile_here(request->generation, arena, &image, request->wants_listing ? &listing : NULL,
                     diagnostic));
    return pack_answer(&image, &listing, arena, result, result_bytes, diagnostic);
}

static status unpack_answer(const uint8_t *bytes, size_t byte_count, struct arena *arena,
                            struct image *image, struct listing *listing,
                            struct diagnostic *diagnostic)
{
    struct answer answer;
    bool sound = byte_count >= sizeof answer;
    if (sound) {
        memcpy(&answer, bytes, sizeof answer);
        uint64_t rest = byte_count - sizeof answer;
        sound = answer.image_bytes <= rest && answer.source_bytes <= rest - answer.image_bytes &&
                answer.assembly_bytes == rest - answer.image_bytes - answer.source_bytes &&
                answer.source_bytes > 0 && answer.assembly_bytes > 0 &&
                bytes[byte_count - 1] == 0 && bytes[byte_count - answer.assembly_bytes - 1] == 0;
    }
    if (!sound)
        return fail(diagnostic, STATUS_CRASHED,
                    "the compiling process answered %zu senseless bytes", byte_count);
    bytes += sizeof answer;
    TRY(image_decode(bytes, answer.image_bytes, arena, image, diagnostic));
    if (!listing) return STATUS_OK;
    listing->source = arena_text(arena, (const char *)bytes + answer.image_bytes);
    listing->assembly =
        arena_text(arena, (const char *)bytes + answer.image_bytes + answer.source_bytes);
    TRY_MEMORY(listing->source, diagnostic);
    TRY_MEMORY(listing->assembly, diagnostic);
    return STATUS_OK;
}

status compile_candidate(const struct generation *generation, struct compile_limits limits,
                         struct arena *arena, struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    /* Loading the module here lets every child inherit it; nothing of it runs in this process. */
    generate_function *generate;
    TRY(find_generator(generation, arena, &generate, diagnostic));
    struct request request = {generation, listing != NULL};
    struct process_limits process = {limits.seconds, limits.memory_bytes};
    void *bytes;
    size_t byte_count;
    TRY(process_call(work_in_child, &request, process, arena, &bytes, &byte_count, diagnostic));
    return unpack_answer(bytes, byte_count, arena, image, listing, diagnostic);
}

/* ---- Keys ---- */

static struct hash add_text(struct hash hash, const char *text)
{
    return hash_combine(hash, hash_text(text ? text : ""));
}

/* CUDA: all that the compiler is given, and the launches.  A config that cannot be compiled has no
 * artifact either, so its key does not matter. */
static struct hash add_kernel(struct hash hash, const struct generation *generation)
{
    struct diagnostic diagnostic = {0};
    struct kernel_inputs inputs;
    void *encoded;
    size_t byte_count;
    struct arena *arena = arena_create(0);
    if (arena && kernel_inputs_create(generation, arena, &inputs, &diagnostic) == STATUS_OK &&
        image_encode(&inputs.image, arena, &encoded, &byte_count, &diagnostic) == STATUS_OK) {
        hash = hash_combine(hash, kernel_sources_hash(generation->space));
        hash = add_text(hash, inputs.config_text);
        hash = hash_combine(hash, hash_bytes(encoded, byte_count));
    }
    arena_destroy(arena);
    return hash;
}

static struct hash add_clang(struct hash hash)
{
    struct arena *arena = arena_create(0);
    if (arena) hash = hash_combine(hash, source_c_identity(arena));
    arena_destroy(arena);
    return hash;
}

struct hash compile_key(const struct generation *generation)
{
    const struct space *space = generation->space;
    struct hash hash = hash_combine(space->source, generation->problem->code_key);
    for (int i = 0; i < space->tunable_count; i++) {
        int64_t value = generation->config->values[i];
        hash =
            hash_combine(add_text(hash, space->tunables[i].name), hash_bytes(&value, sizeof value));
    }
    hash = add_text(hash, generation->facts->triple);
    hash = add_text(hash, generation->facts->cpu);
    hash = add_text(hash, generation->facts->features);
    /* What emitters ask beside LLVM's own words; they agree with the features except in
     * hand-written profiles. */
    for (enum fact fact = FACT_vector_bytes; fact <= FACT_has_amx; fact++) {
        double value = generation->facts->values[fact];
        hash = hash_combine(hash, hash_bytes(&value, sizeof value));
    }
    if (space->target == TARGET_CUDA) hash = add_kernel(hash, generation);
    if (space->target == TARGET_CPU && space->kernel.text && is_c(&space->kernel))
        hash = add_clang(hash);
    return add_text(hash, compile_identity(space->target));
}
