/* The tables of the store and of packs, for tuner/store*.c only.
 *
 * Everything is text or a plain number, so that people can ask with SQL.  SQLite keeps a table's text from its
 * name on, by which a file from elsewhere is checked to the letter (store_pack.c): a changed text is another
 * SCHEMA_VERSION. */
#ifndef TUNER_STORE_SCHEMA_H
#define TUNER_STORE_SCHEMA_H

enum {
    APPLICATION_ID = 0x484f4e45, /* "HONE": tells SQLite files apart (pragma application_id) */
    SCHEMA_VERSION = 1,
    PACK_FORM = 1
};

#define MAKE_TABLE(schema) "CREATE TABLE IF NOT EXISTS " schema
#define MAKE_INDEX(schema) "CREATE INDEX IF NOT EXISTS " schema

#define RECORD_TABLE                                                                               \
    "records ("                                                                                    \
    "id INTEGER PRIMARY KEY, problem_key TEXT NOT NULL, device_class TEXT NOT NULL, "              \
    "protocol INTEGER NOT NULL, problem TEXT NOT NULL, candidate TEXT NOT NULL, "                  \
    "source TEXT NOT NULL, compiler TEXT NOT NULL, status TEXT NOT NULL, detail TEXT NOT NULL, "   \
    "stage TEXT NOT NULL, roles INTEGER NOT NULL, session INTEGER NOT NULL, "                      \
    "median_seconds REAL NOT NULL, least_seconds REAL NOT NULL, spread_seconds REAL NOT NULL, "    \
    "sample_count INTEGER NOT NULL, samples BLOB NOT NULL, wall_time INTEGER NOT NULL, "           \
    "checksum TEXT NOT NULL UNIQUE)"
#define RECORD_INDEX "records_by_problem ON records (problem_key, device_class, protocol)"

/* struct origin */
#define ORIGIN_TABLE                                                                               \
    "origins ("                                                                                    \
    "device_class TEXT NOT NULL, hone TEXT NOT NULL, since INTEGER NOT NULL, "                     \
    "facts TEXT NOT NULL, checksum TEXT NOT NULL UNIQUE)"

/* Of packs only: form, hone, written (seconds since 1970), digest of all checksums. */
#define PACK_TABLE "pack (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)"

#endif
