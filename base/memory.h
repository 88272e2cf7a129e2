/* Large memory straight from the system: tensor buffers, KV pages, code.  Arenas are for everything
 * small.  Zeroed; aligned to the page, and to 2 MiB where `bytes` is larger than that. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "base/status.h"

#include <stddef.h>

enum { MEMORY_ALIGNMENT_BYTES = 4096 };

CHECKED status memory_map(size_t bytes, void **memory, struct diagnostic *diagnostic);
void memory_unmap(void *memory, size_t bytes);

/* The same with `fence_bytes` before and behind it that nobody can touch: what strays by less ends
 * in a fault.  A multiple of 2 MiB.  Freed by memory_unmap_fenced with the same numbers. */
CHECKED status memory_map_fenced(size_t bytes, size_t fence_bytes, void **memory,
                                 struct diagnostic *diagnostic);
void memory_unmap_fenced(void *memory, size_t bytes, size_t fence_bytes);

/* Copies `bytes` of machine code into fresh pages and makes them read-only and executable; the
 * pages are never writable and executable at the same time. */
CHECKED status memory_map_code(const void *code, size_t bytes, void **memory,
                               struct diagnostic *diagnostic);

/* Memory shared with child processes that are forked later. */
CHECKED status memory_map_shared(size_t bytes, void **memory, struct diagnostic *diagnostic);

/* The most memory that this process has had resident so far, pages of mapped files included. */
size_t memory_peak_bytes(void);

#endif
