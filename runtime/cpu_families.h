/* Which instruction families this processor has, and the operating system saves the registers of.
 */
#ifndef RUNTIME_CPU_FAMILIES_H
#define RUNTIME_CPU_FAMILIES_H

#include "base/status.h"

#include <stdbool.h>

enum { CPU_NAME_BYTES = 64 };

struct cpu_families {
    /* The levels of the x86-64 psABI; a level has all below it. */
    bool v2, v3, v4;
    bool avx512_vnni, avx512_bf16, avx512_fp16, avx_vnni, amx;
    char name[CPU_NAME_BYTES]; /* for people */
};

struct cpu_families cpu_families_here(void);

/* Asks the system for the tiles of AMX, for all threads of this process: before the first instruction that uses them.
 * Asking again changes nothing. */
CHECKED status cpu_tiles_request(struct diagnostic *diagnostic);

#endif
