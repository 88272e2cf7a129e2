/* How much memory this machine, or the control group that this process is in, still has to give before somebody is killed. */
#ifndef BASE_HOST_MEMORY_H
#define BASE_HOST_MEMORY_H

#include "base/arena.h"

#include <stdint.h>

/* What the kernel takes to be available, at most what every control group (versions 1 and 2) that this process is in leaves;
 * pages of files count as free, for they can be dropped.  INT64_MAX: nothing is known.  `root` is put before the names of
 * the kernel's files: "" but in tests. */
int64_t host_memory_available(const char *root, struct arena *scratch);

#endif
