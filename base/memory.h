/* Large memory straight from the system: tensor buffers, KV pages, code.  Arenas are for everything
 * small.  Zeroed; aligned to the page, and to 2 MiB where `bytes` is larger than that. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include "base/status.h"

#include <stddef.h>

enum { MEMORY_ALIGNMENT_BYTES = 4096 };

CHECKED status memory_map(size_t bytes, void **memory, struct diagnostic *diagnostic);
void memory_unmap(void *memory, size_t bytes);

/* Copies `bytes` of machine code into fresh pages and makes them read-only and executable; the
 * pages are never writable and executable at the same time. */
CHECKED status memory_map_code(const void *code, size_t bytes, void **memory,
                               struct diagnostic *diagnostic);

/* Memory shared with child processes that are forked later. */
CHECKED status memory_map_shared(size_t bytes, void **memory, struct diagnostic *diagnostic);

#endif
