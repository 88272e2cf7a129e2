/* Runs NVRTC and makes an image of what it returns. */
#include "codegen/cuda/kernel_compile.h"

#include "codegen/cuda/cubin.h"
#include "codegen/cuda/kernel_config.h"
#include "codegen/cuda/kernel_sources.h"
#include "codegen/cuda/nvrtc.h"

#include <string.h>

enum { TEXT_ALIGNMENT_BYTES = 16, ARCHITECTURES_MAX = 64 };

status kernel_inputs_create(const struct generation *generation, struct arena *arena,
                            struct kernel_inputs *inputs, struct diagnostic *diagnostic)
{
    const struct space *space = generation->space;
    struct bound_space bound;
    const char *reason;
    if (!space->kernel.text)
        return fail(diagnostic, STATUS_NOT_FOUND,
                    "%s: there is no %s.cu beside the variant's YAML file", space->variant,
                    space->variant);
    if (!space_bind_config(space, generation->problem, generation->facts, generation->config, arena,
                           &bound, &reason))
        return fail(diagnostic, STATUS_UNSUPPORTED, "%s cannot be compiled for %s: %s",
                    space->variant, generation->problem->text, reason);
    TRY(space_launches(&bound, generation->config, &inputs->image, diagnostic));
    return kernel_config_write(&bound, generation->config, arena, &inputs->config_text, diagnostic);
}

/* ---- The architecture ---- */

/* Instructions of these generations that later ones do not have are named with an `a`. */
static bool has_own_instructions(int sm)
{
    return sm == 90 || sm == 100 || sm == 103 || sm == 120 || sm == 121;
}

/* Cubin and PTX for a card that NVRTC knows; PTX for the newest that it knows where the card is
 * newer. */
static status choose_architecture(const struct nvrtc *nvrtc, int sm, struct arena *arena,
                                  const char **option, struct diagnostic *diagnostic)
{
    int known[ARCHITECTURES_MAX], count = 0, oldest = INT32_MAX, below = 0;
    int result = nvrtc->architecture_count(&count);
    if (result == NVRTC_SUCCESS && count <= ARCHITECTURES_MAX) result = nvrtc->architectures(known);
    if (result != NVRTC_SUCCESS || count > ARCHITECTURES_MAX)
        return nvrtc_fail(nvrtc, result, "asking for its architectures", diagnostic);
    for (int i = 0; i < count; i++) {
        if (known[i] <= sm && known[i] > below) below = known[i];
        if (known[i] < oldest) oldest = known[i];
    }
    if (!below)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "NVRTC %d.%d compiles for sm_%d and newer, not for sm_%d; cards before sm_75 "
                    "need NVRTC 12 (name its library in HONE_NVRTC)",
                    nvrtc->major, nvrtc->minor, oldest, sm);
    *option = arena_print(arena, "--gpu-architecture=%s_%d%s", below == sm ? "sm" : "compute",
                          below, below == sm && has_own_instructions(sm) ? "a" : "");
    TRY_MEMORY(*option, diagnostic);
    return STATUS_OK;
}

status kernel_check_architecture(int sm, struct diagnostic *diagnostic)
{
    struct nvrtc nvrtc;
    const char *option;
    struct arena *arena = arena_create(0);
    TRY_MEMORY(arena, diagnostic);
    status code = nvrtc_open(arena, &nvrtc, diagnostic);
    if (code == STATUS_OK) code = choose_architecture(&nvrtc, sm, arena, &option, diagnostic);
    arena_destroy(arena);
    return code;
}

/* ---- Compiling ---- */

struct compilation {
    const struct generation *generation;
    const struct nvrtc *nvrtc;
    const char *config_text;
    struct arena *arena;
    struct diagnostic *diagnostic;
    nvrtc_program program;
    const char *log;
};

static status create_program(struct compilation *c)
{
    const struct space *space = c->generation->space;
    int count = kernel_source_count(space);
    const char **texts, **names;
    TRY_NEW(texts, c->arena, count + 1, c->diagnostic);
    TRY_NEW(names, c->arena, count + 1, c->diagnostic);
    for (int s = 0; s < count; s++) {
        struct kernel_source source = kernel_source_at(space, s);
        names[s] = source.path;
        texts[s] = source.text;
    }
    names[count] = KERNEL_CONFIG_NAME;
    texts[count] = c->config_text;
    int result = c->nvrtc->create_program(&c->program, space->kernel.text, space->kernel.path,
                                          count + 1, texts, names);
    if (result == NVRTC_SUCCESS) return STATUS_OK;
    c->program = NULL;
    return nvrtc_fail(c->nvrtc, result, "reading the sources", c->diagnostic);
}

static status read_log(struct compilation *c)
{
    size_t byte_count = 0;
    char *log;
    c->log = "";
    if (c->nvrtc->log_bytes(c->program, &byte_count) != NVRTC_SUCCESS || !byte_count)
        return STATUS_OK;
    TRY_NEW(log, c->arena, byte_count + 1, c->diagnostic);
    c->log = log;
    int result = c->nvrtc->log(c->program, log);
    if (result == NVRTC_SUCCESS) return STATUS_OK;
    return nvrtc_fail(c->nvrtc, result, "reading its log", c->diagnostic);
}

/* The first line of the log that says `error`, and how many more there are. */
static const char *first_error(const char *log, int *length, int *more)
{
    const char *first = NULL;
    *more = 0;
    for (const char *line = log; *line;) {
        size_t bytes = strcspn(line, "\n");
        const char *word = memmem(line, bytes, "error", strlen("error"));
        if (word && first) ++*more;
        if (word && !first) {
            first = line;
            *length = (int)bytes;
        }
        line += bytes + (line[bytes] == '\n');
    }
    return first;
}

/* The assembler's lines name no file. */
static status report(const struct compilation *c, int result)
{
    const struct space *space = c->generation->space;
    struct text config = {.arena = c->arena};
    int length = 0, more = 0;
    const char *line = first_error(c->log, &length, &more);
    if (!line) return nvrtc_fail(c->nvrtc, result, space->kernel.path, c->diagnostic);
    bool named = memchr(line, '(', (size_t)length) != NULL && strncmp(line, "ptxas", 5) != 0;
    config_print(space, c->generation->config, &config);
    const char *printed = text_finish(&config);
    const int line_limit = 600; /* of the 1024 bytes that a diagnostic holds */
    return fail(c->diagnostic, STATUS_COMPILE, "%s%s%.*s%s; compiling %s %s for sm_%.0f",
                named ? "" : space->kernel.path, named ? "" : ": ",
                length > line_limit ? line_limit : length, line, more ? " (and more errors)" : "",
                space->variant, printed ? printed : "", c->generation->facts->values[FACT_sm]);
}

static status compile_program(struct compilation *c)
{
    const char *architecture;
    TRY(choose_architecture(c->nvrtc, (int)c->generation->facts->values[FACT_sm], c->arena,
                            &architecture, c->diagnostic));
    const char *const options[] = {architecture, "--std=c++17", "--ptxas-options=-v"};
    int result = c->nvrtc->compile_program(c->program, sizeof options / sizeof *options, options);
    TRY(read_log(c));
    return result == NVRTC_SUCCESS ? STATUS_OK : report(c, result);
}

static status read_code(const struct compilation *c, struct image *image)
{
    size_t cubin_bytes = 0, text_bytes = 0;
    int result = c->nvrtc->text_bytes(c->program, &text_bytes);
    if (result == NVRTC_SUCCESS && c->nvrtc->cubin_bytes(c->program, &cubin_bytes) != NVRTC_SUCCESS)
        cubin_bytes = 0; /* compiled for a virtual architecture */
    if (result != NVRTC_SUCCESS || !text_bytes)
        return nvrtc_fail(c->nvrtc, result, "returning PTX", c->diagnostic);
    size_t text_offset =
        (cubin_bytes + TEXT_ALIGNMENT_BYTES - 1) / TEXT_ALIGNMENT_BYTES * TEXT_ALIGNMENT_BYTES;
    char *code;
    TRY_NEW(code, c->arena, text_offset + text_bytes, c->diagnostic);
    if (cubin_bytes) result = c->nvrtc->cubin(c->program, code);
    if (result == NVRTC_SUCCESS) result = c->nvrtc->text(c->program, code + text_offset);
    if (result != NVRTC_SUCCESS)
        return nvrtc_fail(c->nvrtc, result, "returning code", c->diagnostic);
    image->code = code;
    image->text_offset = (int64_t)text_offset;
    image->code_bytes = (int64_t)(text_offset + strlen(code + text_offset) + 1);
    return STATUS_OK;
}

/* ---- What it uses ---- */

static status read_resources(const struct compilation *c, struct image *image)
{
    for (int l = 0; l < image->launch_count; l++) {
        struct launch *launch = &image->launches[l];
        if (launch->kind != LAUNCH_KERNEL) continue;
        launch->resources.spilled_bytes = log_spilled_bytes(c->log, launch->name);
        if (image->text_offset)
            TRY(cubin_read(image->code, (size_t)image->text_offset, launch->name,
                           &launch->resources, c->diagnostic));
    }
    return STATUS_OK;
}

static status write_listing(const struct compilation *c, const struct image *image,
                            struct listing *listing)
{
    const struct kernel_source *kernel = &c->generation->space->kernel;
    listing->source = arena_print(c->arena, "// ---- %s ----\n%s\n// ---- %s ----\n%s",
                                  KERNEL_CONFIG_NAME, c->config_text, kernel->path, kernel->text);
    TRY_MEMORY(listing->source, c->diagnostic);
    listing->assembly = (const char *)image->code + image->text_offset;
    return STATUS_OK;
}

static status run_compiler(struct compilation *c, struct image *image, struct listing *listing)
{
    TRY(create_program(c));
    TRY(compile_program(c));
    TRY(read_code(c, image));
    TRY(read_resources(c, image));
    return listing ? write_listing(c, image, listing) : STATUS_OK;
}

status kernel_compile(const struct generation *generation, struct arena *arena, struct image *image,
                      struct listing *listing, struct diagnostic *diagnostic)
{
    struct kernel_inputs inputs;
    struct nvrtc nvrtc;
    TRY(kernel_inputs_create(generation, arena, &inputs, diagnostic));
    TRY(nvrtc_open(arena, &nvrtc, diagnostic));
    *image = inputs.image;
    struct compilation compilation = {.generation = generation,
                                      .nvrtc = &nvrtc,
                                      .config_text = inputs.config_text,
                                      .arena = arena,
                                      .diagnostic = diagnostic};
    status code = run_compiler(&compilation, image, listing);
    if (compilation.program) nvrtc.destroy_program(&compilation.program);
    return code;
}
