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
#include "ir/device_facts.h"
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

/* The same of a problem under whatever routing (ir/routing.h), itself included. */
CHECKED status store_routed_records(struct store *store, struct hash problem_key,
                                    const char *device_class, struct arena *arena,
                                    struct record **records, int *count,
                                    struct diagnostic *diagnostic);

/* The same of all other classes of devices. */
CHECKED status store_records_elsewhere(struct store *store, struct hash problem_key,
                                       const char *device_class, struct arena *arena,
                                       struct record **records, int *count,
                                       struct diagnostic *diagnostic);

/* The finals of all problems of an operator, problem by problem: for orders, not for answers. */
CHECKED status store_finals_of_operator(struct store *store, const char *op,
                                        const char *device_class, struct arena *arena,
                                        struct record **records, int *count,
                                        struct diagnostic *diagnostic);

/* Every good record, until `visit` returns false; the record lives until the call returns. */
CHECKED status store_each(struct store *store,
                          bool (*visit)(void *context, const struct record *record), void *context,
                          struct diagnostic *diagnostic);

/* ---- Where records come from ---- */

/* What was known of a class of devices, by which version of Hone, since when. */
struct origin {
    const char *device_class, *hone;
    const char *facts; /* device_facts_print's text */
    int64_t since;     /* seconds since 1970 */
};

/* Keeps the facts of the devices that are measured now, once for each version of Hone. */
CHECKED status store_note_origin(struct store *store, const struct device_facts *facts,
                                 struct diagnostic *diagnostic);
/* Every good origin until `visit` returns false; it lives until the call returns. */
CHECKED status store_each_origin(struct store *store,
                                 bool (*visit)(void *context, const struct origin *origin),
                                 void *context, struct diagnostic *diagnostic);

/* ---- Packs: records in one file that travels (docs/packs.md) ---- */

struct store_copied {
    long added;
    long known;     /* were there already */
    long conflicts; /* the same measurement with other numbers: not taken */
    long left_out;  /* damaged, or not to be believed */
    long origins;   /* added */
};

/* Opens a pack, another store's file, or the folder of one, to read it.  Nothing in it is believed:
 * a pack that is not as it was written is refused, and so is a file with anything beside Hone's
 * tables. */
CHECKED status store_open_foreign(const char *path, const struct progress *progress,
                                  struct store **store, struct diagnostic *diagnostic);

/* Writes the good records of all stores, `op` NULL or of one operator, to a file that does not
 * exist yet. */
CHECKED status store_write_pack(struct store *const *stores, int store_count, const char *op,
                                const char *path, struct store_copied *copied,
                                struct diagnostic *diagnostic);

/* Adds the records of a pack, or of another store's file, that are not here yet. */
CHECKED status store_import(struct store *store, const char *path, struct store_copied *copied,
                            struct diagnostic *diagnostic);

#endif
