/* Runs clang on a kernel's text and makes an image of the object that it writes. */
#include "codegen/source_c.h"

#include "base/program.h"
#include "base/text.h"
#include "codegen/source_kernel.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ARGUMENTS_MAX = 512, OBJECT_BYTES_MAX = 64 << 20 };
static const double compile_seconds =
    50; /* below what the whole compilation may take (codegen/compile.h) */

const char *source_c_compiler(struct arena *arena)
{
    static const char *const names[] = {"clang-21", "clang-20", "clang-19", "clang-18",
                                        "clang-17", "clang-16", "clang",    NULL};
    const char *given = getenv("HONE_CLANG");
    const char *const only[] = {given, NULL};
    return program_find(given && *given ? only : names, arena);
}

struct hash source_c_identity(struct arena *scratch)
{
    struct stat facts = {0};
    const char *path = source_c_compiler(scratch);
    if (!path || stat(path, &facts) != 0) return hash_text("");
    const int64_t parts[] = {(int64_t)facts.st_size, (int64_t)facts.st_mtim.tv_sec};
    return hash_combine(hash_text(path), hash_bytes(parts, sizeof parts));
}

/* ---- The text ---- */

static void write_constant(struct text *text, const struct kernel_constant *constant)
{
    if (constant->real)
        text_print(text, "static const float %s = %.9ef; static const double %s_exact = %.17e;\n",
                   constant->name, constant->value, constant->name, constant->value);
    else if (constant->whole == (int32_t)constant->whole)
        text_print(text, "enum { %s = %lld };\n", constant->name, (long long)constant->whole);
    else
        text_print(text, "static const long long %s = %lldll;\n", constant->name,
                   (long long)constant->whole);
}

static status write_text(const struct space *space, const struct kernel_constants *constants,
                         struct arena *arena, const char **result, struct diagnostic *diagnostic)
{
    struct text text = {.arena = arena};
    for (int c = 0; c < constants->count; c++) write_constant(&text, &constants->rows[c]);
    text_append(&text, "enum { KERNEL_ROWS, KERNEL_CONTEXT, KERNEL_STRIDE, KERNEL_SEQUENCES };\n");
    text_print(&text, "#line 1 \"%s\"\n", space->kernel.path);
    text_append(&text, space->kernel.text);
    *result = text_finish(&text);
    TRY_MEMORY(*result, diagnostic);
    return STATUS_OK;
}

/* ---- The compiler ---- */

struct command_line {
    struct arena *arena;
    const char *arguments[ARGUMENTS_MAX];
    int count;
};

static void add_argument(struct command_line *line, const char *argument)
{
    if (line->count < ARGUMENTS_MAX - 1) line->arguments[line->count++] = argument;
}

static void add_front_end(struct command_line *line, const char *option, const char *value)
{
    const char *const words[] = {"-Xclang", option, "-Xclang", value};
    for (int w = 0; w < 4; w++) add_argument(line, words[w]);
}

/* The families of the processor one by one: older compilers do not know newer processors by name. */
static status add_features(struct command_line *line, const struct device_facts *facts,
                           struct diagnostic *diagnostic)
{
    add_front_end(line, "-target-cpu", strncmp(facts->triple, "x86_64", 6) ? "generic" : "x86-64");
    for (const char *at = facts->features; *at;) {
        size_t length = strcspn(at, ",");
        const char *feature = arena_text_range(line->arena, at, length);
        TRY_MEMORY(feature, diagnostic);
        if (length) add_front_end(line, "-target-feature", feature);
        at += length + (at[length] == ',');
    }
    return STATUS_OK;
}

static status make_command_line(struct command_line *line, const struct device_facts *facts,
                                bool assembly, struct diagnostic *diagnostic)
{
    static const char *const options[] = {"-x",
                                          "c",
                                          "-",
                                          "-O3",
                                          "-std=gnu17",
                                          "-ffreestanding",
                                          "-fno-builtin",
                                          "-fPIC",
                                          "-fvisibility=hidden",
                                          "-fno-jump-tables",
                                          "-fno-stack-protector",
                                          "-fno-asynchronous-unwind-tables",
                                          "-ffp-contract=fast",
                                          "-fno-math-errno",
                                          "-w",
                                          "-o",
                                          "-",
                                          NULL};
    const char *clang = source_c_compiler(line->arena);
    if (!clang)
        return fail(diagnostic, STATUS_UNSUPPORTED,
                    "kernels in C need clang; install it, or name it in HONE_CLANG");
    add_argument(line, clang);
    add_argument(line, assembly ? "-S" : "-c");
    add_argument(line, arena_print(line->arena, "--target=%s", facts->triple));
    for (const char *const *option = options; *option; option++) add_argument(line, *option);
    TRY(add_features(line, facts, diagnostic));
    line->arguments[line->count] = NULL;
    TRY_MEMORY(line->arguments[2], diagnostic);
    return STATUS_OK;
}

/* The first lines of what the compiler says; the rest is seldom worth reading. */
static status refuse(const struct generation *generation, const struct program_result *result,
                     struct diagnostic *diagnostic)
{
    enum { SAID_MOST = 600 };
    const char *said = strstr(result->errors, "error:");
    while (said && said > result->errors && said[-1] != '\n') said--;
    if (!said) said = result->errors;
    return fail(diagnostic, STATUS_COMPILE, "%s: clang refuses it: %.*s",
                generation->space->variant, SAID_MOST, said);
}

static status run_clang(const struct generation *generation, const char *text, bool assembly,
                        struct arena *arena, struct program_result *result,
                        struct diagnostic *diagnostic)
{
    struct command_line *line;
    TRY_NEW(line, arena, 1, diagnostic);
    line->arena = arena;
    TRY(make_command_line(line, generation->facts, assembly, diagnostic));
    const struct program program = {.arguments = line->arguments,
                                    .input = text,
                                    .input_bytes = strlen(text),
                                    .seconds = compile_seconds,
                                    .output_most = OBJECT_BYTES_MAX};
    TRY(program_run(&program, arena, result, diagnostic));
    return result->exit_status == 0 ? STATUS_OK : refuse(generation, result, diagnostic);
}

status source_c_generate(const struct generation *generation, struct arena *arena,
                         struct image *image, struct listing *listing,
                         struct diagnostic *diagnostic)
{
    struct kernel_constants constants;
    struct program_result result;
    const char *text;
    TRY(source_prepare(generation, arena, image, &constants, diagnostic));
    TRY(write_text(generation->space, &constants, arena, &text, diagnostic));
    if (listing) {
        TRY(run_clang(generation, text, true, arena, &result, diagnostic));
        *listing = (struct listing){.source = text, .assembly = result.output};
    }
    TRY(run_clang(generation, text, false, arena, &result, diagnostic));
    return source_take_object(result.output, result.output_bytes, arena, image, diagnostic);
}
