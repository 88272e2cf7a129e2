/* Reads an ELF object with checks, lays its sections out and collects its functions. */
#include "base/checked.h"
#include "codegen/object_block_internal.h"

#include <string.h>

/* Kernels are some ten kilobytes; anything near this is a mistake. */
enum { BLOCK_BYTES_MAX = 64 << 20 };

static status damaged(struct diagnostic *diagnostic, const char *what, uint64_t number)
{
    return fail(diagnostic, STATUS_COMPILE,
                "the compiler's object is damaged: %s %llu lies outside of it; this is a fault in "
                "Hone or LLVM",
                what, (unsigned long long)number);
}

static bool inside(const struct object *object, uint64_t offset, uint64_t bytes)
{
    uint64_t end;
    return checked_add(offset, bytes, &end) && end <= object->byte_count;
}

static status read_header(struct object *object, struct diagnostic *diagnostic)
{
    if (object->byte_count < sizeof object->header)
        return damaged(diagnostic, "the header of", object->byte_count);
    memcpy(&object->header, object->bytes, sizeof object->header);
    const Elf64_Ehdr *header = &object->header;
    bool elf = memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
               header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB &&
               header->e_type == ET_REL;
    if (!elf || (header->e_machine != EM_X86_64 && header->e_machine != EM_AARCH64))
        return fail(diagnostic, STATUS_COMPILE,
                    "the compiler's object is no relocatable ELF for x86-64 or aarch64");
    return STATUS_OK;
}

static status read_sections(struct object *object, struct arena *arena,
                            struct diagnostic *diagnostic)
{
    const Elf64_Ehdr *header = &object->header;
    uint64_t bytes = (uint64_t)header->e_shnum * sizeof(Elf64_Shdr);
    if (header->e_shentsize != sizeof(Elf64_Shdr) || !inside(object, header->e_shoff, bytes))
        return damaged(diagnostic, "the section table at", header->e_shoff);
    object->section_count = header->e_shnum;
    TRY_NEW(object->sections, arena, object->section_count + 1, diagnostic);
    TRY_NEW(object->places, arena, object->section_count + 1, diagnostic);
    memcpy(object->sections, object->bytes + header->e_shoff, bytes);
    for (uint32_t i = 0; i < object->section_count; i++) {
        const Elf64_Shdr *section = &object->sections[i];
        object->places[i] = SECTION_NOT_PLACED;
        if (section->sh_type != SHT_NOBITS && section->sh_type != SHT_NULL &&
            !inside(object, section->sh_offset, section->sh_size))
            return damaged(diagnostic, "section", i);
        if (section->sh_type != SHT_SYMTAB) continue;
        object->symbol_table = i;
        object->symbol_count = section->sh_size / sizeof(Elf64_Sym);
    }
    return STATUS_OK;
}

status object_symbol_at(const struct object *object, uint64_t number, Elf64_Sym *symbol,
                        const char **name, struct diagnostic *diagnostic)
{
    if (!object->symbol_table || number >= object->symbol_count)
        return damaged(diagnostic, "symbol", number);
    const Elf64_Shdr *table = &object->sections[object->symbol_table];
    memcpy(symbol, object->bytes + table->sh_offset + number * sizeof *symbol, sizeof *symbol);
    if (table->sh_link >= object->section_count)
        return damaged(diagnostic, "the names of section", object->symbol_table);
    const Elf64_Shdr *names = &object->sections[table->sh_link];
    if (names->sh_type != SHT_STRTAB || symbol->st_name >= names->sh_size)
        return damaged(diagnostic, "the name of symbol", number);
    *name = (const char *)object->bytes + names->sh_offset + symbol->st_name;
    if (!memchr(*name, 0, names->sh_size - symbol->st_name))
        return damaged(diagnostic, "the name of symbol", number);
    return STATUS_OK;
}

/* Code and read-only data.  Unwinding tables are of no use to kernels, which never throw. */
static bool is_wanted(const struct object *object, const Elf64_Shdr *section)
{
    if (!(section->sh_flags & SHF_ALLOC) || section->sh_size == 0) return false;
    if (section->sh_type != SHT_PROGBITS) return false;
    uint32_t names = object->header.e_shstrndx;
    if (names >= object->section_count) return true;
    const Elf64_Shdr *table = &object->sections[names];
    static const char unwinding[] = ".eh_frame";
    if (table->sh_type != SHT_STRTAB || section->sh_name >= table->sh_size ||
        table->sh_size - section->sh_name < sizeof unwinding)
        return true;
    const uint8_t *name = object->bytes + table->sh_offset + section->sh_name;
    return memcmp(name, unwinding, sizeof unwinding) != 0;
}

static status place_sections(struct object *object, struct diagnostic *diagnostic)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < object->section_count; i++) {
        const Elf64_Shdr *section = &object->sections[i];
        if ((section->sh_flags & SHF_ALLOC) && section->sh_size &&
            (section->sh_flags & SHF_WRITE || section->sh_type == SHT_NOBITS))
            return fail(diagnostic, STATUS_COMPILE,
                        "the kernel has writable data (section %u); kernels keep no state", i);
        if (!is_wanted(object, section)) continue;
        uint64_t alignment = section->sh_addralign ? section->sh_addralign : 1;
        if (alignment > OBJECT_BLOCK_ALIGNMENT_BYTES || (alignment & (alignment - 1)) ||
            !checked_align(end, alignment, &end))
            return damaged(diagnostic, "the alignment of section", i);
        object->places[i] = (int64_t)end;
        if (!checked_add(end, section->sh_size, &end) || end > BLOCK_BYTES_MAX)
            return fail(diagnostic, STATUS_COMPILE, "the kernel's code is larger than %d bytes",
                        BLOCK_BYTES_MAX);
    }
    object->block_bytes = end;
    return STATUS_OK;
}

static status fill_block(struct object *object, struct arena *arena, struct diagnostic *diagnostic)
{
    TRY_NEW(object->block, arena, object->block_bytes + 1, diagnostic);
    for (uint32_t i = 0; i < object->section_count; i++)
        if (object->places[i] != SECTION_NOT_PLACED)
            memcpy(object->block + object->places[i], object->bytes + object->sections[i].sh_offset,
                   object->sections[i].sh_size);
    for (uint32_t i = 0; i < object->section_count; i++) {
        const Elf64_Shdr *section = &object->sections[i];
        if (section->sh_type == SHT_REL)
            return fail(diagnostic, STATUS_COMPILE, "relocations without addends in the object");
        if (section->sh_type == SHT_RELA && section->sh_info < object->section_count &&
            object->places[section->sh_info] != SECTION_NOT_PLACED)
            TRY(object_relocate(object, i, diagnostic));
    }
    return STATUS_OK;
}

static status collect_functions(const struct object *object, struct arena *arena,
                                struct object_block *block, struct diagnostic *diagnostic)
{
    TRY_NEW(block->functions, arena, object->symbol_count + 1, diagnostic);
    for (uint64_t i = 0; i < object->symbol_count; i++) {
        Elf64_Sym symbol;
        const char *name;
        TRY(object_symbol_at(object, i, &symbol, &name, diagnostic));
        if (ELF64_ST_BIND(symbol.st_info) != STB_GLOBAL || symbol.st_shndx == SHN_UNDEF ||
            symbol.st_shndx >= object->section_count)
            continue;
        int64_t place = object->places[symbol.st_shndx];
        if (place == SECTION_NOT_PLACED) continue;
        if (symbol.st_value >= object->sections[symbol.st_shndx].sh_size)
            return damaged(diagnostic, "the value of symbol", i);
        struct object_symbol *function = &block->functions[block->function_count++];
        function->offset = place + (int64_t)symbol.st_value;
        function->name = arena_text(arena, name);
        TRY_MEMORY(function->name, diagnostic);
    }
    return STATUS_OK;
}

status object_block_make(const void *object_bytes, size_t byte_count, struct arena *arena,
                         struct object_block *block, struct diagnostic *diagnostic)
{
    struct object object = {.bytes = object_bytes, .byte_count = byte_count};
    *block = (struct object_block){0};
    TRY(read_header(&object, diagnostic));
    TRY(read_sections(&object, arena, diagnostic));
    TRY(place_sections(&object, diagnostic));
    TRY(fill_block(&object, arena, diagnostic));
    block->bytes = object.block;
    block->byte_count = (int64_t)object.block_bytes;
    return collect_functions(&object, arena, block, diagnostic);
}

int64_t object_block_find(const struct object_block *block, const char *name)
{
    for (int i = 0; i < block->function_count; i++)
        if (strcmp(block->functions[i].name, name) == 0) return block->functions[i].offset;
    return -1;
}
