/* What object_block.c and object_relocate.c share: the checked view of an ELF object. */
#ifndef CODEGEN_OBJECT_BLOCK_INTERNAL_H
#define CODEGEN_OBJECT_BLOCK_INTERNAL_H

#include "codegen/object_block.h"

#include <elf.h>

enum { SECTION_NOT_PLACED = -1 };

struct object {
    const uint8_t *bytes;
    size_t byte_count;
    Elf64_Ehdr header;
    uint32_t section_count;
    Elf64_Shdr *sections;  /* copies: the object need not be aligned */
    int64_t *places;       /* of each section in the block, or SECTION_NOT_PLACED */
    uint32_t symbol_table; /* section number, 0 when there is none */
    uint64_t symbol_count;
    uint8_t *block;
    uint64_t block_bytes;
};

/* The symbol's record and name; fails when the number or the name is outside the object. */
CHECKED status object_symbol_at(const struct object *object, uint64_t number, Elf64_Sym *symbol,
                                const char **name, struct diagnostic *diagnostic);

/* Applies all relocations of the section with this number. */
CHECKED status object_relocate(struct object *object, uint32_t section,
                               struct diagnostic *diagnostic);

#endif
