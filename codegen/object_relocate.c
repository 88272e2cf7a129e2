/* Resolves the references inside an object block: x86-64 and aarch64, all relative to the program
 * counter. */
#include "codegen/object_block_internal.h"

#include <string.h>

/* One reference: the place in the block, the bytes that may be changed there, and where it points.
 */
struct reference {
    uint8_t *bytes;
    int64_t place, target; /* offsets in the block; target includes the addend */
    uint32_t type;
    const char *symbol;
};

static status refuse(const struct reference *reference, const char *why,
                     struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_COMPILE,
                "the kernel's reference to \"%s\" cannot be resolved (relocation type %u): %s",
                reference->symbol, reference->type, why);
}

static bool fits(int64_t number, int bits)
{
    int64_t limit = (int64_t)1 << (bits - 1);
    return number >= -limit && number < limit;
}

static uint32_t read_word(const uint8_t *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static void write_word(uint8_t *bytes, uint32_t word)
{
    memcpy(bytes, &word, sizeof word);
}

/* ---- x86-64 ---- */

static status relocate_x86_64(const struct reference *reference, struct diagnostic *diagnostic)
{
    int64_t distance = reference->target - reference->place;
    switch (reference->type) {
    case R_X86_64_PC32:
    case R_X86_64_PLT32: /* the function is in the block: no table needed */
        if (!fits(distance, 32)) return refuse(reference, "too far away", diagnostic);
        write_word(reference->bytes, (uint32_t)distance);
        return STATUS_OK;
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
        return refuse(reference, "it goes through a global offset table, which a block has not",
                      diagnostic);
    default: return refuse(reference, "this kind is not relative to the code", diagnostic);
    }
}

/* ---- aarch64 ---- */

static int64_t page_of(int64_t offset)
{
    return offset & ~(int64_t)4095;
}

static uint32_t with_field(uint32_t word, int64_t field, int low, int width)
{
    uint32_t mask = (((uint32_t)1 << width) - 1) << low;
    return (word & ~mask) | (((uint32_t)field << low) & mask);
}

/* ADRP: pages between the instruction and the target, two bits at 29 and nineteen at 5. */
static status relocate_page(const struct reference *reference, struct diagnostic *diagnostic)
{
    int64_t pages = (page_of(reference->target) - page_of(reference->place)) / 4096;
    if (!fits(pages, 21)) return refuse(reference, "too far away", diagnostic);
    uint32_t word = with_field(read_word(reference->bytes), pages & 3, 29, 2);
    write_word(reference->bytes, with_field(word, pages >> 2, 5, 19));
    return STATUS_OK;
}

/* ADD, loads and stores: the low twelve bits of the target, counted in units of the access. */
static status relocate_low(const struct reference *reference, int shift,
                           struct diagnostic *diagnostic)
{
    int64_t low = reference->target & 4095;
    if (low & (((int64_t)1 << shift) - 1))
        return refuse(reference, "the target is not aligned to the access", diagnostic);
    write_word(reference->bytes, with_field(read_word(reference->bytes), low >> shift, 10, 12));
    return STATUS_OK;
}

/* Branches count instructions. */
static status relocate_branch(const struct reference *reference, int low, int width,
                              struct diagnostic *diagnostic)
{
    int64_t distance = reference->target - reference->place;
    if (distance % 4 || !fits(distance / 4, width))
        return refuse(reference, "too far away", diagnostic);
    uint32_t word = read_word(reference->bytes);
    write_word(reference->bytes, with_field(word, distance / 4, low, width));
    return STATUS_OK;
}

static status relocate_aarch64(const struct reference *reference, struct diagnostic *diagnostic)
{
    switch (reference->type) {
    case R_AARCH64_ADR_PREL_PG_HI21: return relocate_page(reference, diagnostic);
    case R_AARCH64_ADD_ABS_LO12_NC:
    case R_AARCH64_LDST8_ABS_LO12_NC: return relocate_low(reference, 0, diagnostic);
    case R_AARCH64_LDST16_ABS_LO12_NC: return relocate_low(reference, 1, diagnostic);
    case R_AARCH64_LDST32_ABS_LO12_NC: return relocate_low(reference, 2, diagnostic);
    case R_AARCH64_LDST64_ABS_LO12_NC: return relocate_low(reference, 3, diagnostic);
    case R_AARCH64_LDST128_ABS_LO12_NC: return relocate_low(reference, 4, diagnostic);
    case R_AARCH64_CALL26:
    case R_AARCH64_JUMP26: return relocate_branch(reference, 0, 26, diagnostic);
    case R_AARCH64_CONDBR19: return relocate_branch(reference, 5, 19, diagnostic);
    default: return refuse(reference, "this kind is not relative to the code", diagnostic);
    }
}

/* ---- The table ---- */

static status find_target(const struct object *object, const Elf64_Rela *entry,
                          struct reference *reference, struct diagnostic *diagnostic)
{
    Elf64_Sym symbol;
    TRY(object_symbol_at(object, ELF64_R_SYM(entry->r_info), &symbol, &reference->symbol,
                         diagnostic));
    if (symbol.st_shndx == SHN_UNDEF)
        return refuse(reference, "the kernel calls something outside of it", diagnostic);
    if (symbol.st_shndx >= object->section_count ||
        object->places[symbol.st_shndx] == SECTION_NOT_PLACED)
        return refuse(reference, "it lies in no section of the block", diagnostic);
    /* Compilers may point a little before or behind a section; the sum is only used as a distance.
     */
    int64_t limit = (int64_t)1 << 40;
    if (symbol.st_value > (uint64_t)limit || entry->r_addend > limit || entry->r_addend < -limit)
        return refuse(reference, "its value is out of range", diagnostic);
    reference->target =
        object->places[symbol.st_shndx] + (int64_t)symbol.st_value + entry->r_addend;
    return STATUS_OK;
}

status object_relocate(struct object *object, uint32_t section, struct diagnostic *diagnostic)
{
    const Elf64_Shdr *table = &object->sections[section];
    const Elf64_Shdr *changed = &object->sections[table->sh_info];
    uint64_t count = table->sh_size / sizeof(Elf64_Rela);
    for (uint64_t i = 0; i < count; i++) {
        Elf64_Rela entry;
        memcpy(&entry, object->bytes + table->sh_offset + i * sizeof entry, sizeof entry);
        struct reference reference = {.type = (uint32_t)ELF64_R_TYPE(entry.r_info), .symbol = ""};
        if (changed->sh_size < 4 || entry.r_offset > changed->sh_size - 4)
            return refuse(&reference, "its place lies outside of its section", diagnostic);
        TRY(find_target(object, &entry, &reference, diagnostic));
        reference.place = object->places[table->sh_info] + (int64_t)entry.r_offset;
        reference.bytes = object->block + reference.place;
        if (object->header.e_machine == EM_X86_64)
            TRY(relocate_x86_64(&reference, diagnostic));
        else
            TRY(relocate_aarch64(&reference, diagnostic));
    }
    return STATUS_OK;
}
