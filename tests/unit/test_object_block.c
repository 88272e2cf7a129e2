/* Linking of kernels' objects: references are resolved for x86-64 and aarch64, what cannot be is
 * refused by name, and damaged objects are refused without reading outside of them. */
#include "base/random.h"
#include "codegen/object_block.h"
#include "tests/check.h"

#include <elf.h>

/* An object with 64 bytes of code, 32 of constants (aligned to 32), one relocation in the code. */
enum { TEXT = 1, RODATA, RELA, SYMTAB, STRTAB, SECTIONS };

struct sample {
    Elf64_Ehdr header;
    Elf64_Shdr sections[SECTIONS];
    uint8_t text[64], rodata[32];
    Elf64_Rela relocation;
    Elf64_Sym symbols[4];
    char strings[32];
};

static struct sample sample_of(uint16_t machine, uint32_t type, int64_t offset, int64_t addend,
                               uint32_t symbol)
{
    static const char strings[] = "\0kernel\0table\0memset";
    struct sample s = {0};
    memcpy(s.header.e_ident, ELFMAG, SELFMAG);
    s.header.e_ident[EI_CLASS] = ELFCLASS64;
    s.header.e_ident[EI_DATA] = ELFDATA2LSB;
    s.header.e_type = ET_REL;
    s.header.e_machine = machine;
    s.header.e_shoff = offsetof(struct sample, sections);
    s.header.e_shentsize = sizeof(Elf64_Shdr);
    s.header.e_shnum = SECTIONS;
#define AT(member) .sh_offset = offsetof(struct sample, member), .sh_size = sizeof s.member
    s.sections[TEXT] = (Elf64_Shdr){.sh_type = SHT_PROGBITS,
                                    .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                    .sh_addralign = 16,
                                    AT(text)};
    s.sections[RODATA] = (Elf64_Shdr){
        .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addralign = 32, AT(rodata)};
    s.sections[RELA] =
        (Elf64_Shdr){.sh_type = SHT_RELA, .sh_info = TEXT, .sh_link = SYMTAB, AT(relocation)};
    s.sections[SYMTAB] = (Elf64_Shdr){.sh_type = SHT_SYMTAB, .sh_link = STRTAB, AT(symbols)};
    s.sections[STRTAB] = (Elf64_Shdr){.sh_type = SHT_STRTAB, AT(strings)};
#undef AT
    memset(s.text, 0x11, sizeof s.text);
    memset(s.rodata, 0x22, sizeof s.rodata);
    memcpy(s.strings, strings, sizeof strings);
    s.symbols[1] = (Elf64_Sym){.st_name = 1,
                               .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                               .st_shndx = TEXT,
                               .st_value = 16};
    s.symbols[2] = (Elf64_Sym){
        .st_name = 8, .st_info = ELF64_ST_INFO(STB_LOCAL, STT_OBJECT), .st_shndx = RODATA};
    s.symbols[3] = (Elf64_Sym){.st_name = 14, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_NOTYPE)};
    s.relocation = (Elf64_Rela){(uint64_t)offset, ELF64_R_INFO((uint64_t)symbol, type), addend};
    return s;
}

struct linked {
    struct arena *arena;
    struct object_block block;
    struct diagnostic diagnostic;
};

static status link_sample(struct linked *linked, const struct sample *sample)
{
    linked->arena = arena_create(0);
    linked->diagnostic = (struct diagnostic){0};
    return object_block_make(sample, sizeof *sample, linked->arena, &linked->block,
                             &linked->diagnostic);
}

static uint32_t word_at(const struct linked *linked, int64_t offset)
{
    uint32_t word;
    memcpy(&word, (const char *)linked->block.bytes + offset, sizeof word);
    return word;
}

static void lays_sections_out_and_finds_functions(void **state)
{
    (void)state;
    struct linked linked;
    struct sample sample = sample_of(EM_X86_64, R_X86_64_PC32, 20, -4, 2);
    struct diagnostic diagnostic = {0};
    CHECK_OK(link_sample(&linked, &sample));
    assert_int_equal(linked.block.byte_count, 96);
    assert_int_equal(word_at(&linked, 0), 0x11111111);
    assert_int_equal(word_at(&linked, 64), 0x22222222);
    assert_int_equal(object_block_find(&linked.block, "kernel"), 16);
    assert_int_equal(object_block_find(&linked.block, "table"), -1); /* local */
    arena_destroy(linked.arena);
}

static uint32_t relocated(uint16_t machine, uint32_t type, int64_t offset, int64_t addend,
                          uint32_t symbol)
{
    struct linked linked;
    struct diagnostic diagnostic = {0};
    struct sample sample = sample_of(machine, type, offset, addend, symbol);
    CHECK_OK(link_sample(&linked, &sample));
    uint32_t word = word_at(&linked, offset);
    arena_destroy(linked.arena);
    return word;
}

static void resolves_x86_64(void **state)
{
    (void)state;
    assert_int_equal(relocated(EM_X86_64, R_X86_64_PC32, 20, -4, 2), 64 - 20 - 4);
    assert_int_equal((int32_t)relocated(EM_X86_64, R_X86_64_PLT32, 40, -4, 1), 16 - 40 - 4);
}

static void resolves_aarch64(void **state)
{
    (void)state;
    /* Instructions start as 0x11111111; the fields that are set are 29..30 and 5..23
     * (ADRP), 10..21, 0..25. */
    assert_int_equal(relocated(EM_AARCH64, R_AARCH64_ADR_PREL_PG_HI21, 8, 0, 2), 0x11000011);
    assert_int_equal(relocated(EM_AARCH64, R_AARCH64_ADR_PREL_PG_HI21, 8, 3 * 4096, 2), 0x71000011);
    assert_int_equal(relocated(EM_AARCH64, R_AARCH64_ADD_ABS_LO12_NC, 8, 4, 2),
                     (0x11111111u & ~0x3ffc00u) | 68u << 10);
    assert_int_equal(relocated(EM_AARCH64, R_AARCH64_LDST128_ABS_LO12_NC, 8, 16, 2),
                     (0x11111111u & ~0x3ffc00u) | 5u << 10);
    assert_int_equal(relocated(EM_AARCH64, R_AARCH64_CALL26, 40, 0, 1),
                     (0x11111111u & ~0x3ffffffu) | ((uint32_t)-6 & 0x3ffffff));
}

static void refuse_sample(uint16_t machine, uint32_t type, int64_t offset, int64_t addend,
                          uint32_t symbol, const char *words)
{
    struct linked linked;
    struct sample sample = sample_of(machine, type, offset, addend, symbol);
    status code = link_sample(&linked, &sample);
    if (code != STATUS_COMPILE || !strstr(linked.diagnostic.text, words))
        CHECK_FAIL("got %s '%s', expected '%s'", status_name(code), linked.diagnostic.text, words);
    arena_destroy(linked.arena);
}

static void refuses_what_cannot_be_resolved(void **state)
{
    (void)state;
    refuse_sample(EM_X86_64, R_X86_64_PLT32, 20, -4, 3, "\"memset\"");
    refuse_sample(EM_X86_64, R_X86_64_GOTPCREL, 20, -4, 2, "offset table");
    refuse_sample(EM_X86_64, R_X86_64_64, 20, 0, 2, "not relative");
    refuse_sample(EM_X86_64, R_X86_64_PC32, 61, -4, 2, "outside");
    refuse_sample(EM_X86_64, R_X86_64_PC32, 20, (int64_t)1 << 33, 2, "too far");
    refuse_sample(EM_AARCH64, R_AARCH64_LDST128_ABS_LO12_NC, 8, 4, 2, "not aligned");
    refuse_sample(EM_AARCH64, R_AARCH64_ABS64, 8, 0, 2, "not relative");
    refuse_sample(EM_RISCV, R_X86_64_PC32, 8, 0, 2, "no relocatable ELF");
    struct linked linked;
    struct sample sample = sample_of(EM_X86_64, R_X86_64_PC32, 20, -4, 2);
    sample.sections[RODATA].sh_flags |= SHF_WRITE;
    assert_int_equal(link_sample(&linked, &sample), STATUS_COMPILE);
    assert_non_null(strstr(linked.diagnostic.text, "writable"));
    arena_destroy(linked.arena);
}

/* Copies to memory of the exact size, so that the sanitizers see every step outside. */
static void link_bytes(const void *bytes, size_t byte_count)
{
    void *exact = malloc(byte_count ? byte_count : 1);
    memcpy(exact, bytes, byte_count);
    struct arena *arena = arena_create(64 << 20);
    struct object_block block;
    struct diagnostic diagnostic = {0};
    status code = object_block_make(exact, byte_count, arena, &block, &diagnostic);
    assert_true(code == STATUS_OK || diagnostic.text[0]);
    arena_destroy(arena);
    free(exact);
}

static void survives_damage(void **state)
{
    (void)state;
    struct sample sample = sample_of(EM_X86_64, R_X86_64_PC32, 20, -4, 2);
    for (size_t length = 0; length < sizeof sample; length++) link_bytes(&sample, length);
    for (uint64_t round = 0; round < 20000; round++) {
        struct sample damaged = sample;
        for (uint64_t i = 0; i < 1 + round % 4; i++)
            ((uint8_t *)&damaged)[random_bits(1, round, 2 * i) % sizeof damaged] =
                (uint8_t)random_bits(1, round, 2 * i + 1);
        link_bytes(&damaged, sizeof damaged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lays_sections_out_and_finds_functions),
        cmocka_unit_test(resolves_x86_64),
        cmocka_unit_test(resolves_aarch64),
        cmocka_unit_test(refuses_what_cannot_be_resolved),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
