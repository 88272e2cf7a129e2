/* Reads ELF files of NVIDIA's machine: sections, symbols, and the notes of .nv.info. */
#include "codegen/cuda/cubin.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

enum {
    MACHINE_CUDA = 190,
    INSTRUCTION_BYTES = 16, /* from sm_70 on */
    NOTE_HAS_BYTES = 4,     /* format of a note: a length and bytes follow */
    NOTE_FRAME_BYTES = 0x11,
    NOTE_REGISTERS = 0x2f
};

struct cubin {
    const uint8_t *bytes;
    size_t byte_count;
    Elf64_Ehdr head;
    Elf64_Shdr names; /* the section with the names of sections */
    struct diagnostic *diagnostic;
};

static status refuse(const struct cubin *cubin, const char *what)
{
    return fail(cubin->diagnostic, STATUS_COMPILE, "the compiler's cubin of %zu bytes: %s",
                cubin->byte_count, what);
}

/* Copies, because nothing in a file of unknown origin is aligned. */
static bool copy_range(const struct cubin *cubin, uint64_t offset, void *to, size_t size)
{
    if (offset > cubin->byte_count || size > cubin->byte_count - offset) return false;
    memcpy(to, cubin->bytes + offset, size);
    return true;
}

static bool section_at(const struct cubin *cubin, unsigned index, Elf64_Shdr *section)
{
    uint64_t offset;
    if (index >= cubin->head.e_shnum) return false;
    if (__builtin_add_overflow(cubin->head.e_shoff, index * sizeof *section, &offset)) return false;
    if (!copy_range(cubin, offset, section, sizeof *section)) return false;
    return section->sh_type == SHT_NOBITS ||
           (section->sh_offset <= cubin->byte_count &&
            section->sh_size <= cubin->byte_count - section->sh_offset);
}

/* A text of a section of texts, or NULL when it does not end within the section. */
static const char *text_at(const struct cubin *cubin, const Elf64_Shdr *texts, uint64_t offset)
{
    if (texts->sh_type == SHT_NOBITS || offset >= texts->sh_size) return NULL;
    const char *text = (const char *)cubin->bytes + texts->sh_offset + offset;
    return memchr(text, 0, texts->sh_size - offset) ? text : NULL;
}

/* False when there is none of that name. */
static bool find_section(const struct cubin *cubin, const char *name, Elf64_Shdr *section)
{
    for (unsigned s = 0; s < cubin->head.e_shnum; s++) {
        if (!section_at(cubin, s, section)) continue;
        const char *own = text_at(cubin, &cubin->names, section->sh_name);
        if (own && strcmp(own, name) == 0) return true;
    }
    return false;
}

static status open_cubin(struct cubin *cubin)
{
    static const unsigned char mark[] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB};
    if (!copy_range(cubin, 0, &cubin->head, sizeof cubin->head) ||
        memcmp(cubin->head.e_ident, mark, sizeof mark) != 0)
        return refuse(cubin, "it is no 64-bit ELF file");
    if (cubin->head.e_machine != MACHINE_CUDA) return refuse(cubin, "it is for another machine");
    if (cubin->head.e_shentsize != sizeof(Elf64_Shdr))
        return refuse(cubin, "its sections are of another kind");
    if (!section_at(cubin, cubin->head.e_shstrndx, &cubin->names))
        return refuse(cubin, "its sections have no names");
    return STATUS_OK;
}

/* The number of the kernel's symbol. */
static status find_symbol(const struct cubin *cubin, const char *entry, uint32_t *number)
{
    Elf64_Shdr symbols, texts;
    if (!find_section(cubin, ".symtab", &symbols) || !section_at(cubin, symbols.sh_link, &texts))
        return refuse(cubin, "it has no symbols");
    uint64_t count = symbols.sh_size / sizeof(Elf64_Sym);
    for (uint32_t s = 0; s < count && s < UINT32_MAX; s++) {
        Elf64_Sym symbol;
        if (!copy_range(cubin, symbols.sh_offset + s * sizeof symbol, &symbol, sizeof symbol))
            return refuse(cubin, "its symbols end early");
        const char *name = text_at(cubin, &texts, symbol.st_name);
        *number = s;
        if (name && strcmp(name, entry) == 0) return STATUS_OK;
    }
    return refuse(cubin, "a kernel is not in it");
}

/* Notes about symbols: format, attribute, two bytes of length, then the number of a symbol and a
 * value. */
static void read_notes(const struct cubin *cubin, const Elf64_Shdr *section, uint32_t symbol,
                       struct kernel_resources *resources)
{
    uint64_t at = section->sh_offset, end = section->sh_offset + section->sh_size;
    uint8_t head[4];
    while (end - at >= sizeof head && copy_range(cubin, at, head, sizeof head)) {
        uint32_t size = (uint32_t)head[2] | (uint32_t)head[3] << 8, pair[2];
        at += sizeof head;
        if (head[0] != NOTE_HAS_BYTES) continue;
        if (size > end - at) return;
        if (size == sizeof pair && copy_range(cubin, at, pair, sizeof pair) && pair[0] == symbol) {
            int value = pair[1] > INT32_MAX ? INT32_MAX : (int)pair[1];
            if (head[1] == NOTE_REGISTERS) resources->registers = value;
            if (head[1] == NOTE_FRAME_BYTES) resources->local_bytes = value;
        }
        uint32_t padded = (size + 3) / 4 * 4;
        if (padded > end - at) return;
        at += padded;
    }
}

static int bounded(uint64_t value)
{
    return value > INT32_MAX ? INT32_MAX : (int)value;
}

status cubin_read(const void *bytes, size_t byte_count, const char *entry,
                  struct kernel_resources *resources, struct diagnostic *diagnostic)
{
    struct cubin cubin = {.bytes = bytes, .byte_count = byte_count, .diagnostic = diagnostic};
    Elf64_Shdr section;
    uint32_t symbol = 0;
    char name[128];
    TRY(open_cubin(&cubin));
    TRY(find_symbol(&cubin, entry, &symbol));
    snprintf(name, sizeof name, ".text.%s", entry);
    if (!find_section(&cubin, name, &section)) return refuse(&cubin, "a kernel has no code");
    resources->instructions = bounded(section.sh_size / INSTRUCTION_BYTES);
    snprintf(name, sizeof name, ".nv.shared.%s", entry);
    if (find_section(&cubin, name, &section)) resources->shared_bytes = bounded(section.sh_size);
    if (!find_section(&cubin, ".nv.info", &section) || section.sh_type == SHT_NOBITS)
        return refuse(&cubin, "it says nothing of its registers");
    read_notes(&cubin, &section, symbol, resources);
    return STATUS_OK;
}

/* "Function properties for NAME", then "... 8 bytes spill stores, 12 bytes spill loads". */
int log_spilled_bytes(const char *log, const char *entry)
{
    static const char lead[] = "Function properties for ";
    size_t length = strlen(entry);
    for (const char *at = strstr(log, lead); at; at = strstr(at, lead)) {
        at += strlen(lead);
        if (strncmp(at, entry, length) != 0 || (at[length] != '\n' && at[length] != '\r')) continue;
        int frame = 0, stores = 0, loads = 0;
        if (sscanf(at + length, " %d bytes stack frame, %d bytes spill stores, %d bytes spill",
                   &frame, &stores, &loads) == 3)
            return stores > loads ? stores : loads;
    }
    return 0;
}
