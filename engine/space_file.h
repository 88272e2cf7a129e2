/* Recorded spaces in files of several tuners.
 *
 *     csv           Hone's own form (tuner/recorded.h), and CSV of others
 *     cache         Kernel Tuner's cache; one that was cut off (a comma at the end, brackets open) is read as Kernel Tuner reads it
 *     t4            results in the open T4 schema
 *     t1            the space in the open T1 schema; written only, it has no results (engine/space_t1.h reads it)
 *     ktt           the JSON of the Kernel Tuning Toolkit
 *
 * Times are milliseconds in cache and t4, and what `TimeUnit` says in ktt. */
#ifndef ENGINE_SPACE_FILE_H
#define ENGINE_SPACE_FILE_H

#include "tuner/recorded.h"

/* Which of them it is, its beginning says. */
CHECKED status space_file_read(const char *path, struct arena *arena, struct recorded_space **space,
                               struct diagnostic *diagnostic);

/* `format`: one of the names above. */
CHECKED status space_file_write(const struct recorded_space *space, const char *path,
                                const char *format, struct diagnostic *diagnostic);

#endif
