/* Where a lane's access goes, in any space. */
#ifndef EMULATOR_MEMORY_REACH_H
#define EMULATOR_MEMORY_REACH_H

#include "emulator/warp.h"

enum { REACH_READ = 1, REACH_WRITE = 2 };

/* Host memory of `bytes` at `address` for `lane`, checked, its shadow updated; NULL after a fault.
 * Alignment is that of the whole access. */
unsigned char *memory_reach(struct warp *warp, const struct instruction *instruction,
                            enum space space, unsigned lane, uint64_t address, uint32_t bytes,
                            int how);

/* Counts the warp's access. */
void memory_count(struct warp *warp, enum space space, const uint64_t addresses[static WARP_LANES],
                  uint32_t bytes);

#endif
