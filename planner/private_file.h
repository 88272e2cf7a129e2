/* Small files that only this user may read: keys. */
#ifndef PLANNER_PRIVATE_FILE_H
#define PLANNER_PRIVATE_FILE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* `name` below the user's configuration folder (~/.config/hone). */
CHECKED status private_file_path(const char *name, struct arena *arena, const char **path,
                                 struct diagnostic *diagnostic);

/* Makes the file and its folders; `*existed` where it was there already, which is left as it is. */
CHECKED status private_file_create(const char *path, const void *bytes, size_t count, bool *existed,
                                   struct diagnostic *diagnostic);

/* Exactly `count` bytes.  STATUS_FAILED when others can read or write the file, or it has fewer: what it holds would mean
 * nothing. */
CHECKED status private_file_read(const char *path, void *bytes, size_t count,
                                 struct diagnostic *diagnostic);

#endif
