/* Packing blocks with lifetimes into one range of memory. */
#ifndef IR_MEMORY_PACK_H
#define IR_MEMORY_PACK_H

#include "base/arena.h"

#include <stdint.h>

/* A block alive from `first` to `last`, both included. */
struct memory_block {
    int64_t bytes, offset;
    int first, last;
    int tag; /* the caller's: packing sorts the blocks */
};

/* A cache line, and the widest vector: no two values share either. */
enum { MEMORY_PACK_ALIGNMENT_BYTES = 64 };
/* Of one block; with at most 2^18 blocks no sum overflows. */
#define MEMORY_PACK_BYTES_MAX ((int64_t)1 << 44)

/* Sets the offsets, multiples of 64, so that blocks alive together do not overlap; `total_bytes` is the end of the
 * highest one.  Sorts `blocks` by `first`. */
CHECKED status memory_pack(struct memory_block *blocks, int count, struct arena *scratch,
                           int64_t *total_bytes, struct diagnostic *diagnostic);

/* The most bytes that are alive at one time: no packing is smaller.  `blocks` are sorted by `first`. */
CHECKED status memory_pack_bound(const struct memory_block *blocks, int count,
                                 struct arena *scratch, int64_t *bytes,
                                 struct diagnostic *diagnostic);

#endif
