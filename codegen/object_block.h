/* An ELF object made into one block of machine code that runs wherever it is put.
 *
 * A linker for the one case that kernels need: a single relocatable object (x86-64 or aarch64)
 * whose code and read-only data refer to each other relative to the program counter.  The sections
 * are laid out one behind the other and the references are resolved, so the block has neither open
 * relocations nor external symbols.  A reference to a symbol that the object does not define is an
 * error that names it: the kernel called something.  The object is not trusted: every offset and
 * count in it is checked. */
#ifndef CODEGEN_OBJECT_BLOCK_H
#define CODEGEN_OBJECT_BLOCK_H

#include "base/arena.h"

#include <stdint.h>

/* The block must be placed at a multiple of this: page-relative addressing of aarch64 counts on it.
 */
enum { OBJECT_BLOCK_ALIGNMENT_BYTES = 4096 };

struct object_symbol {
    const char *name;
    int64_t offset; /* in the block */
};

struct object_block {
    void *bytes; /* in the arena; copy it to executable memory */
    int64_t byte_count;
    int function_count;
    struct object_symbol *functions; /* the global ones */
};

CHECKED status object_block_make(const void *object, size_t object_bytes, struct arena *arena,
                                 struct object_block *block, struct diagnostic *diagnostic);

/* -1 when there is no such function. */
int64_t object_block_find(const struct object_block *block, const char *name);

#endif
