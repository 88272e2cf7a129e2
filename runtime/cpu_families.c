/* Instruction families by CPUID.  A family counts only when the operating system saves its
 * registers (XGETBV), so a virtual machine or an old kernel that hides AVX-512 is believed. */
#include "runtime/cpu_families.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct registers {
    unsigned eax, ebx, ecx, edx;
};

static struct registers ask(unsigned leaf, unsigned subleaf)
{
    struct registers r = {0, 0, 0, 0};
    if (!__get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx))
        return (struct registers){0, 0, 0, 0};
    return r;
}

static bool all(unsigned word, unsigned bits)
{
    return (word & bits) == bits;
}

#define BIT(n) (1u << (n))

/* Which register states the system saves; 0 when it does not say. */
static uint64_t saved_states(void)
{
    if (!all(ask(1, 0).ecx, BIT(27))) return 0;
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* The state component of tile data; the requests of arch_prctl, which older headers do not name. */
enum { TILE_DATA = 18, ARCH_GET_SUPPORTED = 0x1021, ARCH_REQUEST = 0x1023 };

/* Tile data must be asked for before use; this only asks whether the kernel would grant it
 * (ARCH_GET_XCOMP_SUPP). */
static bool kernel_grants_tiles(void)
{
    uint64_t features = 0;
    return syscall(SYS_arch_prctl, ARCH_GET_SUPPORTED, &features) == 0 &&
           (features & BIT(TILE_DATA));
}

static void read_name(char *name)
{
    if (ask(0x80000000u, 0).eax < 0x80000004u) {
        strcpy(name, "x86-64 processor");
        return;
    }
    char text[CPU_NAME_BYTES] = {0};
    for (unsigned i = 0; i < 3; i++) {
        struct registers r = ask(0x80000002u + i, 0);
        memcpy(text + 16 * i, &r, sizeof r);
    }
    const char *start = text + strspn(text, " ");
    size_t length = strlen(start);
    while (length && start[length - 1] == ' ') length--;
    memcpy(name, start, length);
    name[length] = 0;
}

static void read_levels(struct cpu_families *families, uint64_t states)
{
    struct registers one = ask(1, 0), seven = ask(7, 0), extended = ask(0x80000001u, 0);
    /* SSE3, SSSE3, CMPXCHG16B, SSE4.1, SSE4.2, POPCNT; LAHF */
    families->v2 = all(one.ecx, BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(23)) &&
                   all(extended.ecx, BIT(0));
    /* FMA, MOVBE, AVX, F16C; BMI1, AVX2, BMI2; LZCNT; saved: SSE and AVX */
    families->v3 = families->v2 && all(one.ecx, BIT(12) | BIT(22) | BIT(28) | BIT(29)) &&
                   all(seven.ebx, BIT(3) | BIT(5) | BIT(8)) && all(extended.ecx, BIT(5)) &&
                   (states & 0x6) == 0x6;
    /* AVX512 F, DQ, CD, BW, VL; saved: masks and both upper parts */
    families->v4 = families->v3 &&
                   all(seven.ebx, BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31)) &&
                   (states & 0xe6) == 0xe6;
}

static void read_extras(struct cpu_families *families, uint64_t states)
{
    struct registers seven = ask(7, 0);
    struct registers more = seven.eax >= 1 ? ask(7, 1) : (struct registers){0, 0, 0, 0};
    families->avx_vnni = families->v3 && all(more.eax, BIT(4));
    families->avx512_vnni = families->v4 && all(seven.ecx, BIT(11));
    families->avx512_bf16 = families->v4 && all(more.eax, BIT(5));
    families->avx512_fp16 = families->v4 && all(seven.edx, BIT(23));
    families->amx = families->v4 && all(seven.edx, BIT(22) | BIT(24) | BIT(25)) &&
                    (states & 0x60000) == 0x60000 && kernel_grants_tiles();
}

struct cpu_families cpu_families_here(void)
{
    struct cpu_families families = {0};
    uint64_t states = saved_states();
    read_levels(&families, states);
    read_extras(&families, states);
    read_name(families.name);
    return families;
}

status cpu_tiles_request(struct diagnostic *diagnostic)
{
    if (syscall(SYS_arch_prctl, ARCH_REQUEST, TILE_DATA) == 0) return STATUS_OK;
    return fail(diagnostic, STATUS_DEVICE,
                "the system does not grant this process the tiles of AMX: %s; --cpu x86-64-v4 does "
                "without them",
                strerror(errno));
}

#else

#include <stdio.h>
#include <sys/utsname.h>

struct cpu_families cpu_families_here(void)
{
    struct cpu_families families = {0};
    struct utsname system;
    if (uname(&system) == 0)
        snprintf(families.name, sizeof families.name, "%.40s processor", system.machine);
    else
        strcpy(families.name, "processor");
    return families;
}

status cpu_tiles_request(struct diagnostic *diagnostic)
{
    return fail(diagnostic, STATUS_DEVICE, "this processor has no tiles");
}

#endif
