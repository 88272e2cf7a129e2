/* The store of records: one SQLite file, FOLDER/records.db, that several processes may use at the
 * same time.
 *
 * A record for which store_add returned is kept even if this process is killed at once.  Whatever
 * is wrong with the file never stops the work: a file that is no store of Hone is moved aside,
 * damaged rows are left out, and where nothing can be written records are kept in memory until the
 * store is closed.  Each of these is told once, as a warning.
 *
 *     SELECT candidate, median_seconds FROM records WHERE status = 'ok' ORDER BY median_seconds */
#ifndef TUNER_STORE_H
#define TUNER_STORE_H

#include "base/progress.h"
#include "tuner/record.h"

struct store;

/* `folder` NULL: the cache folder of the user (base/file.h); "": records live in memory until the store is closed.  Fails
 * only when memory is out. */
CHECKED status store_open(const char *folder, const struct progress *progress, struct store **store,
                          struct diagnostic *diagnostic);
void store_close(struct store *store); /* NULL is allowed */

const char *store_path(const struct store *store);
bool store_keeps(const struct store *store);         /* false: records live in memory only */
long store_damaged_count(const struct store *store); /* rows left out so far */

CHECKED status store_add(struct store *store, const struct record *record,
                         struct diagnostic *diagnostic);

/* All good records of this protocol of a problem on a class of devices, in the order in which they
 * were added.  They and their texts live in `arena`. */
CHECKED status store_records(struct store *store, struct hash problem_key, const char *device_class,
                             struct arena *arena, struct record **records, int *count,
                             struct diagnostic *diagnostic);

/* Every good record, until `visit` returns false; the record lives until the call returns. */
CHECKED status store_each(struct store *store,
                          bool (*visit)(void *context, const struct record *record), void *context,
                          struct diagnostic *diagnostic);

/* Writes a copy of the whole store to a file that does not exist yet. */
CHECKED status store_export(struct store *store, const char *path, struct diagnostic *diagnostic);

/* Adds the good records of another store's file that are not here yet; `added` counts them. */
CHECKED status store_import(struct store *store, const char *path, long *added,
                            struct diagnostic *diagnostic);

#endif
