/* Lists the files that kernels may include, and hashes those that one does. */
#include "codegen/cuda/kernel_sources.h"

#include "base/embedded.h"
#include "codegen/cuda/kernel_compile.h"

#include <string.h>

extern const struct embedded_file embedded_vocabulary[]; /* made by cmake/embed.cmake */

static int vocabulary_count(void)
{
    int count = 0;
    while (embedded_vocabulary[count].path) count++;
    return count;
}

int kernel_source_count(const struct space *space)
{
    return vocabulary_count() + space->header_count;
}

struct kernel_source kernel_source_at(const struct space *space, int index)
{
    int own = index - vocabulary_count();
    if (own >= 0) return space->headers[own];
    const struct embedded_file *file = &embedded_vocabulary[index];
    return (struct kernel_source){.path = file->path, .text = file->bytes};
}

/* ---- What is included ---- */

/* More files than any kernel includes; a set of them is an array of flags. */
enum { SOURCES_MAX = 256 };

struct inclusion {
    const struct space *space;
    int count;
    bool included[SOURCES_MAX];
};

/* Marks a file; false when there is none of that name or it is marked already. */
static bool mark(struct inclusion *inclusion, const char *name, size_t length, int *index)
{
    for (int s = 0; s < inclusion->count; s++) {
        const char *path = kernel_source_at(inclusion->space, s).path;
        if (strlen(path) != length || memcmp(path, name, length) != 0) continue;
        *index = s;
        if (inclusion->included[s]) return false;
        return inclusion->included[s] = true;
    }
    return false;
}

/* Marks what the text includes.  Comments are not looked at: a file too many does no harm. */
static void mark_includes(struct inclusion *inclusion, const char *text)
{
    static const char lead[] = "#include \"";
    for (const char *at = strstr(text, lead); at; at = strstr(at, lead)) {
        int index = 0;
        at += strlen(lead);
        size_t length = strcspn(at, "\"\n");
        if (mark(inclusion, at, length, &index))
            mark_includes(inclusion, kernel_source_at(inclusion->space, index).text);
    }
}

struct hash kernel_sources_hash(const struct space *space)
{
    struct inclusion inclusion = {.space = space, .count = kernel_source_count(space)};
    if (inclusion.count > SOURCES_MAX) inclusion.count = SOURCES_MAX;
    mark_includes(&inclusion, space->kernel.text);
    struct hash hash = hash_combine(hash_text(space->kernel.path), hash_text(space->kernel.text));
    for (int s = 0; s < inclusion.count; s++) {
        struct kernel_source source = kernel_source_at(space, s);
        if (inclusion.included[s])
            hash = hash_combine(hash_combine(hash, hash_text(source.path)), hash_text(source.text));
    }
    return hash;
}
