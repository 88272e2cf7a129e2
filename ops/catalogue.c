/* Reads the spaces that were compiled in, and those of the user's folder. */
#include "ops/catalogue.h"

#include "base/embedded.h"
#include "base/file.h"
#include "ir/space_extend.h"
#include "ops/op_table.h"

#include <string.h>

/* Made by cmake/embed.cmake. */
extern const struct embedded_file embedded_spaces[], embedded_cuda_spaces[], embedded_kernels[];

/* What a variant is read from. */
struct variant_file {
    struct yaml *root;
    struct hash source;
    struct kernel_source kernel; /* no text: none */
    bool replaces;               /* a built-in variant of its name */
};

struct catalogue_reader {
    struct arena *arena;
    struct arena *scratch; /* YAML trees and files */
    struct diagnostic *diagnostic;
    struct variant_file *files;
    int file_count;
    size_t file_capacity;
    const struct space **spaces;
    int count;
    size_t capacity;
    struct kernel_source *headers; /* that CUDA kernels may include */
    int header_count;
    size_t header_capacity;
};

static const struct space *find(const struct catalogue_reader *reader, const char *variant,
                                int *index)
{
    for (int s = 0; s < reader->count; s++) {
        if (strcmp(reader->spaces[s]->variant, variant) != 0) continue;
        *index = s;
        return reader->spaces[s];
    }
    return NULL;
}

static status add_file(struct catalogue_reader *reader, const struct variant_file *file)
{
    TRY_APPEND(reader->files, reader->file_count, reader->file_capacity, reader->scratch,
               reader->diagnostic);
    reader->files[reader->file_count - 1] = *file;
    return STATUS_OK;
}

/* The last of the files with this variant, so that a folder's goes before a built-in one; never the one that asks, so
 * that a variant can extend the one that it replaces.  What is built in extends what is built in. */
static const struct variant_file *find_file(const struct catalogue_reader *reader,
                                            const char *variant, const struct variant_file *asking)
{
    for (int f = reader->file_count - 1; f >= 0; f--) {
        const struct yaml *name = yaml_find(reader->files[f].root, "variant");
        if (reader->files[f].replaces && !asking->replaces) continue;
        if (&reader->files[f] != asking && name && name->kind == YAML_SCALAR &&
            strcmp(name->text, variant) == 0)
            return &reader->files[f];
    }
    return NULL;
}

enum { EXTENSIONS_DEPTH_MAX = 4 };

/* With what the file extends; a kernel is taken over where there is none beside it. */
static status resolve(const struct catalogue_reader *reader, const struct variant_file *file,
                      int depth, struct variant_file *whole)
{
    const char *name;
    struct variant_file base;
    *whole = *file;
    TRY(space_extends(file->root, &name, reader->diagnostic));
    if (!name) return STATUS_OK;
    const struct variant_file *found = find_file(reader, name, file);
    if (!found)
        return yaml_fail(yaml_find(file->root, "extends"), reader->diagnostic,
                         "there is no variant '%.100s' to extend", name);
    if (depth == EXTENSIONS_DEPTH_MAX)
        return yaml_fail(yaml_find(file->root, "extends"), reader->diagnostic,
                         "variants extend one another more than %d deep", EXTENSIONS_DEPTH_MAX);
    TRY(resolve(reader, found, depth + 1, &base));
    TRY(space_extend(base.root, file->root, reader->scratch, &whole->root, reader->diagnostic));
    whole->source = hash_combine(base.source, file->source);
    if (!whole->kernel.text) whole->kernel = base.kernel;
    return STATUS_OK;
}

/* Whether the kernel is of a language for the target, and the space says how to launch it. */
static status check_kernel(const struct catalogue_reader *reader, const struct variant_file *file,
                           const struct space *space)
{
    const char *path = file->kernel.path;
    bool cuda_text = path && strcmp(path + strlen(path) - strlen(".cu"), ".cu") == 0;
    if (path && cuda_text != (space->target == TARGET_CUDA))
        return yaml_fail(file->root, reader->diagnostic, "the kernel %s is not for target %s", path,
                         space->target == TARGET_CUDA ? "cuda" : "cpu");
    if (space->target == TARGET_CUDA || (path != NULL) == (space->launch_count > 0))
        return STATUS_OK;
    return path ? yaml_fail(file->root, reader->diagnostic,
                            "the kernel %s needs 'launches' here: entry, items and arguments", path)
                : yaml_fail(file->root, reader->diagnostic,
                            "'launches' are there, but no kernel %s.c or %s.ll beside this file",
                            space->variant, space->variant);
}

static status read_space(struct catalogue_reader *reader, const struct variant_file *file)
{
    struct space *space;
    TRY(space_read(file->root, op_table(), reader->arena, &space, reader->diagnostic));
    space->kernel = file->kernel;
    TRY(check_kernel(reader, file, space));
    if (space->target == TARGET_CUDA) {
        space->headers = reader->headers;
        space->header_count = reader->header_count;
    }
    int index = 0;
    const struct space *known = find(reader, space->variant, &index);
    if (known && !file->replaces)
        return yaml_fail(file->root, reader->diagnostic, "the variant '%s' is there twice",
                         space->variant);
    space->source = known ? hash_combine(known->source, file->source) : file->source;
    if (!known) {
        TRY_APPEND(reader->spaces, reader->count, reader->capacity, reader->arena,
                   reader->diagnostic);
        index = reader->count - 1;
    }
    reader->spaces[index] = space;
    return STATUS_OK;
}

/* The kernel beside a built-in space. */
static struct kernel_source embedded_kernel(const char *yaml_path)
{
    size_t length = strlen(yaml_path) - strlen("yaml");
    for (const struct embedded_file *file = embedded_kernels; file->path; file++)
        if (strncmp(file->path, yaml_path, length) == 0 && strcmp(file->path + length, "cu") == 0)
            return (struct kernel_source){.path = file->path, .text = file->bytes};
    return (struct kernel_source){0};
}

static status read_table(struct catalogue_reader *reader, const struct embedded_file *table)
{
    for (const struct embedded_file *file = table; file->path; file++) {
        struct variant_file variant = {.source = hash_text(file->fingerprint),
                                       .kernel = embedded_kernel(file->path)};
        TRY(yaml_parse(file->path, file->bytes, file->byte_count, reader->scratch, &variant.root,
                       reader->diagnostic));
        TRY(add_file(reader, &variant));
    }
    return STATUS_OK;
}

static bool is_header(const char *path)
{
    size_t length = strlen(path);
    return length > strlen(".cuh") && strcmp(path + length - strlen(".cuh"), ".cuh") == 0;
}

static status add_header(struct catalogue_reader *reader, const char *path, const char *text)
{
    TRY_APPEND(reader->headers, reader->header_count, reader->header_capacity, reader->arena,
               reader->diagnostic);
    reader->headers[reader->header_count - 1] = (struct kernel_source){.path = path, .text = text};
    return STATUS_OK;
}

static status read_embedded(struct catalogue_reader *reader)
{
    for (const struct embedded_file *file = embedded_kernels; file->path; file++)
        if (is_header(file->path)) TRY(add_header(reader, file->path, file->bytes));
    TRY(read_table(reader, embedded_spaces));
    return read_table(reader, embedded_cuda_spaces);
}

enum { SOURCE_LIMIT_BYTES = 16 << 20 };

/* The kernel's text beside a space: CUDA, C, or LLVM's language; NULL where there is none. */
static status find_kernel(struct catalogue_reader *reader, const char *path, const char **kernel)
{
    static const char *const endings[] = {"cu", "c", "ll"};
    int stem = (int)(strlen(path) - strlen("yaml"));
    *kernel = NULL;
    for (size_t e = 0; e < sizeof endings / sizeof *endings; e++) {
        const char *found = arena_print(reader->arena, "%.*s%s", stem, path, endings[e]);
        TRY_MEMORY(found, reader->diagnostic);
        if (!file_exists(found)) continue;
        if (*kernel)
            return fail(reader->diagnostic, STATUS_BAD_INPUT,
                        "%s has two kernels beside it, %s and %s; keep one", path, *kernel, found);
        *kernel = found;
    }
    return STATUS_OK;
}

/* The folder's space may come with the source of its kernel; that of a CPU variant may be an
 * emitter that is compiled in. */
static status folder_source(struct catalogue_reader *reader, const char *path, struct hash *source,
                            struct kernel_source *kernel)
{
    char *bytes;
    size_t byte_count;
    *kernel = (struct kernel_source){0};
    TRY(file_read(path, SOURCE_LIMIT_BYTES, reader->scratch, &bytes, &byte_count,
                  reader->diagnostic));
    *source = hash_bytes(bytes, byte_count);
    const char *kernel_path;
    TRY(find_kernel(reader, path, &kernel_path));
    if (!kernel_path) return STATUS_OK;
    TRY(file_read(kernel_path, SOURCE_LIMIT_BYTES, reader->arena, &bytes, &byte_count,
                  reader->diagnostic));
    *source = hash_combine(*source, hash_bytes(bytes, byte_count));
    *kernel = (struct kernel_source){.path = kernel_path, .text = bytes};
    return STATUS_OK;
}

/* A folder's headers are included by their names alone, and count for all of its variants. */
static status read_folder_headers(struct catalogue_reader *reader, const char *folder,
                                  struct hash *hash)
{
    const char **names;
    int count;
    *hash = hash_text("");
    TRY(file_list(folder, ".cuh", reader->arena, &names, &count, reader->diagnostic));
    for (int n = 0; n < count; n++) {
        char *bytes;
        size_t byte_count;
        const char *path = file_join(reader->scratch, folder, names[n]);
        TRY_MEMORY(path, reader->diagnostic);
        TRY(file_read(path, SOURCE_LIMIT_BYTES, reader->arena, &bytes, &byte_count,
                      reader->diagnostic));
        TRY(add_header(reader, names[n], bytes));
        *hash = hash_combine(*hash, hash_bytes(bytes, byte_count));
    }
    return STATUS_OK;
}

static status read_folder(struct catalogue_reader *reader, const char *folder)
{
    const char **names;
    int count;
    struct hash headers;
    TRY(read_folder_headers(reader, folder, &headers));
    TRY(file_list(folder, ".yaml", reader->scratch, &names, &count, reader->diagnostic));
    for (int n = 0; n < count; n++) {
        const char *path = file_join(reader->scratch, folder, names[n]);
        TRY_MEMORY(path, reader->diagnostic);
        struct variant_file variant = {.replaces = true};
        TRY(yaml_read(path, reader->scratch, &variant.root, reader->diagnostic));
        TRY(folder_source(reader, path, &variant.source, &variant.kernel));
        if (variant.kernel.text) variant.source = hash_combine(variant.source, headers);
        TRY(add_file(reader, &variant));
    }
    return STATUS_OK;
}

static status read_all(struct catalogue_reader *reader, const char *folder)
{
    TRY(read_embedded(reader));
    if (folder) TRY(read_folder(reader, folder));
    for (int f = 0; f < reader->file_count; f++) {
        struct variant_file whole;
        TRY(resolve(reader, &reader->files[f], 0, &whole));
        TRY(read_space(reader, &whole));
    }
    if (reader->count) /* the list ends with NULL; growing keeps what is there */
        TRY_APPEND(reader->spaces, reader->count, reader->capacity, reader->arena,
                   reader->diagnostic);
    return STATUS_OK;
}

status catalogue_read(const char *folder, struct arena *arena, struct catalogue *catalogue,
                      struct diagnostic *diagnostic)
{
    static const struct space *const none[] = {NULL};
    struct catalogue_reader reader = {
        .arena = arena, .scratch = arena_create(0), .diagnostic = diagnostic};
    *catalogue = (struct catalogue){.spaces = none};
    TRY_MEMORY(reader.scratch, diagnostic);
    status code = read_all(&reader, folder);
    arena_destroy(reader.scratch);
    if (code == STATUS_OK && reader.count)
        *catalogue = (struct catalogue){.spaces = reader.spaces, .count = reader.count - 1};
    return code;
}
